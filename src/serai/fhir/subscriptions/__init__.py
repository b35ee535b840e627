"""Subscriptions (R4 §2.46) and their topic-based backport: who is told of what, and when."""
