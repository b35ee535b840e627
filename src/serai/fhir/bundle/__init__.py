"""batch and transaction (R4 §3.1.0.11)."""
