"""Delivering letters: claim one, write it out in its reader's language, hand it over, mark it.

A letter leaves at least once and, but for a crash between handing over and marking or a reply that was lost, at most
once; its Message-ID is the same each time, so that a mail program shows one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from config import read_mail_url
from sharebank.core.db import db, transaction
from sharebank.notifications.models import AddressTrouble, Letter
from sharebank.notifications.rules import LEASE, PAUSES
from sharebank.notifications.transport import NotSent, Send, TurnedAway, Unreachable, opened
from sharebank.notifications.writing import Unwritable, Written, write_out

log = logging.getLogger(__name__)

_COLUMNS = (
    Letter.id,
    Letter.template,
    Letter.to_address,
    Letter.to_name,
    Letter.user_id,
    Letter.locale,
    Letter.facts,
    Letter.message_id,
    Letter.attempts,
    Letter.created_at,
)
_TROUBLE = {
    name: dialect.insert(AddressTrouble).on_conflict_do_nothing()
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}


def deliver(app: Flask, now: datetime, limit: int = 200) -> dict[str, int]:
    """Send what is due, at most `limit` letters; how many were sent, failed and will be tried again, or gave up."""
    counts = {"letters_sent": 0, "letters_failed": 0, "letters_dead": 0}
    started = time.monotonic()

    def moment() -> datetime:
        """A long delivery outlasts its `now`."""
        return now + timedelta(seconds=int(time.monotonic() - started))

    with app.app_context():
        if not _anything_due(now):
            return counts
        with transaction() as session:
            _take_from_the_dead(session, now)
        # The folder's address is absolute since the settings were read.
        with opened(read_mail_url(app.config["SHAREBANK_MAIL_URL"], Path("/"))) as send:
            for _ in range(limit):
                outcome, error = _deliver_one(app, send, moment)
                if not outcome:
                    break
                counts[f"letters_{outcome}"] += 1
                if isinstance(error, Unreachable):
                    break
    return counts


def _deliver_one(app: Flask, send: Send, moment: Callable[[], datetime]) -> tuple[str, Exception | None]:
    """One letter: what became of it, and what went wrong; empty when none is left."""
    with transaction() as session:
        letter = _claim(session, moment())
    if letter is None:
        return "", None
    written: Written | None = None
    error: Exception | None = None
    try:
        written = write_out(app, letter)
        send(written.message, f"{letter.created_at:%Y%m%dT%H%M%SZ}-{letter.message_id}")
    except (NotSent, Unwritable) as trouble:
        log.warning("letter %s to %s did not leave: %s", letter.id, letter.to_address, trouble, exc_info=trouble)
        error = trouble
    except Exception as trouble:  # one letter must not hold up the others
        log.exception("letter %s could not be sent", letter.id)
        error = trouble
    with transaction() as session:
        return _mark(session, letter, written, error, moment()), error


# -- claiming ------------------------------------------------------------------------------------


def _anything_due(now: datetime) -> bool:
    """A look that takes no lock: most ticks find nothing."""
    session = db.session()
    due = and_(Letter.state == "queued", Letter.due_at <= now)
    left = and_(Letter.state == "sending", Letter.leased_until <= now)
    found = session.scalar(select(Letter.id).where(or_(due, left)).limit(1))
    session.rollback()
    return found is not None


def _take_from_the_dead(session: Session, now: datetime) -> None:
    """Back into the queue with what a process had claimed when it died."""
    lost = (Letter.state == "sending", Letter.leased_until <= now)
    session.execute(update(Letter).where(*lost).values(state="queued", leased_until=None))


def _claim(session: Session, now: datetime) -> Any:
    """Take the letter that has waited longest for ourselves, or None when none is left."""
    queued = (Letter.state == "queued", Letter.due_at <= now)
    first = (
        select(Letter.id).where(*queued).order_by(Letter.due_at, Letter.id).limit(1).with_for_update(skip_locked=True)
    )
    claim = (
        update(Letter)
        .where(Letter.id == first.scalar_subquery(), Letter.state == "queued")
        .values(state="sending", leased_until=now + LEASE, attempts=Letter.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    return session.execute(claim.returning(*_COLUMNS)).one_or_none()


# -- marking -------------------------------------------------------------------------------------


def _mark(session: Session, letter: Any, written: Written | None, error: Exception | None, now: datetime) -> str:
    """Note what became of a letter: `sent`, `failed` (it will be tried again) or `dead`."""
    values: dict[str, Any] = {"leased_until": None, "error": str(error)[:1000] if error else None}
    match error:
        case None:
            outcome = "sent"
            values |= {"state": "sent", "sent_at": now}
            session.execute(delete(AddressTrouble).where(AddressTrouble.address == letter.to_address))
        case Unreachable():
            # Not the letter's fault: it keeps its place, and the try does not count.
            outcome = "failed"
            values |= {"state": "queued", "attempts": letter.attempts - 1}
        case TurnedAway() | Unwritable():
            outcome = "dead"
        case _ if letter.attempts > len(PAUSES):
            outcome = "dead"
        case _:
            outcome = "failed"
            values |= {"state": "queued", "due_at": now + PAUSES[letter.attempts - 1]}
    if isinstance(error, TurnedAway):
        trouble = {"address": letter.to_address, "since": now, "error": str(error)[:1000]}
        session.execute(_TROUBLE[session.get_bind().dialect.name], trouble)
    if outcome == "dead":
        values |= {"state": "dead"}
    if outcome != "failed":
        # Gone or given up, what only its reader may know is not kept, and the screens show what was written.
        values |= {"facts": {name: value for name, value in letter.facts.items() if name != "secret"}}
    if outcome != "failed" and written:
        values |= {"subject": written.subject, "text": written.text, "html": written.html}
    # Whoever was so slow that another took the letter over leaves the marking to that one.
    mine = (Letter.id == letter.id, Letter.state == "sending", Letter.attempts == letter.attempts)
    session.execute(update(Letter).where(*mine).values(**values).execution_options(synchronize_session=False))
    return outcome
