"""What R4 says about types, elements and search parameters, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One type an element may have.

    `targets` are the resource types a Reference or canonical may point to (empty: any);
    `structure` names the table of elements to use, which a profiled Quantity narrows.
    """

    code: str
    structure: str
    targets: frozenset[str] = frozenset()

    @property
    def is_primitive(self) -> bool:
        """FHIR's primitive types alone are written in lower case (R4 §2.24)."""
        return self.code[0].islower()


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type (ElementDefinition, R4 §2.28).

    `path` stands below the type: ``contact.name``. A choice keeps its bare name here
    (``value``) and is written in JSON as the name plus one of its types. `value_set` is the
    required binding; `content` the path whose children this element shares.
    """

    path: str
    minimum: int
    maximum: str
    types: tuple[TypeRef, ...]
    is_choice: bool = False
    value_set: str | None = None
    content: str | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def repeats(self) -> bool:
        return self.maximum == "*"

    def json_names(self) -> dict[str, TypeRef]:
        """The JSON keys that carry this element, each with its type."""
        if not self.is_choice:
            return {self.name: self.types[0]} if self.types else {}
        return {self.name + one.code[0].upper() + one.code[1:]: one for one in self.types}


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite: the parameter it is read like, and where it stands."""

    code: str
    type: str
    expression: str


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One way to search a resource type (SearchParameter, R4 §3.1.1)."""

    code: str
    type: str
    expression: str
    targets: frozenset[str]
    url: str
    components: tuple[Component, ...] = ()

    @property
    def is_supported(self) -> bool:
        """Whether serai.fhir.search.extract can index it; the others are to be refused."""
        return self.type in SUPPORTED_TYPES and bool(self.expression)


SUPPORTED_TYPES = frozenset(
    {
        "token", "reference", "string", "date", "uri", "number", "quantity", "composite",
        "special",
    }
)  # fmt: skip
