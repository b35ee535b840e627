"""Answers made once and kept while they are true: the metadata of series that many look at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

MAX_BYTES = 32 * 1024 * 1024
MAX_ONE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes to send, and how they are encoded."""

    content: bytes
    encoding: str


class Ready:
    """The answers asked for last, within a bound of bytes. Whether somebody may have one is
    asked before, every time."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()

    def get(self, key: Hashable) -> Answer | None:
        found = self._answers.get(key)
        if found:
            self._answers.move_to_end(key)
        return found

    def put(self, key: Hashable, answer: Answer) -> None:
        if len(answer.content) > MAX_ONE or key in self._answers:
            return
        self._answers[key] = answer
        self._bytes += len(answer.content)
        while self._bytes > self._max:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= len(oldest.content)
