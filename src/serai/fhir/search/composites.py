"""Composites: values that belong together because one element holds them (R4 §3.1.1.4.16)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from serai.fhir.definitions import SearchParameter
from serai.fhir.search.indexed import Components, Harvest, PairValue, QuantityValue
from serai.fhir.search.keys import of_held

Reader = Callable[[object, Harvest], None]


class Visits(Protocol):
    def visit(self, value: object, harvest: Harvest) -> None: ...


def composite(
    kind: str,
    parameter: SearchParameter,
    hops: Sequence[str],
    parts: Sequence[tuple[bool, Visits]],
) -> Reader:
    """What indexes the elements at `hops`, each with what its components hold."""
    first, *others = parts

    def emit(resource: object, harvest: Harvest) -> None:
        for element in _elements(resource, hops):
            found = [_read(part, resource, element) for part in others]
            if all(_holds(one) for one in found):
                held = _read(first, resource, element)
                _keep(kind, parameter.code, (*held.tokens, *held.references), found, harvest)

    return emit


def _elements(value: object, hops: Sequence[str]) -> Iterator[object]:
    if isinstance(value, list):
        for one in value:
            yield from _elements(one, hops)
    elif not hops:
        yield value
    elif isinstance(value, dict) and hops[0] in value:
        yield from _elements(value[hops[0]], hops[1:])


def _read(part: tuple[bool, Visits], resource: object, element: object) -> Harvest:
    from_root, node = part
    harvest = Harvest()
    node.visit(resource if from_root else element, harvest)
    return harvest


def _holds(one: Harvest) -> bool:
    return bool(one.tokens or one.quantities or one.dates or one.strings)


def _keep(
    kind: str, param: str, first: Components, others: Sequence[Harvest], harvest: Harvest
) -> None:
    second = others[0]
    if second.tokens:
        harvest.pairs.append(PairValue(param, (first, tuple(second.tokens))))
    held = tuple(of_held(kind, first))
    harvest.dates += [one._replace(param=param, held=held) for one in second.dates]
    harvest.strings += [one._replace(param=param, held=held) for one in second.strings]
    harvest.quantities += [
        one._replace(param=param, held=held) for one in _together(second, others[1:])
    ]


def _together(second: Harvest, more: Sequence[Harvest]) -> Iterable[QuantityValue]:
    """Quantities as they are; two numbers of one element in one row."""
    if not more:
        return second.quantities
    return [
        one._replace(measured_low=other.low, measured_high=other.high)
        for one in second.quantities
        for other in more[0].quantities
    ]
