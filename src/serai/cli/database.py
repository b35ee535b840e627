"""The database for one command, whether or not a server is running beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from serai.kernel.errors import NotFound
from serai.platform.db import Connection, Database
from serai.platform.locks import prepare_home
from serai.platform.migrate import migrate, search_values_are_due
from serai.platform.postgres import database_address, database_failures
from serai.platform.settings import Settings

EXISTS = """SELECT EXISTS (SELECT FROM fhir_resource
                           WHERE type = %s AND id = %s AND NOT deleted)"""

# Opened as they are needed; a bulk load takes several.
CONNECTIONS = 6


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Migrated and open; the embedded PostgreSQL runs as long as somebody uses it."""
    prepare_home(settings.home)
    with database_failures(), database_address(settings) as address:
        migrate(address)
        database = await Database.open(address, max_size=CONNECTIONS)
        try:
            if search_values_are_due(address):
                # Its code is loaded only then, so that `serai token` stays quick.
                renewing = import_module("serai.fhir.store.renewing")
                await renewing.renew(database, base=f"{settings.public_url}/fhir")
            yield database
        finally:
            await database.close()


async def require(tx: Connection, resource_type: str, resource_id: str) -> None:
    """NotFound when the record that an option names is not there."""
    row = await (await tx.execute(EXISTS, (resource_type, resource_id))).fetchone()
    if not row or not row[0]:
        raise NotFound("option.no-such-record", type=resource_type, id=resource_id)
