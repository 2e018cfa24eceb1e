"""The kept libraries know the days; what they do not know is no holiday."""

from __future__ import annotations

from datetime import date

import pytest

from sharebank.lending.calendar import ZONES, french, knows_school_year
from sharebank.lending.facts import NO_HOLIDAYS

SCHOOL = [
    # day, zones without school
    (date(2026, 12, 18), ""),
    (date(2026, 12, 19), "ABC"),
    (date(2027, 1, 3), "ABC"),
    (date(2027, 1, 4), ""),
    (date(2027, 2, 13), "AC"),
    (date(2027, 2, 27), "AB"),
    (date(2027, 5, 7), "ABC"),
    (date(2027, 8, 15), "ABC"),
]
PUBLIC = [
    (date(2026, 12, 25), True),
    (date(2026, 12, 26), False),
    (date(2027, 3, 28), False),
    (date(2027, 3, 29), True),
    (date(2027, 5, 6), True),
    (date(2027, 7, 14), True),
    (date(2040, 11, 11), True),
]


@pytest.mark.parametrize(("day", "zones"), SCHOOL)
def test_school_holidays_by_zone(day: date, zones: str) -> None:
    assert "".join(zone for zone in ZONES if french(zone).is_school_holiday(day)) == zones


@pytest.mark.parametrize(("day", "expected"), PUBLIC)
def test_public_holidays_in_every_zone(day: date, expected: bool) -> None:
    assert [french(zone).is_public_holiday(day) for zone in (*ZONES, "")] == [expected] * 4


def test_beyond_what_has_been_published_and_outside_the_zones_no_day_is_a_school_holiday() -> None:
    assert knows_school_year(2027)
    assert not knows_school_year(2099)
    assert not french("A").is_school_holiday(date(2099, 8, 1))
    for zone in ("", "Z", "Corse"):
        assert not french(zone).is_school_holiday(date(2026, 12, 25))
    assert not NO_HOLIDAYS.is_school_holiday(date(2026, 12, 25))
    assert not NO_HOLIDAYS.is_public_holiday(date(2026, 12, 25))


def test_a_calendar_is_made_once() -> None:
    assert french("A") is french("A")
