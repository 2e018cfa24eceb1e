"""Periods are half-open, and wall time is right across both yearly clock changes of Paris in 2026."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sharebank.core.errors import Refused
from sharebank.core.period import (
    EndsBeforeStart,
    NonexistentTime,
    OutsideCalendar,
    Period,
    first_instant,
    local_period,
    to_local,
    to_utc,
    wall_length,
    zone,
)

PARIS = zone("Europe/Paris")


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(first: str, last: str) -> Period:
    """`span("09:00", "10:00")`, UTC, of one day."""
    return Period(utc(f"2026-06-01 {first}"), utc(f"2026-06-01 {last}"))


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (span("09:00", "10:00"), span("10:00", "11:00"), False),  # touching
        (span("09:00", "10:01"), span("10:00", "11:00"), True),  # by a minute
        (span("09:00", "12:00"), span("10:00", "11:00"), True),  # within
        (span("10:00", "11:00"), span("10:00", "11:00"), True),  # the same
        (span("09:00", "10:00"), span("11:00", "12:00"), False),  # apart
    ],
)
def test_half_open(one: Period, other: Period, meet: bool) -> None:
    assert one.overlaps(other) is other.overlaps(one) is meet


@pytest.mark.parametrize(
    ("first", "last", "refusal", "field"),
    [
        ("2026-06-01 10:00", "2026-06-01 10:00", EndsBeforeStart, "ends_at"),
        ("2026-06-01 10:00", "2026-06-01 09:00", EndsBeforeStart, "ends_at"),
        ("1999-12-31 23:59", "2026-06-01 09:00", OutsideCalendar, "starts_at"),
        ("2026-06-01 10:00", "2100-01-01 01:01", OutsideCalendar, "ends_at"),
        ("0001-01-01 00:00", "2026-06-01 09:00", OutsideCalendar, "starts_at"),
        ("2026-06-01 10:00", "9999-12-31 23:59", OutsideCalendar, "ends_at"),
        # 29 March 2026: 02:00 becomes 03:00
        ("2026-03-29 02:00", "2026-03-29 12:00", NonexistentTime, "starts_at"),
        ("2026-03-29 02:59", "2026-03-29 12:00", NonexistentTime, "starts_at"),
        ("2026-03-28 18:00", "2026-03-29 02:30", NonexistentTime, "ends_at"),
    ],
)
def test_what_is_no_period(first: str, last: str, refusal: type[Refused], field: str) -> None:
    with pytest.raises(refusal) as caught:
        local_period(wall(first), wall(last), PARIS)
    assert caught.value.field == field


@pytest.mark.parametrize("year", ["1999", "2101"])
def test_instants_outside_the_calendar_make_no_period(year: str) -> None:
    with pytest.raises(OutsideCalendar):
        Period(*sorted((utc(f"{year}-06-01 10:00"), utc("2026-06-01 10:00"))))


def test_a_period_holds_instants() -> None:
    with pytest.raises(ValueError, match="instants"):
        Period(wall("2026-06-01 10:00"), wall("2026-06-01 11:00"))


@pytest.mark.parametrize(
    ("at", "later", "instant"),
    [
        ("2026-01-15 18:00", False, "2026-01-15 17:00"),
        ("2026-07-15 18:00", False, "2026-07-15 16:00"),
        ("2026-03-29 01:59", False, "2026-03-29 00:59"),
        ("2026-03-29 03:00", False, "2026-03-29 01:00"),
        # 25 October 2026: 03:00 becomes 02:00, so that 02:00 to 02:59 happen twice
        ("2026-10-25 01:59", False, "2026-10-24 23:59"),
        ("2026-10-25 02:00", False, "2026-10-25 00:00"),
        ("2026-10-25 02:00", True, "2026-10-25 01:00"),
        ("2026-10-25 02:59", True, "2026-10-25 01:59"),
        ("2026-10-25 03:00", False, "2026-10-25 02:00"),
        ("2026-10-25 03:00", True, "2026-10-25 02:00"),
    ],
)
def test_wall_time_to_the_instant_and_back(at: str, later: bool, instant: str) -> None:
    assert to_utc(wall(at), PARIS, later=later) == utc(instant)
    assert to_local(utc(instant), PARIS) == wall(at)


@pytest.mark.parametrize(
    ("first", "last", "hours", "wall_hours"),
    [
        ("2026-06-05 18:00", "2026-06-08 18:00", 72, 72),
        ("2026-03-27 18:00", "2026-03-30 18:00", 71, 72),  # spring: an hour less goes by
        ("2026-10-23 18:00", "2026-10-26 18:00", 73, 72),  # autumn: an hour more
        ("2026-03-29 01:00", "2026-03-29 03:00", 1, 2),
        ("2026-10-25 01:00", "2026-10-25 03:00", 3, 2),
        ("2026-10-25 02:00", "2026-10-25 03:00", 2, 1),  # begins in the first of the two
        ("2026-10-25 01:00", "2026-10-25 02:00", 2, 1),  # ends in the second
        ("2026-10-25 02:00", "2026-10-25 02:30", 1.5, 0.5),  # the widest it can mean
    ],
)
def test_length_on_the_wall(first: str, last: str, hours: float, wall_hours: float) -> None:
    period = local_period(wall(first), wall(last), PARIS)
    assert period.length == timedelta(hours=hours)
    assert wall_length(period, PARIS) == timedelta(hours=wall_hours)


def test_a_day_lasts_23_24_or_25_hours() -> None:
    def length(day: date) -> timedelta:
        return first_instant(day + timedelta(days=1), PARIS) - first_instant(day, PARIS)

    days = date(2026, 3, 29), date(2026, 6, 1), date(2026, 10, 25)
    assert [length(day) for day in days] == [timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)]


def test_buffers_and_moves() -> None:
    assert span("09:00", "10:00").widened(15, 30) == span("08:45", "10:30")
    assert span("09:00", "10:00").moved(timedelta(hours=-2)) == span("07:00", "08:00")
