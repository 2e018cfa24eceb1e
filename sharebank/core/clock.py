"""The one place that asks what time it is; everything else is given `now`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime


def _system() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


_source: Callable[[], datetime] = _system


def now() -> datetime:
    """The present instant, UTC, whole seconds."""
    return _source()


def set_source(source: Callable[[], datetime] | None) -> None:
    """Let a test give the time; None goes back to the machine's clock."""
    global _source
    _source = source or _system
