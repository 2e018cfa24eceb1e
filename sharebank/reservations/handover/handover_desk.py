"""The edge of a return: it is kept first, then what must stay in or is gone, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence

from sharebank.accounts.actor import Actor
from sharebank.catalog.photos import Picture
from sharebank.core import clock, web
from sharebank.core.db import transaction
from sharebank.core.errors import Refused
from sharebank.reservations.handover import handover, handover_damage
from sharebank.reservations.handover.handover import Meeting
from sharebank.reservations.handover.handover_hits import Repair


def take_back(actor: Actor, ref: str, meeting: Meeting, pictures: Sequence[Picture] = ()) -> list[Repair]:
    """Take things back, then do what was said of the damaged and the gone; returns what must wait for a yes.

    The return holds calendars when it ends, and a repair takes loans before calendars: never in one transaction.
    Raises what handover.take_back does.
    """
    with transaction() as session:
        record = handover.take_back(session, actor, ref, meeting, pictures, clock.now(), web.tz())
        said = handover_damage.said_at(session, record)
    waiting = []
    for repair in said:
        try:
            with transaction() as session:
                handover_damage.keep_in(session, actor, repair, (), clock.now(), web.tz())
        except Refused:  # its line says still what was to be done, and staff see why on a page of its own
            waiting.append(repair)
    return waiting
