"""Posting letters: one row a recipient, in the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sharebank.notifications.models import Letter

# "On conflict do nothing" has one spelling and two dialects.
_INSERT = {
    "sqlite": sqlite.insert(Letter.__table__).on_conflict_do_nothing(),  # type: ignore[arg-type]
    "postgresql": postgresql.insert(Letter.__table__).on_conflict_do_nothing(),  # type: ignore[arg-type]
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who reads a letter, and in which language."""

    email: str
    name: str
    locale: str
    user_id: int | None = None


def post(
    session: Session,
    key: str,
    template: str,
    recipients: Iterable[Recipient],
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    """Put a letter to each recipient in the outbox, once for each `key` and recipient.

    `facts` are plain JSON values; the words are the template's, in the reader's language, when the letter leaves.
    """
    rows = []
    for recipient in recipients:
        own_key = f"{key}:{recipient.email}"
        rows.append(
            {
                "key": own_key,
                "template": template,
                "to_address": recipient.email,
                "to_name": recipient.name,
                "user_id": recipient.user_id,
                "locale": recipient.locale,
                "facts": dict(facts),
                "message_id": hashlib.sha256(own_key.encode()).hexdigest()[:32],
                "state": "queued",
                "attempts": 0,
                "created_at": now,
                "due_at": now,
            }
        )
    if rows:
        session.connection().execute(_INSERT[session.get_bind().dialect.name], rows)
