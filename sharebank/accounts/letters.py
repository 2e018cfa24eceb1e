"""Letters as somebody may see them: their own, and those of the people they manage."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, true, update
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.accounts.permissions import require
from sharebank.core.errors import NotFound
from sharebank.notifications import outbox
from sharebank.notifications.models import AddressTrouble, Letter
from sharebank.notifications.outbox import LetterRow


def _managed(actor: Actor) -> ColumnElement[bool]:
    """Letters to the people of the organisations the actor manages, as permissions' `manage_members` says it."""
    if actor.admin:
        return true()
    bodies = or_(Organisation.id.in_(actor.manager_ids), Organisation.house_id.in_(actor.manager_ids))
    people = select(Membership.user_id).join(Organisation, Organisation.id == Membership.organisation_id)
    return Letter.user_id.in_(people.where(bodies))


def managed_letters(
    session: Session, actor: Actor, *, state: str = "", words: str = "", before: int | None = None, limit: int = 50
) -> list[LetterRow]:
    """The outbox as a manager sees it, newest first. Raises NotFound for who manages nobody."""
    if not actor.manager_ids:
        raise NotFound
    return outbox.letters(session, _managed(actor), state=state, words=words, before=before, limit=limit)


def own_letters(session: Session, actor: Actor, before: int | None = None, limit: int = 50) -> list[LetterRow]:
    """What the actor was sent, newest first."""
    return outbox.letters(session, Letter.user_id == actor.user_id, before=before, limit=limit)


def letter(session: Session, actor: Actor, letter_id: int) -> tuple[Letter, bool]:
    """One letter, and whether the actor manages its reader. Raises NotFound when it is not theirs to see."""
    found = outbox.letter(session, or_(Letter.user_id == actor.user_id, _managed(actor)), letter_id)
    return found, _manages(session, actor, letter_id)


def _manages(session: Session, actor: Actor, letter_id: int) -> bool:
    return session.scalar(select(Letter.id).where(Letter.id == letter_id, _managed(actor))) is not None


def send_again(session: Session, actor: Actor, letter_id: int, now: datetime) -> None:
    """Try a dead letter once more. Raises NotFound, NotAllowed, CannotGoAgain."""
    require(letter(session, actor, letter_id)[1])
    outbox.send_again(session, letter_id, now)


def give_up(session: Session, actor: Actor, letter_id: int, now: datetime) -> None:
    """Put a dead letter away. Raises NotFound, NotAllowed, CannotGoAgain."""
    require(letter(session, actor, letter_id)[1])
    outbox.give_up(session, letter_id, now)


def troubled_addresses(session: Session, rows: list[LetterRow]) -> list[AddressTrouble]:
    """Which readers of these letters cannot be written to."""
    return outbox.troubled(session, sorted({row.to_address for row in rows}))


def prefer(session: Session, user_id: int, letters: str) -> None:
    """How this person wants to be written to from now on. Raises NotFound when there is nobody."""
    changed = update(User).where(User.id == user_id).values(letters=letters).returning(User.id)
    if session.execute(changed.execution_options(synchronize_session=False)).first() is None:
        raise NotFound
