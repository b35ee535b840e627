"""What the terminology operations are given: canonical URLs, codes, codings and concepts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from serai.fhir.body import Data
from serai.fhir.interaction.asked import Asked, Scene
from serai.fhir.operations.given import Given, given
from serai.fhir.terminology.artifacts import split
from serai.fhir.validation import validate
from serai.fhir.visibility import require
from serai.kernel.errors import Forbidden, Invalid, Malformed


@dataclass(frozen=True, slots=True)
class Code:
    """One code as a client names it."""

    code: str
    system: str | None = None
    version: str | None = None
    display: str | None = None

    @property
    def canonical(self) -> str | None:
        return f"{self.system}|{self.version}" if self.system and self.version else self.system


def admitted(
    scene: Scene, asked: Asked, kind: str, names: Iterable[str], *, not_offered: Iterable[str] = ()
) -> Given:
    """The parameters, of somebody who may read such resources. Terminology is for everybody on
    the network; staff of no organisation are not on it."""
    require(scene.actor, "r", kind)
    if scene.actor.organisation is None and not scene.actor.system_wide:
        raise Forbidden("fhir.scope", interaction="r", type=kind)
    wanted = given(asked).only(*names)
    for name in not_offered:
        if wanted.all(name):
            raise Malformed("terminology.not-offered", parameter=name)
    return wanted


async def canonical(
    scene: Scene, asked: Asked, wanted: Given, name: str = "url", version: str | None = None
) -> str | None:
    """The canonical URL of the resource asked about, of an instance the one it states."""
    if len(asked.path) == 3:
        found = await scene.store.read(
            scene.connection, asked.path[0], asked.path[1], actor=scene.actor
        )
        url = found.data.get("url")
        if url is None:
            raise Invalid("terminology.no-url")
        own = found.data.get("version")
        return f"{url}|{own}" if own else str(url)
    url = wanted.text(name)
    named = wanted.text(version) if version else None
    return f"{url}|{named}" if url and named and "|" not in url else url


def inline(wanted: Given, name: str, kind: str) -> Data | None:
    """A resource given with the request, valid R4."""
    data = wanted.resource(name)
    if data is None:
        return None
    if data.get("resourceType") != kind:
        raise Malformed("fhir.other-type", wanted=kind)
    issues = validate(data)
    if any(one.severity in ("error", "fatal") for one in issues):
        raise Invalid("fhir.invalid", issues=tuple(issues))
    return data


def codes(
    wanted: Given, *, system: str = "system", version: str = "version", concept: bool = True
) -> list[Code]:
    """The code, coding or codeableConcept asked about: one of them."""
    found = [_of_code(wanted, system, version), _of_coding(wanted.one("coding"), "coding")]
    if concept:
        found.append(_of_concept(wanted.one("codeableConcept")))
    present = [one for one in found if one]
    if len(present) != 1:
        raise Malformed("terminology.one-code")
    return present[0]


def coding(value: Any, name: str) -> Code | None:
    found = _of_coding(value, name)
    return found[0] if found else None


def _of_code(wanted: Given, system: str, version: str) -> list[Code]:
    code = wanted.text("code")
    if code is None:
        return []
    url, in_url = split(wanted.text(system) or "")
    display = wanted.text("display") if wanted.all("display") else None
    return [Code(code, url or None, wanted.text(version) or in_url, display)]


def _of_coding(value: Any, name: str) -> list[Code]:
    if value is None:
        return []
    if not isinstance(value, dict) or not isinstance(value.get("code"), str):
        raise Malformed("operation.bad-parameter", parameter=name, expected="a Coding with a code")
    parts = [value.get(each) for each in ("system", "version", "display")]
    if any(part is not None and not isinstance(part, str) for part in parts):
        raise Malformed("operation.bad-parameter", parameter=name, expected="a Coding")
    return [Code(value["code"], *parts)]


def _of_concept(value: Any) -> list[Code]:
    if value is None:
        return []
    listed = value.get("coding") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not listed or len(listed) > 100:
        expected = "a CodeableConcept with codings"
        raise Malformed("operation.bad-parameter", parameter="codeableConcept", expected=expected)
    return [code for one in listed for code in _of_coding(one, "codeableConcept")]
