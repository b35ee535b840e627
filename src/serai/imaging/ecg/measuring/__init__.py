"""Global intervals by two independent ways; what they do not agree on is left out."""

from serai.imaging.ecg.measuring.measurements import Found, Measurements, measure

__all__ = ["Found", "Measurements", "measure"]
