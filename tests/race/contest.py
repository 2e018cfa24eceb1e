"""Many processes after the same things at the same moment, by the service or past its care (`naive`)."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.core.period import Period
from sharebank.reservations import booking, desk
from sharebank.reservations.booking import Ask
from sharebank.reservations.rules import Collision
from tests import world
from tests.conftest import make_app

PROCESSES, THREADS = 4, 5
DAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=30)
"""A month ahead of the real clock, which servers run on."""


@dataclass(frozen=True)
class Attempt:
    """What one contestant tries: things by code, from `start` to `end` hours after nine."""

    wants: tuple[tuple[str, int], ...]
    start: float = 0
    end: float = 2
    then_cancel: bool = False

    @property
    def period(self) -> Period:
        return Period(DAY + timedelta(hours=self.start), DAY + timedelta(hours=self.end))


def prepare(url: str, folder: Path) -> None:
    """The small town on this database."""
    app = make_app(url, folder)
    with app.app_context():
        with transaction() as session:
            world.build(session)
        db.session.remove()
        db.engine.dispose()


class Contestants:
    """Processes that wait for each other at the start of every contest."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pool = spawn.Pool(PROCESSES, _enter, (spawn.Barrier(PROCESSES),))

    def contest(
        self, url: str, folder: Path, attempts: Sequence[Attempt], *, pause: float, naive: bool = False
    ) -> Counter[str]:
        """Let them loose together; how often each outcome came: `accepted`, a refusal's code, or an error."""
        shares = [(url, str(folder), attempts[number::PROCESSES], pause, naive) for number in range(PROCESSES)]
        told = self.pool.starmap(_run, shares, chunksize=1)  # the barrier sees to it that each takes one
        return Counter(outcome for share in told for outcome in share)


def _enter(start: Barrier) -> None:
    global _start
    _start = start


_start: Barrier
_careful = booking.catalog.locked_by_code, booking._refuse_collisions


def _run(url: str, folder: str, attempts: Sequence[Attempt], pause: float, naive: bool) -> list[str]:
    told: list[str] = []
    app = make_app(url, Path(folder))
    # The planted pause: whoever has looked and not yet written waits, for the others to look too.
    booking.between_check_and_insert = lambda: time.sleep(pause)
    booking.catalog.locked_by_code, booking._refuse_collisions = _careless if naive else _careful
    with app.app_context():
        who = directory.actor_of_email(db.session(), "member@example.org")
        assert who

    def work(share: Sequence[Attempt]) -> None:
        for attempt in share:
            with app.app_context():
                told.append(_try(who, attempt, naive))

    threads = [threading.Thread(target=work, args=(attempts[number::THREADS],)) for number in range(THREADS)]
    _start.wait(60)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        db.engine.dispose()
    return told


def _look_away(*_: object) -> None:
    """The naive one has looked before."""


_careless = booking.catalog.things_by_code, _look_away


def _try(who: Actor, attempt: Attempt, naive: bool) -> str:
    ask = Ask("CHORALE", "course", attempt.period, dict(attempt.wants))
    try:
        [first, *_] = naive_reserve(who, ask) if naive else desk.reserve(who, ask)
        if attempt.then_cancel:
            desk.change(who, first.ref, "cancel")
            return "accepted and cancelled"
    except Refused as refused:
        return refused.code
    except Exception as error:  # noqa: BLE001 - whatever it is, the test counts it
        return repr(error)
    return "accepted"


def naive_reserve(who: Actor, ask: Ask) -> list[booking.Booked]:
    """As many a booking program does it: look, and then, if it was free, write."""
    session = db.session()
    conflicts = booking.conflicts(session, ask)
    session.rollback()
    booking.between_check_and_insert()
    if conflicts:
        raise Collision(conflicts)
    with transaction() as session:
        return booking.book(session, who, ask, clock.now(), world.PARIS)


def drop_guards(url: str) -> None:
    """Take the database's own word away."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for name in (
                connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            ):
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in ("reservation_line", "reservation", "resource"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            connection.execute(text("ALTER TABLE reservation_line DROP CONSTRAINT reservation_line_never_twice"))


def used_at_most(url: str) -> dict[str, int]:
    """The most units of each thing at one instant, counted from the rows of loans that stand."""
    engine = create_engine(url, poolclass=NullPool)
    query = text(
        "SELECT t.code, l.starts_at, l.ends_at, l.quantity FROM reservation_line l"
        " JOIN reservation r ON r.id = l.reservation_id JOIN resource t ON t.id = l.resource_id"
        " WHERE r.status IN ('requested', 'approved', 'collected')"
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    most: dict[str, int] = defaultdict(int)
    for code, start, _, _ in rows:
        used = sum(row.quantity for row in rows if row.code == code and row.starts_at <= start < row.ends_at)
        most[code] = max(most[code], used)
    return dict(most)


def reservations_in(url: str) -> int:
    """How many reservations the database holds."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM reservation")).scalar_one())
