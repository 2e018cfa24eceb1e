"""Who wants to know when a reservation changed: rooms above this one, which it may not import.

`app.create_app` fills the lists once; a room's function is called in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.reservations.models import Reservation
from sharebank.reservations.reading import LoanRow

Changed = Callable[[Session, Actor | None, Reservation, str, datetime], None]
"""(session, who, the reservation as it is now, the act, now); the clock is nobody."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A section another room adds to a reservation's page: its template and what that needs."""

    template: str
    facts: dict[str, Any]


PanelOf = Callable[[Session, Actor, LoanRow, datetime], Panel | None]

after_change: list[Changed] = []
panels: list[PanelOf] = []


def changed(session: Session, actor: Actor | None, loan: Reservation, act: str, now: datetime) -> None:
    """Tell the rooms above."""
    for tell in after_change:
        tell(session, actor, loan, act, now)
