"""`Composition/[id]/$document`: the document a Composition heads (R4 Composition §2.46.6.1)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from serai.fhir.body import encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.everything.supporting import closure, references
from serai.fhir.operations.given import given
from serai.fhir.operations.operation import Operation
from serai.kernel.clock import instant
from serai.kernel.errors import Malformed
from serai.kernel.ids import new_id


async def document(scene: Scene, asked: Asked) -> Reply:
    """The Composition first, then all it points to that the actor may read, and what supports
    those. The Bundle is not kept, so `persist` can only be false."""
    params = given(asked).only("persist")
    if params.boolean("persist", default=False):
        raise Malformed("operation.bad-parameter", parameter="persist", expected="false")
    kind, id, _ = asked.path
    head = await scene.store.read(scene.connection, kind, id, actor=scene.actor)
    start = references([head.raw], asked.base) - {(kind, id)}
    found = await closure(scene.connection, start, actor=scene.actor, base=asked.base)
    found.pop((kind, id), None)
    entries = [{"fullUrl": f"{asked.base}/{head.reference}", "resource": msgspec.Raw(head.raw)}]
    entries += [
        {"fullUrl": f"{asked.base}/{type}/{one}", "resource": msgspec.Raw(content)}
        for (type, one), content in found.items()
    ]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "id": new_id(),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{new_id()}"},
        "type": "document",
        "timestamp": instant(scene.now),
        "entry": entries,
    }
    return Reply(200, encode(bundle))


DOCUMENT: Final = Operation(
    name="document",
    handler=document,
    levels=frozenset({"instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/Composition-document",
    types=frozenset({"Composition"}),
)
