"""Serai: a care network in one server."""

__version__ = "0.1.0"
