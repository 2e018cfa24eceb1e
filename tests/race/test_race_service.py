"""Two hundred attempts at one slot, from four processes: one gets it.

A pause is planted between the look and the write. Ours holds by its lock alone, and by the database's guards alone;
a program that has neither books twice, in the same contest.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.race.contest import Attempt, Contestants, drop_guards, prepare, reservations_in, used_at_most

ROOM, BUS, SMALL, PLATES = "MCNG-R01", "MCNG-V01", "MCNG-R03", "STN-K03"


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contestants() -> Iterator[Contestants]:
    """The processes, started once for all contests."""
    started = Contestants()
    yield started
    started.pool.terminate()


@pytest.fixture
def url(database_url: str, tmp_path: Path) -> str:
    """A database with the small town, on each of the two."""
    prepare(database_url, tmp_path)
    return database_url


def test_one_of_two_hundred_gets_the_slot(contestants: Contestants, url: str, tmp_path: Path) -> None:
    told = contestants.contest(url, tmp_path, [Attempt(((ROOM, 1),))] * 200, pause=0.01)
    assert told == {"accepted": 1, "overlap": 199}
    assert (reservations_in(url), used_at_most(url)) == (1, {ROOM: 1})


@pytest.mark.parametrize(
    ("naive", "guards", "holds"),
    [
        pytest.param(False, False, True, id="lock alone"),
        pytest.param(True, True, True, id="guards alone"),
        pytest.param(True, False, False, id="neither"),
    ],
)
def test_what_it_takes(
    contestants: Contestants, url: str, tmp_path: Path, naive: bool, guards: bool, holds: bool
) -> None:
    """The last row proves that this contest can be lost."""
    if not guards:
        drop_guards(url)
    told = contestants.contest(url, tmp_path, [Attempt(((ROOM, 1),))] * 60, naive=naive, pause=0.01)
    assert sum(told.values()) == 60
    assert set(told) == {"accepted", "overlap"}
    assert told["accepted"] == reservations_in(url) == used_at_most(url)[ROOM]
    assert (told["accepted"] == 1) is holds


def test_a_pool_of_60_is_never_overdrawn(contestants: Contestants, url: str, tmp_path: Path) -> None:
    """Random quantities over random hours that overlap."""
    chance = random.Random(60)
    attempts = []
    for _ in range(200):
        start = chance.randrange(0, 20) / 2
        attempts.append(Attempt(((PLATES, chance.randint(1, 30)),), start, start + chance.randrange(1, 8) / 2))
    told = contestants.contest(url, tmp_path, attempts, pause=0.005)
    assert set(told) == {"accepted", "overlap"}
    assert told["accepted"] == reservations_in(url)
    assert 45 <= used_at_most(url)[PLATES] <= 60


def test_several_things_asked_in_any_order_never_lock_each_other_out(
    contestants: Contestants, url: str, tmp_path: Path
) -> None:
    """Two or three things at random, half of them given back at once: no deadlock, nothing had twice."""
    chance = random.Random(3)
    attempts = []
    for _ in range(200):
        codes = chance.sample([ROOM, BUS, SMALL, PLATES], chance.choice([2, 3]))
        wants = tuple((code, chance.randint(10, 40) if code == PLATES else 1) for code in codes)
        start = chance.randrange(0, 24) / 2
        attempts.append(Attempt(wants, start, start + 1, then_cancel=chance.random() < 0.5))
    told = contestants.contest(url, tmp_path, attempts, pause=0.002)
    assert set(told) == {"accepted", "accepted and cancelled", "overlap"}
    assert all(used <= (60 if code == PLATES else 1) for code, used in used_at_most(url).items())
