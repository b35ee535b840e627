"""Pages for administrators: jobs, subscriptions and what could not be told."""

from serai.fhir.upkeep.pages import NAVIGATION, routes

__all__ = ["NAVIGATION", "routes"]
