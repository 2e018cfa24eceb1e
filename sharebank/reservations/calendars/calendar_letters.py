"""The calendar file that goes along with a confirmation, a change or a cancellation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from flask import current_app

from sharebank.notifications.attachments import Attachment
from sharebank.reservations.calendars.calendar_writing import Entry, Sender, invitation


def attachment(facts: Mapping[str, Any], posted_at: datetime) -> Attachment | None:
    """Each reservation of a letter as it stands by that letter: put in, changed, or taken out.

    A daily letter tells several (`items`): of a reservation that is in more than one, the last word counts. None when
    the letter is about no reservation.
    """
    last: dict[str, Entry] = {}
    for entry in _entries(facts, posted_at):
        if entry.uid not in last or entry.revision >= last[entry.uid].revision:
            last[entry.uid] = entry
    entries = list(last.values())
    if not entries:
        return None
    name, address = parseaddr(current_app.config["SHAREBANK_MAIL_FROM"])
    zone_name = current_app.config["SHAREBANK_TIMEZONE"]
    method, content = invitation(entries, zone_name, posted_at, Sender(name, address))
    parameters = {"method": method, "charset": "utf-8"}
    return Attachment(f"{facts.get('ref', 'sharebank')}.ics", "text/calendar", content, parameters)


def _entries(facts: Mapping[str, Any], posted_at: datetime) -> Iterator[Entry]:
    """The loan of a letter (`lifecycle.facts_of`), each of a series (`dates`), or those of a daily one's letters."""
    if "items" in facts:
        for told in (item["dated"] for item in facts["items"] if "dated" in item):
            yield from _entries(told["facts"], datetime.fromisoformat(told["at"]))
    else:
        yield from (_entry({**facts, **date}, posted_at) for date in facts.get("dates", [facts]))


def _entry(facts: Mapping[str, Any], posted_at: datetime) -> Entry:
    return Entry(
        uid=facts["ref"],
        ref=facts["ref"],
        kind="loan",
        state=facts.get("status", "approved"),
        starts_at=datetime.fromisoformat(facts["starts_at"]),
        ends_at=datetime.fromisoformat(facts["ends_at"]),
        changed_at=posted_at,
        revision=facts.get("revision", 0),
        purpose=facts["purpose"],
        borrower=facts.get("borrower", ""),
        house=facts.get("place") or facts["lender"],
        address="",
        things=tuple((name, units, "") for name, units in facts["things"]),
    )
