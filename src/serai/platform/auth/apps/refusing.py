"""What an app is told when it is refused: a code of RFC 6749 §4.1.2.1 and §5.2, and why."""

from __future__ import annotations


class Refused(Exception):
    """`why` is for the app's developer and names no secret; it is not shown to people."""

    def __init__(self, error: str, why: str) -> None:
        super().__init__(error)
        self.error = error
        self.why = why
