"""Projects: for what, by whom, which studies, and what came of them without the patients."""

from serai.deidentify.projects.api import router
from serai.deidentify.projects.pages import NAVIGATION, routes

__all__ = ["NAVIGATION", "router", "routes"]
