"""The town that is measured: 120 things in 3 houses, 90 associations, and three years of reservations.

Every run draws the same rows. A *window*, the present month and two weeks on either side, holds what 10,000
reservations over three years put there, whatever the size: what a page costs with the same things to show can be
compared. Around it stands the rest of the history, denser as the size grows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from sharebank.accounts.models import Membership, Organisation, Token, User, UserSession
from sharebank.accounts.web import hash_token
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.service import search_text
from sharebank.lending.terms import write_terms
from sharebank.reservations.states import HOLDING

HOUSES = {"MCNG": "Maison citoyenne Noël Guichard", "STN": "Maison Saint-Nicolas", "ORS": "Maison des Ors"}
HOURS = "mon-fri 08:30-12:00,13:30-18:30; sat 09:00-12:30"
ASSOCIATIONS = 90
# For each house: how many, kind, category, units of the smallest and of the largest pool.
FURNITURE = (
    (12, "room", "Salle d’activité", 1, 1),
    (3, "vehicle", "Minibus", 1, 1),
    (10, "equipment", "Matériel festif", 1, 1),
    (15, "equipment", "Vaisselle", 20, 160),
)
BACK, AHEAD = 730, 365
"""Days the history reaches back and ahead: three years."""
DAYS = BACK + AHEAD
SPARSE = 10_000
"""Reservations over the three years at whose density the window is filled."""
SLOTS = [(360 + 90 * number, 450 + 90 * number) for number in range(11)]
"""The day's slots, minutes of the UTC day; a loan lasts one, its buffers included."""
CAMP_DAYS = 3
PURPOSES = (
    "Répétition de la chorale",
    "Atelier cuisine du monde",
    "Conseil d’administration",
    "Cours de français",
    "Repas de quartier",
    "Sortie des aînés à Valence",
    "Anniversaire de l’association",
    "Aide aux devoirs",
)
STAFF, MEMBER = "staff@bench.example.org", "member1@bench.example.org"
SECRETS = {STAFF: "bench-staff-" + "s" * 32, MEMBER: "bench-member-" + "m" * 32}


@dataclass(frozen=True, slots=True)
class Thing:
    """What drawing reservations needs to know of a resource."""

    id: int
    code: str
    house_id: int
    house: str
    quantity: int
    buffer: int


@dataclass(frozen=True, slots=True)
class Borrower:
    """An association and its one member."""

    id: int
    code: str
    user_id: int
    email: str


@dataclass(frozen=True, slots=True)
class Town:
    """What is there before anything is reserved; `today` is the middle of the window's month."""

    today: date
    now: datetime
    things: tuple[Thing, ...]
    borrowers: tuple[Borrower, ...]

    @property
    def first(self) -> date:
        """The first day of the history."""
        return self.today - timedelta(days=BACK)

    @property
    def window(self) -> range:
        """The days of the window, counted from the first."""
        start = self.today.replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1)
        return range((start - self.first).days - 14, (end - self.first).days + 14)


def build(session: Session, now: datetime) -> Town:
    """Put houses, people and things in an empty database."""
    rules = {buffer: _rule_set(buffer) for buffer in (0, 15)}
    bodies = {
        code: Organisation(code=code, name=name, kind="house", opening_hours=HOURS, colour="#2F6F8F")
        for code, name in HOUSES.items()
    }
    session.add_all([*rules.values(), *bodies.values()])
    session.flush()
    for body in bodies.values():
        body.house_id = body.id
    houses = list(bodies.values())
    people = [_person(session, f"manager@{house.code.lower()}.example.org", house, "manager", now) for house in houses]
    people.append(_person(session, STAFF, houses[0], "staff", now))
    borrowers = []
    for number in range(1, ASSOCIATIONS + 1):
        house = houses[number % len(houses)]
        body = Organisation(code=f"ASSO{number}", name=f"Association n° {number}", kind="association")
        body.house_id = house.id
        session.add(body)
        borrowers.append((body, _person(session, f"member{number}@bench.example.org", body, "member", now)))
    things = [thing for house in houses for thing in _furnish(session, house, rules)]
    session.flush()
    for person in people + [person for _, person in borrowers]:
        if secret := SECRETS.get(person.email):
            key = {"token_hash": hash_token(secret), "user_id": person.id, "created_at": now}
            key["expires_at"] = now + timedelta(days=30)
            session.add_all([UserSession(**key), Token(**key, purpose="api")])
    codes = {house.id: house.code for house in houses}
    return Town(
        now.date(),
        now,
        tuple(
            Thing(own.id, own.code, own.house_id, codes[own.house_id], own.quantity, 15 * (own.kind == "vehicle"))
            for own in things
        ),
        tuple(Borrower(body.id, body.code, person.id, person.email) for body, person in borrowers),
    )


def _rule_set(buffer: int) -> RuleSet:
    terms = {
        "notice": {"days": 1},
        "advance": {"days": AHEAD},
        "length": {"hours": 24 * 7},
        "undertakings": {"which": ["charter"]},
        "approval": {"mode": "always"},  # a member's booking is a request, with its letters
    }
    return RuleSet(name=f"bench-{buffer}", buffer_before_min=buffer, buffer_after_min=buffer, terms=write_terms(terms))


def _person(session: Session, email: str, body: Organisation, role: str, now: datetime) -> User:
    person = User(email=email, first_name="Camille", last_name="Bertrand", created_at=now)
    person.memberships = [Membership(organisation=body, role=role)]
    session.add(person)
    return person


def _furnish(session: Session, house: Organisation, rules: dict[int, RuleSet]) -> list[Resource]:
    found = []
    for count, kind, category, least, most in FURNITURE:
        for number in range(count):
            code = f"{house.code}-{kind[0].upper()}{'P' if most > 1 else ''}{number + 1:02}"
            name = f"{category} {number + 1}"
            found.append(
                Resource(
                    code=code,
                    house_id=house.id,
                    kind=kind,
                    category=category,
                    name=name,
                    quantity=least + (most - least) * number // max(1, count - 1),
                    capacity=20 + 10 * number if kind == "room" else None,
                    seats=9 if kind == "vehicle" else None,
                    rule_set_id=rules[15 if kind == "vehicle" else 0].id,
                    location=f"{house.code}, rez-de-chaussée",
                    search_text=search_text([code, name, category]),
                )
            )
    session.add_all(found)
    return found


@dataclass(frozen=True, slots=True)
class Loan:
    """One reservation of one thing, times as UTC text."""

    thing: Thing
    borrower: Borrower
    quantity: int
    starts_at: str
    ends_at: str
    hold_from: str
    hold_until: str
    status: str
    purpose: str

    @property
    def holds(self) -> bool:
        return self.status in HOLDING


def loans(town: Town, size: int) -> Iterator[Loan]:
    """`size` reservations that never collide, by start."""
    window = town.window
    inside = [day for day in range(DAYS) if day in window]
    outside = [day for day in range(DAYS) if day not in window]
    kept = round(SPARSE * len(inside) / DAYS)
    drawn: list[tuple[int, int, int]] = []
    for name, days, total in (("window", inside, kept), ("rest", outside, size - kept)):
        for number in range(len(town.things)):
            share = total // len(town.things) + (number < total % len(town.things))
            draw = random.Random(f"{name} {number} {size if name == 'rest' else ''}")
            places = (divmod(place, len(SLOTS)) for place in draw.sample(range(len(days) * len(SLOTS)), share))
            drawn += [(days[day], slot, number) for day, slot in places]
    drawn.sort()
    days_text = [(town.first + timedelta(days=day)).isoformat() for day in range(DAYS + CAMP_DAYS)]
    today = (town.today - town.first).days
    draw = random.Random("loans")
    for day, slot, number in drawn:
        # The window's loans are the same at every size: what they are hangs on where they stand.
        dice = draw.random() if day not in window else random.Random(f"{day} {slot} {number}").random()
        yield _loan(town, days_text, day, slot, number, dice, past=day < today)


def _loan(town: Town, days: list[str], day: int, slot: int, number: int, dice: float, *, past: bool) -> Loan:
    thing = town.things[number]
    start, end = SLOTS[slot]
    # Pools also go to camps of several days, one at a time; loans take a quarter of a pool at most: never a collision.
    last = day + CAMP_DAYS if thing.quantity > 1 and slot == 0 and day % 8 == 0 else day
    quantity = 1 + int(dice * 1000) % max(1, thing.quantity // 4)
    if dice < 0.1:
        status = "cancelled"
    elif past:
        status = "returned"
    else:
        status = "requested" if dice < 0.25 else "approved"
    return Loan(
        thing,
        town.borrowers[int(dice * 1e6) % len(town.borrowers)],
        quantity,
        f"{days[day]} {_clock(start + thing.buffer)}",
        f"{days[last]} {_clock(end - thing.buffer)}",
        f"{days[day]} {_clock(start)}",
        f"{days[last]} {_clock(end)}",
        status,
        PURPOSES[int(dice * 1e5) % len(PURPOSES)],
    )


_CLOCKS = [f"{minute // 60:02}:{minute % 60:02}:00" for minute in range(24 * 60)]


def _clock(minute: int) -> str:
    return _CLOCKS[minute]


NIGHT_SLOTS = 11
"""Half hours before the first loan of a day."""


def free_slots(town: Town, things: list[Thing]) -> Iterator[tuple[Thing, datetime, datetime]]:
    """Half hours nobody has taken, in the night, after the window: first one of each thing, then the next."""
    for day in range(town.window.stop + 1, DAYS - 2):
        for slot in range(NIGHT_SLOTS):
            start = datetime.combine(town.first, datetime.min.time(), UTC) + timedelta(days=day, minutes=30 * slot)
            for thing in things:
                # Room for the buffers: a loan of ten minutes with a quarter of an hour on either side would not do.
                if not thing.buffer:
                    yield thing, start, start + timedelta(minutes=30)
