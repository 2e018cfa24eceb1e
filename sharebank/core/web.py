"""What every screen shares: the house's zone, dates as the reader's language writes them, refusals in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_time
from babel.numbers import format_currency, format_decimal
from flask import current_app, has_request_context, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from sharebank.core import clock
from sharebank.core.days import written
from sharebank.core.errors import N_, Cents, Count, Refused, Said, Word
from sharebank.core.period import Period, to_local, zone
from sharebank.core.texts import gettext, in_one_piece, language, name_words, ngettext

View = TypeVar("View", bound=Callable[..., Any])


def tz() -> ZoneInfo:
    """The zone people type and read times in."""
    return zone(current_app.config["SHAREBANK_TIMEZONE"])


def public(view: View) -> View:
    """Mark a view that needs no sign-in; every other one does."""
    view.public = True  # type: ignore[attr-defined]
    return view


def locale_code() -> str:
    """`fr` or `en`."""
    return language() or "fr"


def address(endpoint: str, **values: Any) -> str:
    """`url_for` for templates; what has no facts of its own, as the menu and the style sheet, is built once."""
    if not has_request_context() or endpoint.startswith(".") or not values.keys() <= {"filename"}:
        return url_for(endpoint, **values)
    return _address(request.script_root, endpoint, **values)


@lru_cache(maxsize=512)
def _address(_root: str, endpoint: str, **values: Any) -> str:
    return url_for(endpoint, **values)


# -- dates, times, money, as the reader's language writes them -----------------------------------
# What was written once is kept: a page of a planning or of an order writes the same hours, numbers and sums again.


def day_words(value: date | datetime) -> str:
    """`samedi 28 novembre 2026`."""
    day = to_local(value, tz()).date() if isinstance(value, datetime) else value
    return written(day, "EEEE d MMMM y", locale_code())


def day_short(value: date | datetime) -> str:
    """`sam. 28 nov.`; with the year when it is another than the present one."""
    day = to_local(value, tz()).date() if isinstance(value, datetime) else value
    return written(day, "~MMMEd" if day.year == to_local(clock.now(), tz()).year else "~yMMMEd", locale_code())


def day_month_year(day: date) -> str:
    """`6 décembre 2026`."""
    return written(day, "long", locale_code())


def week_words(first: date) -> str:
    """`Semaine du 23 au 29 novembre 2026`; in French what both days share is said once."""
    last, locale = first + timedelta(days=6), locale_code()
    shared = locale == "fr" and (first.year, first.month) == (last.year, last.month)
    begins = "d" if shared else "~MMMMd" if first.year == last.year else "long"
    return str(
        gettext("Week of %(first)s to %(last)s", first=written(first, begins, locale), last=day_month_year(last))
    )


def month_words(day: date) -> str:
    """`novembre 2026`."""
    return written(day.replace(day=1), "~yMMMM", locale_code())


@lru_cache(maxsize=4096)
def _time(at: time, locale: str) -> str:
    return str(format_time(at, "short", locale=locale))


def clock_words(value: datetime) -> str:
    """`18:30`, in the house's zone."""
    return _time(to_local(value, tz()).time(), locale_code())


def period_words(period: Period) -> str:
    """`sam. 28 nov., 14:00 – 18:00`; both days when they differ."""
    start, end = to_local(period.start, tz()), to_local(period.end, tz())
    first = f"{day_short(start.date())}, {clock_words(period.start)}"
    if start.date() == end.date():
        return f"{first} – {clock_words(period.end)}"
    return f"{first} – {day_short(end.date())}, {clock_words(period.end)}"


def span_words(what: Any) -> str:
    """The period of something that starts and ends at instants."""
    return period_words(Period(what.starts_at, what.ends_at))


def wall_words(bar: Any) -> str:
    """`14:00 – 18:00`, of wall times; both days when they differ."""
    first, last = (_time(at.time(), locale_code()) for at in (bar.start, bar.end))
    if bar.start.date() == bar.end.date():
        return f"{first} – {last}"
    return f"{day_short(bar.start.date())}, {first} – {day_short(bar.end.date())}, {last}"


def hour_words(hour: int) -> str:
    """`14 h` or `2 PM`, the head of a column."""
    return _hour(hour, locale_code())


@lru_cache(maxsize=64)
def _hour(hour: int, locale: str) -> str:
    return f"{hour}\u202fh" if locale == "fr" else str(format_time(time(hour), "h a", locale="en"))


def iso_day(value: datetime) -> str:
    """The local day of an instant, as addresses write it."""
    return to_local(value, tz()).date().isoformat()


def euros_words(amount_cents: int) -> str:
    """`1 250,00 €`, from cents; below zero with a minus that is read as one."""
    return _euros(amount_cents, locale_code())


@lru_cache(maxsize=4096)
def _euros(cents: int, locale: str) -> str:
    return str(format_currency(Decimal(cents) / 100, "EUR", locale=locale)).replace("-", "−")


def number_words(value: int | Decimal) -> str:
    """`1 200`, `17,5`."""
    return _number(value, locale_code())


@lru_cache(maxsize=4096)
def _number(value: int | Decimal, locale: str) -> str:
    return str(format_decimal(value + 0, locale=locale))  # for -0 is found under 0, and would be written for it


def state_word(state: str) -> str:
    """A reservation's state as screens name it."""
    return str(gettext(_STATES[state]))


_STATES = {
    "requested": N_("Requested"),
    "approved": N_("Approved"),
    "collected": N_("Collected"),
    "returned": N_("Returned"),
    "declined": N_("Declined"),
    "cancelled": N_("Cancelled"),
    "expired": N_("Expired"),
    # Not states of a reservation, but shown beside them.
    "signed": N_("Agreement signed"),
    "closure": N_("Closed"),
    "busy": N_("Taken"),
}


FILTERS = {
    "day": day_words,
    "day_short": day_short,
    "clock": clock_words,
    "period": period_words,
    "span": span_words,
    "wall": wall_words,
    "month": month_words,
    "hour": hour_words,
    "isoday": iso_day,
    "euros": euros_words,
    "state": state_word,
    "number": number_words,
}


def _fact(value: Any) -> Any:
    match value:
        case datetime() | date():
            return day_words(value)
        case Period():
            return period_words(value)
        case time():
            return _time(value, locale_code())
        case bool():
            return value
        case Cents():
            return euros_words(value)
        case Count():
            return ngettext(value.one, value.many, value.n, n=number_words(value.n))
        case Said():
            return say(value)
        case tuple():
            return str(gettext(", ")).join(str(_fact(part)) for part in value)
        case int() | Decimal():
            return number_words(value)
        case Word():
            return str(gettext(value))
        case str():
            return state_word(value) if value in _STATES else in_one_piece(value)
    return value


def say(refused: Refused | Said) -> str:
    """The refusal, or any sentence with facts, in the reader's language."""
    said = {name: name_words(value) if name == "rules" else _fact(value) for name, value in refused.facts.items()}
    return str(gettext(refused.sentence)) % said


def safe_next(target: str | None, fallback: str) -> str:
    """A path of this site's own routes, or the page to fall back to: `next=` never leads elsewhere."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return fallback
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or any(ord(character) < 32 for character in target):
        return fallback
    try:
        current_app.url_map.bind_to_environ(request.environ).match(parts.path, method="GET")
    except RequestRedirect:
        return fallback
    except HTTPException:
        return fallback
    return target


def page_of_form() -> str:
    """The page the form of this request stood on, of this site's own; empty when there is none to go back to."""
    here = (request.referrer or "").removeprefix(request.host_url) if _from_here() else None
    return safe_next(None if here is None else f"/{here}", safe_next(request.path, ""))


def _from_here() -> bool:
    return (request.referrer or "").startswith(request.host_url)


def typed() -> list[str]:
    """The sentences of this request's form, to be copied; no password, and nothing another site has us show."""
    if not _from_here():
        return []
    words = [value for name, values in request.form.lists() if name not in _UNSPOKEN for value in values]
    return [value for value in words if " " in value.strip() and value.strip()[0] not in "{["]


_UNSPOKEN = frozenset(("csrf_token", "next", "seen", "password", "present"))


def absolute(endpoint: str, **values: Any) -> str:
    """A link for letters and labels: it begins with SHAREBANK_BASE_URL, never with what a request claimed."""
    base: str = current_app.config["SHAREBANK_BASE_URL"]
    return base.rstrip("/") + url_for(endpoint, **values, _external=False)
