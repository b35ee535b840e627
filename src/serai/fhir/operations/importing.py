"""$import takes NDJSON as it streams in (`http.uploads`); anything else sent to it ends here."""

from __future__ import annotations

from typing import NoReturn

from serai.fhir.interaction.asked import Asked, Scene
from serai.fhir.operations.operation import Operation
from serai.kernel.errors import Unsupported


async def refuse(_scene: Scene, _asked: Asked) -> NoReturn:
    raise Unsupported("bulk.import-type")


OPERATION = Operation(
    name="import",
    handler=refuse,
    levels=frozenset({"system"}),
    definition="https://serai.health/fhir/OperationDefinition/import",
    writes=True,
)
