"""Whatever the ground floor refuses, the command line has a sentence for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import serai
from serai.cli.wording import SENTENCES, explained
from serai.kernel import errors
from serai.kernel.errors import Invalid, Issue, NotFound, SeraiError, Unavailable

SOURCE = Path(serai.__file__).parent
KINDS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, SeraiError)
}
# Only pages and FHIR clients meet these: somebody signs in, a request finds the pool, an object
# or the audit trail wanting, or a job that they asked for ends.
NOT_HERE = {
    "audit.full", "blob.missing", "database.busy", "job.too-long", "sign-in.refused",
    "sign-in.too-many-tries", "account.feed-id-taken", "account.link-over", "auth.prove-again",
    "factor.code-wrong", "passkey.known", "passkey.refused",
    "passkey.too-many", "passkey.unknown", "session.unknown", "totp.already",
    "provider.not-itself", "provider.refused",
}  # fmt: skip


def raised_keys() -> Iterator[str]:
    for room in ("platform", "cli", "serving"):
        for path in (SOURCE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) in KINDS:
                    key = node.args[0]
                    if isinstance(key, ast.Constant):
                        yield str(key.value)


def test_every_refusal_has_a_sentence() -> None:
    raised = set(raised_keys())
    assert len(raised) > 30
    assert raised - NOT_HERE - set(SENTENCES) == set()


def test_a_sentence_is_one_line_and_names_the_facts() -> None:
    said = explained(Unavailable("home.unusable", path="/srv/var", reason="Read-only file system"))
    assert said.count("\n") == 0
    assert "/srv/var: Read-only file system" in said


def test_findings_stand_below_each_with_its_place() -> None:
    finding = Issue("value", "network.file-mystery", path="net.yaml:3", details={"value": "moon"})
    said = explained(Invalid("network.unknown-refusal", issues=(finding,), file="net.yaml"))
    assert said.splitlines() == [
        "network.unknown-refusal file=net.yaml",
        "net.yaml:3: network.file-mystery value=moon",
    ]


@pytest.mark.parametrize("key", sorted(SENTENCES))
def test_no_sentence_needs_more_than_the_key(key: str) -> None:
    assert explained(NotFound(key))
