"""How people count what a loan lasts, all in wall time.

- An hour begun is an hour.
- A day is a day of the calendar the loan touches. The first does not count when the loan begins at the hour `eve` or
  later and goes on; the last does not count when it ends by the hour `morrow` (05:00 unless the rules say otherwise:
  who comes home at two in the morning has had one day). With eve 17:00 and morrow 10:00, Friday 17:00 to Sunday 10:00
  is one day, Saturday.
- A day of which the loan takes `half_day_hours` (5) at most is a half-day, else it is two.
- A week-end is a loan on Saturday or Sunday, from Friday `week_end_from` (16:00) to Monday `week_end_until` (10:00) at
  most. Where week-ends alone have a price, anything else counts one for each such length of time begun.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from sharebank.lending.schema import Settings
from sharebank.lending.when import DAY
from sharebank.lending.windows import days_touched

HOUR = timedelta(hours=1)


def hours(start: datetime, end: datetime) -> int:
    """Hours begun."""
    return -(-(end - start) // HOUR)


def days(settings: Settings, start: datetime, end: datetime) -> list[date]:
    """The days that count, one at least."""
    found = list(days_touched(start, end))
    if len(found) > 1 and settings["eve"] is not None and start.time() >= settings["eve"]:
        found = found[1:]
    if len(found) > 1 and end.date() == found[-1] and end.time() <= settings["morrow"]:
        found = found[:-1]
    return found


def half_days(settings: Settings, start: datetime, end: datetime) -> int:
    """One or two for each day that counts."""
    most = timedelta(hours=settings["half_day_hours"])
    return sum(1 if _part_of(day, start, end) <= most else 2 for day in days(settings, start, end))


def _part_of(day: date, start: datetime, end: datetime) -> timedelta:
    midnight = datetime.combine(day, time())
    return min(end, midnight + DAY) - max(start, midnight)


def is_week_end(settings: Settings, start: datetime, end: datetime) -> bool:
    """Does a loan lie within one week-end?"""
    friday = start.date() - timedelta(days=(start.weekday() - 4) % 7)
    first = datetime.combine(friday, settings["week_end_from"])
    saturday, monday = (datetime.combine(friday + days * DAY, time()) for days in (1, 3))
    last = datetime.combine(monday, settings["week_end_until"])
    return first <= start < monday and saturday < end <= last


def week_ends(settings: Settings, start: datetime, end: datetime) -> int:
    """One, or one for each length of a week-end begun."""
    monday = datetime.combine(date(2000, 1, 3), settings["week_end_until"])
    friday = datetime.combine(date(1999, 12, 31), settings["week_end_from"])
    return -(-(end - start) // (monday - friday))
