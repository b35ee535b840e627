"""Build the whole application and mount every room's routes; decide nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from serai import __version__
from serai.care import sharing
from serai.care.chart import api as chart_api
from serai.care.chart import pages as chart
from serai.care.consultation import api as consultation_api
from serai.care.consultation import pages as consultation
from serai.deidentify import projects as deidentification
from serai.fhir import smart, upkeep
from serai.fhir.http import FhirDoor
from serai.fhir.store.parameters import keep_looking
from serai.fhir.subscriptions.hub import Hub
from serai.imaging import study, viewer
from serai.imaging.analysis import api as analysis_api
from serai.imaging.analysis import pages as analysis_pages
from serai.imaging.archive import Archive
from serai.imaging.dicomweb import routes as dicomweb
from serai.imaging.ecg import pages as ecg
from serai.imaging.keeping import pages as keeping
from serai.imaging.light import routes as light
from serai.imaging.uploads import api as uploads
from serai.imaging.ups import channel as workitem_events
from serai.imaging.ups import routes as ups
from serai.network import api as network_api
from serai.network import pages as network_pages
from serai.network import scim
from serai.network.staff import pages as account_pages
from serai.platform import health
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.encryption.keyring import Keyring
from serai.platform.settings import Settings
from serai.record import fhir_store
from serai.web import apidocs
from serai.web import application as web
from serai.web.errors import api_error_handlers


def api() -> FastAPI:
    """What is neither FHIR nor DICOM, described by OpenAPI."""
    application = FastAPI(
        title="Serai",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        exception_handlers=dict(api_error_handlers()),
    )
    for router in (
        network_api.router,
        chart_api.router,
        consultation_api.router,
        sharing.router,
        uploads.router,
        deidentification.router,
        analysis_api.router,
    ):
        application.include_router(router)
    application.add_route("/docs", apidocs.show, methods=["GET"])
    return application


def _routes(settings: Settings, api_app: FastAPI, scim_app: Starlette) -> list[BaseRoute]:
    return [
        *health.routes(),
        *web.routes(),
        *ups.routes(),
        *dicomweb.routes(),
        *viewer.routes(settings),
        *study.routes(),
        *light.routes(),
        *analysis_pages.routes(),
        *ecg.routes(),
        *keeping.routes(),
        *network_pages.routes(),
        *account_pages.routes(),
        *chart.routes(),
        *consultation.routes(),
        *sharing.routes(settings),
        *deidentification.routes(),
        *upkeep.routes(),
        *smart.routes(),
        Mount("/scim/v2", app=scim_app),
        Mount("/api", app=api_app),
    ]


def create_app(settings: Settings, database_url: str) -> Starlette:
    """The ASGI application; its database pool opens when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.db = await Database.open(
            database_url, max_size=settings.database_connections, wait_s=settings.database_wait_s
        )
        trail = asyncio.create_task(app.state.fhir.trail.keep(app.state.db))
        parameters = asyncio.create_task(keep_looking(app.state.db, app.state.fhir.parameters))
        app.state.sockets = Hub(database_url)
        app.state.workitem_sockets = Hub(database_url, workitem_events.LISTEN)
        yield
        await app.state.workitem_sockets.close()
        await app.state.sockets.close()
        trail.cancel()
        parameters.cancel()
        await asyncio.wait([trail, parameters])
        await app.state.db.close()

    api_app, scim_app = api(), scim.application()
    app = Starlette(
        routes=_routes(settings, api_app, scim_app),
        middleware=[
            Middleware(smart.SmartDoor),
            Middleware(FhirDoor),
            Middleware(workitem_events.EventDoor),
            *web.middleware(),
        ],
        exception_handlers=web.error_handlers(),
        lifespan=lifespan,
    )
    # Mounted applications see their own `app`; the state behind it is one.
    api_app.state = scim_app.state = app.state
    app.state.settings = settings
    located = settings.model_copy(update={"database_url": database_url})
    app.state.keys = Keyring.of(located)
    app.state.fhir = fhir_store(located)
    app.state.blobs = Blobs.at(located)
    app.state.archive = Archive(app.state.fhir, app.state.blobs, Blobs.cold_at(located))
    app.state.navigation = (
        *consultation.NAVIGATION,
        *chart.NAVIGATION,
        *deidentification.NAVIGATION,
        *analysis_pages.NAVIGATION,
        *network_pages.NAVIGATION,
        *account_pages.NAVIGATION,
        *upkeep.NAVIGATION,
        *smart.NAVIGATION,
    )
    return app
