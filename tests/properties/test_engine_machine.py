"""The engine against the plainest count there is: random lives of a small town, decided twice.

`Ledger` counts units half-hour by half-hour from a list of loans, and shares no line with the rules. After every
step the engine must have decided as it did, and say the same of what is free and what is busy. Some steps are SQL by
hand, which the database must let through or refuse as the ledger would.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core import clock
from sharebank.core.db import BEGIN, GUARD_MARK, PG_EXCLUSION, db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.core.period import Period
from sharebank.lending.terms import write_terms
from sharebank.reservations import availability, desk
from sharebank.reservations.booking import Ask
from sharebank.reservations.rules import Collision, TooLong
from sharebank.reservations.states import WrongState
from tests import world
from tests.conftest import make_app

NOW = datetime(2040, 5, 20, 8, 0, tzinfo=UTC)
ZERO = datetime(2040, 6, 5, 6, 0, tzinfo=UTC)
SLOT = timedelta(minutes=30)
SLOTS = 16
LONGEST = 10

# Half-hours before and after; at one house and the other, single things and a pool.
BUFFERS = {"MCNG-R01": (1, 2), "MCNG-R03": (0, 0), "MCNG-V01": (0, 1), "STN-R01": (1, 0), "STN-K03": (0, 0)}
QUANTITY = {"MCNG-R01": 1, "MCNG-R03": 1, "MCNG-V01": 1, "STN-R01": 1, "STN-K03": 6}
BODY = {"member@example.org": "CHORALE", "staff@example.org": "MCNG", "staff.stn@example.org": "STN"}
HOLDS = {"requested", "approved", "collected"}
MOVES = {
    "approve": ({"requested"}, "approved"),
    "decline": ({"requested"}, "declined"),
    "cancel": ({"requested", "approved"}, "cancelled"),
    "collect": ({"approved"}, "collected"),
    "return": ({"collected"}, "returned"),
}


def span(first: int, last: int) -> Period:
    return Period(ZERO + first * SLOT, ZERO + last * SLOT)


@dataclass(frozen=True)
class Loan:
    """In half-hours; a line is the thing, its units, and the half-hours it takes with its buffers."""

    lender: str
    borrower: str
    maker: str
    status: str
    first: int
    last: int
    lines: tuple[tuple[str, int, int, int], ...]

    def seen_by(self, who: str) -> bool:
        return BODY[who] in (self.lender, self.borrower) or self.maker == who


@dataclass
class Ledger:
    """Who has what, counted half-hour by half-hour."""

    quantity: dict[str, int] = field(default_factory=lambda: dict(QUANTITY))
    loans: dict[str, Loan] = field(default_factory=dict)

    def used(self, code: str, slot: int, but: str = "") -> int:
        return sum(
            units
            for ref, loan in self.loans.items()
            if loan.status in HOLDS and ref != but
            for thing, units, first, last in loan.lines
            if thing == code and first <= slot < last
        )

    def free(self, code: str, first: int, last: int, but: str = "") -> int:
        return min(self.quantity[code] - self.used(code, slot, but) for slot in range(first, last))

    def fits(self, loan: Loan, but: str = "") -> bool:
        return all(self.free(code, first, last, but) >= units for code, units, first, last in loan.lines)


slots, lengths = st.integers(0, SLOTS - 1), st.integers(1, LONGEST + 1)
people = st.sampled_from(sorted(BODY))
staff = st.sampled_from(["staff@example.org", "staff.stn@example.org"])
picks = st.integers(0, 1000)
MOST = 14
"""Loans a town remembers: beyond, everything is always taken, and steps would teach nothing."""
# Small numbers of often wanted things: a town where everything is free teaches nothing.
wishes = st.dictionaries(st.sampled_from(sorted(QUANTITY)), st.integers(1, 4), min_size=1, max_size=3)


class EngineMachine(RuleBasedStateMachine):
    """The same steps through the services and through the ledger."""

    actors: ClassVar[dict[str, Actor]]
    done: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.chance = random.Random(0)

    @initialize()
    def empty_calendars(self) -> None:
        with transaction() as session:
            session.execute(text("DELETE FROM reservation"))
            session.execute(text("DELETE FROM letter"))
            for code, quantity in QUANTITY.items():
                session.execute(text("UPDATE resource SET quantity = :n WHERE code = :c"), {"n": quantity, "c": code})

    def tell(self, step: str, accepted: bool) -> None:
        self.done[f"{step}: {'accepted' if accepted else 'refused'}"] += 1

    @rule(first=slots, length=lengths, wants=wishes)
    def ask(self, first: int, length: int, wants: dict[str, int]) -> None:
        self.book("member@example.org", first, length, wants)

    @rule(who=staff, first=slots, length=lengths, wants=wishes)
    def book_as_staff(self, who: str, first: int, length: int, wants: dict[str, int]) -> None:
        self.book(who, first, length, wants)

    def book(self, who: str, first: int, length: int, wants: dict[str, int]) -> None:
        last = first + length
        asked = {code: units if code == "STN-K03" else 1 for code, units in wants.items()}
        lines = {
            code: (code, units, first - BUFFERS[code][0], last + BUFFERS[code][1]) for code, units in asked.items()
        }
        short = {
            code: max(0, self.ledger.free(code, *line[2:]))
            for code, line in lines.items()
            if self.ledger.free(code, *line[2:]) < line[1]
        }
        ask = Ask(BODY[who], "hasard", span(first, last), asked)
        if length > LONGEST:
            with pytest.raises(TooLong):
                desk.reserve(self.actors[who], ask)
        elif short:
            with pytest.raises(Collision) as caught:
                desk.reserve(self.actors[who], ask)
            assert {conflict.resource: conflict.free for conflict in caught.value.conflicts} == short
            self.every_way_out_is_open(caught.value)
        else:
            for made in desk.reserve(self.actors[who], ask):
                own = tuple(line for code, line in lines.items() if code.startswith(made.lender))
                assert {thing.code: units for thing, units in made.things} == {line[0]: line[1] for line in own}
                status = "approved" if BODY[who] == made.lender else "requested"
                assert made.status == status
                self.ledger.loans[made.ref] = Loan(made.lender, BODY[who], who, status, first, last, own)
        self.tell("book", length <= LONGEST and not short)

    def every_way_out_is_open(self, refused: Collision) -> None:
        for way in refused.ways_out:
            before, after = BUFFERS[way.resource]
            first, last = (round((at - ZERO) / SLOT) for at in (way.period.start, way.period.end))
            assert span(first, last) == way.period
            free = self.ledger.free(way.resource, first - before, last + after)
            assert way.quantity <= free
            assert way.free == (way.quantity if way.kind == "slot" else free)

    @rule(who=staff, first=slots, length=lengths, wants=wishes, own=st.integers(0, 9))
    def close(self, who: str, first: int, length: int, wants: dict[str, int], own: int) -> None:
        asked = {code: units if code == "STN-K03" else 1 for code, units in wants.items()}
        if own:  # else what they may not close stays among it, if it was
            asked = {code: units for code, units in asked.items() if code.startswith(BODY[who])}
        if not asked:
            return
        ask = Ask(BODY[who], "travaux", span(first, first + length), asked)
        lines = tuple((code, units, first, first + length) for code, units in asked.items())
        loan = Loan(BODY[who], BODY[who], who, "approved", first, first + length, lines)
        expected: type[Refused] | None = None
        if any(not code.startswith(BODY[who]) for code in asked):
            expected = NotAllowed
        elif not self.ledger.fits(loan):
            expected = Collision
        if expected:
            with pytest.raises(expected):
                desk.close(self.actors[who], ask)
        else:
            [made] = desk.close(self.actors[who], ask)
            self.ledger.loans[made.ref] = loan
        self.tell("close", expected is None)

    @precondition(lambda self: self.ledger.loans)
    @rule(who=people, act=st.sampled_from(sorted(MOVES)), pick=picks, usual=st.integers(0, 3))
    def change(self, who: str, act: str, pick: int, usual: int) -> None:
        ref, loan = self.pick(pick)
        if usual:  # else anybody tries anything
            who = next(email for email, body in BODY.items() if body == loan.lender)
            act = next((name for name, (sources, _) in MOVES.items() if loan.status in sources), act)
        sources, target = MOVES[act]
        expected: type[Refused] | None = None
        if not loan.seen_by(who):
            expected = NotFound
        elif act != "cancel" and BODY[who] != loan.lender:
            expected = NotAllowed
        elif loan.status not in sources:
            expected = WrongState
        if expected:
            with pytest.raises(expected):
                desk.change(self.actors[who], ref, act, "hasard")
        else:
            desk.change(self.actors[who], ref, act, "hasard")
            self.ledger.loans[ref] = replace(loan, status=target)
        self.tell(act, expected is None)

    # -- by hand, past the services ----------------------------------------------------------------

    def write(self, statement: str, **values: Any) -> bool:
        """Does the database let it through?"""
        db.session().rollback()
        try:
            with db.engine.begin() as connection:
                connection.connection.rollback()
                connection.exec_driver_sql(BEGIN[connection.dialect.name])
                connection.execute(text(statement), values)
        except DBAPIError as error:
            if GUARD_MARK in str(error.orig) or getattr(error.orig, "sqlstate", None) == PG_EXCLUSION:
                return False
            raise
        return True

    def pick(self, pick: int) -> tuple[str, Loan]:
        loans = list(self.ledger.loans.items())
        return loans[pick % len(loans)]

    @precondition(lambda self: self.ledger.loans)
    @rule(pick=picks, first=slots, length=lengths)
    def move(self, pick: int, first: int, length: int) -> None:
        ref, loan = self.pick(pick)
        last = first + length
        lines = tuple((c, n, first + a - loan.first, last + b - loan.last) for c, n, a, b in loan.lines)
        moved = replace(loan, first=first, last=last, lines=lines)
        fits = loan.status not in HOLDS or self.ledger.fits(moved, but=ref)
        statement = "UPDATE reservation SET starts_at = {}, ends_at = {} WHERE ref = :ref"
        start, end = (f"'{at:%Y-%m-%d %H:%M:%S}'" for at in (span(first, last).start, span(first, last).end))
        if db.engine.dialect.name == "postgresql":
            start, end = f"{start}::timestamp AT TIME ZONE 'UTC'", f"{end}::timestamp AT TIME ZONE 'UTC'"
        assert self.write(statement.format(start, end), ref=ref) is fits
        if fits:
            self.ledger.loans[ref] = moved
        self.tell("move by hand", fits)

    @precondition(lambda self: self.ledger.loans)
    @rule(pick=picks, status=st.sampled_from([*sorted(HOLDS), "cancelled"]))
    def set_state(self, pick: int, status: str) -> None:
        ref, loan = self.pick(pick)
        changed = replace(loan, status=status)
        fits = status not in HOLDS or loan.status in HOLDS or self.ledger.fits(changed, but=ref)
        assert self.write("UPDATE reservation SET status = :status WHERE ref = :ref", status=status, ref=ref) is fits
        if fits:
            self.ledger.loans[ref] = changed
        self.tell("state by hand", fits)

    @precondition(lambda self: len(self.ledger.loans) > MOST // 3)
    @rule(code=st.sampled_from(sorted(QUANTITY)), quantity=st.integers(1, 7))
    def count(self, code: str, quantity: int) -> None:
        """Things are bought and break; what is booked must still be there."""
        wanted = quantity if code == "STN-K03" else quantity // 7 + 1
        fits = all(self.ledger.used(code, slot) <= wanted for slot in range(-4, SLOTS + 4 * LONGEST))
        assert self.write("UPDATE resource SET quantity = :n WHERE code = :c", n=wanted, c=code) is fits
        if fits:
            self.ledger.quantity[code] = wanted
        self.tell("quantity by hand", fits)

    @precondition(lambda self: len(self.ledger.loans) > MOST)
    @rule(pick=picks)
    def delete(self, pick: int) -> None:
        for ref in [self.pick(pick)[0], *list(self.ledger.loans)[: MOST // 2]]:
            assert self.write("DELETE FROM reservation WHERE ref = :ref", ref=ref)
            self.ledger.loans.pop(ref, None)
        self.tell("delete by hand", True)

    # -- what both say afterwards ------------------------------------------------------------------

    @invariant()
    def the_same_is_free_and_busy(self) -> None:
        first = self.chance.randrange(-2, SLOTS)
        last = first + self.chance.randrange(1, 2 * LONGEST)
        session = db.session()
        session.rollback()
        session.expire_all()
        things = catalog.things_by_code(session, list(QUANTITY))
        free = availability.free_units(session, list(things.values()), span(first, last))
        for code, thing in things.items():
            before, after = BUFFERS[code]
            assert free[thing.id] == max(0, self.ledger.free(code, first - before, last + after)), code
        code = self.chance.choice(sorted(QUANTITY))
        busy = availability.busy(session, things[code], span(first, last))
        told = [
            next((use.used for use in busy if use.period.overlaps(span(slot, slot + 1))), 0)
            for slot in range(first, last)
        ]
        assert told == [self.ledger.used(code, slot) for slot in range(first, last)]
        assert all(one.period.end <= other.period.start for one, other in pairwise(busy))


@pytest.fixture
def machine(database_url: str, tmp_path: Path) -> Iterator[type[EngineMachine]]:
    """The machine on one of the databases, buffers and all."""
    clock.set_source(lambda: NOW)
    app = make_app(database_url, tmp_path)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            # Whether the disk has it is another proof's business.
            event.listen(db.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        with transaction() as session:
            world.build(session)
        with transaction() as session:
            terms = write_terms(world.TERMS | {"length": {"hours": LONGEST // 2}})
            for code, (before, after) in BUFFERS.items():
                rules = RuleSet(name=code, buffer_before_min=before * 30, buffer_after_min=after * 30, terms=terms)
                session.add(rules)
                session.flush()
                session.scalars(select(Resource).where(Resource.code == code)).one().rule_set_id = rules.id
        found = {email: directory.actor_of_email(db.session(), email) for email in BODY}

        class Machine(EngineMachine):
            actors: ClassVar = found
            done: ClassVar = Counter()

        yield Machine
        db.session.remove()
        db.engine.dispose()
    clock.set_source(None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database_url", "steps"),
    [
        ("sqlite", 2_000),
        ("postgresql", 800),
        pytest.param("sqlite", 20_000, marks=pytest.mark.prove),
        pytest.param("postgresql", 5_000, marks=pytest.mark.prove),
    ],
    indirect=["database_url"],
)
def test_engine_and_ledger_agree(machine: type[EngineMachine], steps: int) -> None:
    a_life = 50
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=steps // a_life + steps // 60,  # a life ends early now and then, and some steps do nothing
            stateful_step_count=a_life,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    done = machine.done
    counts = ", ".join(f"{times} {step}" for step, times in sorted(done.items()))
    print(f"\n{db.engine.dialect.name}, {done.total()} steps: {counts}")
    assert done.total() >= steps
    for step in ("book", "close", "cancel", "move by hand", "state by hand", "quantity by hand"):
        assert min(done[f"{step}: accepted"], done[f"{step}: refused"]) > steps / 2000, step
