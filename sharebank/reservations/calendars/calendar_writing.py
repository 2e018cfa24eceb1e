"""Reservations as iCalendar (RFC 5545): instants in UTC, one stable name each, a number that grows with each change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard, vCalAddress, vText

from sharebank.core import web
from sharebank.core.errors import N_
from sharebank.core.period import zone
from sharebank.core.texts import gettext

LONGEST = {"summary": 250, "location": 250, "description": 4000}
"""Characters; some phones drop an event whose text goes on for ever."""
PRODUCT = "-//sharebank//sharebank//FR"
STATUS = {"requested": "TENTATIVE", "declined": "CANCELLED", "cancelled": "CANCELLED", "expired": "CANCELLED"}
"""Of a reservation's state; every other is CONFIRMED."""
_PREFIX = {"TENTATIVE": N_("To be confirmed: %(what)s"), "CANCELLED": N_("Cancelled: %(what)s")}
# What no calendar text may hold (RFC 5545 3.3.11): control characters, and halves of characters.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


class Entry(NamedTuple):
    """One reservation as a calendar shows it; what its reader may not know is empty."""

    uid: str
    """Left part of its name."""
    ref: str
    kind: str
    state: str
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime
    revision: int
    purpose: str
    borrower: str
    house: str
    address: str
    things: tuple[tuple[str, int, str], ...]
    """Name, units, where it is kept."""


class Sender(NamedTuple):
    """On whose behalf an event is sent by letter: the lending house's, where it is known."""

    name: str
    address: str


def calendar(name: str, entries: Iterable[Entry], zone_name: str, now: datetime, *, whose: str = "") -> bytes:
    """A whole calendar to subscribe to; `whose` says that titles name the borrower too."""
    shell = _shell(zone_name, now.year)
    title = " ".join(clean(name, 200).split())
    shell.add("name", title)
    shell.add("x-wr-calname", vText(title))
    shell.add("x-wr-timezone", zone_name)
    shell.add("refresh-interval", timedelta(hours=1), parameters={"value": "DURATION"})
    shell.add("x-published-ttl", "PT1H")
    base, locale = _here()
    return _filled(shell, (_event(entry, base, locale, whose) for entry in entries))


def invitation(entries: Sequence[Entry], zone_name: str, now: datetime, sender: Sender) -> tuple[str, bytes]:
    """The method (RFC 5546) and the file that puts these into a reader's own calendar, or takes them out."""
    gone = all(STATUS.get(entry.state) == "CANCELLED" for entry in entries)
    method = "CANCEL" if gone else "PUBLISH"
    shell = _shell(zone_name, now.year)
    shell.add("method", method)
    base, locale = _here()
    by_house = (sender._replace(name=entry.house or sender.name) for entry in entries)
    events = (_event(entry, base, locale, "", by) for entry, by in zip(entries, by_house, strict=True))
    return method, _filled(shell, events)


def clean(text: str, most: int) -> str:
    """Text as calendars take it: lines end one way, nothing unseen, no longer than `most`."""
    text = _UNFIT.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text if len(text) <= most else text[: most - 1] + "…"


def _here() -> tuple[str, str]:
    """What the text of an event depends on, apart from its facts: whose site, whose language."""
    return web.absolute("reservations.index").removesuffix("/reservations"), web.locale_code()


def _filled(shell: Calendar, events: Iterable[bytes]) -> bytes:
    """Events are written once each and kept: a year of a house has thousands, and few change in an hour."""
    end = b"END:VCALENDAR\r\n"
    return bytes(shell.to_ical()).removesuffix(end) + b"".join(events) + end


def _shell(zone_name: str, year: int) -> Calendar:
    shell = Calendar()
    shell.add("prodid", PRODUCT)
    shell.add("version", "2.0")
    shell.add("calscale", "GREGORIAN")
    shell.add_component(_zone(zone_name, year))
    return shell


@lru_cache(maxsize=8)
def _zone(name: str, year: int) -> Timezone:
    """The zone of the houses, for programs that show times as people read them there: a part for each change of clocks.

    The library's own `from_tzid` (7.3) writes the onset of summer time an hour late, and repeats it by RDATE, which
    not every reader heeds: RFC 5545 3.6.5 wants wall time as it was until then.
    """
    tz, found = zone(name), Timezone()
    found.add("tzid", name)
    at = datetime(year - 1, 1, 1, tzinfo=UTC)
    found.add_component(_observance(at.astimezone(tz), at.astimezone(tz).utcoffset()))
    for change in _changes(tz, at, datetime(year + 4, 1, 1, tzinfo=UTC)):
        before = (change - timedelta(seconds=1)).astimezone(tz).utcoffset()
        found.add_component(_observance(change.astimezone(tz), before))
    return found


def _changes(tz: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    """The instants at which clocks change, to the minute."""
    at = since
    while at < until:
        after = at + timedelta(days=1)
        if at.astimezone(tz).utcoffset() != after.astimezone(tz).utcoffset():
            low, high = at, after
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                middle -= timedelta(seconds=middle.second, microseconds=middle.microsecond)
                same = middle.astimezone(tz).utcoffset() == at.astimezone(tz).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high
        at = after


def _observance(first: datetime, before: timedelta | None) -> TimezoneStandard | TimezoneDaylight:
    """From a moment on these clocks; `before` is how far ahead of UTC they were until then."""
    part = TimezoneDaylight() if first.dst() else TimezoneStandard()
    offset = before or timedelta()
    part.add("dtstart", first.astimezone(UTC).replace(tzinfo=None) + offset)
    part.add("tzoffsetfrom", offset)
    part.add("tzoffsetto", first.utcoffset())
    part.add("tzname", first.tzname())
    return part


@lru_cache(maxsize=16384)
def _event(entry: Entry, base: str, _locale: str, whose: str, sender: Sender | None = None) -> bytes:
    """One event. Without METHOD, DTSTAMP says when it last changed (RFC 5545 3.8.7.2)."""
    status = STATUS.get(entry.state, "CONFIRMED")
    event = Event()
    event.add("uid", f"{entry.uid}@{urlsplit(base).hostname}")
    event.add("dtstamp", entry.changed_at)
    event.add("last-modified", entry.changed_at)
    event.add("sequence", entry.revision)
    event.add("dtstart", entry.starts_at)
    event.add("dtend", entry.ends_at)
    event.add("status", status)
    texts = {"summary": _title(entry, status, whose), "location": _place(entry), "description": _facts(entry, base)}
    for name, text in texts.items():
        if text:
            event.add(name, clean(text, LONGEST[name]))
    if entry.ref:
        event.add("url", f"{base}/reservations/{entry.ref}")
    if status == "CANCELLED":
        event.add("transp", "TRANSPARENT")
    if sender:
        organiser = vCalAddress(f"mailto:{sender.address}")
        organiser.params["CN"] = vText(clean(sender.name, 200).replace('"', "'"))
        event.add("organizer", organiser)
    return bytes(event.to_ical())


def _title(entry: Entry, status: str, whose: str) -> str:
    what = entry.purpose or gettext("Busy")
    if entry.kind == "closure":
        what = gettext("Closed: %(why)s", why=entry.purpose) if entry.purpose else gettext("Closed")
    elif whose and entry.borrower:
        what = f"{what} – {entry.borrower}"
    if whose == "house":
        names = [name for name, _, _ in entry.things]
        what = gettext("%(thing)s: %(what)s", thing=", ".join(names[:3]) + " …" * (len(names) > 3), what=what)
    return gettext(_PREFIX[status], what=what) if status in _PREFIX else what


def _place(entry: Entry) -> str:
    rooms = dict.fromkeys(where for _, _, where in entry.things if where)
    return ", ".join(filter(None, (*rooms, entry.house, entry.address)))


def _facts(entry: Entry, base: str) -> str:
    """What is lent, to whom and by whom, and where to read on; nothing of what the reader may not know."""
    if not entry.ref:
        return ""
    lines = [f"{web.number_words(units)} × {name}" if units > 1 else name for name, units, _ in entry.things]
    if entry.borrower and entry.kind == "loan":
        lines.append(gettext("For: %(borrower)s", borrower=entry.borrower))
    lines += [
        gettext("Lent by: %(lender)s", lender=entry.house),
        gettext("Reference: %(ref)s", ref=entry.ref),
        f"{base}/reservations/{entry.ref}",
    ]
    return "\n".join(lines)
