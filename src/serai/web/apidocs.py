"""`/api/docs` as a page of our own: the usual viewers load scripts from foreign places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from serai.web.authentication import require_actor
from serai.web.rendering import render


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as OpenAPI describes it."""

    method: str
    path: str
    group: str
    text: str
    parameters: tuple[Parameter, ...]
    answer: str


async def show(request: Request) -> Response:
    require_actor(request)
    api = request.app
    assert isinstance(api, FastAPI)
    schema = api.openapi()
    return render(
        request,
        "apidocs.html",
        operations=list(operations(schema, request.scope.get("root_path", ""))),
        schema_address=f"{request.scope.get('root_path', '')}{api.openapi_url}",
    )


def operations(schema: Mapping[str, Any], prefix: str) -> Iterator[Operation]:
    for path, methods in schema.get("paths", {}).items():
        for method, described in methods.items():
            yield Operation(
                method=method.upper(),
                path=prefix + path,
                group=", ".join(described.get("tags", [])),
                text=described.get("description") or described.get("summary", ""),
                parameters=tuple(_parameter(one) for one in described.get("parameters", [])),
                answer=_answer(described),
            )


def _parameter(described: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=described["name"],
        place=described["in"],
        type=_type(described.get("schema", {})),
        required=described.get("required", False),
    )


def _answer(described: Mapping[str, Any]) -> str:
    content = described.get("responses", {}).get("200", {}).get("content", {})
    return _type(content.get("application/json", {}).get("schema", {}))


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"{_type(schema.get('items', {}))}[]"
    return str(schema.get("type", ""))
