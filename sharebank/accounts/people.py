"""The people of the organisations somebody manages: adding them, their roles, their leaving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, delete, func, or_, select, true
from sqlalchemy.orm import Session

from sharebank.accounts import directory, service, signin
from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.accounts.permissions import ROLES, may_body, may_seat, require
from sharebank.accounts.rules import LETTERS
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.notifications.service import post

PAGE = 50
"""People on one page."""


class AlreadyThere(Refused):
    """A person has one role in an organisation."""

    code = "already_there"
    sentence = N_("%(name)s already has a role there. Change it from the list.")


class LastAdmin(Refused):
    """Without an administrator nobody could name another one."""

    status: ClassVar[int] = 409
    code = "last_admin"
    sentence = N_("This is the last administrator: name another one first.")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to add: who, where, as what, reading which language."""

    first_name: str
    last_name: str
    email: str
    organisation: str
    role: str
    locale: str


@dataclass(frozen=True, slots=True)
class Seat:
    """One person's role in one organisation, as its managers see it; `waiting` until the invitation is accepted."""

    id: int
    user_id: int
    name: str
    email: str
    locale: str
    waiting: bool
    role: str
    body: Role


def _scope(actor: Actor) -> ColumnElement[bool]:
    """The organisations the actor manages, as permissions' `manage_members` says it, for a query."""
    if actor.admin:
        return true()
    return or_(Organisation.id.in_(actor.manager_ids), Organisation.house_id.in_(actor.manager_ids))


def manages_somebody(actor: Actor) -> bool:
    """Has the actor any use for these screens?"""
    return bool(actor.manager_ids)


def bodies(session: Session, actor: Actor) -> Sequence[Any]:
    """The organisations whose people the actor manages: rows of `code, name`. Raises NotFound when none."""
    if not manages_somebody(actor):
        raise NotFound
    query = select(Organisation.code, Organisation.name).where(_scope(actor))
    return session.execute(query.order_by(Organisation.kind.desc(), Organisation.name)).all()


def roles_to_give(actor: Actor) -> tuple[str, ...]:
    """The roles the actor may give, lowest first."""
    return tuple(role for role in ROLES if actor.admin or role != "admin")


_SEATS = (
    select(
        Membership.id,
        Membership.role,
        User.id.label("user_id"),
        User.first_name,
        User.last_name,
        User.email,
        User.locale,
        User.password_hash.is_(None).label("waiting"),
        Organisation.id.label("organisation_id"),
        Organisation.code,
        Organisation.name,
        Organisation.kind,
        Organisation.house_id,
    )
    .join(User, User.id == Membership.user_id)
    .join(Organisation, Organisation.id == Membership.organisation_id)
)


def _seat(row: Any) -> Seat:
    body = Role(row.organisation_id, row.code, row.name, row.kind, "", row.house_id, "")
    name = f"{row.first_name} {row.last_name}"
    return Seat(row.id, row.user_id, name, row.email, row.locale, row.waiting, row.role, body)


def seats(session: Session, actor: Actor, words: str = "", organisation: str = "", page: int = 1) -> list[Seat]:
    """The people the actor manages, by name, one more than a page when there is a next one. Raises NotFound."""
    if not manages_somebody(actor):
        raise NotFound
    query = _SEATS.where(_scope(actor))
    if organisation:
        query = query.where(Organisation.code == organisation)
    for word in words.split():
        near = (column.icontains(word, autoescape=True) for column in (User.first_name, User.last_name, User.email))
        query = query.where(or_(*near))
    query = query.order_by(func.lower(User.last_name), func.lower(User.first_name), Membership.id)
    return [_seat(row) for row in session.execute(query.offset((page - 1) * PAGE).limit(PAGE + 1))]


def seat(session: Session, actor: Actor, membership_id: int) -> Seat:
    """One of them. Raises NotFound when it is not the actor's to manage."""
    row = session.execute(_SEATS.where(Membership.id == membership_id, _scope(actor))).one_or_none()
    if row is None:
        raise NotFound
    return _seat(row)


def add(session: Session, actor: Actor, newcomer: Newcomer, now: datetime) -> None:
    """Give somebody a role, new here or not, and tell them by letter.

    Raises NotFound, NotAllowed or AlreadyThere. What a person known here said about themselves stays as it is.
    """
    body = directory.organisation(session, newcomer.organisation)
    if body is None or not may_body(actor, "manage_members", body):
        raise NotFound
    require(may_seat(actor, "give_role", body, newcomer.role))
    email = newcomer.email.strip().lower()
    service.one_at_a_time(session, f"person:{email}")
    user = session.scalar(select(User).where(User.email == email))
    if user is None:
        user = User(
            email=email,
            first_name=newcomer.first_name,
            last_name=newcomer.last_name,
            locale=newcomer.locale,
            created_at=now,
        )
        session.add(user)
    elif any(membership.organisation_id == body.organisation_id for membership in user.memberships):
        raise AlreadyThere("email", name=user.name)
    user.memberships.append(Membership(organisation_id=body.organisation_id, role=newcomer.role))
    session.flush()
    _tell(session, actor, user, body.name, now)


def invite_again(session: Session, actor: Actor, membership_id: int, now: datetime) -> Seat:
    """Send the invitation once more; links sent before stop working. Raises NotFound, TooManyAttempts."""
    found = seat(session, actor, membership_id)
    user = session.get_one(User, found.user_id)
    signin.count_attempt(session, found.email, now, LETTERS)
    service.drop_tokens(session, found.user_id, ("invite",))
    _tell(session, actor, user, found.body.name, now)
    return found


def _tell(session: Session, actor: Actor, user: User, organisation: str, now: datetime) -> None:
    """Whoever has no password yet gets a link to choose one; the others read that they have a new role."""
    reader = directory.reader(user)
    facts = {"by": actor.name, "organisation": organisation}
    if user.password_hash is None:
        signin.post_link(session, "invite", reader, now, **facts)
    else:
        post(session, f"joined:{organisation}:{now.isoformat()}", "joined", [reader], facts, now)


def change_role(session: Session, actor: Actor, membership_id: int, role: str) -> Seat:
    """Give another role; it counts from the next page on. Raises NotFound, NotAllowed or LastAdmin."""
    found = seat(session, actor, membership_id)
    require(may_seat(actor, "give_role", found.body, role) and may_seat(actor, "give_role", found.body, found.role))
    if role != found.role:
        _keep_an_admin(session, membership_id)
        session.get_one(Membership, membership_id).role = role
        session.flush()
    return found


def remove(session: Session, actor: Actor, membership_id: int) -> Seat:
    """Take a role away; the person is signed out everywhere at once. Raises NotFound, NotAllowed or LastAdmin."""
    found = seat(session, actor, membership_id)
    require(may_seat(actor, "give_role", found.body, found.role))
    _keep_an_admin(session, membership_id)
    session.execute(delete(Membership).where(Membership.id == membership_id))
    service.end_sessions(session, found.user_id)
    left = session.scalar(select(func.count()).select_from(Membership).where(Membership.user_id == found.user_id))
    if not left:
        service.drop_tokens(session, found.user_id, tuple(service.TOKEN_LIFE))
    return found


def _keep_an_admin(session: Session, membership_id: int) -> None:
    """Raise LastAdmin when no other administrator would be left; two who remove each other take turns."""
    service.one_at_a_time(session, "administrators")
    admins = session.scalars(select(Membership.id).where(Membership.role == "admin")).all()
    if list(admins) == [membership_id]:
        raise LastAdmin("role")
