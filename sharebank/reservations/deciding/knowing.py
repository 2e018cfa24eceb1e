"""What is known of those who asked for loans that stand; of many loans in as many queries as of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, distinct, func, literal, select
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.service import Thing
from sharebank.core.period import first_instant, to_local
from sharebank.insurance import drivers as register
from sharebank.insurance import papers
from sharebank.reservations.asking import COUNTED, Details, Known
from sharebank.reservations.models import Reservation, ReservationLine

Things = Sequence[Thing]
_loan, _line = Reservation.__table__.c, ReservationLine.__table__.c


def known_of(
    session: Session, loans: Collection[tuple[Any, Things]], tz: ZoneInfo
) -> Mapping[int, tuple[Known, Details]]:
    """By loan: its borrower with what the rules of its things want known of them, and what was said in asking for it.

    Only what some rule or loan wants is looked up, as on the day it was asked for (`asking.look_up`).
    """
    needs = {loan.id: {need for thing in things for need in thing.terms.needs} for loan, things in loans}
    bodies = directory.organisations_of(session, {loan.borrower_id for loan, _ in loans})
    drive = {loan.borrower_id for loan, _ in loans if loan.details.get("drivers") or loan.details.get("named")}
    drivers = register.known_of(session, drive)
    show = {loan.borrower_id for loan, _ in loans if "papers" in needs[loan.id]}
    shown = papers.papers_of_all(session, show)
    counted = [(loan, things) for loan, things in loans if "history" in needs[loan.id]]
    counts = _histories(session, counted, tz)
    found = {}
    for loan, _ in loans:
        own = drivers.get(loan.borrower_id, ())
        details = read_details(loan, own)
        by_name = {one.name.casefold(): one for one in own} if "drivers" in needs[loan.id] and details.drivers else {}
        seen = shown.get(loan.borrower_id, ()) if "papers" in needs[loan.id] else ()
        found[loan.id] = Known(bodies[loan.borrower_id], counts.get(loan.id, {}), by_name, seen), details
    return found


def read_details(loan: Any, own: Sequence[register.KnownDriver]) -> Details:
    """What was said when it was asked for, read back from what was kept; `own` are the drivers of its borrower."""
    kept = loan.details
    ids = set(kept.get("drivers", ()))
    collect_at, return_at = (
        datetime.fromisoformat(kept[name]) if kept.get(name) else None for name in ("collect_at", "return_at")
    )
    return Details(
        headcount=loan.headcount,
        distance_km=kept.get("distance_km"),
        drivers=(*kept.get("named", ()), *(one.name for one in own if one.id in ids)),
        collect_at=collect_at,
        return_at=return_at,
        options=tuple(kept.get("options", ())),
        letter=bool(kept.get("letter")),
    )


def _histories(
    session: Session, loans: Collection[tuple[Any, Things]], tz: ZoneInfo
) -> Mapping[int, Mapping[str, int]]:
    """By loan, how many others its borrower has in the calendar year of its start, by rule set."""
    if not loans:
        return {}
    years = {loan.id: to_local(loan.starts_at, tz).year for loan, _ in loans}
    spans = {}
    for year in set(years.values()):
        first = to_local(next(loan.starts_at for loan, _ in loans if years[loan.id] == year), tz).date()
        first = first.replace(month=1, day=1)
        spans[year] = first_instant(first, tz), first_instant(first.replace(year=year + 1), tz)
    within = [and_(_loan.starts_at >= since, _loan.starts_at < until) for since, until in spans.values()]
    which = case(*((span, literal(year)) for year, span in zip(spans, within, strict=True)))
    each = (
        select(_loan.id, _loan.borrower_id, which.label("year"), RuleSet.name.label("rules"))
        .join_from(Reservation.__table__, ReservationLine.__table__, _line.reservation_id == _loan.id)
        .join(Resource, Resource.id == _line.resource_id)
        .join(RuleSet, RuleSet.id == Resource.rule_set_id)
        .where(_loan.borrower_id.in_({loan.borrower_id for loan, _ in loans}), _loan.kind == "loan")
        .where(_loan.status.in_(COUNTED), _loan.starts_at >= min(spans.values())[0])
        .subquery()
        .c
    )
    query = (
        select(each.borrower_id, each.year, each.rules, func.count(distinct(each.id)))
        .where(each.year.is_not(None))
        .group_by(each.borrower_id, each.year, each.rules)
    )
    counts: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for borrower_id, year, rules, many in session.execute(query):
        counts[borrower_id, year][rules] = many
    found = {}
    for loan, things in loans:
        own = {thing.rules for thing in things} if loan.kind == "loan" and loan.status in COUNTED else set()
        all_of_them = counts[loan.borrower_id, years[loan.id]]
        # It is no history of its own.
        found[loan.id] = {rules: many - (rules in own) for rules, many in all_of_them.items()}
    return found
