"""Electrocardiograms: read from every form, drawn to scale, measured, with what the device said."""
