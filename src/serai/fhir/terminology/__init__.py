"""Terminology (R4 §4.8): code systems, value sets and concept maps, kept and asked in SQL."""
