"""Pixels decoded and drawn: CPU work without I/O, to be run in a thread."""
