"""The parameters of an operation, in and out (R4 §3.2.0.2).

They come in the address, as a Parameters resource, or as the one resource that is posted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from serai.fhir.body import Body, Data, encode, parse
from serai.fhir.interaction.asked import Asked, Reply
from serai.fhir.search.parsing import FORM_PARAMETERS
from serai.kernel.errors import Malformed


@dataclass(frozen=True, slots=True)
class Given:
    """`named` holds each parameter with its value: text from the address, else the value[x],
    the resource, or the list of parts; `body` is a posted resource that is not Parameters."""

    named: tuple[tuple[str, Any], ...]
    body: Body | None = None

    def only(self, *names: str) -> Given:
        """Refuses a parameter that the operation does not know: it would be ignored."""
        for name, _ in self.named:
            if name not in names:
                raise Malformed("operation.unknown-parameter", parameter=name[:64])
        return self

    def all(self, name: str) -> list[Any]:
        return [value for one, value in self.named if one == name]

    def one(self, name: str) -> Any:
        """The value, None when it is not given; twice is an error."""
        found = self.all(name)
        if len(found) > 1:
            raise Malformed("operation.parameter-twice", parameter=name)
        return found[0] if found else None

    def text(self, name: str) -> str | None:
        value = self.one(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise Malformed("operation.bad-parameter", parameter=name, expected="text")
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise Malformed("operation.parameter-missing", parameter=name)
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.one(name)
        known = {None: default, True: True, False: False, "true": True, "false": False}
        if isinstance(value, list | dict) or value not in known:
            raise Malformed("operation.bad-parameter", parameter=name, expected="true or false")
        return known[value]

    def integer(self, name: str, *, default: int, most: int) -> int:
        """A whole number from 0; more than `most` counts as `most`."""
        text = str(self.one(name) if self.one(name) is not None else default)
        if not (text.isascii() and text.isdecimal()) or len(text) > 9:
            raise Malformed("operation.bad-parameter", parameter=name, expected="a whole number")
        return min(int(text), most)

    def resource(self, name: str) -> Data | None:
        """A resource given as a part, or the posted one."""
        value = self.one(name)
        if value is None and self.body is not None:
            return self.body.data
        if value is not None and not (isinstance(value, dict) and "resourceType" in value):
            raise Malformed("operation.bad-parameter", parameter=name, expected="a resource")
        return value


def given(asked: Asked) -> Given:
    """Address and body together."""
    pairs = [(name, value) for name, value in asked.params if name not in FORM_PARAMETERS]
    if not asked.raw:
        return Given(tuple(pairs))
    body = parse(asked.raw)
    if body.type != "Parameters":
        return Given(tuple(pairs), body)
    return Given((*pairs, *named_parts(body.data.get("parameter"))))


def named_parts(parameters: object) -> Iterator[tuple[str, Any]]:
    if parameters is None:
        return
    if not isinstance(parameters, list):
        raise Malformed("operation.bad-parameter", parameter="parameter", expected="a list")
    for one in parameters:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise Malformed("operation.bad-parameter", parameter="parameter", expected="a name")
        yield one["name"], _value(one)


def _value(part: Data) -> Any:
    if "resource" in part:
        return part["resource"]
    if "part" in part:
        return list(named_parts(part["part"]))
    return next((value for key, value in part.items() if key.startswith("value")), None)


def parameters(parts: Iterable[Data]) -> Reply:
    """The answer as a Parameters resource."""
    return Reply(200, encode({"resourceType": "Parameters", "parameter": list(parts)}))
