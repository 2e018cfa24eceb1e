"""The same `Idempotency-Key` answers the same result: the key is stored with what it did, in one transaction."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.api.answers import dumps
from sharebank.api.models import IdempotentAnswer
from sharebank.api.problems import KeyReused
from sharebank.api.values import refuse
from sharebank.core.errors import N_

KEPT = timedelta(days=1)
BAD_KEY = N_("An Idempotency-Key is 1 to 200 visible ASCII characters.")

_KEY = re.compile("[!-~]{1,200}")
_row = IdempotentAnswer.__table__.c
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_READ = select(_row.request_hash, _row.status, _row.body).where(
    _row.user_id == bindparam("user_id"), _row.key == bindparam("key")
)


def checked_key(key: str | None) -> str | None:
    """The key of a request, if it has one; raises Invalid when it cannot be one."""
    if key is not None and not _KEY.fullmatch(key):
        refuse("Idempotency-Key", BAD_KEY)
    return key


def hash_request(path: str, body: dict[str, Any]) -> str:
    """What makes a request the same request: where it goes and what it says, in whatever order it says it."""
    said = json.dumps([path, body], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def once(
    session: Session,
    actor: Actor,
    key: str,
    request_hash: str,
    status: int,
    act: Callable[[Session], Any],
    now: datetime,
) -> tuple[int, bytes]:
    """Do it and keep the answer, or give the answer that was kept; raises KeyReused for another request.

    The key is claimed before anything is done: who comes second with the same key waits here until the first one
    commits, then reads its answer; if the first one was refused, the second one tries for itself.
    """
    connection = session.connection()
    claim = {"request_hash": request_hash, "status": status, "body": "", "created_at": now}
    insert = _INSERT[connection.dialect.name](IdempotentAnswer).values(user_id=actor.user_id, key=key, **claim)
    taken = insert.on_conflict_do_update(
        index_elements=["user_id", "key"], set_=claim, where=_row.created_at <= now - KEPT
    ).returning(IdempotentAnswer.id)
    claimed = connection.execute(taken).scalar()
    if claimed is None:
        kept = connection.execute(_READ, {"user_id": actor.user_id, "key": key}).one()
        if kept.request_hash != request_hash:
            raise KeyReused
        return kept.status, kept.body.encode()
    body = dumps(act(session))
    connection.execute(update(IdempotentAnswer).where(_row.id == claimed).values(body=body.decode()))
    return status, body


def keep(session: Session, actor: Actor, key: str, body: bytes) -> None:
    """What came of it after it was stored: the same key answers this from now on."""
    own = (_row.user_id == actor.user_id, _row.key == key)
    session.connection().execute(update(IdempotentAnswer).where(*own).values(body=body.decode()))


def forget_old(session: Session, now: datetime) -> int:
    """Drop the answers kept long enough; returns how many."""
    gone = session.connection().execute(delete(IdempotentAnswer).where(_row.created_at <= now - KEPT))
    return gone.rowcount
