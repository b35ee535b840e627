"""Pages of the chart: find, register, read, attach."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from serai.care.chart.pages import attaching, people, reading
from serai.care.chart.pages.words import KIND_ICONS, KIND_LABELS, NAVIGATION, banner

__all__ = ["KIND_ICONS", "KIND_LABELS", "NAVIGATION", "banner", "routes"]


def routes() -> list[BaseRoute]:
    return [
        Route("/patients", people.find),
        Route("/patients/new", people.new),
        Route("/patients/new", people.register, methods=["POST"]),
        Route("/patients/{patient}", reading.show),
        Route("/patients/{patient}/pictures", attaching.pictures, methods=["POST"]),
        Route("/patients/{patient}/documents", attaching.document, methods=["POST"]),
        Route("/documents/{document}", attaching.open_document),
    ]
