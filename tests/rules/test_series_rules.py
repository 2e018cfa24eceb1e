"""Repeating dates: read, expanded in wall time, skipped; against an expander written without dateutil."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharebank.core.errors import Refused
from sharebank.core.period import EndsBeforeStart, NonexistentTime, OutsideCalendar, Period, local_period, to_local
from sharebank.lending.calendar import french
from sharebank.lending.facts import NO_HOLIDAYS
from sharebank.reservations.rules import Claim, peak
from sharebank.reservations.series.series_refusals import (
    BadRule,
    Endless,
    EndsTwice,
    FinerThanADay,
    NoDates,
    OverlapsItself,
    TooManyDates,
)
from sharebank.reservations.series.series_rules import (
    MOST,
    WEEKDAYS,
    Plan,
    dates_of,
    expand,
    holds,
    read_rule,
    simple_rule,
)
from sharebank.reservations.series.series_terms import term_begun, terms
from tests.world import PARIS

SERIES = Path(__file__).parents[2] / "sharebank" / "demo" / "series.csv"
DAY = timedelta(days=1)
CHANGES = [
    date(year, month, next(day for day in range(31, 24, -1) if date(year, month, day).weekday() == 6))
    for year in range(2026, 2036)
    for month in (3, 10)
]
"""Every last Sunday of March and October from 2026 to 2035."""


def plan(first: str, last: str, rule: str, until: str | None = None, skip: str = "none") -> Plan:
    end = date.fromisoformat(until) if until else None
    return Plan(datetime.fromisoformat(first), datetime.fromisoformat(last), read_rule(rule), end, skip)


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("FREQ=SECONDLY;COUNT=5", FinerThanADay),
        ("FREQ=MINUTELY;COUNT=5", FinerThanADay),
        ("FREQ=HOURLY;COUNT=5", FinerThanADay),
        ("FREQ=DAILY;BYHOUR=9,10;COUNT=5", FinerThanADay),
        ("FREQ=DAILY;BYMINUTE=30;COUNT=5", FinerThanADay),
        ("FREQ=DAILY;BYSECOND=30;COUNT=5", FinerThanADay),
        ("FREQ=WEEKLY;COUNT=5;UNTIL=20270101", EndsTwice),
        ("", BadRule),
        ("BYDAY=TU;COUNT=5", BadRule),
        ("FREQ=FORTNIGHTLY;COUNT=5", BadRule),
        ("FREQ=WEEKLY;BYDAY=XX", BadRule),
        ("FREQ=WEEKLY;BYDAY=2MO;COUNT=5", BadRule),
        ("FREQ=WEEKLY;FREQ=DAILY", BadRule),
        ("FREQ=WEEKLY;INTERVAL=0", BadRule),
        ("FREQ=WEEKLY;INTERVAL=-1", BadRule),
        ("FREQ=WEEKLY;COUNT=0", BadRule),
        ("FREQ=MONTHLY;BYMONTHDAY=32", BadRule),
        ("FREQ=MONTHLY;BYMONTHDAY=0", BadRule),
        ("FREQ=YEARLY;BYMONTH=13", BadRule),
        ("FREQ=MONTHLY;BYSETPOS=0", BadRule),
        ("FREQ=MONTHLY;UNTIL=20270231", BadRule),
        ("FREQ=WEEKLY;WKST=TODAY", BadRule),
        ("FREQ=WEEKLY;X-MOON=FULL", BadRule),
        ("FREQ=WEEKLY\nDTSTART:20260101T000000", BadRule),
    ],
)
def test_what_is_no_rule_is_refused(text: str, refusal: type[Refused]) -> None:
    with pytest.raises(refusal):
        read_rule(text)


@pytest.mark.parametrize("text", ["FREQ=WEEKLY;BYDAY=TU", "FREQ=DAILY", "FREQ=YEARLY;BYMONTH=5"])
def test_an_endless_rule_is_refused(text: str) -> None:
    with pytest.raises(Endless):
        expand(plan("2026-12-01T18:00", "2026-12-01T20:00", text), PARIS, NO_HOLIDAYS)


def test_a_rule_is_written_in_one_form() -> None:
    assert read_rule("rrule:byday=tu;freq=weekly;count=3").text == "FREQ=WEEKLY;BYDAY=TU;COUNT=3"
    for row in rows():
        assert read_rule(read_rule(row["rrule"]).text) == read_rule(row["rrule"])


@pytest.mark.parametrize(
    ("freq", "more", "text"),
    [
        ("weekly", {}, "FREQ=WEEKLY;BYDAY=TU"),
        ("weekly", {"weekdays": ["thu", "MO"]}, "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("biweekly", {"count": 4}, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;COUNT=4"),
        ("monthly_weekday", {}, "FREQ=MONTHLY;BYDAY=3TU"),
        ("monthly_weekday", {"nth": -1, "weekdays": ["FR"]}, "FREQ=MONTHLY;BYDAY=-1FR"),
        ("monthly_day", {}, "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("monthly_day", {"nth": 31}, "FREQ=MONTHLY;BYMONTHDAY=31"),
    ],
)
def test_the_choices_people_make(freq: str, more: dict[str, object], text: str) -> None:
    assert simple_rule(freq, date(2026, 12, 15), **more).text == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("freq", "more"),
    [("daily", {}), ("weekly", {"weekdays": ["noday"]}), ("monthly_weekday", {"nth": 6}), ("monthly_day", {"nth": 40})],
)
def test_choices_nobody_has(freq: str, more: dict[str, object]) -> None:
    with pytest.raises(BadRule):
        simple_rule(freq, date(2026, 12, 15), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_plan", "refusal"),
    [
        (plan("2026-12-01T18:00", "2026-12-01T18:00", "FREQ=DAILY;COUNT=2"), EndsBeforeStart),
        (plan("2026-12-01T18:00", "2026-12-02T19:00", "FREQ=DAILY;COUNT=2"), OverlapsItself),
        (plan("2026-12-01T18:00", "2026-12-01T19:00", "FREQ=DAILY;COUNT=401"), TooManyDates),
        (plan("2026-12-01T18:00", "2026-12-01T19:00", "FREQ=DAILY", "2028-12-01"), TooManyDates),
        (plan("2026-12-01T18:00", "2026-12-01T19:00", "FREQ=DAILY", "2026-11-01"), NoDates),
        (plan("2026-12-01T18:00", "2026-12-01T19:00", "FREQ=WEEKLY;COUNT=2", "2027-01-01"), EndsTwice),
        (plan("2326-12-01T18:00", "2326-12-01T19:00", "FREQ=DAILY;COUNT=2"), OutsideCalendar),
    ],
)
def test_plans_that_come_to_nothing(given_plan: Plan, refusal: type[Refused]) -> None:
    with pytest.raises(refusal):
        expand(given_plan, PARIS, NO_HOLIDAYS)


def test_a_date_that_never_comes_is_told_soon() -> None:
    """dateutil alone looks until the year 9999; the test would last for seconds."""
    before = datetime.now().astimezone()
    for rule in ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1", "FREQ=DAILY;BYSETPOS=2;COUNT=1"):
        with pytest.raises(NoDates):
            expand(plan("2026-12-01T18:00", "2026-12-01T19:00", rule), PARIS, NO_HOLIDAYS)
    assert datetime.now().astimezone() - before < timedelta(seconds=2)


# -- the series of the houses ------------------------------------------------------------------------


def rows() -> list[dict[str, str]]:
    with SERIES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# Of the README's counts the seventh and the ninth lose 7 May 2027: the bridge of Ascension, which the library knows.
EXPECTED = {
    "Chorale – répétition du mardi": 34,
    "Ateliers de français (lundi et jeudi)": 63,
    "Yoga du midi": 34,
    "Permanence accès aux droits (un mercredi sur deux)": 21,
    "Répar'Café du premier samedi": 9,
    "Comité des usagers – dernier vendredi": 7,
    "Gym douce (lundi et vendredi)": 65 - 1,
    "Distribution des paniers AMAP": 44,
    "Aide aux devoirs, 4 soirs par semaine": 131 - 1,
    "Permanence numérique – 24 séances": 18,
    "Sortie de l'accueil de loisirs du mercredi": 25,
    "Judo enfants": 33,
    "Cuisine parents-enfants (un samedi sur deux)": 15,
    "Chantier collectif du jardin – 3e samedi": 5,
    "Inventaire du local éco-partage (le 31)": 6,
    "Point d'équipe – dernier jour ouvré du mois": 7,
    "Stage de cirque des vacances d'hiver": 5,
    "Nuit des ondes – direct toutes les 4 semaines": 10,
    "Fête des voisins au jardin": 2,
    "Ouverture de l'éco-partage (mardi et dimanche, une semaine sur deux)": 19,
}


def test_every_series_gives_the_dates_of_the_readme() -> None:
    found = {}
    for row in rows():
        given_plan = plan(row["first_start"], row["first_end"], row["rrule"], row["until"], row["skip"])
        dates = expand(given_plan, PARIS, french("A"))
        assert dates[0].start == given_plan.first
        found[row["title"]] = sum(not one.holiday and one.period is not None for one in dates)
    assert found == EXPECTED
    assert sum(found.values()) == 553 - 2


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["title"])
def test_the_same_as_without_dateutil(row: dict[str, str]) -> None:
    given_plan = plan(row["first_start"], row["first_end"], row["rrule"], row["until"])
    assert [one.start for one in expand(given_plan, PARIS, NO_HOLIDAYS)] == list(by_hand(given_plan))


def test_what_is_skipped_is_counted_and_stays() -> None:
    dates = expand(plan("2026-12-15T18:00", "2026-12-15T20:00", "FREQ=WEEKLY;COUNT=4", skip="both"), PARIS, french("A"))
    assert [(f"{one.start:%d/%m}", one.holiday) for one in dates] == [
        ("15/12", ""),
        ("22/12", "school"),
        ("29/12", "school"),
        ("05/01", ""),
    ]
    easter = plan("2027-03-29T09:00", "2027-03-29T10:00", "FREQ=DAILY;COUNT=1", skip="public_holidays")
    assert [one.holiday for one in expand(easter, PARIS, french("A"))] == ["public"]


# -- an expander by hand: every day is asked whether the rule means it ---------------------------------


def by_hand(given_plan: Plan) -> Iterator[datetime]:
    """Starts by looking at each day in turn; understands what RFC 5545 says of the parts used here."""
    rule, first = given_plan.rule, given_plan.first
    parts = dict(rule.parts)
    until = given_plan.until
    if rule.until:
        until = to_local(datetime.strptime(rule.until + "+0000", "%Y%m%dT%H%M%SZ%z"), PARIS).date()
    found = (
        datetime.combine(day, first.time())
        for day in (first.date() + DAY * ahead for ahead in range(366 * 12))
        if (until is None or day <= until) and _meant(day, parts, first.date())
    )
    return islice(found, rule.count)


def _meant(day: date, parts: dict[str, str], first: date) -> bool:
    every = int(parts.get("INTERVAL", 1))
    matches = _in_set(day, parts, first)
    match parts["FREQ"]:
        case "DAILY":
            return matches and (day - first).days % every == 0
        case "WEEKLY":
            begins = WEEKDAYS.index(parts.get("WKST", "MO"))
            weeks = (_week(day, begins) - _week(first, begins)).days // 7
            return matches and weeks % every == 0
        case "MONTHLY":
            months = (day.year - first.year) * 12 + day.month - first.month
            if months % every or not matches:
                return False
            return _at_position(day, [one for one in _month(day) if _in_set(one, parts, first)], parts)
        case _:
            return matches and (day.year - first.year) % every == 0


def _week(day: date, begins: int) -> date:
    return day - DAY * ((day.weekday() - begins) % 7)


def _month(day: date) -> list[date]:
    return [one for one in (day.replace(day=1) + DAY * ahead for ahead in range(31)) if one.month == day.month]


def _at_position(day: date, among: list[date], parts: dict[str, str]) -> bool:
    if "BYSETPOS" not in parts:
        return True
    place = int(parts["BYSETPOS"])
    return among[place if place < 0 else place - 1] == day


def _in_set(day: date, parts: dict[str, str], first: date) -> bool:
    if "BYMONTH" in parts and day.month not in map(int, parts["BYMONTH"].split(",")):
        return False
    if "BYMONTHDAY" in parts:
        backwards = day.day - len(_month(day)) - 1
        if not {day.day, backwards} & set(map(int, parts["BYMONTHDAY"].split(","))):
            return False
    if "BYDAY" in parts:
        return any(_weekday(day, code) for code in parts["BYDAY"].split(","))
    if "BYMONTHDAY" in parts:
        return True
    return {
        "DAILY": True,
        "WEEKLY": day.weekday() == first.weekday(),
        "MONTHLY": day.day == first.day,
        "YEARLY": (day.month, day.day) == (first.month, first.day),
    }[parts["FREQ"]]


def _weekday(day: date, code: str) -> bool:
    if WEEKDAYS[day.weekday()] != code[-2:]:
        return False
    if code[:-2] == "":
        return True
    alike = [one for one in _month(day) if one.weekday() == day.weekday()]
    place = int(code[:-2])
    return -len(alike) <= place <= len(alike) and alike[place if place < 0 else place - 1] == day


# -- every clock change 2026-2035, every frequency ------------------------------------------------------

RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SA,SU,MO",
    "FREQ=WEEKLY;BYDAY=SA,SU,MO",
    "FREQ=MONTHLY;BYDAY=-1SU",
    "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=-1",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
)
HOURS = (
    (time(18), time(20)),
    (time(2, 30), time(3, 30)),
    (time(0), time(2, 30)),
    (time(22), time(3)),
    (time(3), time(3)),
)


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_wall_time_is_kept_over_every_clock_change(change: date, rule: str) -> None:
    count = 3 if "YEARLY" in rule else 6
    for begins in (change - DAY * 14, change - DAY * 1, change):
        days = [one.date() for one in by_hand(plan(f"{begins}T00:00", f"{begins}T01:00", f"{rule};COUNT={count}"))]
        for start, end in HOURS:
            first = datetime.combine(begins, start)
            last = datetime.combine(begins + DAY * (end <= start), end)
            dates = expand(Plan(first, last, read_rule(f"{rule};COUNT={count}")), PARIS, NO_HOLIDAYS)
            assert [one.start for one in dates] == [datetime.combine(day, start) for day in days]
            for one in dates:
                assert (one.start.time(), one.end.time()) == (start, end)
                if one.period is None:  # only where the clock jumps over one of the two
                    with pytest.raises(NonexistentTime):
                        local_period(one.start, one.end, PARIS)
                else:
                    assert to_local(one.period.start, PARIS) == one.start
                    assert to_local(one.period.end, PARIS) == one.end
            never_twice([one.period for one in dates if one.period])


def never_twice(periods: list[Period], before: int = 0, after: int = 0) -> None:
    """One room holds them all, whatever its buffers: no instant is claimed twice."""
    held = holds(periods, before, after)
    for period, hold in zip(periods, held, strict=True):
        assert hold.start <= period.start
        assert period.end <= hold.end
        assert peak([Claim(one, 1) for one in held], hold) == 1
    assert all(one.end <= other.start for one, other in pairwise(held))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CHANGES),
    st.sampled_from([rule for rule in RULES if "YEARLY" not in rule]),
    st.integers(-40, 3),
    st.integers(0, 24 * 4 - 1),
    st.integers(1, 24 * 4),
    st.integers(0, 120),
    st.integers(0, 120),
)
def test_a_series_never_collides_with_itself(
    change: date, rule: str, days: int, quarter: int, quarters: int, before: int, after: int
) -> None:
    first = datetime.combine(change + DAY * days, time()) + timedelta(minutes=15 * quarter)
    given_plan = Plan(first, first + timedelta(minutes=15 * quarters), read_rule(f"{rule};COUNT=20"))
    dates = expand(given_plan, PARIS, NO_HOLIDAYS)
    assert [one.start for one in dates] == list(by_hand(given_plan))
    never_twice([one.period for one in dates if one.period], before, after)


def test_the_hour_that_happens_twice_is_shared_by_two_dates_that_meet_in_it() -> None:
    """Each is taken whole (decision 4), but not from the one that goes before: 02:30 to 02:30, night after night."""
    nights = dates_of(
        [(datetime(2026, 10, day, 2, 30), datetime(2026, 10, day + 1, 2, 30)) for day in (23, 24, 25, 26)],  # noqa: DTZ001
        PARIS,
    )
    periods = [one.period for one in nights if one.period]
    assert [f"{one.start:%d %H:%M}-{one.end:%d %H:%M}" for one in periods] == [
        "23 00:30-24 00:30",
        "24 00:30-25 00:30",
        "25 00:30-26 01:30",
        "26 01:30-27 01:30",
    ]
    [alone] = dates_of([(datetime(2026, 10, 24, 2, 30), datetime(2026, 10, 25, 2, 30))], PARIS)  # noqa: DTZ001
    assert alone.period
    assert f"{alone.period.end:%H:%M}" == "01:30"


def test_an_instant_as_the_end_says_which_of_two_hours() -> None:
    """02:30 on 25 October means the first, 00:30 UTC."""
    for until, there in (("20261025T002959Z", False), ("20261025T003000Z", True), ("20261025T011500Z", True)):
        dates = expand(plan("2026-10-24T02:30", "2026-10-24T04:00", f"FREQ=DAILY;UNTIL={until}"), PARIS, NO_HOLIDAYS)
        assert (len(dates) == 2) is there


def test_four_hundred_dates_are_the_most() -> None:
    assert len(expand(plan("2026-12-01T18:00", "2026-12-01T19:00", "FREQ=DAILY;COUNT=400"), PARIS, NO_HOLIDAYS)) == MOST


# -- terms -------------------------------------------------------------------------------------------


def test_terms_begin_when_school_does() -> None:
    """Zone A; beyond the years the ministry has published, the Mondays people would expect."""
    assert terms(french("A"), 2026) == [date(2026, 1, 5), date(2026, 4, 20), date(2026, 9, 1)]
    assert terms(french("A"), 2027)[:2] == [date(2027, 1, 4), date(2027, 4, 26)]
    assert [day.month for day in terms(NO_HOLIDAYS, 2060)] == [1, 4, 9]


@pytest.mark.parametrize(
    ("today", "begun"),
    [
        ("2026-11-21", "2026-09-01"),
        ("2027-01-03", "2026-09-01"),
        ("2027-01-04", "2027-01-04"),
        ("2027-08-31", "2027-04-26"),
    ],
)
def test_the_term_a_day_is_in(today: str, begun: str) -> None:
    assert term_begun(french("A"), date.fromisoformat(today)) == date.fromisoformat(begun)
