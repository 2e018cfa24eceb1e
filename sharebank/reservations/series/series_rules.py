"""Repeating dates on plain values: a rule in wall time, its dates, and which of them holidays take away.

A series keeps the hour people read on the wall: it is expanded there (dateutil), then each date becomes instants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from sharebank.core.period import FIRST, LAST, NonexistentTime, OutsideCalendar, Period, local_period
from sharebank.lending.facts import Calendar
from sharebank.reservations.series.series_refusals import (
    BadRule,
    Endless,
    EndsTwice,
    FinerThanADay,
    NoDates,
    OverlapsItself,
    TooManyDates,
)

MOST = 400
"""Dates in one series."""
SKIPS = ("none", "school_holidays", "public_holidays", "both")
FREQUENCIES = ("weekly", "biweekly", "monthly_weekday", "monthly_day")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FINE = ("BYHOUR", "BYMINUTE", "BYSECOND")
_ORDER = ("FREQ", "INTERVAL", "WKST", "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYSETPOS")
_LARGEST = {"BYMONTH": 12, "BYWEEKNO": 53, "BYYEARDAY": 366, "BYMONTHDAY": 31, "BYSETPOS": 366}
_DAY = rf"[+-]?[0-9]{{0,2}}({'|'.join(WEEKDAYS)})"
_SHAPES = {
    "FREQ": "DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": "[1-9][0-9]{0,2}",
    "WKST": "|".join(WEEKDAYS),
    "BYDAY": rf"{_DAY}(,{_DAY})*",
    "COUNT": "[1-9][0-9]{0,8}",
    "UNTIL": "[0-9]{8}(T[0-9]{6}Z?)?",
    **dict.fromkeys(_LARGEST, r"[+-]?[0-9]{1,3}(,[+-]?[0-9]{1,3})*"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that has been read: what repeats, and one of its ends."""

    parts: tuple[tuple[str, str], ...]
    """Name and value of each part but COUNT and UNTIL, in one order."""
    count: int | None = None
    until: str | None = None
    """As RFC 5545 writes it: a day, wall time, or an instant."""

    @property
    def text(self) -> str:
        """The same as text, always in one form."""
        end = {"COUNT": self.count, "UNTIL": self.until}
        return ";".join(f"{name}={value}" for name, value in (*self.parts, *end.items()) if value is not None)

    def get(self, name: str, otherwise: str = "") -> str:
        """The value of a part."""
        return dict(self.parts).get(name, otherwise)


def read_rule(text: str) -> Rule:
    """Read an RRULE, with or without its prefix; raises BadRule, FinerThanADay or EndsTwice."""
    said = text.strip().upper().removeprefix("RRULE:").strip(";")
    found: dict[str, str] = {}
    for part in said.split(";"):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name in _FINE or (name == "FREQ" and value in ("SECONDLY", "MINUTELY", "HOURLY")):
            raise FinerThanADay("rule", value=part[:40])
        if name not in _SHAPES or name in found or not re.fullmatch(_SHAPES[name], value) or not _bounded(name, value):
            raise BadRule("rule", value=(part or text)[:60])
        found[name] = value
    counted = re.search("[0-9]", found.get("BYDAY", "")) is not None
    if "FREQ" not in found or (counted and found["FREQ"] not in ("MONTHLY", "YEARLY")):
        raise BadRule("rule", value=text[:60])
    count, until = found.pop("COUNT", None), found.pop("UNTIL", None)
    if count and until:
        raise EndsTwice("until")
    rule = Rule(tuple((name, found[name]) for name in _ORDER if name in found), int(count) if count else None, until)
    try:  # what the shapes let through, such as the 31st of June as its end
        rrulestr(_repeating(rule), dtstart=datetime(2026, 1, 1), ignoretz=True)  # noqa: DTZ001
        _until(rule)
    except (ValueError, OverflowError):
        raise BadRule("rule", value=text[:60]) from None
    return rule


def _bounded(name: str, value: str) -> bool:
    return name not in _LARGEST or all(1 <= abs(int(number)) <= _LARGEST[name] for number in value.split(","))


def simple_rule(
    freq: str, first: date, *, weekdays: Sequence[str] = (), nth: int | None = None, count: int | None = None
) -> Rule:
    """The rule of the few choices people make; what is left open follows the first day.

    `nth` is which weekday of the month (-1: the last), or which day of it.
    """
    days = [day.upper()[:2] for day in weekdays] or [WEEKDAYS[first.weekday()]]
    if any(day not in WEEKDAYS for day in days):
        raise BadRule("weekdays", value=",".join(weekdays)[:60])
    days = sorted(set(days), key=WEEKDAYS.index)
    match freq:
        case "weekly" | "biweekly":
            interval = "INTERVAL=2;" if freq == "biweekly" else ""
            text = f"FREQ=WEEKLY;{interval}BYDAY={','.join(days)}"
        case "monthly_weekday":
            nth = nth or (first.day + 6) // 7
            if not (1 <= nth <= 5 or nth == -1):
                raise BadRule("nth", value=str(nth))
            text = f"FREQ=MONTHLY;BYDAY={','.join(f'{nth}{day}' for day in days)}"
        case "monthly_day":
            nth = nth or first.day
            if not (1 <= nth <= 31 or nth == -1):
                raise BadRule("nth", value=str(nth))
            text = f"FREQ=MONTHLY;BYMONTHDAY={nth}"
        case _:
            raise BadRule("freq", value=freq[:60])
    return read_rule(text + (f";COUNT={count}" if count else ""))


def _repeating(rule: Rule) -> str:
    return ";".join(f"{name}={value}" for name, value in rule.parts)


def _until(rule: Rule) -> datetime | None:
    """The end of a rule: wall time, or an instant when it says so."""
    if rule.until is None:
        return None
    if len(rule.until) == 8:
        return datetime.combine(datetime.strptime(rule.until, "%Y%m%d").date(), time(23, 59, 59))  # noqa: DTZ007
    found = datetime.strptime(rule.until[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007
    return found.replace(tzinfo=UTC) if rule.until.endswith("Z") else found


@dataclass(frozen=True, slots=True)
class Plan:
    """What repeats: the first date's wall times, the rule, the last day (included), and what is skipped."""

    first: datetime
    last: datetime
    rule: Rule
    until: date | None = None
    skip: str = "none"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date: wall times, the instants they mean (none: the clock jumps over that hour), what skips it."""

    start: datetime
    end: datetime
    period: Period | None
    holiday: str = ""
    """`school` or `public` when holidays take it away."""


def expand(plan: Plan, tz: ZoneInfo, calendar: Calendar) -> list[Occurrence]:
    """Every date in order, those that holidays take away among them: COUNT counts them too.

    Raises Endless, EndsTwice, NoDates, TooManyDates, OverlapsItself, OutsideCalendar; EndsBeforeStart of the first.
    """
    rule, length = plan.rule, plan.last - plan.first
    if rule.count is None and rule.until is None and plan.until is None:
        raise Endless("until")
    if plan.until and (rule.count or rule.until):
        raise EndsTwice("until")
    if not (FIRST.year <= plan.first.year < LAST.year and plan.first.year <= plan.last.year < LAST.year):
        raise OutsideCalendar("starts_at")
    if length <= timedelta(0):
        local_period(plan.first, plan.last, tz)  # says why
    starts = list(islice(_starts(plan, tz), MOST + 1))
    if len(starts) > MOST:
        raise TooManyDates("until", most=MOST)
    if not starts:
        raise NoDates("until")
    dates = dates_of([(start, start + length) for start in starts], tz)
    return [replace(date, holiday=_holiday(date.start.date(), plan.skip, calendar)) for date in dates]


def dates_of(walls: Sequence[tuple[datetime, datetime]], tz: ZoneInfo) -> list[Occurrence]:
    """Dates of these wall times, in order, none reaching into the next; raises OverlapsItself.

    An hour that happens twice is taken whole, by a start and by an end: a date that ends at 02:30 in the October night
    would take what the next one, which begins at 02:30, takes too.
    """
    if any(before[1] > after[0] for before, after in pairwise(walls)):
        raise OverlapsItself("ends_at")
    dates = [Occurrence(start, end, _period(start, end, tz)) for start, end in walls]
    for at, (one, after) in enumerate(pairwise(dates)):
        if one.period and after.period and one.period.end > after.period.start > one.period.start:
            dates[at] = replace(one, period=Period(one.period.start, after.period.start))
    return dates


def _period(start: datetime, end: datetime, tz: ZoneInfo) -> Period | None:
    try:
        return local_period(start, end, tz)
    except NonexistentTime:
        return None


_LATER = 7600
"""Years. dateutil seeks the next date until the year 9999: for a 30 February that takes seconds. The calendar is the
same every 400 years, so we let it begin 19 times 400 years later, and it gives up soon."""


def _starts(plan: Plan, tz: ZoneInfo) -> Iterator[datetime]:
    """Wall times at which it begins, at most as many as the rule counts."""
    end = _until(plan.rule)
    bound = datetime(LAST.year - 1, 12, 31)  # noqa: DTZ001
    if plan.until:
        bound = min(bound, datetime.combine(plan.until, time(23, 59, 59)))
    elif end is not None:
        # Of an hour that happens twice the wall alone does not say which side of an instant it is on.
        wall = end if end.tzinfo is None else end.astimezone(tz).replace(tzinfo=None) + timedelta(hours=3)
        bound = min(bound, wall)
    far = rrulestr(_repeating(plan.rule), dtstart=plan.first.replace(year=plan.first.year + _LATER))
    found = takewhile(lambda start: start <= bound, (start.replace(year=start.year - _LATER) for start in far))
    if end is not None and end.tzinfo:
        return (start for start in found if start.replace(tzinfo=tz).astimezone(UTC) <= end)
    return islice(found, plan.rule.count)


def _holiday(day: date, skip: str, calendar: Calendar) -> str:
    if skip in ("public_holidays", "both") and calendar.is_public_holiday(day):
        return "public"
    if skip in ("school_holidays", "both") and calendar.is_school_holiday(day):
        return "school"
    return ""


def holds(periods: Sequence[Period], before_min: int, after_min: int) -> list[Period]:
    """Each period with its buffers; where those of two neighbours of one series would meet, they share what is between.

    Buffers are for whoever comes next, and here the same borrower does.
    """
    found = [period.widened(before_min, after_min) for period in periods]
    for at in range(len(found) - 1):
        one, after = found[at], found[at + 1]
        if one.end > after.start:
            between = max(periods[at].end, min(one.end, periods[at + 1].start))
            found[at], found[at + 1] = Period(one.start, between), Period(between, after.end)
    return found


def chosen_skip(names: Mapping[str, bool]) -> str:
    """`none`, one of the two, or `both`."""
    wanted = [name for name in ("school_holidays", "public_holidays") if names.get(name)]
    return "both" if len(wanted) == 2 else wanted[0] if wanted else "none"
