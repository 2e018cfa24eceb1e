"""Looking people and organisations up; plain values out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, aliased

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.models import Membership, Organisation, Token, User, UserSession
from sharebank.core.db import AnyRow
from sharebank.core.prepared import Prepared
from sharebank.notifications.service import Recipient

_House = aliased(Organisation)
_PEOPLE = (
    select(
        User.id,
        User.email,
        User.first_name,
        User.last_name,
        User.locale,
        User.letters,
        Organisation.id.label("organisation_id"),
        Organisation.code,
        Organisation.name,
        Organisation.kind,
        Membership.role,
        Organisation.house_id,
        _House.code.label("house"),
        Organisation.member_since,
    )
    .join(Membership, Membership.user_id == User.id)
    .join(Organisation, Organisation.id == Membership.organisation_id)
    .outerjoin(_House, _House.id == Organisation.house_id)
    .order_by(Membership.id)
)
# Somebody with no membership left is nobody here: the inner joins find no row.
_BY_SESSION = Prepared(
    _PEOPLE.join(UserSession, UserSession.user_id == User.id).where(
        UserSession.token_hash == bindparam("secret"), UserSession.expires_at > bindparam("now")
    )
)
_BY_API_TOKEN = Prepared(
    _PEOPLE.join(Token, Token.user_id == User.id).where(
        Token.token_hash == bindparam("secret"), Token.purpose == "api", Token.expires_at > bindparam("now")
    )
)
_BY_EMAIL = Prepared(_PEOPLE.where(User.email == bindparam("email")))


def _actor(session: Session, query: Prepared, facts: dict[str, Any]) -> Actor | None:
    rows = query.all(session, facts)
    if not rows:
        return None
    first = rows[0]
    return Actor(
        first.id,
        first.email,
        f"{first.first_name} {first.last_name}",
        first.locale,
        tuple(
            Role(
                row.organisation_id,
                row.code,
                row.name,
                row.kind,
                row.role,
                row.house_id,
                row.house or "",
                row.member_since,
            )
            for row in rows
        ),
        first.letters,
    )


def actor_of_session(session: Session, token_hash: str, now: datetime) -> Actor | None:
    """The person signed in with this session token, roles included, in one query."""
    return _actor(session, _BY_SESSION, {"secret": token_hash, "now": now})


def actor_of_api_token(session: Session, token_hash: str, now: datetime) -> Actor | None:
    """The person a program acts for."""
    return _actor(session, _BY_API_TOKEN, {"secret": token_hash, "now": now})


def actor_of_email(session: Session, email: str) -> Actor | None:
    """The person with this address."""
    return _actor(session, _BY_EMAIL, {"email": email.strip().lower()})


_ORGANISATION = (
    select(
        Organisation.id,
        Organisation.code,
        Organisation.name,
        Organisation.kind,
        Organisation.house_id,
        _House.code.label("house"),
        Organisation.member_since,
    )
    .outerjoin(_House, _House.id == Organisation.house_id)
    .order_by(Organisation.kind.desc(), Organisation.name)
)
_BY_CODE = Prepared(_ORGANISATION.where(Organisation.code == bindparam("code")))


def _outsider(row: AnyRow) -> Role:
    return Role(row.id, row.code, row.name, row.kind, "", row.house_id, row.house or "", row.member_since)


def organisation(session: Session, code: str) -> Role | None:
    """An organisation seen from outside: a role whose `role` is empty."""
    rows = _BY_CODE.all(session, {"code": code})
    return _outsider(rows[0]) if rows else None


def borrowable_for(session: Session, actor: Actor) -> list[Role]:
    """The organisations the actor may book for: their own first, then those attached to their houses."""
    query = _ORGANISATION
    if not actor.admin:
        query = query.where(Organisation.house_id.in_(actor.staff_ids))
    others = [_outsider(row) for row in session.execute(query)] if actor.admin or actor.staff_ids else []
    return [*actor.roles, *(other for other in others if other.organisation_id not in actor.organisation_ids)]


def organisations(session: Session) -> list[Role]:
    """Every organisation seen from outside: houses first, then by name."""
    return [_outsider(row) for row in session.execute(_ORGANISATION)]


def organisations_of(session: Session, ids: Collection[int]) -> dict[int, Role]:
    """Some organisations seen from outside, by id."""
    query = _ORGANISATION.where(Organisation.id.in_(ids))
    return {row.id: _outsider(row) for row in session.execute(query)}


@dataclass(frozen=True, slots=True)
class House:
    """A house, as screens show it."""

    id: int
    code: str
    name: str
    colour: str
    opening_hours: str
    email: str
    phone: str


_HOUSES = Prepared(
    select(
        Organisation.id,
        Organisation.code,
        Organisation.name,
        Organisation.colour,
        Organisation.opening_hours,
        Organisation.email,
        Organisation.phone,
    )
    .where(Organisation.kind == "house")
    .order_by(Organisation.code)
)


def houses(session: Session) -> Sequence[House]:
    """Every house, by code."""
    return [House(*row) for row in _HOUSES.all(session, {})]


_MANAGERS = Prepared(
    select(User.email, User.first_name, User.last_name, User.locale, User.id, User.letters)
    .join(Membership, Membership.user_id == User.id)
    .where(
        Membership.organisation_id == bindparam("organisation_id"),
        Membership.role.in_(("manager", "admin")),
    )
    .order_by(User.id)
)


def managers(session: Session, organisation_id: int) -> list[Recipient]:
    """Who decides in an organisation."""
    rows = _MANAGERS.all(session, {"organisation_id": organisation_id})
    return [Recipient(row.email, f"{row.first_name} {row.last_name}", row.locale, row.id, row.letters) for row in rows]


def reader(user: User) -> Recipient:
    """A person as one writes to them."""
    return Recipient(user.email, user.name, user.locale, user.id, user.letters)
