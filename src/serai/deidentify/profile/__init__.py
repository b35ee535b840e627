"""The Basic Application Level Confidentiality Profile and its options as data (PS3.15 Annex E)."""
