"""Delivering letters: claim one, write it out in its reader's language, hand it over, mark it.

A letter leaves at least once and, but for a crash between handing over and marking, at most once; its Message-ID is
the same each time, so that a mail program shows one.
"""

from __future__ import annotations

import logging
import re
import smtplib
import time
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from flask import Flask
from flask_babel import force_locale
from jinja2 import TemplateNotFound
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from config import read_mail_url
from sharebank.core.db import db, transaction
from sharebank.core.period import Period
from sharebank.core.web import absolute
from sharebank.notifications.models import Letter
from sharebank.notifications.transport import Send, Unreachable, opened

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440, 1440))
"""Waited after each try that failed; about three days in all, then the letter is dead."""
LEASE = timedelta(minutes=10)
"""A letter claimed longer ago than this was claimed by a process that died."""
log = logging.getLogger(__name__)

_COLUMNS = (
    Letter.id,
    Letter.template,
    Letter.to_address,
    Letter.to_name,
    Letter.locale,
    Letter.facts,
    Letter.message_id,
    Letter.attempts,
    Letter.created_at,
)


def deliver(app: Flask, now: datetime, limit: int = 200) -> dict[str, int]:
    """Send what is due, at most `limit` letters; how many were sent, failed and will be tried again, or gave up."""
    counts = {"letters_sent": 0, "letters_failed": 0, "letters_dead": 0}
    started = time.monotonic()

    def moment() -> datetime:
        """A long delivery outlasts its `now`."""
        return now + timedelta(seconds=int(time.monotonic() - started))

    with app.app_context():
        due = db.session().scalars(select(Letter.id).where(_due(now)).order_by(Letter.due_at, Letter.id).limit(limit))
        # The folder's address is absolute since the settings were read.
        with opened(read_mail_url(app.config["SHAREBANK_MAIL_URL"], Path("/"))) as send:
            for letter_id in due.all():
                with transaction() as session:
                    letter = _claim(session, letter_id, moment())
                if letter is None:
                    continue
                error = _try(app, send, letter)
                with transaction() as session:
                    outcome = _mark(session, letter, error, moment())
                counts[f"letters_{outcome}"] += 1
                if isinstance(error, Unreachable):
                    break
    return counts


def _due(now: datetime) -> Any:
    return or_(
        and_(Letter.state == "queued", Letter.due_at <= now),
        and_(Letter.state == "sending", Letter.leased_until <= now),
    )


def _claim(session: Session, letter_id: int, now: datetime) -> Any:
    """Take a letter for ourselves, or None when another process has it."""
    claim = (
        update(Letter)
        .where(Letter.id == letter_id, _due(now))
        .values(state="sending", leased_until=now + LEASE, attempts=Letter.attempts + 1)
    )
    return session.execute(claim.returning(*_COLUMNS)).one_or_none()


def _try(app: Flask, send: Send, letter: Any) -> Exception | None:
    """Write the letter out and hand it over; what went wrong, if anything."""
    try:
        send(compose(app, letter), f"{letter.created_at:%Y%m%dT%H%M%SZ}-{letter.message_id}")
    except (OSError, smtplib.SMTPException, Unreachable) as error:
        log.warning("letter %s could not be sent: %s", letter.id, error)
        return error
    except Exception as error:  # one letter that cannot be written must not hold up the others
        log.exception("letter %s could not be written", letter.id)
        return error
    return None


def _mark(session: Session, letter: Any, error: Exception | None, now: datetime) -> str:
    """Note what became of a letter: `sent`, `failed` (it waits longer each time) or `dead`."""
    # Once gone, or given up, what only its reader may know is not kept.
    public = {name: value for name, value in letter.facts.items() if name != "secret"}
    values: dict[str, Any]
    if error is None:
        outcome, values = "sent", {"state": "sent", "sent_at": now, "error": None, "facts": public}
    elif letter.attempts > len(PAUSES):
        outcome, values = "dead", {"state": "dead", "error": _short(error), "facts": public}
    else:
        pause = PAUSES[letter.attempts - 1]
        outcome, values = "failed", {"state": "queued", "due_at": now + pause, "error": _short(error)}
    mine = (Letter.id == letter.id, Letter.state == "sending", Letter.attempts == letter.attempts)
    session.execute(update(Letter).where(*mine).values(leased_until=None, **values))
    return outcome


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:1000]


# -- writing it out ------------------------------------------------------------------------------


def compose(app: Flask, letter: Any) -> EmailMessage:
    """The message as it leaves, in its reader's language; links begin with SHAREBANK_BASE_URL."""
    with app.test_request_context(base_url=app.config["SHAREBANK_BASE_URL"]), force_locale(letter.locale):
        facts = {**_readable(letter.facts), "to_name": _one_line(letter.to_name), "absolute": absolute}
        text = app.jinja_env.get_template(f"email/{letter.template}.txt").render(facts)
        try:
            html = app.jinja_env.get_template(f"email/{letter.template}.html").render(facts)
        except TemplateNotFound:
            html = None
    first, _, body = text.partition("\n")
    # Templates share paragraphs, and where a part says nothing its blank lines stay.
    body = re.sub(r"\n{3,}", "\n\n", body.strip("\n")) + "\n"
    name, address = parseaddr(app.config["SHAREBANK_MAIL_FROM"])
    message = EmailMessage(policy=SMTP)
    message["Subject"] = first.removeprefix("Subject:").strip()
    message["From"] = Address(name or "sharebank", addr_spec=address)
    message["To"] = Address(_one_line(letter.to_name), addr_spec=letter.to_address)
    message["Date"] = format_datetime(letter.created_at.astimezone(UTC))
    message["Message-ID"] = f"<{letter.message_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    # Eight bits keep a link whole for whoever opens the file; the SMTP transport quotes them.
    message.set_content(body, cte="8bit")
    if html is not None:
        message.add_alternative(html, subtype="html", cte="8bit")
    return message


def _one_line(text: str) -> str:
    """Without line breaks: what people typed must not begin a line, nor a header, of its own."""
    return " ".join(text.split())


def _readable(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as templates want them: one-line texts, instants for `…_at`, and `when` from the two of a period."""
    values: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if name.endswith("_at") else _one_line(value)
        values[name] = value
    if "starts_at" in values and "ends_at" in values:
        values["when"] = Period(values["starts_at"], values["ends_at"])
    return values
