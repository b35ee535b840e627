"""Pages of the consultation: worklists, the request, the consultation itself."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from serai.care.consultation.pages import asking, lists, working
from serai.care.consultation.pages.words import NAVIGATION

__all__ = ["NAVIGATION", "routes"]


def routes() -> list[BaseRoute]:
    one = "/consultations/{consultation}"
    return [
        Route("/consultations", lists.worklist),
        Route("/consultations", asking.begin, methods=["POST"]),
        Route("/consultations/new", asking.choose_patient),
        Route(f"{one}/edit", asking.edit),
        Route(f"{one}/edit", asking.save, methods=["POST"]),
        Route(f"{one}/pictures", asking.pictures, methods=["POST"]),
        Route(f"{one}/review", asking.review),
        Route(f"{one}/send", asking.send, methods=["POST"]),
        Route(f"{one}/opinion", working.save_opinion, methods=["POST"]),
        Route(f"{one}/opinion.pdf", working.print_opinion),
        Route(one, working.show),
        Route(one + "/{act}", working.make_move, methods=["POST"]),
    ]
