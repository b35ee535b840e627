"""Electrocardiograms: read from every form, drawn to scale, measured, with what the device said."""

from serai.imaging.ecg.model import Ecg
from serai.imaging.ecg.receiving import is_ecg, receive
from serai.imaging.ecg.waveform import read

__all__ = ["Ecg", "is_ecg", "read", "receive"]
