"""Token search values: ``code``, ``system|code``, ``|code``, ``system|`` (R4 §3.1.1.4.10)."""

from __future__ import annotations

from serai.fhir.search.asking import parts
from serai.fhir.search.keys import key
from serai.kernel.errors import Malformed


def token_key(kind: str, param: str, name: str, value: str) -> int:
    """The key of a resource of type `kind`; `name` is what the parameter was called."""
    match parts(value):
        case [code] if code:
            return key("code", kind, param, code)
        case ["", code] if code:
            return key("bare", kind, param, code)
        case [system, ""] if system:
            return key("system", kind, param, system)
        case [system, code] if code:
            return key("both", kind, param, system, code)
        case _:
            raise Malformed("search.token", parameter=name)
