"""Delivering letters: claim one, write it out in its reader's language, hand it over, mark it.

A letter leaves at least once and, but for a crash between handing over and marking or a reply that was lost, at most
once; its Message-ID is the same each time, so that a mail program shows one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from config import read_mail_url
from sharebank.core.db import db, transaction
from sharebank.core.turns import aside
from sharebank.notifications.models import AddressTrouble, Letter
from sharebank.notifications.rules import LEASE, PAUSES
from sharebank.notifications.service import Ended, about
from sharebank.notifications.transport import NotSent, Send, TurnedAway, Unreachable, opened
from sharebank.notifications.writing import Unwritable, Written, write_out

log = logging.getLogger(__name__)
SHORT_SECONDS = 8
"""How long a mail server may keep somebody who waits for a page."""

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


def deliver_now(app: Flask, prefix: str, now: datetime) -> str:
    """Try the letter whose key begins so at once, while somebody waits: `sent`, `failed` or `dead`.

    Empty when it is not due, or another process has it. What fails is tried again like any other.
    """
    with aside(), opened(read_mail_url(app.config["SHAREBANK_MAIL_URL"], Path("/")), SHORT_SECONDS) as send:
        return _deliver_one(app, send, lambda: now, about(prefix))[0]


def _deliver_one(
    app: Flask, send: Send, moment: Callable[[], datetime], *which: ColumnElement[bool]
) -> tuple[str, Exception | None]:
    """One letter: what became of it, and what went wrong; empty when none is left."""
    with transaction() as session:
        letter = _claim(session, moment(), *which)
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
        outcome, ours = _mark(session, letter, written, error, moment())
        if ours and outcome != "failed":
            _tell(app, session, letter, Ended(outcome == "sent", str(error or ""), moment()))
    return outcome, error


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


def _claim(session: Session, now: datetime, *which: ColumnElement[bool]) -> Any:
    """Take the letter that has waited longest for ourselves, or None when none is left."""
    queued = (Letter.state == "queued", Letter.due_at <= now, *which)
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


def _mark(
    session: Session, letter: Any, written: Written | None, error: Exception | None, now: datetime
) -> tuple[str, bool]:
    """Note what became of a letter: `sent`, `failed` (it will be tried again) or `dead`; and whether it was ours."""
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
    marked = update(Letter).where(*mine).values(**values).returning(Letter.id)
    ours = session.execute(marked.execution_options(synchronize_session=False)).first() is not None
    return outcome, ours


Listener = Callable[[Session, Mapping[str, Any], Ended], None]
"""(the marking transaction, the letter's facts, what became of it); see `_tell`."""


def _tell(app: Flask, session: Session, letter: Any, ended: Ended) -> None:
    """A room that acts on what became of its letter says so in `app.extensions["letter_ended"]`, by template.

    What it does is stored with the mark, or undone by itself: the letter has left and must not leave again.
    """
    listener: Listener | None = app.extensions.get("letter_ended", {}).get(letter.template)
    if listener is None:
        return
    try:
        with session.begin_nested():
            listener(session, letter.facts, ended)
    except Exception:
        log.exception("nobody could act on what became of letter %s", letter.id)
