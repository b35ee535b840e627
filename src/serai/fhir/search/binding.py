"""The values of one statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Parameters:
    """Collects values under fresh names."""

    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"
