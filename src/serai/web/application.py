"""The web room's part of the application: middleware, error pages, static files, sign-in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from serai.web import account, assets, errors, provider, proving, signin
from serai.web.authentication import Authentication
from serai.web.headers import SecurityHeaders
from serai.web.navigation import NavItem


def middleware() -> list[Middleware]:
    """Outermost first: headers go on refusals too."""
    return [Middleware(SecurityHeaders), Middleware(Authentication, refuse=errors.refuse)]


def routes() -> list[BaseRoute]:
    return [
        *signin.routes(),
        *proving.routes(),
        *provider.routes(),
        *account.routes(),
        *assets.routes(),
    ]


def error_handlers() -> dict[Any, Any]:
    """For the application of pages: `Starlette(exception_handlers=…)`."""
    return dict(errors.exception_handlers())


def page_app(
    own_routes: Sequence[BaseRoute], *, navigation: tuple[NavItem, ...] = (), **state: Any
) -> Starlette:
    """An application of the given pages behind sign-in; `state` becomes `app.state`."""
    app = Starlette(
        routes=[*routes(), *own_routes],
        middleware=middleware(),
        exception_handlers=error_handlers(),
    )
    app.state.navigation = navigation
    for name, value in state.items():
        setattr(app.state, name, value)
    return app
