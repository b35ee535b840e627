"""A search request as a value: what was asked, checked against what this server honours."""

from __future__ import annotations

from dataclasses import dataclass, field

from serai.fhir.search.dates import DateRange
from serai.fhir.search.numbers import NumberRange
from serai.fhir.search.quantities import QuantityRange
from serai.fhir.search.subsets import Subset


@dataclass(frozen=True, slots=True)
class Ids:
    """`_id`: one of these logical ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """`_lastUpdated`: in one of these ranges."""

    ranges: tuple[DateRange, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """A token, reference or uri: holds one of these keys, or (`negated`) none of them.

    `narrow` says that few rows hold such a key: an identifier, or a reference to one resource.
    """

    keys: tuple[int, ...]
    negated: bool = False
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Strings:
    """A string parameter: `match` is prefix, exact or contains; values as given. `table` is
    token_text for the texts of a token."""

    param: str
    match: str
    values: tuple[str, ...]
    table: str = "string"


@dataclass(frozen=True, slots=True)
class Words:
    """`_text` or `_content`: `column` of fhir_text meets a tsquery."""

    column: str
    asked: str


@dataclass(frozen=True, slots=True)
class Dates:
    """A date parameter: in one of these ranges."""

    param: str
    ranges: tuple[DateRange, ...]


@dataclass(frozen=True, slots=True)
class Quantities:
    """A number or quantity parameter, kept under any of `params`: in one of these ranges."""

    params: tuple[str, ...]
    ranges: tuple[QuantityRange, ...]


# What is asked of a composite's components after the first.
Beside = QuantityRange | DateRange | str | tuple[NumberRange, NumberRange]


@dataclass(frozen=True, slots=True)
class Together:
    """A composite whose later components are no equality values; `kind` says which table.

    Each alternative is the keys that the first component holds, and what stands beside it.
    A row that has a match holds one of `anyway` as well: an index knows those.
    """

    params: tuple[str, ...]
    kind: str
    alternatives: tuple[tuple[int, Beside], ...]
    anyway: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """`near`: within so many kilometres of a place (latitude, longitude, distance)."""

    param: str
    places: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Coded:
    """A token in a value set (`relation` is in), or above or below a code of a hierarchy.

    `serai.fhir.search.vocabulary.resolved` turns it into Keys before there is any SQL.
    """

    type: str
    param: str
    relation: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """`:missing`: has no value (`missing`) or any; `kind` is key, or the table of its values."""

    param: str
    kind: str
    missing: bool


Condition = (
    Ids | Updated | Keys | Strings | Dates | Missing | Quantities | Together | Near | Coded | Words
)


@dataclass(frozen=True, slots=True)
class Branch:
    """Resources of a type that meet a test: what a chain may lead to."""

    type: str
    test: Test


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference to one of these (R4 §3.1.1.4.13)."""

    param: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Has:
    """Pointed to, through reference `param`, by one of these (R4 §3.1.1.4.14)."""

    source: Branch
    param: str


Test = Condition | Chain | Has


@dataclass(frozen=True, slots=True)
class SortKey:
    """`kind` is id, type, updated, word (of the string searched for), date, string, quantity
    (as measured in its canonical unit) or written (a token, reference or uri as it stands in the
    resource)."""

    param: str
    kind: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """`_include` (reversed: `_revinclude`) of `source`'s reference `param`, maybe one target;
    source and param may be ``*``. `iterates`: also from what was included."""

    source: str
    param: str
    target: str | None
    reversed: bool
    iterates: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One search on one type, or with type "" on several.

    `applied` is what the self link repeats, `ignored` what a lenient client sent in vain, `base`
    this server's own address, `address` the place searched below it.
    """

    type: str
    conditions: tuple[Test, ...] = ()
    sort: tuple[SortKey, ...] = ()
    includes: tuple[Include, ...] = ()
    count: int = 50
    total: bool = False
    cursor: tuple[str, ...] | None = None
    applied: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = field(default=())
    base: str = ""
    types: tuple[str, ...] = ()
    address: str = ""
    subset: Subset | None = None
