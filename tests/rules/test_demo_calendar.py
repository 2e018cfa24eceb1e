"""The demonstration's dates, moved to any week."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, datetime, timedelta

import pytest

from sharebank.core.period import first_instant, local_period, wall_length
from sharebank.demo.calendar import DATA_DAY, moved_attributes, moved_day, moved_period, moved_rule, weeks_since
from sharebank.demo.loader import FOLDER
from sharebank.lending.calendar import french
from sharebank.reservations.rules import Claim, uses
from sharebank.reservations.series.series_rules import Plan, expand, read_rule
from sharebank.reservations.states import HOLDING
from tests.world import PARIS

YEARS = 6
DAY = timedelta(days=1)
DAYS = [date(2025, 9, 1) + timedelta(days=ahead) for ahead in range(8 * 366)]
CHANGES = {str(day) for day in DAYS if first_instant(day + timedelta(days=1), PARIS) - first_instant(day, PARIS) != DAY}
"""The days on which the clocks change."""


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("today", "weeks"),
    [
        ("2026-11-21", 0),
        ("2026-11-27", 0),
        ("2026-11-28", 1),
        ("2027-03-28", 18),
        ("2028-11-21", 104),
        ("2020-01-01", 0),
    ],
)
def test_whole_weeks(today: str, weeks: int) -> None:
    assert weeks_since(date.fromisoformat(today)) == weeks


def test_dates_move_along() -> None:
    assert moved_day("2026-12-31", 1) == "2027-01-07"
    assert moved_day("", 1) == ""
    assert moved_attributes("floor=0; inactive_since=2026-09-01; reason=x", 2) == (
        "floor=0; inactive_since=2026-09-15; reason=x"
    )
    assert moved_period("2026-11-25T09:00", "2026-11-25T10:30", 30, PARIS) == ("2027-06-23T09:00", "2027-06-23T10:30")
    # 02:30 does not exist on 28 March 2027.
    assert moved_period("2027-03-20T20:00", "2027-03-21T02:30", 1, PARIS) == ("2027-03-27T20:00", "2027-03-28T03:30")


def test_every_row_in_every_week_of_six_years() -> None:
    """No week makes a time that does not exist, ends something before it starts, or makes two loans collide.

    A week moves everything alike but in the nights of the clock change: the calendars are compared in the weeks
    in which some loan meets such a night.
    """
    things = {row["code"]: row for row in rows("resources.csv")}
    rules = {row["name"]: row for file in ("rule_sets.csv", "rule_sets_field.csv") for row in rows(file)}
    loans = [(row, rules[things[row["resource_code"]]["rules"]]) for row in rows("reservations.csv")]
    longest: dict[tuple[str, str], int] = {}
    for loan, rule in loans:
        # What is over was lent by the rules of its day.
        to_come = loan["ends_at"] >= f"{DATA_DAY}" and loan["status"] in HOLDING
        when, hours = (loan["starts_at"], loan["ends_at"]), int(rule["max_duration_hours"]) if to_come else 24 * 366
        longest[when] = min(hours, longest.get(when, hours))
    compared = 0
    for weeks in range(YEARS * 53):
        nights, moved = False, {}
        for (starts_at, ends_at), hours in longest.items():
            start, end = moved_period(starts_at, ends_at, weeks, PARIS)
            period = local_period(datetime.fromisoformat(start), datetime.fromisoformat(end), PARIS)
            assert wall_length(period, PARIS) <= timedelta(hours=hours), (starts_at, weeks)
            nights = nights or any(wall[:10] in CHANGES and wall[11:] < "05:00" for wall in (start, end))
            moved[starts_at, ends_at] = period
        if nights:
            compared += 1
            claims = defaultdict(list)
            for loan, rule in loans:
                if loan["status"] in HOLDING:
                    hold = moved[loan["starts_at"], loan["ends_at"]].widened(
                        int(rule["buffer_before_min"]), int(rule["buffer_after_min"])
                    )
                    claims[loan["resource_code"]].append(Claim(hold, int(loan["quantity"])))
            for code, taken in claims.items():
                assert max(use.used for use in uses(taken)) <= int(things[code]["quantity"]), (code, weeks)
    assert compared > 2 * YEARS


def test_every_series_in_every_week_of_six_years() -> None:
    """Whatever the week, each still gives dates, none longer than its rules allow; holidays move, so dates differ."""
    for row in rows("series.csv"):
        for weeks in range(YEARS * 53):
            first, last = moved_period(row["first_start"], row["first_end"], weeks, PARIS)
            until = date.fromisoformat(moved_day(row["until"], weeks)) if row["until"] else None
            rule = read_rule(moved_rule(row["rrule"], weeks, PARIS))
            start, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
            dates = expand(Plan(start, end, rule, until, row["skip"]), PARIS, french("A"))
            assert any(one.period and not one.holiday for one in dates), (row["title"], weeks)


def test_the_end_of_a_rule_moves_at_the_same_hour() -> None:
    rule = "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20270625T153000Z"  # 17:30 in summer
    assert moved_rule(rule, 1, PARIS) == "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20270702T153000Z"
    assert moved_rule(rule, 20, PARIS) == "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271112T163000Z"
    assert moved_rule("FREQ=DAILY;COUNT=5", 20, PARIS) == "FREQ=DAILY;COUNT=5"
