"""Reminding people of deadlines: each rung of the ladder once a reader, one letter a reader a run."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, selectinload

from sharebank.accounts import directory
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core import web
from sharebank.core.db import AnyRow, db, transaction
from sharebank.core.period import to_local
from sharebank.insurance.models import Coverage, CoverageResource, Reminder
from sharebank.insurance.rules import SOON, Reader, readers_of, stage
from sharebank.notifications.service import post

NAMED = 3
"""Things a line of a letter names; the rest are counted."""


def remind(app: Flask, now: datetime) -> dict[str, int]:
    """Tell people of the deadlines whose rung begins today, or began while nobody ticked; any number may run it.

    How many reminders, in how many letters.
    """
    with app.app_context():
        today = to_local(now, web.tz()).date()
        if not due(db.session(), today):
            return {"reminders": 0, "reminder_letters": 0}
        with transaction() as session:
            return write(session, now, today)


@dataclass(frozen=True, slots=True)
class Due:
    """One reader to tell of one deadline at its present stage; the key of a reminder's row."""

    coverage_id: int
    ends_on: date
    stage: int
    user_id: int


_LIVE = (
    select(
        Coverage.id,
        Coverage.ends_on,
        Coverage.kind,
        Coverage.body,
        Coverage.contract_number,
        Coverage.responsible_id,
        Organisation.id.label("holder_id"),
        Organisation.name.label("holder"),
        Organisation.kind.label("holder_kind"),
        Organisation.house_id,
    )
    .join(Organisation, Organisation.id == Coverage.holder_id)
    .where(Coverage.renewed_by_id.is_(None))
    .order_by(Coverage.ends_on, Coverage.id)
)


def due(session: Session, today: date) -> list[Due]:
    """Everybody who has not been told yet at the present stage of a deadline, most urgent first."""
    live = _live(session, today)
    around = _readers(session, {row.holder_id for row in live} | {row.house_id for row in live})
    wanted: list[Due] = []
    for row in live:
        rung = stage(row.ends_on, today)
        if rung is None:
            continue
        near = [Reader(user_id, "admin") for user_id in around["admin", 0]]
        near += [Reader(user_id, "manager") for user_id in around["manager", row.house_id]]
        near += [Reader(user_id, "member") for user_id in around["all", row.holder_id]]
        # Whoever has left the house is responsible for nothing any more.
        responsible = row.responsible_id if row.responsible_id in around["all", row.house_id] else None
        told = readers_of(rung, responsible, row.holder_kind == "house", near)
        wanted += [Due(row.id, row.ends_on, rung, user_id) for user_id in told]
    stages = list(dict.fromkeys((one.coverage_id, one.ends_on, one.stage) for one in wanted))
    known: set[Due] = set()
    for at in range(0, len(stages), 200):
        key = tuple_(Reminder.coverage_id, Reminder.ends_on, Reminder.stage)
        query = select(Reminder.coverage_id, Reminder.ends_on, Reminder.stage, Reminder.user_id)
        known |= {Due(*row) for row in session.execute(query.where(key.in_(stages[at : at + 200])))}
    return [one for one in wanted if one not in known]


def _live(session: Session, today: date) -> Sequence[AnyRow]:
    speaking = or_(Coverage.silent_until.is_(None), Coverage.silent_until <= today)
    return session.execute(_LIVE.where(Coverage.ends_on <= today + timedelta(days=SOON), speaking)).all()


def _readers(session: Session, bodies: set[int | None]) -> Mapping[tuple[str, int], list[int]]:
    """Ids of the people who may have to be told: by part and organisation."""
    query = select(Membership.user_id, Membership.organisation_id, Membership.role).where(
        or_(Membership.organisation_id.in_(body for body in bodies if body is not None), Membership.role == "admin")
    )
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for user_id, body_id, role in session.execute(query.order_by(Membership.user_id)):
        found["all", body_id].append(user_id)
        if role == "manager":
            found["manager", body_id].append(user_id)
        if role == "admin":
            found["admin", 0].append(user_id)
    return found


# Whoever wins the row writes the letter: a second worker waits here for the first, then finds it done.
_CLAIM = {
    name: dialect.insert(Reminder)
    .on_conflict_do_nothing(index_elements=["coverage_id", "ends_on", "stage", "user_id"])
    .returning(Reminder.coverage_id, Reminder.ends_on, Reminder.stage, Reminder.user_id)
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}


def write(session: Session, now: datetime, today: date) -> dict[str, int]:
    """Note who is told of what, and post one letter a reader."""
    wanted = due(session, today)
    won = _claim(session, wanted, now) if wanted else set()
    lines = _lines(session, {one.coverage_id for one in won}, today) if won else {}
    by_reader: dict[int, list[Due]] = defaultdict(list)
    for one in wanted:  # in its order, which is that of urgency
        if one in won:
            by_reader[one.user_id].append(one)
    people = select(User).options(selectinload(User.memberships)).where(User.id.in_(by_reader))
    readers = {user.id: user for user in session.scalars(people)}
    for user_id, told in sorted(by_reader.items()):
        _post(session, readers[user_id], told, [lines[one.coverage_id] for one in told], now, today)
    return {"reminders": len(won), "reminder_letters": len(by_reader)}


def _claim(session: Session, wanted: Sequence[Due], now: datetime) -> set[Due]:
    """Those nobody else told meanwhile. Sorted: two workers ask for the same rows in the same order."""
    rows = [
        {"coverage_id": one.coverage_id, "ends_on": one.ends_on, "stage": one.stage, "user_id": one.user_id, "at": now}
        for one in sorted(wanted, key=lambda one: (one.coverage_id, one.user_id))
    ]
    connection = session.connection()
    return {Due(*row) for row in connection.execute(_CLAIM[connection.dialect.name], rows)}


def _lines(session: Session, ids: set[int], today: date) -> dict[int, dict[str, Any]]:
    """What a letter says of each deadline."""
    covered: dict[int, list[str]] = defaultdict(list)
    query = (
        select(CoverageResource.coverage_id, Resource.name)
        .join(Resource, Resource.id == CoverageResource.resource_id)
        .where(CoverageResource.coverage_id.in_(ids))
    )
    for coverage_id, name in session.execute(query.order_by(Resource.code)):
        covered[coverage_id].append(name)
    return {
        row.id: {
            "id": row.id,
            "kind": row.kind,
            "body": row.body,
            "contract": row.contract_number,
            "holder": row.holder,
            "house_id": row.house_id,
            "things": covered[row.id][:NAMED],
            "more": max(0, len(covered[row.id]) - NAMED),
            "ends_on": row.ends_on.isoformat(),
            "left": (row.ends_on - today).days,
        }
        for row in session.execute(_LIVE.where(Coverage.id.in_(ids)))
    }


def _post(
    session: Session, reader: User, told: Sequence[Due], lines: Sequence[dict[str, Any]], now: datetime, today: date
) -> None:
    """One letter with all that is due for one reader; its key is what it tells, so that it is written once."""
    staff = {own.organisation_id for own in reader.memberships if own.role != "member"}
    admin = any(own.role == "admin" for own in reader.memberships)
    said = [{**line, "may_renew": admin or line["house_id"] in staff} for line in lines]
    what = ";".join(f"{one.coverage_id}/{one.ends_on}/{one.stage}" for one in told)
    mark = hashlib.sha256(what.encode()).hexdigest()[:16]
    post(session, f"deadlines:{today}:{mark}", "deadlines", [directory.reader(reader)], {"lines": said}, now)
