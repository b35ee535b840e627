"""SCIM 2.0 (RFC 7643, RFC 7644): an organisation's own directory keeps its accounts here."""

from serai.network.scim.api import application

__all__ = ["application"]
