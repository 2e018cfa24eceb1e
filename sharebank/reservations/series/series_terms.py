"""When to ask whether a series is still needed: at the start of each school term; no database, no clock."""

from __future__ import annotations

from datetime import date, timedelta

from sharebank.lending.facts import Calendar

ANSWER_BY = timedelta(days=14)
"""How long one may take to say that it is still needed."""
YOUNG = timedelta(days=28)
"""Whoever asked for it within four weeks need not be asked again."""


def terms(calendar: Calendar, year: int) -> list[date]:
    """The first school day of each term that begins in a calendar year: after New Year, spring and summer.

    Where the calendar is not known yet: the Mondays people would expect.
    """
    return [
        _back_to_school(calendar, date(year, 1, 1), date(year, 1, 4)),
        _back_to_school(calendar, _spring(calendar, year), date(year, 4, 20)),
        _back_to_school(calendar, date(year, 8, 31), date(year, 9, 1)),
    ]


def _spring(calendar: Calendar, year: int) -> date:
    """A day within the spring holidays: two weeks or more that begin in April or reach into it."""
    days = [date(year, 4, 1) + timedelta(days=ahead) for ahead in range(45)]
    for day in days:
        if all(calendar.is_school_holiday(day + timedelta(days=ahead)) for ahead in range(10)):
            return day
    return days[-1]


def _back_to_school(calendar: Calendar, day: date, otherwise: date) -> date:
    if not calendar.is_school_holiday(day):
        return otherwise + timedelta(days=-otherwise.weekday() % 7)
    while calendar.is_school_holiday(day) or calendar.is_public_holiday(day) or day.weekday() > 4:
        day += timedelta(days=1)
    return day


def term_begun(calendar: Calendar, today: date) -> date:
    """The first day of the term that today is in."""
    return max(day for year in (today.year - 1, today.year) for day in terms(calendar, year) if day <= today)
