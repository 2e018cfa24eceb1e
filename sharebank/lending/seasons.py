"""Rules about days of the week and the year: seasons, closed days, priority."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sharebank.core.errors import N_, Said, Word
from sharebank.lending.facts import Asked, Breach, Calendar
from sharebank.lending.groups import EFFECT, GROUPS, belongs, named
from sharebank.lending.saying import both, listed
from sharebank.lending.schema import Kind, Settings, breach, choice, choices, flag, month_day, number, table
from sharebank.lending.when import DAY, day_count, span_facts, within_span
from sharebank.lending.windows import MIDNIGHT, WEEKDAYS, WINDOW, days_touched, days_words, weekday, window_words

SCHOOL = {"any": N_("all year"), "holidays": N_("school holidays"), "term": N_("out of school holidays")}

_SPAN = (
    month_day("first", N_("First day"), required=True),
    month_day("last", N_("Last day"), required=True),
)


def _in_spans(rows: Iterable[Settings], day: date) -> bool:
    return any(within_span(row["first"], row["last"], day) for row in rows)


def _span_words(rows: Iterable[Settings]) -> tuple[Said, ...]:
    return tuple(Said(N_("between %(first)s and %(last)s"), span_facts(row)) for row in rows)


def _school_fits(school: str, day: date, calendar: Calendar) -> bool:
    return school == "any" or calendar.is_school_holiday(day) == (school == "holidays")


def _closed(settings: Settings, day: date, calendar: Calendar) -> bool:
    return (
        weekday(day) in settings["closed_days"]
        or (settings["public_holidays"] and calendar.is_public_holiday(day))
        or _in_spans(settings["closed"], day)
        or (bool(settings["open"]) and not _in_spans(settings["open"], day))
        or not _school_fits(settings["school"], day, calendar)
    )


def _seasons(settings: Settings, asked: Asked) -> Breach | None:
    for day in days_touched(asked.start, asked.end):
        if _closed(settings, day, asked.calendar):
            said = N_("%(thing)s is not lent on %(day)s. Choose other days: %(seasons)s (rules “%(rules)s”).")
            words = _seasons_words(settings)
            return breach("seasons", asked, "starts_at", said, settings, day=day, seasons=words)
    return None


def _seasons_words(settings: Settings) -> Said | None:
    parts: list[Said] = []
    if settings["open"]:
        parts.append(Said(N_("lent %(spans)s"), {"spans": both(_span_words(settings["open"]))}))
    if settings["school"] != "any":
        parts.append(Said(N_("lent %(when)s"), {"when": Word(SCHOOL[settings["school"]])}))
    closed = _span_words(settings["closed"])
    if settings["closed_days"]:
        closed += (Said(N_("on %(days)s"), {"days": days_words(settings["closed_days"])}),)
    if settings["public_holidays"]:
        closed += (Said(N_("on public holidays")),)
    if closed:
        parts.append(Said(N_("closed %(spans)s"), {"spans": both(closed)}))
    return listed(parts) if parts else None


# -- priority --------------------------------------------------------------------------------------


def _falls(row: Settings, asked: Asked) -> bool:
    """Does the loan meet a window of priority?"""
    first, last = row["first"], row["last"]
    all_day = first == last == MIDNIGHT
    # The night's window that began on the eve counts too.
    for day in days_touched(asked.start if all_day else asked.start - DAY, asked.end):
        if row["days"] and weekday(day) not in row["days"]:
            continue
        if not _school_fits(row["school"], day, asked.calendar):
            continue
        if row["since"] and row["until"] and not within_span(row["since"], row["until"], day):
            continue
        if all_day:
            return True
        start = datetime.combine(day, first)
        end = datetime.combine(day if last > first else day + DAY, last)
        if asked.start < end and start < asked.end:
            return True
    return False


def _priority(settings: Settings, asked: Asked) -> Breach | None:
    ahead = (asked.start.date() - asked.asked_at.date()).days
    for row in settings["windows"]:
        until = row["until_days"]
        if (not until or ahead > until) and not belongs(asked.borrower, row["groups"]) and _falls(row, asked):
            from_day = asked.start.date() - timedelta(days=until)
            facts = {"groups": named(row["groups"]), "when": _kept_words(row), "from_day": from_day}
            return breach("priority", asked, "starts_at", _KEPT[bool(until)], settings, **facts)
    return None


_KEPT = {
    True: N_(
        "%(thing)s is kept for %(groups)s then (%(when)s). Ask again from %(from_day)s on, or choose another day "
        "(rules “%(rules)s”)."
    ),
    False: N_("%(thing)s is kept for %(groups)s then (%(when)s). Choose another day (rules “%(rules)s”)."),
}


def _kept_words(row: Settings) -> tuple[Said | Word, ...]:
    parts: list[Said | Word] = []
    if row["days"] or row["first"] != row["last"]:
        parts += window_words([row])
    if row["school"] != "any":
        parts.append(Word(SCHOOL[row["school"]]))
    if row["since"] and row["until"]:
        parts += _span_words([{"first": row["since"], "last": row["until"]}])
    return tuple(parts) or (Said(N_("every day")),)


def _priority_words(settings: Settings) -> Said | None:
    rows = tuple(
        Said(
            N_("kept for %(groups)s until %(days)s before (%(when)s)")
            if row["until_days"]
            else N_("kept for %(groups)s (%(when)s)"),
            {"groups": named(row["groups"]), "days": day_count(row["until_days"]), "when": _kept_words(row)},
        )
        for row in settings["windows"]
    )
    return listed(rows) if rows else None


KINDS = (
    Kind(
        name="seasons",
        label=N_("Seasons and closed days"),
        fields=(
            table("open", N_("Lent only"), *_SPAN),
            table("closed", N_("Not lent"), *_SPAN),
            choices("closed_days", N_("Closed on"), WEEKDAYS),
            flag("public_holidays", N_("Closed on public holidays")),
            choice("school", N_("Lent"), SCHOOL, default="any"),
            EFFECT,
        ),
        check=_seasons,
        words=_seasons_words,
    ),
    Kind(
        name="priority",
        label=N_("Priority"),
        fields=(
            table(
                "windows",
                N_("Kept"),
                *WINDOW,
                choice("school", N_("When"), SCHOOL, default="any"),
                month_day("since", N_("First day of the year")),
                month_day("until", N_("Last day of the year")),
                choices("groups", N_("For"), GROUPS, required=True),
                number("until_days", N_("Until so many days before (0: always)"), default=0, most=365),
                required=True,
            ),
            EFFECT,
        ),
        check=_priority,
        words=_priority_words,
    ),
)
