"""Rules about hours: use, collection and return.

A day counts when the loan touches it: Friday 18:00 to Sunday 00:00 touches Friday and Saturday.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from sharebank.core.errors import N_, Said, Word
from sharebank.lending.facts import Asked, Breach
from sharebank.lending.groups import EFFECT
from sharebank.lending.saying import both, listed
from sharebank.lending.schema import Kind, Settings, breach, choices, flag, hour, number, table
from sharebank.lending.when import DAY, day_count

WEEKDAYS = {
    "mon": N_("Monday"),
    "tue": N_("Tuesday"),
    "wed": N_("Wednesday"),
    "thu": N_("Thursday"),
    "fri": N_("Friday"),
    "sat": N_("Saturday"),
    "sun": N_("Sunday"),
}
_CODES = tuple(WEEKDAYS)


def days_touched(start: datetime, end: datetime) -> Iterator[date]:
    """The days a stretch of wall time touches; what ends at midnight is over the day before."""
    day, last = start.date(), (end - timedelta(microseconds=1)).date()
    while day <= last:
        yield day
        day += DAY


# -- windows ---------------------------------------------------------------------------------------

MIDNIGHT = time()
WINDOW = (
    choices("days", N_("Days of the week (none: all)"), WEEKDAYS),
    hour("first", N_("From"), default=MIDNIGHT),
    hour("last", N_("Until (00:00: midnight)"), default=MIDNIGHT),
)


def weekday(day: date) -> str:
    """A key of WEEKDAYS."""
    return _CODES[day.weekday()]


def opening(rows: Iterable[Settings], day: date) -> Iterator[tuple[datetime, datetime]]:
    """The windows that begin on a day; one that ends before it begins ends on the morrow."""
    for row in rows:
        if not row["days"] or weekday(day) in row["days"]:
            start = datetime.combine(day, row["first"])
            yield start, datetime.combine(day if row["last"] > row["first"] else day + DAY, row["last"])


def _open_around(rows: tuple[Settings, ...], moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    for day in (moment.date() - DAY, moment.date()):
        yield from opening(rows, day)


def is_open(rows: tuple[Settings, ...], moment: datetime) -> bool:
    """Does a moment lie in a window, both ends included? Without windows, always."""
    return not rows or any(first <= moment <= last for first, last in _open_around(rows, moment))


def _kept_within(rows: tuple[Settings, ...], start: datetime, end: datetime) -> bool:
    """Within one window; or, when it lasts over a night, begun and ended in windows."""
    if any(first <= start and end <= last for first, last in _open_around(rows, start)):
        return True
    return end.date() > start.date() and is_open(rows, start) and is_open(rows, end)


def days_words(days: Iterable[str]) -> Said | Word:
    """`Monday to Friday`, `Wednesday, Saturday`; all of them for none or seven."""
    found = list(days)
    at = [_CODES.index(day) for day in found]
    if len(at) in (0, 7):
        return Said(N_("every day"))
    start = next(day for day in at if (day - 1) % 7 not in at)
    if len(at) > 2 and all((start + step) % 7 in at for step in range(len(at))):
        last = _CODES[(start + len(at) - 1) % 7]
        facts = {"first": Word(WEEKDAYS[_CODES[start]]), "last": Word(WEEKDAYS[last])}
        return Said(N_("%(first)s to %(last)s"), facts)
    several: Said | Word = both(Word(WEEKDAYS[day]) for day in found)
    return several


_HOURS = {
    (False, False): "%(days)s",
    (True, False): N_("%(days)s from %(first)s on"),
    (False, True): N_("%(days)s until %(last)s"),
    (True, True): N_("%(days)s from %(first)s to %(last)s"),
}


def window_words(rows: Iterable[Settings]) -> tuple[Said, ...]:
    """Each window: `Monday to Friday from 09:00 to 12:00`."""
    return tuple(
        Said(
            _HOURS[row["first"] != MIDNIGHT, row["last"] != MIDNIGHT],
            {"days": days_words(row["days"]), "first": row["first"], "last": row["last"]},
        )
        for row in rows
    )


def _use(settings: Settings, asked: Asked) -> Breach | None:
    rows = settings["windows"]
    if is_open(rows, asked.start) if settings["start_only"] else _kept_within(rows, asked.start, asked.end):
        return None
    said = N_("%(thing)s is lent at these hours only: %(windows)s. Choose a time within them (rules “%(rules)s”).")
    if settings["start_only"]:
        said = N_("Loans of %(thing)s begin at these hours only: %(windows)s. Choose one (rules “%(rules)s”).")
    return breach("use", asked, "starts_at", said, settings, windows=both(window_words(rows)))


def _use_words(settings: Settings) -> Said | None:
    said = N_("beginning %(windows)s") if settings["start_only"] else N_("used %(windows)s")
    return Said(said, {"windows": both(window_words(settings["windows"]))}) if settings["windows"] else None


def _collection(settings: Settings, asked: Asked) -> Breach | None:
    start, end = asked.start.date(), asked.end.date()
    collect, back = asked.collect_at or asked.start, asked.return_at or asked.end
    first, last = start - timedelta(days=settings["days_before"]), end + timedelta(days=settings["days_after"])
    if not (first <= collect.date() and collect <= asked.start):
        said = N_("%(thing)s is collected from %(day)s on, before the use begins (rules “%(rules)s”).")
        return breach("collection", asked, "collect_at", said, settings, day=first)
    if not (asked.end <= back and back.date() <= last):
        said = N_("%(thing)s is brought back once the use is over, by %(day)s (rules “%(rules)s”).")
        return breach("collection", asked, "return_at", said, settings, day=last)
    for field, moment, rows, said in (
        ("collect_at", collect, settings["collect"],
         N_("%(thing)s is collected at these hours: %(windows)s. Choose one of them (rules “%(rules)s”).")),
        ("return_at", back, settings["give_back"],
         N_("%(thing)s is brought back at these hours: %(windows)s. Choose one of them (rules “%(rules)s”).")),
    ):  # fmt: skip
        if not is_open(rows, moment):
            return breach("collection", asked, field, said, settings, windows=both(window_words(rows)))
    return None


def _collection_words(settings: Settings) -> Said | None:
    collect, back = window_words(settings["collect"]), window_words(settings["give_back"])
    parts = []
    if collect:
        parts.append(Said(N_("collected %(windows)s"), {"windows": both(collect)}))
    if back:
        parts.append(Said(N_("brought back %(windows)s"), {"windows": both(back)}))
    if settings["days_before"] or settings["days_after"]:
        facts = {"before": day_count(settings["days_before"]), "after": day_count(settings["days_after"])}
        parts.append(Said(N_("at most %(before)s before and %(after)s after the use"), facts))
    return listed(parts) if parts else None


KINDS = (
    Kind(
        name="use",
        label=N_("Hours of use"),
        fields=(
            table("windows", N_("Windows"), *WINDOW, required=True),
            flag("start_only", N_("Only the beginning has to be within them")),
            EFFECT,
        ),
        check=_use,
        words=_use_words,
    ),
    Kind(
        name="collection",
        label=N_("Collection and return"),
        fields=(
            table("collect", N_("Collected"), *WINDOW),
            table("give_back", N_("Brought back"), *WINDOW),
            number("days_before", N_("Collected at most so many days before the use"), default=0, most=30),
            number("days_after", N_("Brought back at most so many days after"), default=0, most=30),
            EFFECT,
        ),
        check=_collection,
        words=_collection_words,
        needs=lambda _: ("collect_at", "return_at"),
    ),
)
