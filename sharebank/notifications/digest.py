"""The daily letter: what waited for it, in one list a person, once a day."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.core import web
from sharebank.core.db import db, transaction
from sharebank.core.period import to_local
from sharebank.notifications.models import Letter
from sharebank.notifications.rules import LETTERS, digest_day
from sharebank.notifications.service import Recipient, post
from sharebank.notifications.writing import Unwritable, write_out

log = logging.getLogger(__name__)


PAGES = {
    "agreement": ("agreements.show", "number", "number"),
    "order": ("orders.show", "order_code", "code"),
    "series": ("reservations.series", "ref", "ref"),
}
"""Where to read on, by what the letter's name begins with: the page, its argument, the letter's fact."""
LOAN = ("reservations.show", "ref", "ref")


def write_digests(app: Flask, now: datetime) -> dict[str, int]:
    """Write the daily letters that are due; late after an outage rather than not at all."""
    counts = {"digests": 0}
    with app.app_context():
        day = digest_day(to_local(now, web.tz()))
        if day is None:
            return counts
        readers = db.session().scalars(select(Letter.user_id).where(*_waiting(now)).distinct()).all()
        for user_id in readers:
            with transaction() as session:
                counts["digests"] += _write_one(app, session, user_id, f"digest:{day.isoformat()}", now)
    return counts


def _waiting(now: datetime) -> tuple[Any, ...]:
    return Letter.state == "digest", Letter.due_at <= now


def _write_one(app: Flask, session: Session, user_id: int | None, key: str, now: datetime) -> bool:
    """One person's letter of the day, unless it was written before; what it lists has then reached its reader."""
    query = select(Letter).where(*_waiting(now), Letter.user_id == user_id).order_by(Letter.created_at, Letter.id)
    waiting = session.scalars(query.with_for_update()).all()
    if not waiting:
        return False  # another process was faster
    reader = waiting[-1]
    own_key = f"{key}:{reader.to_address}"
    if session.scalar(select(Letter.id).where(Letter.key == own_key)) is not None:
        return False  # what came later waits for tomorrow's
    items = []
    for letter in waiting:
        try:
            written = write_out(app, letter)
        except Unwritable as error:
            log.warning("letter %s has no place in the digest: %s", letter.id, error)
            letter.state, letter.error = "dead", str(error)[:1000]
            continue
        letter.state, letter.sent_at = "sent", now
        letter.subject, letter.text, letter.html = written.subject, written.text, written.html
        items.append({"subject": written.subject, **_page(letter), **_along(letter)})
    session.flush()
    if items:
        # At once: the daily letter itself does not wait for the next one.
        recipient = Recipient(reader.to_address, reader.to_name, reader.locale, user_id)
        post(session, key, "digest", [recipient], {"items": items}, now)
    return bool(items)


def _page(letter: Letter) -> dict[str, Any]:
    """Where its reader reads on."""
    page, argument, fact = PAGES.get(letter.template.partition("_")[0], LOAN)
    return {"page": page, "of": {argument: letter.facts[fact]}} if fact in letter.facts else {}


def _along(letter: Letter) -> dict[str, Any]:
    """What its calendar file would have been made of: the daily letter carries one file for all it tells."""
    if "calendar" not in LETTERS[letter.template].attach:
        return {}
    return {"dated": {"at": letter.created_at.isoformat(), "facts": letter.facts}}
