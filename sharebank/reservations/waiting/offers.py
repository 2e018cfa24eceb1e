"""What the clock does to requests and offers: it looks back, so that any number of runs do each thing once.

One transaction each: a request that cannot be let go must not keep the others, nor their calendars.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from flask import Flask
from sqlalchemy import literal, or_, select

from sharebank.core import web
from sharebank.core.db import db, transaction
from sharebank.reservations import lifecycle
from sharebank.reservations.models import Reservation
from sharebank.reservations.states import LIFECYCLE
from sharebank.reservations.waiting import waiting

COUNTED = {
    "lapse": "offers_lapsed",
    "expire": "requests_expired",
    "silence_approves": "requests_approved",
    "silence_declines": "requests_declined",
}


def look_after(app: Flask, now: datetime) -> dict[str, int]:
    """End what nobody answered as its rules say, and offer what is free to those who wait; how many of each."""
    counts = Counter(dict.fromkeys((*COUNTED.values(), "offers_made", "lines_ended"), 0))
    with app.app_context():
        for ref in _lapsed(now):
            with transaction() as session:
                act = lifecycle.by_clock(session, ref, now, web.tz())
            if act in LIFECYCLE:
                counts[COUNTED[act]] += 1
        if waiting.anybody(db.session()):
            with transaction() as session:
                counts["offers_made"] += waiting.serve(session, now)
                counts["lines_ended"] += waiting.end_past(session, now)
    return dict(counts)


def _lapsed(now: datetime) -> list[str]:
    """Requests and offers whose time is over; read without a lock, asked again under it."""
    # Said to the database literally: it must see that its index of what stands open covers this.
    open_ones = Reservation.status == literal("requested", literal_execute=True)
    over = or_(Reservation.lapses_at <= now, Reservation.starts_at <= now)
    query = select(Reservation.ref).where(open_ones, over, Reservation.kind == "loan").order_by(Reservation.starts_at)
    return list(db.session().scalars(query))
