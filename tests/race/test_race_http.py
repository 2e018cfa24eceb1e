"""The same contest over HTTP: a server of two processes, clients in four, one slot."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sharebank.accounts import service as accounts
from sharebank.core import clock
from sharebank.core.db import db, transaction
from tests.conftest import make_app
from tests.race.contest import Attempt, prepare, reservations_in, used_at_most
from tests.serving import Served, post_all

pytestmark = pytest.mark.slow
CLIENTS = 4
ROOM, SMALL, BUS, PLATES = "MCNG-R01", "MCNG-R03", "MCNG-V01", "STN-K03"


class Town:
    """A served database and somebody's token."""

    def __init__(self, url: str, folder: Path) -> None:
        prepare(url, folder)
        app = make_app(url, folder)
        with app.app_context():
            with transaction() as session:
                self.token = accounts.issue_api_token(session, "member@example.org", clock.now())
            db.session.remove()
            db.engine.dispose()
        self.url = url
        self.served = Served(url, folder, module="tests.race.paused_server")

    def contest(self, attempts: list[Attempt]) -> list[tuple[int, Any]]:
        """Every client posts its share; all that was answered."""
        bodies = [_body(attempt) for attempt in attempts]
        shares = [(self.served.port, self.token, bodies[number::CLIENTS]) for number in range(CLIENTS)]
        with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
            return [answer for share in pool.starmap(post_all, shares, chunksize=1) for answer in share]


def _body(attempt: Attempt) -> dict[str, Any]:
    return {
        "organisation": "CHORALE",
        "purpose": "course",
        "starts_at": attempt.period.start.isoformat(),
        "ends_at": attempt.period.end.isoformat(),
        "lines": [{"resource": code, "quantity": quantity} for code, quantity in attempt.wants],
    }


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    """The small town, served."""
    town = Town(database_url, tmp_path)
    yield town
    town.served.kill()


def test_one_of_two_hundred_is_answered_201(town: Town) -> None:
    answers = town.contest([Attempt(((ROOM, 1),))] * 200)
    assert Counter(status for status, _ in answers) == {201: 1, 409: 199}
    refusal = next(body for status, body in answers if status == 409)
    assert [(conflict["resource"], conflict["free"]) for conflict in refusal["conflicts"]] == [(ROOM, 0)]
    assert refusal["alternatives"]
    assert (reservations_in(town.url), used_at_most(town.url)) == (1, {ROOM: 1})


def test_what_is_acknowledged_is_what_is_stored(town: Town) -> None:
    """A pool and single things, one to three at a time in any order: 201 or 409, never more than there are."""
    chance = random.Random(200)
    attempts = []
    for _ in range(200):
        codes = chance.sample([ROOM, SMALL, BUS, PLATES, PLATES], chance.choice([1, 2, 3]))
        wants = {code: chance.randint(5, 35) if code == PLATES else 1 for code in codes}
        start = chance.randrange(0, 20) / 2
        attempts.append(Attempt(tuple(wants.items()), start, start + chance.choice([0.5, 1, 2])))
    answers = town.contest(attempts)
    assert {status for status, _ in answers} == {201, 409}
    assert sum(len(body) for status, body in answers if status == 201) == reservations_in(town.url)
    used = used_at_most(town.url)
    assert 40 <= used.pop(PLATES) <= 60
    assert set(used.values()) == {1}
