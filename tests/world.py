"""A small town for tests: two houses, an association, one person of each role, a few things."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.models import Membership, Organisation, User
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.service import search_text
from sharebank.core.period import Period, local_period
from sharebank.lending.terms import write_terms

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
"""09:00 in Paris, a Saturday."""

PEOPLE = {
    "admin@example.org": ("MCNG", "admin"),
    "manager@example.org": ("MCNG", "manager"),
    "staff@example.org": ("MCNG", "staff"),
    "manager.stn@example.org": ("STN", "manager"),
    "staff.stn@example.org": ("STN", "staff"),
    "member@example.org": ("CHORALE", "member"),
    "other@example.org": ("ECHECS", "member"),
}
ORGANISATIONS = {
    "MCNG": ("house", "MCNG", "Maison citoyenne Noël Guichard"),
    "STN": ("house", "STN", "Maison de quartier Saint-Nicolas"),
    "CHORALE": ("association", "MCNG", "Chorale du Vieux-Lavoir"),
    "ECHECS": ("association", "STN", "Échiquier romanais"),
}
RESOURCES = {
    "MCNG-R01": ("room", "Grande salle", "Grande salle", 1, {"capacity": 150}),
    "MCNG-R03": ("room", "Salle de réunion", "Salle Isère", 1, {"capacity": 20}),
    "MCNG-V01": ("vehicle", "Minibus", "Minibus 9 places", 1, {"seats": 9, "plate": "OZ-117-IU"}),
    "STN-R01": ("room", "Grande salle", "Salle Jacquemart", 1, {"capacity": 120}),
    "STN-K03": ("equipment", "Vaisselle", "Assiettes plates", 60, {}),
}

TERMS: dict[str, Any] = {"advance": {"days": 365}, "length": {"hours": 72}, "approval": {"mode": "always"}}
"""The rules everything in the town is lent by."""


def build(session: Session, *, before: int = 0, after: int = 0, notice: int = 0) -> None:
    """Put the town in an empty database; buffers in minutes, notice in days."""
    terms = {**TERMS, "notice": {"days": notice}} if notice else TERMS
    rules = RuleSet(name="simple", buffer_before_min=before, buffer_after_min=after, terms=write_terms(terms))
    session.add(rules)
    bodies = {}
    for code, (kind, _, name) in ORGANISATIONS.items():
        hours = "mon-fri 08:30-19:00; sat 09:00-12:30" if kind == "house" else ""
        colour = "#C8502B" if kind == "house" else ""
        bodies[code] = Organisation(code=code, name=name, kind=kind, opening_hours=hours, colour=colour)
        session.add(bodies[code])
    session.flush()
    for code, (_, house, _) in ORGANISATIONS.items():
        bodies[code].house_id = bodies[house].id
    for email, (body, role) in PEOPLE.items():
        first, _, last = email.partition("@")[0].partition(".")
        person = User(email=email, first_name=first.title(), last_name=last.title() or "Test", created_at=NOW)
        person.memberships = [Membership(organisation=bodies[body], role=role)]
        session.add(person)
    for code, (kind, category, name, quantity, facts) in RESOURCES.items():
        session.add(
            Resource(
                code=code,
                house_id=bodies[code.partition("-")[0]].id,
                kind=kind,
                category=category,
                name=name,
                quantity=quantity,
                rule_set_id=rules.id,
                attributes={},
                search_text=search_text([code, name, category]),
                **facts,
            )
        )


def at(day: int, start: str, end: str, *, month: int = 11, until: int | None = None) -> Period:
    """`at(28, "14:00", "18:00")`: that day of November 2026, wall time in Paris."""
    h1, m1 = map(int, start.split(":"))
    h2, m2 = map(int, end.split(":"))
    first = datetime(2026, month, day, h1, m1)  # noqa: DTZ001 - wall time
    last = datetime(2026, month, until or day, h2, m2)  # noqa: DTZ001
    return local_period(first, last, PARIS)
