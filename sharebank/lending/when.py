"""Rules about days: notice, advance, length, and until when the owner may take a thing back."""

from __future__ import annotations

from datetime import date, timedelta

from sharebank.core.errors import N_, Count, Said, ngettext
from sharebank.lending.facts import Asked, Breach, Calendar
from sharebank.lending.groups import EFFECT, EFFECT_APPROVE
from sharebank.lending.schema import Kind, Settings, breach, flag, month_day, number

DAY = timedelta(days=1)


def day_count(n: int) -> Count:
    """`1 day`, `15 days`."""
    return ngettext("%(n)s day", "%(n)s days", n)


def length_words(hours: int) -> Count:
    """Whole days from two on, else hours."""
    if hours >= 48 and hours % 24 == 0:
        return day_count(hours // 24)
    return ngettext("%(n)s hour", "%(n)s hours", hours)


def within_span(first: str, last: str, day: date) -> bool:
    """Does a day lie between two days of the year, both included? A span may go over New Year."""
    at = f"{day:%m-%d}"
    return first <= at <= last if first <= last else (at >= first or at <= last)


def last_before(month_day: str, day: date) -> date:
    """The last time a day of the year came before a day; the 28th where there is no 29 February."""
    for year in (day.year, day.year - 1):
        leap = year % 4 == 0  # within 2000-2099, the calendar here
        found = date.fromisoformat(f"{year}-{month_day if leap or month_day != '02-29' else '02-28'}")
        if found < day:
            return found
    return found


def day_of_year(month_day: str) -> str:
    """`31/08`, as people write it."""
    return f"{month_day[3:]}/{month_day[:2]}"


def span_facts(row: Settings) -> dict[str, str]:
    """First and last day of a span, as facts."""
    return {"first": day_of_year(row["first"]), "last": day_of_year(row["last"])}


def _works(day: date, calendar: Calendar) -> bool:
    return day.weekday() < 5 and not calendar.is_public_holiday(day)


def first_day(today: date, days: int, working: bool, calendar: Calendar) -> date:
    """The first day that may be asked for today.

    Days as a calendar counts them, the day asked for included: on Thursday, two days ahead is Saturday, and two
    working days ahead Monday.
    """
    if not working:
        return today + timedelta(days=days)
    day = today
    while days > 0:
        day += DAY
        days -= _works(day, calendar)
    return day


def _notice_days(settings: Settings, asked: Asked) -> int:
    again = settings["again_days"]
    return int(settings["days"] if again is None or not asked.borrower.loans_this_year else again)


def _notice(settings: Settings, asked: Asked) -> Breach | None:
    days, today, day = _notice_days(settings, asked), asked.asked_at.date(), asked.start.date()
    if (day - today).days >= days and not settings["working"]:
        return None
    first = first_day(today, days, settings["working"], asked.calendar)
    if day >= first:
        return None
    said = N_("%(thing)s must be asked for %(notice)s ahead: from %(from_day)s on (rules “%(rules)s”).")
    return breach("notice", asked, "starts_at", said, settings, notice=_ahead(days, settings), from_day=first)


def _ahead(days: int, settings: Settings) -> Count:
    return ngettext("%(n)s working day", "%(n)s working days", days) if settings["working"] else day_count(days)


def _notice_words(settings: Settings) -> Said | None:
    days, again = settings["days"], settings["again_days"]
    if again is not None:
        facts = {"days": _ahead(days, settings), "again": _ahead(again, settings)}
        return Said(N_("%(days)s before, %(again)s for those who have borrowed already this year"), facts)
    return Said(N_("%(days)s before"), {"days": _ahead(days, settings)}) if days else None


def _advance(settings: Settings, asked: Asked) -> Breach | None:
    today = asked.asked_at.date()
    if (asked.start.date() - today).days <= settings["days"]:
        return None
    last = today + timedelta(days=settings["days"])
    said = N_("%(thing)s can be asked for %(advance)s ahead at most: until %(until_day)s (rules “%(rules)s”).")
    return breach("advance", asked, "starts_at", said, settings, advance=day_count(settings["days"]), until_day=last)


def _length(settings: Settings, asked: Asked) -> Breach | None:
    if asked.end - asked.start <= timedelta(hours=settings["hours"]):
        return None
    said = N_("%(thing)s is lent for %(length)s at most. Shorten the loan, or ask for two (rules “%(rules)s”).")
    return breach("length", asked, "ends_at", said, length=length_words(settings["hours"]))


def _deadline(settings: Settings, asked: Asked) -> Breach | None:
    """Use within the span must have been asked for by the last `by` before the span begins."""
    day, first = asked.start.date(), settings["first"]
    if not within_span(first, settings["last"], day):
        return None
    begins = last_before(first, day + DAY)
    by = last_before(settings["by"], begins)
    if asked.asked_at.date() <= by:
        return None
    said = N_("%(thing)s for %(day)s was to be asked for by %(by)s. Ask for what is left over (rules “%(rules)s”).")
    return breach("deadline", asked, "starts_at", said, settings, day=day, by=by)


def _deadline_words(settings: Settings) -> Said:
    facts = {"by": day_of_year(settings["by"]), **span_facts(settings)}
    return Said(N_("asked for by %(by)s (use between %(first)s and %(last)s)"), facts)


def _recall_words(settings: Settings) -> Said:
    days = settings["days"]
    said = N_("the owner may take it back until %(days)s before, saying why")
    return Said(said, {"days": day_count(days)}) if days else Said(N_("the owner may take it back, saying why"))


KINDS = (
    Kind(
        name="notice",
        label=N_("Notice"),
        fields=(
            number("days", N_("Days ahead at least"), required=True, most=365),
            flag("working", N_("Working days: neither Saturdays, Sundays nor public holidays")),
            number("again_days", N_("For those who have borrowed already this year"), most=365),
            EFFECT,
        ),
        check=_notice,
        words=_notice_words,
        needs=lambda settings: () if settings["again_days"] is None else ("history",),
    ),
    Kind(
        name="advance",
        label=N_("Furthest ahead"),
        fields=(number("days", N_("Days ahead at most"), required=True), EFFECT),
        check=_advance,
        words=lambda settings: Said(N_("%(days)s ahead at most"), {"days": day_count(settings["days"])}),
    ),
    Kind(
        name="length",
        label=N_("Longest loan"),
        fields=(number("hours", N_("Hours at most"), required=True, least=1, most=8784),),
        check=_length,
        words=lambda settings: Said(N_("%(length)s at most"), {"length": length_words(settings["hours"])}),
        binds_staff=True,
    ),
    Kind(
        name="deadline",
        label=N_("To be asked for by"),
        fields=(
            month_day("by", N_("Last day to ask"), required=True),
            month_day("first", N_("For use from"), required=True),
            month_day("last", N_("For use until"), required=True),
            EFFECT_APPROVE,
        ),
        check=_deadline,
        words=_deadline_words,
    ),
    Kind(
        name="recall",
        label=N_("Taking back"),
        fields=(number("days", N_("Until so many days before (0: any time)"), default=0, most=365),),
        words=_recall_words,
    ),
)
