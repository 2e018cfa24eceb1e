"""Series in files: one rule a row, read with all that it names, and written back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from sharebank.accounts.models import Membership, Organisation, User
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.errors import N_, Refused
from sharebank.core.period import to_local
from sharebank.exchange import cells
from sharebank.exchange.columns import Column, Desk, Kind, Row, Write
from sharebank.exchange.naming import PEOPLE, STRUCTURES, THINGS
from sharebank.exchange.refusals import DuplicateRow, UnknownStructure, UnknownUser, short
from sharebank.exchange.series_storing import Repeated, write
from sharebank.lending.calendar import french
from sharebank.reservations.models import Series, SeriesDate
from sharebank.reservations.rules import UnknownResource
from sharebank.reservations.series.series import DEFAULT_ZONE, OneHouse
from sharebank.reservations.series.series_judging import Date
from sharebank.reservations.series.series_rules import MOST, SKIPS, Plan, expand, read_rule


class OtherCount(Refused):
    """The rule gives another number of dates than the file says."""

    code = "other_count"
    sentence = N_("The rule gives %(found)s dates, and the file says %(expected)s.")


class NoPerson(Refused):
    """Somebody must have asked for it."""

    code = "no_person"
    sentence = N_("“%(value)s” has nobody who could have asked for it: name a person in user_email.")


class ListsDiffer(Refused):
    """As many quantities as things."""

    code = "lists_differ"
    sentence = N_("Write one quantity for each thing, “;” between them.")


_WALL = cells.Cell(lambda cell: _wall(cells.MOMENT.read(cell)))
_RULE = cells.Cell(read_rule)
_LIST = cells.Cell(lambda cell: [part.strip() for part in cell.split(";") if part.strip()], ";".join)
_QUANTITIES = cells.Cell(lambda cell: [cells.QUANTITY.read(part.strip()) for part in cell.split(";")])
_DAYS = cells.Cell(lambda cell: {cells.DAY.read(part.strip()) for part in cell.split(";") if part.strip()})
_COLUMNS = (
    Column("title", cells.text(300)),
    Column("resource_code", _LIST),
    Column("organisation", cells.text(20)),
    Column("rrule", _RULE),
    Column("first_start", _WALL),
    Column("first_end", _WALL),
    Column("until", cells.DAY, None, header=True),
    Column("skip", cells.choice(*SKIPS), "none", header=True),
    Column("expected_count", cells.whole(0, MOST), None, header=True),
    Column("quantity", _QUANTITIES, None, extra=True),
    Column("user_email", cells.LOWER, None, extra=True),
    Column("left_out", _DAYS, frozenset(), extra=True),
    Column("public", cells.choice("yes", "no"), "no", extra=True),
)


def _wall(moment: datetime) -> datetime:
    return to_local(moment, ZoneInfo("Europe/Paris")) if moment.tzinfo else moment


_FIELDS = {"until": "until", "starts_at": "first_start", "ends_at": "first_end"}
"""The column a refusal's field stands in."""
_BODIES = select(Organisation.id, Organisation.code, Organisation.house_id).where(
    Organisation.code.in_(bindparam("codes", expanding=True))
)
_PEOPLE = (
    select(User.id, User.email, Membership.organisation_id)
    .join(Membership, Membership.user_id == User.id)
    .join(Organisation, Organisation.id == Membership.organisation_id)
    .where(Organisation.code.in_(bindparam("codes", expanding=True)))
    .order_by(Membership.id)
)
_BY_EMAIL = select(User.id, User.email).where(User.email.in_(bindparam("emails", expanding=True)))


def _check(desk: Desk, rows: Sequence[Row]) -> Write:
    codes = {code for row in rows for code in row["resource_code"]}
    things = catalog.things_by_code(desk.session, codes)
    bodies = {body.code: body for body in desk.find(_BODIES, "codes", (row["organisation"] for row in rows))}
    people: dict[int, int] = {}
    for found in desk.find(_PEOPLE, "codes", (row["organisation"] for row in rows)):
        people.setdefault(found.organisation_id, found.id)
    emails = (row["user_email"] for row in rows if row.get("user_email"))
    by_email = {found.email: found.id for found in desk.find(_BY_EMAIL, "emails", emails)}
    read = [one for row in rows if (one := _read(desk, row, things, bodies, people, by_email))]
    stored = {_key_of(series) for series in desk.session.scalars(select(Series))}
    fresh: list[Repeated] = []
    seen = dict[tuple[Any, ...], int]()
    for one in read:
        if one.key in seen:
            desk.refuse(one.row, "title", DuplicateRow(value=short(one.row["title"]), line=seen[one.key]))
        seen[one.key] = one.row.line
        if one.key not in stored:
            fresh.append(one)
    return lambda: write(desk, fresh)


def _key_of(series: Series) -> tuple[Any, ...]:
    return (series.purpose, series.borrower_id, tuple(sorted(series.wants.items())), series.rule, series.first_start)


def _read(
    desk: Desk,
    row: Row,
    things: Mapping[str, Thing],
    bodies: Mapping[str, Any],
    people: Mapping[int, int],
    by_email: Mapping[str, int],
) -> Repeated | None:
    """A row with all that it names and its dates, or nothing when something is wrong with it."""
    before = len(desk.problems)
    codes, body, email = row["resource_code"], bodies.get(row["organisation"]), row.get("user_email")
    unknown = [code for code in codes if code not in things]
    if unknown or not codes:
        desk.refuse(row, "resource_code", UnknownResource(value=short(unknown[0] if unknown else "")))
    elif len({things[code].house_id for code in codes}) > 1:
        desk.refuse(row, "resource_code", OneHouse())
    quantities = row.get("quantity") or [1] * len(codes)
    if len(quantities) != len(codes):
        desk.refuse(row, "quantity", ListsDiffer())
    if body is None:
        desk.refuse(row, "organisation", UnknownStructure(value=short(row["organisation"])))
    user_id = by_email.get(email) if email else people.get(body.id) if body else None
    if email and user_id is None:
        desk.refuse(row, "user_email", UnknownUser(value=short(email)))
    elif user_id is None and body is not None:
        desk.refuse(row, "organisation", NoPerson(value=row["organisation"]))
    if len(desk.problems) > before or user_id is None:
        return None
    own = [things[code] for code in codes]
    plan = Plan(row["first_start"], row["first_end"], row["rrule"], row.get("until"), row.get("skip", "none"))
    try:
        found = expand(plan, desk.tz, french(own[0].school_zone or DEFAULT_ZONE))
    except Refused as refusal:
        column = {"until": "until", "starts_at": "first_start", "ends_at": "first_end"}.get(
            refusal.field or "", "rrule"
        )
        desk.refuse(row, column, refusal)
        return None
    dates = [_date(one, row.get("left_out", ())) for one in found]
    held = sum(one.state in ("free", "skipped") for one in dates)
    expected = row.get("expected_count")
    if expected is not None and held != expected:
        desk.refuse(row, "expected_count", OtherCount(found=held, expected=expected))
        return None
    return Repeated(row, own, dict(zip(codes, quantities, strict=True)), body, user_id, plan, dates)


def _date(one: Any, left_out: Any) -> Date:
    date = Date(one.start, one.end, one.period, holiday=one.holiday)
    if one.period is None:
        date.state, date.bookable = "no_such_time", False
    elif one.holiday:
        date.state, date.bookable = "holiday", False
    elif one.start.date() in left_out:
        date.state, date.bookable = "skipped", False
    return date


def _fetch(session: Session, tz: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    organisation = {row.id: row.code for row in session.execute(select(Organisation.id, Organisation.code))}
    people = {row.id: row.email for row in session.execute(select(User.id, User.email))}
    left: dict[int, list[str]] = {}
    gone = select(SeriesDate.series_id, SeriesDate.starts_at).where(SeriesDate.state == "skipped")
    for series_id, at in session.execute(gone.order_by(SeriesDate.starts_at)):
        left.setdefault(series_id, []).append(to_local(at, tz).date().isoformat())
    for series in session.scalars(select(Series).order_by(Series.id)):
        units = list(series.wants.values())
        yield {
            "title": series.purpose,
            "resource_code": list(series.wants),
            "organisation": organisation[series.borrower_id],
            "rrule": series.rule,
            "first_start": series.first_start,
            "first_end": series.first_end,
            "until": series.until,
            "skip": series.skip,
            "expected_count": None,
            "quantity": ";".join(map(str, units)) if units != [1] * len(units) else "",
            "user_email": people[series.user_id],
            "left_out": ";".join(left.get(series.id, ())),
            "public": "yes" if series.public else "",
        }


SERIES = Kind(_COLUMNS, (), _check, _fetch, {"resource_code": THINGS, "organisation": STRUCTURES, "user_email": PEOPLE})
