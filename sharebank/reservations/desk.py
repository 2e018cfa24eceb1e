"""The edge that screens and the API share: one transaction an act, and ways out of a collision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sharebank.accounts.actor import Actor
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import Busy, DatabaseRefused
from sharebank.core.overrule import Overridable
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.availability import explain
from sharebank.reservations.booking import Ask, Booked
from sharebank.reservations.gate import SLOT
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision


def reserve(actor: Actor, ask: Ask) -> list[Booked]:
    """Book everything asked for or nothing; a Collision comes with its ways out."""
    with advised(actor, ask), transaction() as session:
        return booking.book(session, actor, ask, clock.now(), web.tz())


def close(actor: Actor, ask: Ask) -> list[Booked]:
    """Close things for a period; a Collision says whose loans are in the way."""
    with advised(actor, ask), transaction() as session:
        return booking.close(session, actor, ask, clock.now(), web.tz())


@contextmanager
def advised(actor: Actor, ask: Ask) -> Iterator[None]:
    """Around a transaction that books: a Collision leaves it with its ways out, and so does what bars a thing then."""
    try:
        yield
    except Overridable as refused:
        if refused.field in SLOT:
            refused.ways_out = booking.around(db.session(), actor, refused.barred, ask, clock.now(), web.tz())
        raise
    except (Collision, DatabaseRefused) as refused:
        # Looked up after the lock is given back: those who wait behind us need not wait for advice.
        conflicts = refused.conflicts if isinstance(refused, Collision) else booking.conflicts(db.session(), ask)
        if not conflicts:
            raise Busy from refused
        now, tz = clock.now(), web.tz()
        permits = booking.permits(db.session(), actor, ask, now, tz)
        raise explain(db.session(), actor, conflicts, ask.period, now, tz, permits) from None


def change(actor: Actor, ref: str, act: str, why: str = "", override: str = "") -> Reservation:
    """Approve, decline, cancel, collect or return."""
    with transaction() as session:
        return lifecycle.change(session, actor, ref, act, why, clock.now(), web.tz(), override)
