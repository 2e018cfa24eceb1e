"""Loading the demonstration into an empty database."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sharebank.accounts.models import Membership, Organisation, User
from sharebank.accounts.signin import HASHER
from sharebank.core.errors import N_, Refused
from sharebank.core.models import Fact
from sharebank.core.period import to_local
from sharebank.demo.calendar import moved_attributes, moved_day, moved_period, moved_rule, weeks_since
from sharebank.demo.orders import load_orders
from sharebank.exchange import import_bytes
from sharebank.insurance.models import SeenPaper

FOLDER = Path(__file__).parent
PASSWORD = "sharebank-demo"  # noqa: S105 - everybody may know it: nothing here is real
ROLES = ("admin", "manager", "staff", "member")


class NotEmpty(Refused):
    """Invented loans among real ones would be a calamity."""

    status = 409
    code = "not_empty"
    sentence = N_("There is data in this database already: the demonstration is loaded into an empty one only.")


def _move_organisation(row: dict[str, str], weeks: int, _tz: ZoneInfo) -> None:
    for column in ("liability_expires_on", "member_since"):
        row[column] = moved_day(row[column], weeks)


def _move_resource(row: dict[str, str], weeks: int, _tz: ZoneInfo) -> None:
    row["attributes"] = moved_attributes(row["attributes"], weeks)


def _move_reservation(row: dict[str, str], weeks: int, tz: ZoneInfo) -> None:
    row["starts_at"], row["ends_at"] = moved_period(row["starts_at"], row["ends_at"], weeks, tz)


def _move_series(row: dict[str, str], weeks: int, tz: ZoneInfo) -> None:
    row["first_start"], row["first_end"] = moved_period(row["first_start"], row["first_end"], weeks, tz)
    row["until"], row["rrule"] = moved_day(row["until"], weeks), moved_rule(row["rrule"], weeks, tz)


def _move_deadline(row: dict[str, str], weeks: int, _tz: ZoneInfo) -> None:
    row["starts_on"], row["ends_on"] = moved_day(row["starts_on"], weeks), moved_day(row["ends_on"], weeks)


def _stay(_row: dict[str, str], _weeks: int, _tz: ZoneInfo) -> None:
    """Nothing in it has a date."""


# In the order in which they build on each other.
FILES: dict[str, tuple[str, Callable[[dict[str, str], int, ZoneInfo], None]]] = {
    "houses": ("houses.csv", _stay),
    "rule-sets": ("rule_sets.csv", _stay),
    "organisations": ("organisations.csv", _move_organisation),
    "users": ("users.csv", _stay),
    "resources": ("resources.csv", _move_resource),
    "reservations": ("reservations.csv", _move_reservation),
    "series": ("series.csv", _move_series),
    "insurance": ("insurance.csv", _move_deadline),
}

# What houses elsewhere ask: more rule sets, of which some things are lent by; and what three of ours want signed, which
# their own columns cannot say.
MORE = {"rule-sets": ("rule_sets_field.csv", "rule_sets_agreements.csv")}


def files() -> Iterator[tuple[str, Path, Callable[[dict[str, str], int, ZoneInfo], None]]]:
    """Kind and file, in the order in which they build on each other, and how the dates of its rows move."""
    for kind, (file, move) in FILES.items():
        yield kind, FOLDER / file, move
        for more in MORE.get(kind, ()):
            yield kind, FOLDER / more, move


def is_empty(session: Session) -> bool:
    """May the demonstration be loaded here?"""
    return session.scalar(select(Organisation.id).limit(1)) is None


def load(session: Session, now: datetime, tz: ZoneInfo, *, all_open: bool = False) -> dict[str, Any]:
    """Load every file with its dates moved to now, and say who may sign in; raises NotEmpty.

    `{"password", "weeks", "people": [{"email", "role", "organisation"}]}`, which the fact `demo` keeps as JSON.
    With `all_open` every group order still takes pledges.
    """
    if not is_empty(session):
        raise NotEmpty
    weeks = weeks_since(to_local(now, tz).date())
    for kind, path, move in files():
        import_bytes(session, kind, path.name, _moved(path, move, weeks, tz), now, tz)
    _note_papers(session, weeks)
    load_orders(session, now, weeks, tz, all_open=all_open)
    session.execute(update(User).values(password_hash=HASHER.hash(PASSWORD)))
    demo = {"password": PASSWORD, "weeks": weeks, "people": [_first(session, role) for role in ROLES]}
    session.add(Fact(name="demo", value=json.dumps(demo)))
    session.flush()
    return demo


def _note_papers(session: Session, weeks: int) -> None:
    """Documents that structures have shown; nobody has a file of those to import."""
    bodies = {row.code: row.id for row in session.execute(select(Organisation.code, Organisation.id))}
    people = {row.email: row.id for row in session.execute(select(User.email, User.id))}
    with (FOLDER / "papers.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            until, seen_on = (moved_day(row[column], weeks) for column in ("valid_until", "seen_on"))
            line = SeenPaper(organisation_id=bodies[row["organisation"]], kind=row["kind"], note=row["note"])
            line.valid_until = date.fromisoformat(until) if until else None
            line.seen_on, line.seen_by_id = date.fromisoformat(seen_on), people[row["seen_by"]]
            session.add(line)


def _moved(path: Path, move: Callable[[dict[str, str], int, ZoneInfo], None], weeks: int, tz: ZoneInfo) -> bytes:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        move(row, weeks, tz)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _first(session: Session, role: str) -> dict[str, str]:
    query = (
        select(User.email, Organisation.name)
        .join(Membership, Membership.user_id == User.id)
        .join(Organisation, Organisation.id == Membership.organisation_id)
        .where(Membership.role == role)
        .order_by(Membership.id)
        .limit(1)
    )
    email, organisation = session.execute(query).one()
    return {"email": email, "role": role, "organisation": organisation}
