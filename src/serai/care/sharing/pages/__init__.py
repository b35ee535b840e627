"""Pages of sharing: the links of a study for staff, and what a link opens."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from serai.care.sharing.pages import guests, making, visiting
from serai.imaging.viewer import guests as viewer
from serai.platform.settings import Settings

__all__ = ["routes"]


def routes(settings: Settings) -> list[BaseRoute]:
    one = "/studies/{study}"
    return [
        Route(f"{one}/sharing", making.show),
        Route(f"{one}/links", making.make, methods=["POST"]),
        Route(f"{one}/links/{{link}}/revoke", making.revoke, methods=["POST"]),
        *guests.routes(),
        *viewer.routes(settings, visiting.VIEWER, guests.ROOT, visiting.admit),
        Route("/link/opened/{link}", visiting.study),
        Route("/link/opened/{link}/study.zip", visiting.download),
        Route("/link/{secret}", visiting.show),
        Route("/link/{secret}", visiting.enter, methods=["POST"]),
    ]
