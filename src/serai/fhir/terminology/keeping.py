"""Whatever CodeSystem, ValueSet or ConceptMap is stored takes effect in the same transaction."""

from __future__ import annotations

from serai.fhir.body import Data
from serai.fhir.store import Change, FhirStore
from serai.fhir.terminology import artifacts, code_systems, concept_maps, staging, value_sets
from serai.fhir.terminology.artifacts import Artifact
from serai.kernel.errors import Invalid
from serai.platform.db import Connection

TYPES = ("CodeSystem", "ValueSet", "ConceptMap")


def register_guards(store: FhirStore) -> None:
    """From now on the store keeps terminology in step with its resources."""
    for kind in TYPES:
        store.guard(kind, keep_in_step)


async def keep_in_step(tx: Connection, change: Change) -> bool:
    """Vouches for nothing; refuses what cannot be used, such as a circular hierarchy."""
    if change.new is None or not change.new.get("url"):
        await tx.execute(artifacts.FORGET, (change.type, change.id))
        return False
    data = change.new
    if change.type == "CodeSystem":
        await _keep_system(tx, change.id, data)
    elif change.type == "ValueSet":
        await _keep_value_set(tx, change.id, data)
    else:
        id = await artifacts.keep(tx, concept_maps.artifact(data, "resource", change.id))
        await concept_maps.copy_mappings(tx, [(id, data)])
    return False


async def _keep_system(tx: Connection, resource: str, data: Data) -> None:
    id = await artifacts.keep(tx, Artifact("CodeSystem", data, "resource", resource))
    if data.get("concept"):
        await staging.begin(tx)
        await code_systems.stage(tx, [(id, data)])
        await staging.finish(tx)


async def _keep_value_set(tx: Connection, resource: str, data: Data) -> None:
    artifact = value_sets.artifact(data, "resource", resource)
    if len(artifact.rules["include"]) + len(artifact.rules["exclude"]) > value_sets.MOST_RULES:
        raise Invalid("terminology.too-many-rules", most=value_sets.MOST_RULES)
    id = await artifacts.keep(tx, artifact)
    await value_sets.copy_members(tx, [(id, data)])
