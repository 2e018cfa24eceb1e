"""Looking into the outbox: pages of letters, one letter, what is stuck; trying again or giving up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from sharebank.core.errors import N_, NotFound, Refused
from sharebank.notifications.models import AddressTrouble, Letter
from sharebank.notifications.rules import OVERDUE, TRIES_BEFORE_ALARM, can_go_again

STATES = ("queued", "digest", "sending", "sent", "withdrawn", "dead")


class CannotGoAgain(Refused):
    """Only a dead letter goes again, and not one whose link was for its reader alone."""

    status: ClassVar[int] = 409
    code = "cannot_go_again"
    sentence = N_("This letter cannot be sent again. If it held a link, ask for a new one.")


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A letter as screens and programs see it; what its template was given stays inside."""

    id: int
    template: str
    state: str
    to_address: str
    to_name: str
    subject: str | None
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    attempts: int
    error: str | None

    @property
    def in_digest(self) -> bool:
        """Did it reach its reader inside the daily letter, rather than by itself?"""
        return self.state == "sent" and self.attempts == 0

    @property
    def can_go_again(self) -> bool:
        """May it be tried once more?"""
        return can_go_again(self.template, self.state)


_ROW = (
    Letter.id,
    Letter.template,
    Letter.state,
    Letter.to_address,
    Letter.to_name,
    Letter.subject,
    Letter.created_at,
    Letter.due_at,
    Letter.sent_at,
    Letter.attempts,
    Letter.error,
)


def letters(
    session: Session,
    whose: ColumnElement[bool],
    *,
    state: str = "",
    words: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[LetterRow]:
    """A page of letters, newest first; `words` are looked for in name, address and subject."""
    query = select(*_ROW).where(whose)
    if state:
        query = query.where(Letter.state == state)
    if before is not None:
        query = query.where(Letter.id < before)
    for word in words.split():
        near = (part.icontains(word, autoescape=True) for part in (Letter.to_name, Letter.to_address, Letter.subject))
        query = query.where(or_(*near))
    return [LetterRow(*row) for row in session.execute(query.order_by(Letter.id.desc()).limit(limit))]


def letter(session: Session, whose: ColumnElement[bool], letter_id: int) -> Letter:
    """One letter whole. Raises NotFound."""
    found = session.scalar(select(Letter).where(Letter.id == letter_id, whose))
    if found is None:
        raise NotFound
    return found


def row_of(found: Letter) -> LetterRow:
    """The same as a row of a page."""
    return LetterRow(*(getattr(found, column.key) for column in _ROW))


def send_again(session: Session, letter_id: int, now: datetime) -> None:
    """Into the queue with a dead letter, its tries counted anew. Raises CannotGoAgain."""
    template = session.scalar(select(Letter.template).where(Letter.id == letter_id)) or ""
    if not can_go_again(template, "dead") or not _was_dead(session, letter_id, now, state="queued", error=None):
        raise CannotGoAgain


def give_up(session: Session, letter_id: int, now: datetime) -> None:
    """Put a dead letter away: it no longer counts as stuck. Raises CannotGoAgain."""
    if not _was_dead(session, letter_id, now, state="withdrawn"):
        raise CannotGoAgain


def _was_dead(session: Session, letter_id: int, now: datetime, **values: str | None) -> bool:
    """Change a letter if it is dead; the condition, not a reading before, decides."""
    dead = (Letter.id == letter_id, Letter.state == "dead")
    changed = update(Letter).where(*dead).values(attempts=0, due_at=now, **values).returning(Letter.id)
    return session.execute(changed.execution_options(synchronize_session=False)).first() is not None


def _stuck(now: datetime) -> ColumnElement[bool]:
    waiting = Letter.state.in_(("queued", "sending"))
    return or_(
        Letter.state == "dead",
        and_(waiting, Letter.due_at <= now - OVERDUE),
        and_(waiting, Letter.attempts >= TRIES_BEFORE_ALARM),
    )


def stuck(session: Session, now: datetime) -> int:
    """How many letters are dead, late, or tried in vain several times."""
    return session.scalar(select(func.count()).select_from(Letter).where(_stuck(now))) or 0


def troubled(session: Session, addresses: Sequence[str]) -> list[AddressTrouble]:
    """Those of these addresses that a mail server turned away for good."""
    query = select(AddressTrouble).where(AddressTrouble.address.in_(addresses)).order_by(AddressTrouble.address)
    return list(session.scalars(query))
