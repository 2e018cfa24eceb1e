"""School and public holidays from libraries that others keep up to date, one year at a time; never a list of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import holidays
from vacances_scolaires_france import SchoolHolidayDates  # type: ignore[import-untyped]

from sharebank.lending.facts import Calendar

ZONES = tuple(SchoolHolidayDates.SUPPORTED_ZONES)


@lru_cache(maxsize=1)
def _school() -> SchoolHolidayDates:
    return SchoolHolidayDates()


@lru_cache(maxsize=64)
def _school_days(zone: str, year: int) -> frozenset[date]:
    if zone not in ZONES or not knows_school_year(year):
        return frozenset()
    return frozenset(_school().holidays_for_year_and_zone(year, zone))


@lru_cache(maxsize=64)
def _public_days(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", years=year))


def knows_school_year(year: int) -> bool:
    """Has the ministry published this year, and the library taken it up? Beyond, no day is a school holiday."""
    return bool(_school().min_year <= year <= _school().max_year)


@dataclass(frozen=True, slots=True)
class _French:
    zone: str

    def is_school_holiday(self, day: date) -> bool:
        return day in _school_days(self.zone, day.year)

    def is_public_holiday(self, day: date) -> bool:
        return day in _public_days(day.year)


@lru_cache(maxsize=8)
def french(zone: str) -> Calendar:
    """The calendar of a school zone (`A`, `B`, `C`); of none, or an unknown one, the public holidays alone."""
    return _French(zone)
