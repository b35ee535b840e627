"""YAML read with the line of every value, so that a wrong file can be put right at once.

Every scalar stays the text that was written: `NO` is a country, not a boolean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from serai.kernel.errors import Invalid, Issue, Malformed, NotFound

# A BCP 47 tag in its usual short forms: en, zh, zh-Hant.
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(slots=True)
class Findings:
    """Everything that is wrong with one file; nothing is loaded before it is empty."""

    file: str
    issues: list[Issue] = field(default_factory=list)

    def add(self, place: Place, key: str, **details: object) -> None:
        path = f"{self.file}:{place.line} {place.path}".rstrip()
        self.issues.append(Issue(code="structure", key=key, path=path, details=dict(details)))

    def raise_if_any(self) -> None:
        if self.issues:
            raise Invalid(
                "network.file-refused",
                issues=tuple(self.issues),
                file=self.file,
                count=len(self.issues),
            )


@dataclass(frozen=True, slots=True)
class Place:
    """One value of the file and where it stands."""

    node: yaml.Node | None
    path: str
    line: int
    findings: Findings

    def fields(self, *allowed: str) -> dict[str, Place]:
        """The entries of a mapping; unknown and repeated names are noted."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse("network.not-a-mapping", allowed=", ".join(allowed))
            return {}
        found: dict[str, Place] = {}
        for key_node, value_node in self.node.value:
            name = str(key_node.value)
            value = self._inside(value_node, f"{self.path}.{name}".lstrip("."))
            if name in found:
                value.refuse("network.field-twice", name=name)
            elif name not in allowed:
                value.refuse("network.field-unknown", name=name, allowed=", ".join(allowed))
            found[name] = value
        return found

    def names(self) -> dict[str, str]:
        """Language → text: a plain text is English."""
        if isinstance(self.node, yaml.ScalarNode):
            return {"en": self.text()}
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse("network.not-a-name")
            return {}
        found: dict[str, str] = {}
        for key, value in self.node.value:
            entry = self._inside(value, f"{self.path}.{key.value}")
            if not LANGUAGE.fullmatch(str(key.value)):
                entry.refuse("network.language-malformed", value=str(key.value))
            found[str(key.value)] = entry.text()
        return found

    def items(self) -> list[Place]:
        """The entries of a list; a single value is noted."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.refuse("network.not-a-list")
            return []
        return [
            self._inside(node, f"{self.path}[{index}]")
            for index, node in enumerate(self.node.value)
        ]

    def text(self) -> str:
        """A scalar as written, trimmed; empty and structured values are noted."""
        value = self.node.value.strip() if isinstance(self.node, yaml.ScalarNode) else ""
        if not value:
            self.refuse("network.no-text")
        return str(value)

    def one_of(self, choices: tuple[str, ...]) -> str:
        value = self.text()
        if value and value not in choices:
            self.refuse("network.not-one-of", value=value, choices=", ".join(choices))
            return ""
        return value

    @property
    def is_text(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode)

    def refuse(self, key: str, **details: object) -> None:
        self.findings.add(self, key, **details)

    def _inside(self, node: yaml.Node, path: str) -> Place:
        return Place(node, path, node.start_mark.line + 1, self.findings)


def read(path: Path) -> Place:
    """The root of the file; Malformed with line and column when it is not YAML."""
    findings = Findings(str(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFound("network.file-unreadable", file=str(path), reason=error.strerror) from error
    try:
        _refuse_references(path, text := content.decode("utf-8"))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise Malformed("network.not-utf8", file=str(path)) from error
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(path, error.problem_mark, str(error.problem)) from error
    except yaml.YAMLError as error:
        raise _not_yaml(path, None, str(error)) from error
    return Place(node, "", 1, findings)


def _refuse_references(path: Path, text: str) -> None:
    """A file that refers to itself would never end."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _not_yaml(path, event.start_mark, "references (*) are not used here")


def _not_yaml(path: Path, mark: Any, problem: str) -> Malformed:
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Malformed("network.not-yaml", file=str(path), line=line, column=column, problem=problem)
