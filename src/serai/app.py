"""Build the whole application and mount every room's routes; decide nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from serai import __version__
from serai.care import chart, consultation
from serai.fhir import http as fhir_http
from serai.fhir.store import FhirStore
from serai.imaging import dicomweb, viewer
from serai.imaging.archive import Archive
from serai.network import api as network_api
from serai.network import pages as network_pages
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web import pages as web_pages
from serai.web.application import error_handlers, middleware


def fhir_store() -> FhirStore:
    """The store with every capability's guards; whoever writes, the rules hold."""
    store = FhirStore()
    consultation.register_guards(store)
    return store


def api() -> FastAPI:
    application = FastAPI(title="Serai", version=__version__, docs_url="/docs", redoc_url=None)
    for router in (network_api.router, chart.router, consultation.router):
        application.include_router(router)
    return application


def create_app(settings: Settings, database_url: str) -> Starlette:
    """The ASGI application; opens its database pool and blob store when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.db = await Database.open(database_url, max_size=settings.database_connections)
        yield
        await app.state.db.close()

    app = Starlette(
        routes=[
            *web_pages.routes(settings),
            *fhir_http.routes(),
            *dicomweb.routes(),
            *viewer.routes(settings),
            *network_pages.routes(),
            *chart.routes(),
            *consultation.routes(),
            Mount("/api", app=api()),
        ],
        middleware=middleware(settings),
        exception_handlers=error_handlers(),
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.fhir = fhir_store()
    app.state.blobs = Blobs.at(settings)
    app.state.archive = Archive(app.state.fhir, app.state.blobs)
    return app
