"""Is it still needed? Asked at the start of each school term; what nobody answers for is free for others again."""

from __future__ import annotations

import secrets
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts import directory
from sharebank.accounts.web import hash_token
from sharebank.core.errors import N_, Refused
from sharebank.core.period import Period, first_instant, to_local
from sharebank.lending.calendar import french
from sharebank.reservations.models import Reservation, Series
from sharebank.reservations.series.series import DEFAULT_ZONE
from sharebank.reservations.series.series_changes import release
from sharebank.reservations.series.series_letters import tell, tell_parties
from sharebank.reservations.series.series_reading import OPEN
from sharebank.reservations.series.series_terms import ANSWER_BY, YOUNG, term_begun
from sharebank.reservations.states import ANSWER_WITHIN


class QuestionGone(Refused):
    """No letter of ours holds this link, or another one has been written since."""

    status = 410
    code = "question_gone"
    sentence = N_("This link is too old or incomplete. Look at your series after signing in.")


def look_after(session: Session, now: datetime) -> dict[str, int]:
    """Ask about each series once a term, give up what nobody answered for, remind houses of series that wait."""
    did = {"series_asked": 0, "series_released": 0, "series_unanswered": 0}
    for series in _active(session):
        tz = ZoneInfo(series.zone)
        coming = _coming(session, series, now)
        if not coming:
            series.status, series.release_at = "ended", None
        elif series.release_at is not None and series.release_at <= now:
            did["series_released"] += _release(session, series, now)
        elif series.release_at is None and _due(series, coming, now, tz):
            did["series_asked"] += _ask(session, series, coming, now)
        did["series_unanswered"] += _remind(session, series, coming, now)
    return did


def _active(session: Session) -> list[Series]:
    query = select(Series).where(Series.status == "active").order_by(Series.id).with_for_update(of=Series)
    whole = query.options(joinedload(Series.lender, innerjoin=True), joinedload(Series.borrower, innerjoin=True))
    return list(session.scalars(whole.execution_options(populate_existing=True)))


def _coming(session: Session, series: Series, now: datetime) -> list[tuple[Period, str]]:
    query = (
        select(Reservation.starts_at, Reservation.ends_at, Reservation.status)
        .where(Reservation.series_id == series.id, Reservation.starts_at > now, Reservation.status.in_(OPEN))
        .order_by(Reservation.starts_at)
    )
    return [(Period(row.starts_at, row.ends_at), row.status) for row in session.execute(query)]


def _due(series: Series, coming: list[tuple[Period, str]], now: datetime, tz: ZoneInfo) -> bool:
    """Has a term begun since it was last asked about, and is there something to give up after the answer?"""
    today = to_local(now, tz).date()
    begun = first_instant(term_begun(french(series.lender.school_zone or DEFAULT_ZONE), today), tz)
    asked = series.asked_at or series.created_at + YOUNG
    return asked < begun and coming[-1][0].start > now + ANSWER_BY


def _ask(session: Session, series: Series, coming: list[tuple[Period, str]], now: datetime) -> int:
    secret = secrets.token_urlsafe(32)
    series.asked_at, series.release_at, series.answer_hash = now, now + ANSWER_BY, hash_token(secret)
    session.flush()
    facts = {"secret": secret, "release_at": series.release_at.isoformat()}
    tell(session, None, series, "needed", [directory.reader(series.user)], [each for each, _ in coming], now, **facts)
    return 1


def _release(session: Session, series: Series, now: datetime) -> int:
    periods = release(session, series, now)
    tell_parties(session, None, series, "released", periods, now)
    return 1


def _remind(session: Session, series: Series, coming: list[tuple[Period, str]], now: datetime) -> int:
    """The managers read once that a whole series waits for them."""
    waiting = [period for period, status in coming if status == "requested"]
    asked = session.scalar(
        select(func.min(Reservation.created_at)).where(
            Reservation.series_id == series.id, Reservation.status == "requested"
        )
    )
    if not waiting or asked is None or asked > now - ANSWER_WITHIN:
        return 0
    managers = directory.managers(session, series.lender_id)
    return tell(session, None, series, "unanswered", managers, waiting, now, stage=f"{asked:%Y%m%d%H%M%S}")


def asked_by(session: Session, token: str) -> Series:
    """The series a letter asked about; reading it changes nothing. Raises QuestionGone."""
    whole = select(Series).options(joinedload(Series.lender), joinedload(Series.borrower), joinedload(Series.user))
    query = whole.where(Series.answer_hash == hash_token(token)).execution_options(populate_existing=True)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise QuestionGone
    return found


def answer(session: Session, token: str, needed: bool, now: datetime) -> None:
    """Keep it for this term, or give up all that is to come; the first answer counts. Raises QuestionGone."""
    series = asked_by(session, token)
    session.execute(select(Series.id).where(Series.id == series.id).with_for_update())
    session.refresh(series)
    if series.release_at is None:
        return
    series.release_at = None
    session.flush()
    if not needed:
        reader = directory.actor_of_email(session, series.user.email)
        tell_parties(session, reader, series, "cancelled", release(session, series, now), now)
