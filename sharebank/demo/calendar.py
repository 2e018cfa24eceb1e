"""Moving the demonstration's dates by whole weeks, so that its today is the present one; no database, no clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sharebank.core.period import NonexistentTime, to_local, to_utc

DATA_DAY = date(2026, 11, 21)
"""The "today" of the files."""
_SINCE = re.compile(r"(?<=inactive_since=)[0-9-]{10}")


def weeks_since(today: date) -> int:
    """Whole weeks from the data's day: what was a Wednesday stays one."""
    return max(0, (today - DATA_DAY).days // 7)


def moved_day(day: str, weeks: int) -> str:
    """`2026-12-31`, so many weeks later; an empty cell stays empty."""
    return (date.fromisoformat(day) + timedelta(weeks=weeks)).isoformat() if day else ""


def moved_attributes(attributes: str, weeks: int) -> str:
    """The one date that hides among a resource's attributes."""
    return _SINCE.sub(lambda found: moved_day(found.group(), weeks), attributes)


def moved_period(starts_at: str, ends_at: str, weeks: int, tz: ZoneInfo) -> tuple[str, str]:
    """Two wall times so many weeks later, at the same hour; an hour later where the clock jumps over that hour."""
    start, end = (_existing(datetime.fromisoformat(wall) + timedelta(weeks=weeks), tz) for wall in (starts_at, ends_at))
    return start.isoformat(timespec="minutes"), end.isoformat(timespec="minutes")


_UNTIL = re.compile(r"(?<=UNTIL=)[0-9]{8}T[0-9]{6}Z")


def moved_rule(rule: str, weeks: int, tz: ZoneInfo) -> str:
    """A recurrence rule whose end, an instant, moves along: at the same hour on the wall."""

    def later(found: re.Match[str]) -> str:
        at = datetime.strptime(found.group(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        wall = _existing(to_local(at, tz) + timedelta(weeks=weeks), tz)
        return f"{to_utc(wall, tz):%Y%m%dT%H%M%SZ}"

    return _UNTIL.sub(later, rule)


def _existing(wall: datetime, tz: ZoneInfo) -> datetime:
    try:
        to_utc(wall, tz)
    except NonexistentTime:
        return wall + timedelta(hours=1)
    return wall
