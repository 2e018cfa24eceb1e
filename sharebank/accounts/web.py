"""Who is at the other end of this request."""

from __future__ import annotations

import hashlib

from flask_login import UserMixin, current_user

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.core import clock
from sharebank.core.db import db


class Visitor(UserMixin):  # type: ignore[misc]
    """What Flask-Login keeps: its id is the session's secret token, so that the row decides."""

    def __init__(self, actor: Actor, token: str) -> None:
        self.actor = actor
        self.id = token


def hash_token(token: str) -> str:
    """What is stored of a secret: it has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def load_visitor(token: str) -> Visitor | None:
    """The signed-in visitor, or nobody when the session's row has gone or ended."""
    actor = directory.actor_of_session(db.session(), hash_token(token), clock.now())
    return Visitor(actor, token) if actor else None


def me() -> Actor:
    """The signed-in person; views are reached only by one."""
    actor: Actor = current_user.actor
    return actor


def actor_or_none() -> Actor | None:
    """The signed-in person, if any."""
    return current_user.actor if current_user.is_authenticated else None
