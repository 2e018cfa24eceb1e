"""Changing or ending a series: one date, from one on, or all; what would happen is shown first, then done at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan, require
from sharebank.core.period import Period, to_local
from sharebank.reservations import hooks
from sharebank.reservations.booking import new_ref
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine, Series, SeriesDate
from sharebank.reservations.series.series_advice import advise
from sharebank.reservations.series.series_booking import pick
from sharebank.reservations.series.series_judging import Date
from sharebank.reservations.series.series_letters import tell, tell_parties
from sharebank.reservations.series.series_preparing import (
    Change,
    NothingToChange,
    Wished,
    open_ended,
    open_loans,
    prepare,
    retimed_plan,
    within,
)
from sharebank.reservations.series.series_reading import locked_series, series_of_ref
from sharebank.reservations.series.series_rows import Terms, keep, lines_of, store
from sharebank.reservations.series.series_rules import dates_of


def preview_change(
    session: Session, actor: Actor, ref: str, wished: Wished, now: datetime, tz: ZoneInfo
) -> tuple[Series, Change]:
    """What would happen, date by date; raises NotFound, NotAllowed, NothingToChange."""
    series = series_of_ref(session, actor, ref)
    found = prepare(session, actor, series, wished, now, tz)
    advise(session, found.preview, found.wants, now, tz)
    return series, found


def change(
    session: Session,
    actor: Actor,
    ref: str,
    wished: Wished,
    chosen: Collection[str] | None,
    now: datetime,
    tz: ZoneInfo,
) -> Series:
    """Do it for the dates chosen (all by default), all or none; the others stay as they are.

    Raises a Collision that says which dates cannot be as wished. What a borrower changes is asked for again.
    """
    series = locked_series(session, actor, ref)
    found = prepare(session, actor, series, wished, now, tz, lock=True)
    keys = {one.key for one in found.preview.dates if one.state != "holiday"} if chosen is None else set(chosen)
    taken = {id(one) for one in pick(found.preview.dates, keys)} if found.preview.dates else set()
    moved = [entry for entry in found.moved if id(entry[0]) in taken]
    added = [one for one in found.added if id(one) in taken]
    if not (moved or added or found.dropped):
        raise NothingToChange
    target = _target(session, series, wished, found, now, tz) if wished.scope != "one" else series
    _move(session, actor, target, found, moved, now)
    _give_up(session, actor, found.dropped, "", now)
    status = "approved" if found.preview.own else "requested"
    made = store(session, target, added, found.preview.things, Terms(status, actor.user_id), now, tz)
    keep(session, target, found.added, made)
    periods = sorted(one.period for one in (*(entry[0] for entry in moved), *added) if one.period)
    again = not found.preview.own
    tell_parties(session, actor, target, "changed", periods, now)
    if again and periods:
        tell(session, actor, target, "to_decide", directory.managers(session, target.lender_id), periods, now)
    return target


def cancel(session: Session, actor: Actor, ref: str, scope: str, at: int | None, why: str, now: datetime) -> Series:
    """Give up one date, those from one on, or all that are to come; one letter. Raises NotFound, NothingToChange."""
    series = locked_series(session, actor, ref)
    require(may_loan(actor, "cancel", series))
    reach = within(series, Wished(scope, at))
    loans = open_loans(session, reach, now)
    dropped = [(row, loans[row.reservation_id]) for row in reach if row.reservation_id in loans]
    if not dropped:
        raise NothingToChange
    _give_up(session, actor, dropped, why.strip(), now)
    end_if_over(session, series, now)
    periods = [Period(loan.starts_at, loan.ends_at) for _, loan in dropped]
    tell_parties(session, actor, series, "cancelled", periods, now, why.strip())
    return series


# -- doing it --------------------------------------------------------------------------------------


def _target(session: Session, series: Series, wished: Wished, found: Change, now: datetime, tz: ZoneInfo) -> Series:
    """The series whose rule says what the dates are from now on: itself, or one that goes on from it.

    What was before keeps its rule, so that each series says what its dates are; the first one then ends.
    """
    reach = within(series, wished)
    ahead = [row for row in reach if row.starts_at > now] or reach
    before = [row for row in series.dates if row.starts_at < ahead[0].starts_at] if ahead else []
    until = wished.until or series.until or (to_local(series.dates[-1].starts_at, tz).date())
    first, last = retimed_plan(series, wished)
    times = (f"{first:%Y-%m-%dT%H:%M}", f"{last:%Y-%m-%dT%H:%M}")
    same = times == (series.first_start, series.first_end) and found.wants == series.wants
    if same or not before:
        series.first_start, series.first_end = times
        series.wants = found.wants
        if wished.until:
            series.until, series.rule = wished.until, open_ended(series.rule).text
        series.status = "active"
        session.flush()
        return series
    day = to_local(ahead[0].starts_at, tz).date()
    shift = day - first.date()
    after = Series(
        ref="S" + new_ref(now, tz)[1:],
        rule=open_ended(series.rule).text,
        first_start=f"{first + shift:%Y-%m-%dT%H:%M}",
        first_end=f"{last + shift:%Y-%m-%dT%H:%M}",
        until=until,
        wants=found.wants,
        status="active",
        created_at=now,
        follows_id=series.id,
        asked_at=series.asked_at,
        **{name: getattr(series, name) for name in _SAME},
    )
    session.add(after)
    session.flush()
    ids = [row.id for row in series.dates if row.starts_at >= ahead[0].starts_at]
    loans = [row.reservation_id for row in series.dates if row.id in set(ids) and row.reservation_id]
    session.execute(update(SeriesDate).where(SeriesDate.id.in_(ids)).values(series_id=after.id))
    session.execute(update(Reservation).where(Reservation.id.in_(loans)).values(series_id=after.id))
    series.until, series.rule = to_local(before[-1].starts_at, tz).date(), open_ended(series.rule).text
    session.flush()
    session.expire(series, ["dates"])
    return after


_SAME = ("purpose", "lender_id", "borrower_id", "user_id", "zone", "skip", "public", "headcount", "details")


def _move(
    session: Session,
    actor: Actor,
    series: Series,
    found: Change,
    moved: Sequence[tuple[Date, SeriesDate, Reservation]],
    now: datetime,
) -> None:
    """Lines go first and come back last: while reservations move none stands in another's way."""
    if not moved and not found.rest:
        return
    ids = [loan.id for _, _, loan in moved]
    session.execute(delete(ReservationLine).where(ReservationLine.reservation_id.in_(ids)))
    for one, row, loan in moved:
        assert one.period is not None
        loan.starts_at, loan.ends_at = row.starts_at, row.ends_at = one.period.start, one.period.end
        if not found.preview.own:
            loan.status = "requested"
        loan.events.append(ReservationEvent(at=now, user_id=actor.user_id, status=loan.status, why=""))
    for row in found.rest:
        _retime_rest(series, row)
    session.flush()
    lines = [line for one, _, loan in moved for line in lines_of(one, loan.id, found.preview.things, found.wants)]
    if lines:
        session.connection().execute(insert(ReservationLine.__table__), lines)  # type: ignore[arg-type]
    for _, _, loan in moved:
        session.expire(loan, ["lines"])
        hooks.changed(session, actor, loan, "move", now)


def _retime_rest(series: Series, row: SeriesDate) -> None:
    """A date that is not booked takes the new hours, so that it is tried again at these."""
    tz = ZoneInfo(series.zone)
    first, last = datetime.fromisoformat(series.first_start), datetime.fromisoformat(series.first_end)
    start = datetime.combine(to_local(row.starts_at, tz).date(), first.time())
    found = dates_of([(start, start + (last - first))], tz)[0]
    if found.period and row.state != "no_such_time":
        row.starts_at, row.ends_at = found.period.start, found.period.end


def _give_up(
    session: Session,
    actor: Actor | None,
    dropped: Sequence[tuple[SeriesDate, Reservation]],
    why: str,
    now: datetime,
) -> None:
    for row, loan in dropped:
        loan.status = row.state = "cancelled"
        loan.events.append(ReservationEvent(at=now, user_id=actor and actor.user_id, status="cancelled", why=why))
    session.flush()
    for _, loan in dropped:
        hooks.changed(session, actor, loan, "cancel", now)


def release(session: Session, series: Series, now: datetime) -> list[Period]:
    """Give up all that is to come because nobody said that it is needed; the periods that are free again."""
    loans = open_loans(session, series.dates, now)
    dropped = [(row, loans[row.reservation_id]) for row in series.dates if row.reservation_id in loans]
    _give_up(session, None, dropped, "", now)
    series.release_at, series.status = None, "ended"
    return [Period(loan.starts_at, loan.ends_at) for _, loan in dropped]


def end_if_over(session: Session, series: Series, now: datetime) -> None:
    """A series with nothing left to come is over."""
    if not open_loans(session, series.dates, now):
        series.status, series.release_at = "ended", None
