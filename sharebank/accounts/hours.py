"""When a house is open: reading its opening hours, and asking them."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Week = tuple[tuple[tuple[int, int], ...], ...]
"""For each day from Monday, the open ranges as minutes since midnight."""


@lru_cache(maxsize=64)
def parse_opening_hours(text: str) -> Week:
    """Read `mon-fri 08:30-12:00,13:30-18:30; sat closed`; raises ValueError naming the part that is wrong."""
    week: list[tuple[tuple[int, int], ...]] = [()] * 7
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        days, _, hours = part.partition(" ")
        first, _, last = days.partition("-")
        try:
            span = range(DAYS.index(first), DAYS.index(last or first) + 1)
            ranges = () if hours.strip() == "closed" else tuple(_minutes(piece) for piece in hours.split(","))
        except ValueError:
            raise ValueError(part) from None
        for day in span:
            week[day] = ranges
    return tuple(week)


def _minutes(text: str) -> tuple[int, int]:
    opens, _, closes = text.strip().partition("-")
    minutes = [int(h) * 60 + int(m) for h, m in (opens.split(":"), closes.split(":"))]
    if not 0 <= minutes[0] < minutes[1] <= 24 * 60:
        raise ValueError(text)
    return minutes[0], minutes[1]


def is_open(week: Week, at: datetime, *, closing: bool = False) -> bool:
    """Is the house open at this wall time; the very minute it closes counts when one leaves (`closing`)."""
    minute = at.hour * 60 + at.minute
    if closing:
        return any(opens < minute <= closes for opens, closes in week[at.weekday()])
    return any(opens <= minute < closes for opens, closes in week[at.weekday()])


def within_opening_hours(week: Week, kind: str, start: datetime, end: datetime) -> bool:
    """Can it be had without a key holder (wall times)?

    A thing is taken away, so only its collection and its return meet an open door; a room is open all along.
    """
    if kind != "room":
        return is_open(week, start) and is_open(week, end, closing=True)
    first, last = start.hour * 60 + start.minute, end.hour * 60 + end.minute
    return start.date() == end.date() and any(o <= first and last <= c for o, c in week[start.weekday()])
