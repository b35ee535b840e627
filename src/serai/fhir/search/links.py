"""Chains and `_has` as SQL: each level sees only what the actor may see (R4 §3.1.1.4.13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serai.fhir.search.keys import pointing, ref_prefix
from serai.fhir.search.query import Branch, Chain, Has, Keys, Test
from serai.fhir.search.row_tests import Parameters, row_test
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor


def is_narrow(test: Test) -> bool:
    """Whether few rows can meet it, found through their keys."""
    match test:
        case Keys():
            return test.narrow and not test.negated
        case Chain():
            return all(is_narrow(branch.test) for branch in test.branches)
    return False


def has_keys(test: Test) -> bool:
    """Whether the index on keys finds the rows that meet it."""
    return (isinstance(test, Keys) and not test.negated) or (
        isinstance(test, Chain) and is_narrow(test)
    )


@dataclass(frozen=True, slots=True)
class Tested:
    """Writes tests of the row r, a resource of type `kind`. `row_by_row` keeps the planner from
    turning the test of few rows into a join of many."""

    kind: str
    actor: Actor
    bound: Parameters
    row_by_row: bool

    def test(self, one: Test) -> str:
        match one:
            case Chain():
                return self.held([one])[0] if is_narrow(one) else self._chained(one)
            case Has():
                return self._has(one)
            case Keys() if not one.negated:
                return self.held([one])[0]
        return row_test(self.kind, one, self.bound, row_by_row=self.row_by_row)

    def held(self, tests: Sequence[Test]) -> list[str]:
        """Rows that hold all of these; single keys go into one test, so that one scan finds
        them."""
        keys = [one for one in tests if isinstance(one, Keys)]
        single = sorted(one.keys[0] for one in keys if len(one.keys) == 1)
        written = [f"r.keys @> {self._keys(single)}"] if single else []
        for one in tests:
            if isinstance(one, Chain):
                written.append(f"r.keys && {self._key_array(one)}")
            elif isinstance(one, Keys) and len(one.keys) != 1:
                written.append(f"r.keys && {self._keys(one.keys)}")
        return written

    def _keys(self, keys: Sequence[int]) -> str:
        """Connections plan each text once, without looking at values. That is right where few
        rows match; elsewhere the planner has to see the keys, to know how many rows do."""
        if self.row_by_row:
            return f"{self.bound.bind(list(keys))}::bigint[]"
        return f"'{{{','.join(str(int(one)) for one in keys)}}}'::bigint[]"

    def keys_to(self, chain: Chain) -> str:
        """SELECT of the keys that rows pointing to the chain's targets hold."""
        return " UNION ALL ".join(
            self.found(branch, pointing(self._prefix(self.kind, chain.param, branch.type), "r.id"))
            for branch in chain.branches
        )

    def _key_array(self, chain: Chain) -> str:
        return f"(ARRAY({self.keys_to(chain)}))"

    def _chained(self, chain: Chain) -> str:
        # IS TRUE keeps one hash table of all targets, instead of a join made anew for each row.
        return (
            "EXISTS (SELECT 1 FROM unnest(r.keys) AS holds(key)"  # noqa: S608
            f" WHERE (holds.key IN ({self.keys_to(chain)})) IS TRUE)"
        )

    def _has(self, has: Has) -> str:
        """The outer row's key is made before another row takes the name r."""
        source = has.source
        key = pointing(self._prefix(source.type, has.param, self.kind), "r.id")
        rows = (
            f"SELECT r.* FROM (SELECT {key} AS key OFFSET 0) AS wanted, fhir_resource r"  # noqa: S608
            " WHERE r.keys @> ARRAY[wanted.key]"
        )
        held = Tested(source.type, self.actor, self.bound, row_by_row=True)
        if has_keys(source.test):
            rows += f" AND {' AND '.join(held.held([source.test]))}"
            return f"EXISTS ({held.among(f'({rows} OFFSET 0)', '1', [])})"
        return f"EXISTS ({held.among(f'({rows} OFFSET 0)', '1', [held.test(source.test)])})"

    def found(self, branch: Branch, selected: str) -> str:
        """SELECT of the visible rows that meet the branch's test."""
        below = self._below(branch)
        test = below.test(branch.test)
        if is_narrow(branch.test):
            return below.among(
                f"(SELECT r.* FROM fhir_resource r WHERE {test} OFFSET 0)",  # noqa: S608
                selected,
                [],
            )
        return below.among("fhir_resource", selected, [test])

    def among(self, table: str, selected: str, tests: list[str]) -> str:
        visible, values = clause(self.actor, act="s")
        self.bound.values.update(values)
        where = " AND ".join(
            [f"r.type = {self.bound.bind(self.kind)}", "NOT r.deleted", *tests, visible]
        )
        return f"SELECT {selected} FROM {table} r WHERE {where}"  # noqa: S608

    def _below(self, branch: Branch) -> Tested:
        return Tested(branch.type, self.actor, self.bound, row_by_row=is_narrow(branch.test))

    def _prefix(self, kind: str, param: str, target: str) -> str:
        return f"{self.bound.bind(ref_prefix(kind, param, target))}::text"
