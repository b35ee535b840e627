"""Reading a package: package/package.json says what it is, package/*.json are its resources
(https://confluence.hl7.org/display/FHIR/NPM+Package+Specification)."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from serai.fhir.body import Body, parse
from serai.fhir.definitions import FHIR_VERSION
from serai.kernel.errors import Invalid, Malformed, SeraiError, TooLarge

CONFORMANCE: Final = frozenset(
    {
        "CapabilityStatement", "CodeSystem", "CompartmentDefinition", "ConceptMap",
        "GraphDefinition", "ImplementationGuide", "MessageDefinition", "NamingSystem",
        "OperationDefinition", "SearchParameter", "StructureDefinition", "StructureMap",
        "TerminologyCapabilities", "ValueSet",
    }
)  # fmt: skip
MOST_BYTES: Final = 1024 * 1024 * 1024
MOST_BYTES_OF_ONE: Final = 64 * 1024 * 1024
EXAMPLES: Final = "example"


class _Manifest(msgspec.Struct):
    name: str
    version: str
    fhir_versions: list[str] = msgspec.field(name="fhirVersions", default_factory=list)
    fhir_version_list: list[str] = msgspec.field(name="fhir-version-list", default_factory=list)


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    resources: tuple[Body, ...]


def read(path: Path, *, examples: bool) -> Package:
    """Its conformance resources, with `examples` those of package/example too."""
    manifest: _Manifest | None = None
    resources: list[Body] = []
    try:
        with tarfile.open(path, "r:gz") as archive:
            left = MOST_BYTES
            for member in archive:
                _check_name(member)
                left -= member.size
                if left < 0 or member.size > MOST_BYTES_OF_ONE:
                    raise TooLarge("package.too-large", file=member.name[:200])
                raw = _content(archive, member, examples=examples)
                if raw is not None and member.name == "package/package.json":
                    manifest = msgspec.json.decode(raw, type=_Manifest)
                elif raw is not None:
                    resources += _resource(member.name, raw)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise Malformed("package.unreadable", file=path.name) from error
    except msgspec.DecodeError as error:
        raise Malformed("package.manifest", file=path.name) from error
    return _package(path, manifest, resources)


def _package(path: Path, manifest: _Manifest | None, resources: list[Body]) -> Package:
    if manifest is None:
        raise Malformed("package.manifest", file=path.name)
    versions = manifest.fhir_versions or manifest.fhir_version_list
    if FHIR_VERSION not in versions and versions:
        raise Invalid("package.fhir-version", found=", ".join(versions)[:200], wanted=FHIR_VERSION)
    return Package(manifest.name, manifest.version, tuple(resources))


def _check_name(member: tarfile.TarInfo) -> None:
    """Nothing is unpacked, but who names such files means harm."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise Malformed("package.path", file=member.name[:200])


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, *, examples: bool) -> bytes | None:
    parts = PurePosixPath(member.name).parts
    wanted = len(parts) == 2 or (examples and len(parts) == 3 and parts[1] == EXAMPLES)
    if not (member.isfile() and parts[0] == "package" and wanted and parts[-1].endswith(".json")):
        return None
    opened = archive.extractfile(member)
    return opened.read() if opened is not None and parts[-1] != ".index.json" else None


def _resource(name: str, raw: bytes) -> list[Body]:
    """Files that hold something else, such as an index, are passed over."""
    try:
        body = parse(raw)
    except SeraiError as error:
        if error.key == "fhir.no-resource-type":
            return []
        raise Malformed("package.resource", file=name[:200], reason=error.key) from error
    is_example = PurePosixPath(name).parts[1] == EXAMPLES
    return [body] if is_example or body.type in CONFORMANCE else []
