"""Electrocardiograms: read from every form, drawn to scale, measured, with what the device said."""

from serai.imaging.ecg.measuring import Measurements, measure
from serai.imaging.ecg.model import Ecg
from serai.imaging.ecg.pages import routes
from serai.imaging.ecg.receiving import receive
from serai.imaging.ecg.waveform import read

__all__ = ["Ecg", "Measurements", "measure", "read", "receive", "routes"]
