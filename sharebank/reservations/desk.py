"""The edge that screens and the API share: one transaction an act, and ways out of a collision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from sharebank.accounts.actor import Actor
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import Busy, DatabaseRefused
from sharebank.core.overrule import Overridable
from sharebank.lending.kinds import FORM_FIELDS
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.availability import explain
from sharebank.reservations.booking import Ask, Booked
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision, NotEnough, TakenThen, WayOut
from sharebank.reservations.searching import Offer


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
        if refused.field not in FORM_FIELDS:
            session, now, tz = db.session(), clock.now(), web.tz()
            allowed = booking.permits(session, actor, ask, now, tz)
            refused.ways_out = booking.around(session, refused.barred, ask, now, tz, allowed)
        raise
    except (Collision, DatabaseRefused) as refused:
        # Looked up after the lock is given back: those who wait behind us need not wait for advice.
        conflicts = refused.conflicts if isinstance(refused, Collision) else booking.conflicts(db.session(), ask)
        if not conflicts:
            raise Busy from refused
        now, tz = clock.now(), web.tz()
        permits = booking.permits(db.session(), actor, ask, now, tz)
        raise explain(db.session(), actor, conflicts, ask.period, now, tz, permits) from None


MOST_ADVISED = 5
"""Barred things whose ways out are looked up: nobody reads more."""


def foreseen(actor: Actor, ask: Ask, offers: Iterable[Offer]) -> tuple[Collision | None, list[WayOut]]:
    """What speaks against an ask before it is sent, told as after: what is taken, and the ways out of the first."""
    barred = dict(islice(((offer.thing.code, offer.why_not) for offer in offers if offer.why_not), MOST_ADVISED))
    if not barred:
        return None, []
    session, now, tz = db.session(), clock.now(), web.tz()
    permits = booking.permits(session, actor, ask, now, tz)
    taken = {code: ask.wants[code] for code, why in barred.items() if isinstance(why, TakenThen | NotEnough)}
    ways = [way for code in barred if code not in taken for way in booking.around(session, code, ask, now, tz, permits)]
    if not (conflicts := booking.conflicts(session, replace(ask, wants=taken)) if taken else []):
        return None, ways
    collision = explain(session, actor, conflicts, ask.period, now, tz, permits)
    return collision, [*collision.ways_out, *ways]


def change(actor: Actor, ref: str, act: str, why: str = "", override: str = "") -> Reservation:
    """Approve, decline, cancel, collect or return."""
    with transaction() as session:
        return lifecycle.change(session, actor, ref, act, why, clock.now(), web.tz(), override)
