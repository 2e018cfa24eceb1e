"""Threads of one process answer in turn, and step aside while they wait for something else than the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

_turn = Lock()
_mine = local()


@contextmanager
def taken() -> Iterator[None]:
    """One's turn, for as long as the block runs."""
    with _turn:
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


def held() -> bool:
    """Has this thread a turn?"""
    return getattr(_mine, "held", False)


@contextmanager
def aside() -> Iterator[None]:
    """Let others go on while the block waits; nothing to do for a thread that has no turn."""
    if not held():
        yield
        return
    _mine.held = False
    _turn.release()
    try:
        yield
    finally:
        _turn.acquire()
        _mine.held = True
