"""Who may have how many, when: the rules of availability as truth tables."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sharebank.accounts.hours import parse_opening_hours, within_opening_hours
from sharebank.core.period import Period
from sharebank.reservations.rules import (
    Claim,
    Use,
    free_starts,
    peak,
    uses,
)
from sharebank.reservations.states import HOLDING, ReasonMissing, WrongState, transition

PARIS = ZoneInfo("Europe/Paris")
DAY = datetime(2026, 6, 1, tzinfo=UTC)


def span(first: float, last: float) -> Period:
    """Hours of one day: `span(9, 10.5)`."""
    return Period(DAY + timedelta(hours=first), DAY + timedelta(hours=last))


def claim(first: float, last: float, quantity: int = 1) -> Claim:
    return Claim(span(first, last), quantity)


PEAKS = {
    "nothing": ([], 0),
    "one, within": ([claim(10, 11)], 1),
    "one, around": ([claim(8, 13)], 1),
    "one, touching before": ([claim(8, 9)], 0),
    "one, touching after": ([claim(12, 13)], 0),
    "one, from before": ([claim(8, 9.5)], 1),
    "one, until after": ([claim(11.5, 13)], 1),
    "two at once add up": ([claim(9, 11, 2), claim(10, 12, 3)], 5),
    "two in turn do not": ([claim(9, 10, 2), claim(11, 12, 3)], 3),
    "two touching do not": ([claim(9, 10, 2), claim(10, 11, 3)], 3),
    "three, two at a time": ([claim(9, 10.5, 1), claim(10, 11.5, 1), claim(11, 12, 1)], 2),
    "outside does not count": ([claim(7, 9, 50), claim(10, 11, 1), claim(12, 14, 50)], 1),
    "a crowd at one instant before": ([claim(8, 9, 40), claim(8, 9.5, 10)], 10),
}


@pytest.mark.parametrize(("claims", "units"), PEAKS.values(), ids=PEAKS)
def test_peak_from_9_to_12(claims: list[Claim], units: int) -> None:
    assert peak(claims, span(9, 12)) == units
    assert peak(reversed(claims), span(9, 12)) == units


USES = {
    "nothing": ([], []),
    "one": ([claim(9, 10)], [(9, 10, 1)]),
    "touching, as many: merged": ([claim(9, 10), claim(10, 11)], [(9, 11, 1)]),
    "touching, more: two stretches": ([claim(9, 10), claim(10, 11, 2)], [(9, 10, 1), (10, 11, 2)]),
    "overlapping": ([claim(9, 11), claim(10, 12)], [(9, 10, 1), (10, 11, 2), (11, 12, 1)]),
    "apart": ([claim(9, 10), claim(11, 12)], [(9, 10, 1), (11, 12, 1)]),
    "within": ([claim(9, 12), claim(10, 11, 4)], [(9, 10, 1), (10, 11, 5), (11, 12, 1)]),
    "one comes as one goes": ([claim(9, 11), claim(10, 12), claim(11, 13)], [(9, 10, 1), (10, 12, 2), (12, 13, 1)]),
}


@pytest.mark.parametrize(("claims", "stretches"), USES.values(), ids=USES)
def test_uses(claims: list[Claim], stretches: list[tuple[float, float, int]]) -> None:
    expected = [Use(span(first, last), used) for first, last, used in stretches]
    assert uses(claims) == uses(reversed(claims)) == expected


def test_peak_and_uses_count_as_one_counts_minutes() -> None:
    """Against the plainest count there is, quarter by quarter, three hundred random days."""
    chance = random.Random(7)
    for _ in range(300):
        claims = []
        for _ in range(chance.randrange(8)):
            first = chance.randrange(0, 90)
            claims.append(claim(first / 4, chance.randrange(first + 1, 97) / 4, chance.randint(1, 5)))
        grid = [
            sum(c.quantity for c in claims if c.period.overlaps(span(quarter / 4, (quarter + 1) / 4)))
            for quarter in range(96)
        ]
        first = chance.randrange(0, 95)
        last = chance.randrange(first + 1, 97)
        assert peak(claims, span(first / 4, last / 4)) == max(grid[first:last])
        spread = [0] * 96
        for use in uses(claims):
            for quarter in range(96):
                if use.period.overlaps(span(quarter / 4, (quarter + 1) / 4)):
                    spread[quarter] += use.used
        assert spread == grid


FREE = {
    "free as wished": ([], 1, 1, [10]),
    "taken: before or after": ([claim(10, 11)], 1, 1, [9, 11]),
    "nearest first": ([claim(9.5, 11)], 1, 1, [11, 8.5]),
    "a gap too small is no slot": ([claim(8, 10.25), claim(11, 12)], 1, 1, [12, 7]),
    "a gap that just fits": ([claim(8, 10.5), claim(11.5, 13)], 1, 1, [10.5, 7, 13]),
    "a pool with enough left": ([claim(9, 12, 40)], 60, 20, [10, 8, 12]),
    "a pool with too few left": ([claim(9, 12, 40)], 60, 21, [8, 12]),
    "more than there are": ([], 60, 61, []),
}


@pytest.mark.parametrize(("claims", "quantity", "wanted", "starts"), FREE.values(), ids=FREE)
def test_the_nearest_free_hour_to_10(claims: list[Claim], quantity: int, wanted: int, starts: list[float]) -> None:
    found = free_starts(claims, quantity, wanted, span(10, 11), reach=timedelta(hours=4))
    assert list(found) == [span(at, at + 1) for at in starts]


def test_no_slot_is_nearer_than_the_first_offered() -> None:
    """Against every start in steps of five minutes."""
    chance = random.Random(11)
    for _ in range(300):
        claims = []
        for _ in range(chance.randrange(1, 7)):
            first = chance.randrange(0, 200)
            claims.append(claim(first / 12, (first + chance.randrange(1, 60)) / 12, chance.randint(1, 3)))
        quantity, wanted = chance.randint(1, 4), chance.randint(1, 3)
        hold = span(10, 10 + chance.randrange(1, 30) / 12)
        reach = timedelta(hours=9)
        offered = next(free_starts(claims, quantity, wanted, hold, reach=reach), None)
        steps = [hold.moved(timedelta(minutes=5 * step)) for step in range(-108, 109)]
        free = [abs(slot.start - hold.start) for slot in steps if peak(claims, slot) + wanted <= quantity]
        assert (offered and abs(offered.start - hold.start)) == (min(free) if free else None)


STATES = ("requested", "approved", "collected", "returned", "declined", "cancelled", "expired")
ALLOWED = {
    ("approve", "requested"): "approved",
    ("decline", "requested"): "declined",
    ("cancel", "requested"): "cancelled",
    ("cancel", "approved"): "cancelled",
    ("collect", "approved"): "collected",
    ("return", "collected"): "returned",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("act", sorted({act for act, _ in ALLOWED}))
def test_transitions(act: str, state: str) -> None:
    if (act, state) in ALLOWED:
        assert transition(act, state, "because") == ALLOWED[act, state]
    else:
        with pytest.raises(WrongState) as caught:
            transition(act, state, "because")
        assert caught.value.facts == {"state": state}


def test_declining_wants_a_reason() -> None:
    with pytest.raises(ReasonMissing):
        transition("decline", "requested", " \n")
    assert transition("cancel", "requested", "") == "cancelled"


def test_what_holds() -> None:
    assert set(HOLDING) == {"requested", "approved", "collected"}


WEEK = parse_opening_hours("mon-fri 08:30-12:00,13:30-18:30; sat 09:00-12:30; sun closed")
OPEN = {
    # what, from, until, without a key holder?
    "room in the morning": ("room", "2026-06-01 08:30", "2026-06-01 12:00", True),
    "room a minute early": ("room", "2026-06-01 08:29", "2026-06-01 12:00", False),
    "room a minute long": ("room", "2026-06-01 08:30", "2026-06-01 12:01", False),
    "room over lunch": ("room", "2026-06-01 09:00", "2026-06-01 17:00", False),
    "room overnight": ("room", "2026-06-01 17:00", "2026-06-02 10:00", False),
    "room on Sunday": ("room", "2026-06-07 10:00", "2026-06-07 11:00", False),
    "thing over lunch": ("equipment", "2026-06-01 09:00", "2026-06-01 17:00", True),
    "thing over night": ("vehicle", "2026-06-01 17:00", "2026-06-02 10:00", True),
    "thing fetched as the door shuts": ("vehicle", "2026-06-01 12:00", "2026-06-02 10:00", False),
    "thing brought back as it shuts": ("vehicle", "2026-06-01 11:00", "2026-06-01 18:30", True),
    "thing brought back as it opens": ("vehicle", "2026-06-01 11:00", "2026-06-02 08:30", False),
    "thing brought back on Sunday": ("equipment", "2026-06-05 17:00", "2026-06-07 10:00", False),
}


@pytest.mark.parametrize(("kind", "first", "last", "answer"), OPEN.values(), ids=OPEN)
def test_opening_hours(kind: str, first: str, last: str, answer: bool) -> None:
    times = datetime.fromisoformat(first), datetime.fromisoformat(last)
    assert within_opening_hours(WEEK, kind, *times) is answer


@pytest.mark.parametrize(
    "text", ["lundi 9:00-10:00", "mon 10:00-09:00", "mon 9-10", "mon 09:00-25:00", "mon", "tue-mo 09:00-10:00"]
)
def test_opening_hours_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_opening_hours(text)
