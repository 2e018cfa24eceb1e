"""The calendar file that goes along with a confirmation, a change or a cancellation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from flask import current_app

from sharebank.notifications.attachments import Attachment
from sharebank.reservations.calendars.calendar_writing import Entry, Sender, invitation


def attachment(facts: Mapping[str, Any], posted_at: datetime) -> Attachment | None:
    """The loan of a letter (`lifecycle.facts_of`), or each of a series (`dates`), as it stands by that letter.

    Put in, changed, or taken out. None when the letter is about no reservation.
    """
    entries = [_entry({**facts, **date}, posted_at) for date in facts.get("dates", [facts])]
    if not entries:
        return None
    name, address = parseaddr(current_app.config["SHAREBANK_MAIL_FROM"])
    sender = Sender(entries[0].house or name, address)
    method, content = invitation(entries, current_app.config["SHAREBANK_TIMEZONE"], posted_at, sender)
    parameters = {"method": method, "charset": "utf-8"}
    return Attachment(f"{facts['ref']}.ics", "text/calendar", content, parameters)


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
