"""The gate: nothing is lent past the end of its insurance, nor handed over without the certificate asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import may_house
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core.period import Period
from sharebank.insurance.rules import LIABILITY, Lapse, overrule
from sharebank.insurance.service import lapses_within
from sharebank.reservations.models import Reservation

GATED = ("approve", "collect")
"""Acts that let a loan go on; whoever declines or takes back is not asked for papers."""


def check_ask(
    session: Session,
    actor: Actor,
    things: Sequence[Thing],
    at_once: Mapping[int, bool],
    borrower: Role,
    period: Period,
    tz: ZoneInfo,
    reason: str,
) -> dict[int, str]:
    """Before booking: what was overruled, by house. Raises InsuranceLapses, CertificateMissing.

    Without a certificate one may ask, and the request is kept; what is booked at once needs it at once.
    """
    needs_papers = any(at_once[thing.house_id] for thing in things)
    found = lapses_within(session, things, borrower.organisation_id if needs_papers else None, period, tz)
    lapses = [lapse for lapse in found if lapse.kind != LIABILITY or at_once[lapse.house_id]]
    return _overrule(actor, lapses, borrower.name, reason)


def check_act(
    session: Session, actor: Actor, loan: Reservation, act: str, now: datetime, tz: ZoneInfo, reason: str
) -> str:
    """Before a loan goes on: what was overruled, empty when nothing. Raises InsuranceLapses, CertificateMissing."""
    if act not in GATED or loan.kind != "loan":
        return ""
    period = Period(loan.starts_at, loan.ends_at)
    if act == "collect" and now < loan.starts_at:
        period = Period(now, loan.ends_at)  # handed over before its time: out from now on
    things = list(catalog.things_by_id(session, [line.resource_id for line in loan.lines]).values())
    lapses = lapses_within(session, things, loan.borrower_id, period, tz)
    return _overrule(actor, lapses, loan.borrower.name, reason).get(loan.lender_id, "")


def _overrule(actor: Actor, lapses: Sequence[Lapse], borrower: str, reason: str) -> dict[int, str]:
    houses = {lapse.house_id for lapse in lapses}
    own = {house_id for house_id in houses if may_house(actor, "overrule_lapse", house_id)}
    return overrule(lapses, borrower, own, reason)
