"""Sessions, secret tokens, and what people change about themselves."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Attempt, Token, User, UserSession
from sharebank.accounts.rules import PASSWORDS
from sharebank.accounts.web import hash_token
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.core.models import Fact

SESSION_LIFE = timedelta(days=30)
TOKEN_LIFE = {
    "invite": timedelta(days=7),
    "reset": timedelta(hours=1),
    "sign_in": timedelta(minutes=15),
    "api": timedelta(days=365),
}
LETTER_TOKENS = ("invite", "reset", "sign_in")


class LinkEnded(Refused):
    """The link of a letter was used, has expired, or never was."""

    status: ClassVar[int] = 410
    code = "link_ended"
    sentence = N_("This link has already been used or is too old. Ask for a new one on the sign-in page.")


class UnknownAddress(Refused):
    """Nobody who may sign in has this address."""

    code = "unknown_address"
    sentence = N_("Nobody here has the address %(email)s.")


def one_at_a_time(session: Session, what: str) -> None:
    """Make transactions about the same thing follow each other, where no row stands for it yet.

    SQLite has one writer anyway; PostgreSQL would let two count the same rows and both add one.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(key)))


# -- sessions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser somebody is signed in with; `here` is the one that asks."""

    created_at: datetime
    expires_at: datetime
    here: bool


def open_session(session: Session, user_id: int, now: datetime) -> str:
    """Sign somebody in: the secret for the browser's cookie, of which the row keeps a hash."""
    token = secrets.token_urlsafe(32)
    session.execute(
        insert(UserSession).values(
            token_hash=hash_token(token), user_id=user_id, created_at=now, expires_at=now + SESSION_LIFE
        )
    )
    return token


def end_session(session: Session, token: str) -> None:
    """Sign one browser out."""
    session.execute(delete(UserSession).where(UserSession.token_hash == hash_token(token)))


def end_sessions(session: Session, user_id: int) -> None:
    """Sign somebody out everywhere."""
    session.execute(delete(UserSession).where(UserSession.user_id == user_id))


def open_sessions(session: Session, actor: Actor, token: str, now: datetime) -> list[OpenSession]:
    """Where the actor is signed in, newest first."""
    query = (
        select(UserSession.created_at, UserSession.expires_at, UserSession.token_hash)
        .where(UserSession.user_id == actor.user_id, UserSession.expires_at > now)
        .order_by(UserSession.id.desc())
    )
    here = hash_token(token)
    return [OpenSession(row.created_at, row.expires_at, row.token_hash == here) for row in session.execute(query)]


# -- tokens --------------------------------------------------------------------------------------


def issue_token(session: Session, user_id: int, purpose: str, now: datetime) -> str:
    """A new secret for this purpose; it is known here only, its hash is stored."""
    token = secrets.token_urlsafe(32)
    session.execute(
        insert(Token).values(
            token_hash=hash_token(token),
            purpose=purpose,
            user_id=user_id,
            created_at=now,
            expires_at=now + TOKEN_LIFE[purpose],
        )
    )
    return token


def token_owner(session: Session, token: str, purposes: Collection[str], now: datetime) -> Actor:
    """Whom the link of a letter was sent to; reading it changes nothing. Raises LinkEnded."""
    email = session.scalar(
        select(User.email).join(Token, Token.user_id == User.id).where(*_usable(token, purposes, now))
    )
    owner = directory.actor_of_email(session, email) if email else None
    if owner is None:
        raise LinkEnded
    return owner


def spend_token(session: Session, token: str, purposes: Collection[str], now: datetime) -> Actor:
    """Use the link of a letter, once: of two who try at the same moment, one is refused. Raises LinkEnded."""
    owner = token_owner(session, token, purposes, now)
    # The condition, not the reading above, is what decides.
    spent = session.execute(update(Token).where(*_usable(token, purposes, now)).values(used_at=now).returning(Token.id))
    if spent.first() is None:
        raise LinkEnded
    return owner


def drop_tokens(session: Session, user_id: int, purposes: Collection[str] = LETTER_TOKENS) -> None:
    """Make the links already sent to somebody worthless."""
    session.execute(delete(Token).where(Token.user_id == user_id, Token.purpose.in_(purposes)))


def _usable(token: str, purposes: Collection[str], now: datetime) -> tuple[Any, ...]:
    return (
        Token.token_hash == hash_token(token),
        Token.purpose.in_(purposes),
        Token.used_at.is_(None),
        Token.expires_at > now,
    )


# -- programs ------------------------------------------------------------------------------------


def issue_api_token(session: Session, email: str, now: datetime) -> str:
    """A year's access for a program that acts for this person. Raises UnknownAddress."""
    person = directory.actor_of_email(session, email)
    if person is None:
        raise UnknownAddress("email", email=email)
    return issue_token(session, person.user_id, "api", now)


def api_tokens(session: Session, actor: Actor, now: datetime) -> Sequence[Any]:
    """The actor's programs: rows of `id, created_at, expires_at`, newest first."""
    query = (
        select(Token.id, Token.created_at, Token.expires_at)
        .where(Token.user_id == actor.user_id, Token.purpose == "api", Token.expires_at > now)
        .order_by(Token.id.desc())
    )
    return session.execute(query).all()


def revoke_api_token(session: Session, actor: Actor, token_id: int) -> None:
    """End a program's access. Raises NotFound unless it is the actor's."""
    mine = (Token.id == token_id, Token.user_id == actor.user_id, Token.purpose == "api")
    if session.execute(delete(Token).where(*mine).returning(Token.id)).first() is None:
        raise NotFound


# -- about oneself -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Details:
    """What people say about themselves."""

    first_name: str
    last_name: str
    phone: str
    locale: str


def details(session: Session, actor: Actor) -> Details:
    """What the actor said."""
    query = select(User.first_name, User.last_name, User.phone, User.locale).where(User.id == actor.user_id)
    return Details(*session.execute(query).one())


def save_details(session: Session, actor: Actor, said: Details) -> None:
    """Store what the actor says now."""
    session.execute(
        update(User)
        .where(User.id == actor.user_id)
        .values(first_name=said.first_name, last_name=said.last_name, phone=said.phone, locale=said.locale)
    )


def save_locale(session: Session, actor: Actor, locale: str) -> None:
    """The language the actor reads from now on."""
    session.execute(update(User).where(User.id == actor.user_id).values(locale=locale))


# -- the installation ----------------------------------------------------------------------------


def demonstration(session: Session) -> dict[str, Any]:
    """The sign-ins of a demonstration, `{"password", "people": [{"email", "role", "organisation"}]}`; else empty."""
    value = session.scalar(select(Fact.value).where(Fact.name == "demo"))
    return json.loads(value) if value else {}


def forget(session: Session, now: datetime) -> int:
    """Delete sessions, tokens and attempts that no longer count; returns how many."""
    stale = (
        delete(UserSession).where(UserSession.expires_at <= now).returning(UserSession.id),
        delete(Token).where(Token.expires_at <= now).returning(Token.id),
        delete(Attempt).where(Attempt.at <= now - PASSWORDS.window).returning(Attempt.id),
    )
    return sum(len(session.execute(statement).all()) for statement in stale)
