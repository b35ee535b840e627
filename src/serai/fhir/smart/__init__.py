"""Apps of other makers on this record (SMART App Launch 2.2) and the identity of people told to
them (OpenID Connect): discovery, asking, answering, tokens, pages."""

from serai.fhir.smart.door import SmartDoor
from serai.fhir.smart.routes import NAVIGATION, routes
from serai.fhir.smart.wording import register

register()

__all__ = ["NAVIGATION", "SmartDoor", "routes"]
