"""What pure functions answered last: the same question about the same subject is not reckoned again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)


class Recall:
    """One answer a subject, kept with its question: what is not asked the same way is reckoned and kept instead.

    Nothing can grow stale, whoever changes what: questions are compared by value, and cheaply where their parts are
    still the same objects, as answers of this memory are. Threads may share one.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Any, Any]] = {}

    def ask(self, subject: Hashable, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What `function` answers; it must be pure, and nobody may change its arguments or its answer."""
        question = (args, named)
        known = self._kept.get(subject)
        if known is not None and known[0] == question:
            answer: T = known[1]
        else:
            answer = function(*args, **named)
            self._kept[subject] = (question, answer)
        return answer


class Shelf(Generic[Key, T]):
    """The things used last, at most so many of them; threads may share one."""

    def __init__(self, most: int) -> None:
        self._most, self._kept, self._lock = most, OrderedDict[Key, T](), Lock()

    def get(self, key: Key) -> T | None:
        """What is kept under a key."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Key, value: T) -> T:
        """Keep it, and let go of what was not used for longest."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value
