"""DICOM bytes read without copying pixels: elements, text, JSON model, frame places. No I/O."""
