"""Posting letters: one row a recipient, in the caller's transaction; and taking them back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sharebank.core.prepared import Prepared
from sharebank.notifications.models import Letter
from sharebank.notifications.rules import first_state, leaves_at

# "On conflict do nothing" has one spelling and two dialects.
_INSERT = Prepared(
    {
        name: dialect.insert(Letter).on_conflict_do_nothing().returning(Letter.__table__.c.id)
        for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
    }
)
_KEY_MAX, _NAME_MAX = 400, 200


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who reads a letter, in which language, and which letters they want (`rules.PREFERENCES`)."""

    email: str
    name: str
    locale: str
    user_id: int | None = None
    letters: str = "at_once"


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a letter: the mail server took it, or it was given up and why."""

    taken: bool
    error: str
    at: datetime


def post(
    session: Session,
    key: str,
    template: str,
    recipients: Iterable[Recipient],
    facts: Mapping[str, Any],
    now: datetime,
) -> int:
    """Put a letter to each recipient in the outbox, once for each `key` and recipient; returns how many are new.

    `facts` are plain JSON values; the words are the template's, in the reader's language, when the letter leaves.
    A fact named `secret` goes when the letter does.
    Its class (`rules.LETTERS`) says when that is, and whether a reader who wants fewer letters gets it at all.
    """
    due_at = leaves_at(template, now)
    rows = []
    for recipient in recipients:
        state = first_state(template, recipient.letters)
        if state is None:
            continue
        own_key = f"{key}:{recipient.email}"
        mark = hashlib.sha256(own_key.encode()).hexdigest()
        rows.append(
            {
                "key": own_key if len(own_key) <= _KEY_MAX else f"{key[:300]}:{mark}",
                "template": template,
                "to_address": recipient.email,
                "to_name": recipient.name[:_NAME_MAX],
                "user_id": recipient.user_id,
                "locale": recipient.locale,
                "facts": dict(facts),
                "message_id": mark[:32],
                "state": state,
                "attempts": 0,
                "created_at": now,
                "due_at": due_at,
            }
        )
    return sum(len(_INSERT.all(session, row)) for row in rows)


def about(prefix: str) -> ColumnElement[bool]:
    """Letters whose key begins so; beside a state, which has the index."""
    # LIKE would take capitals for small letters on one database.
    return func.substr(Letter.key, 1, len(prefix)) == prefix


def withdraw(session: Session, prefix: str) -> set[tuple[str, str]]:
    """Take back the letters that have not left and whose key begins so: (template, address) of each."""
    waiting = (Letter.state.in_(("queued", "digest")), about(prefix))
    back = (Letter.id, Letter.template, Letter.to_address, Letter.facts)
    taken = update(Letter).where(*waiting).values(state="withdrawn").returning(*back)
    rows = session.execute(taken.execution_options(synchronize_session=False)).all()
    for row in rows:
        if "secret" in row.facts:
            kept = {name: value for name, value in row.facts.items() if name != "secret"}
            bare = update(Letter).where(Letter.id == row.id).values(facts=kept)
            session.execute(bare.execution_options(synchronize_session=False))
    return {(row.template, row.to_address) for row in rows}


def hurry(session: Session, prefix: str, now: datetime) -> None:
    """Let the letters whose key begins so leave now rather than when the next try is due."""
    waiting = (Letter.state == "queued", about(prefix))
    session.execute(update(Letter).where(*waiting).values(due_at=now).execution_options(synchronize_session=False))
