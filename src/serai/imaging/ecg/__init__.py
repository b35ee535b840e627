"""Electrocardiograms: read from every form, drawn to scale, measured, with what the device said."""

from serai.imaging.ecg.measuring import Measurements, measure
from serai.imaging.ecg.model import Ecg
from serai.imaging.ecg.pages import routes
from serai.imaging.ecg.receiving import is_ecg, receive
from serai.imaging.ecg.waveform import read

__all__ = ["Ecg", "Measurements", "is_ecg", "measure", "read", "receive", "routes"]
