"""Reservations, the lines that take time from resources, and the events of their life."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core.db import Base, Instant


class Reservation(Base):
    """One lender, one borrower, one period; a closure is a reservation whose borrower is the owner."""

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint("kind IN ('loan', 'closure')", name="kind"),
        CheckConstraint(
            "status IN ('requested', 'approved', 'collected', 'returned', 'declined', 'cancelled', 'expired')",
            name="status",
        ),
        CheckConstraint("starts_at < ends_at", name="period"),
        Index(None, "lender_id", "starts_at"),
        Index(None, "borrower_id", "starts_at"),
        Index(None, "user_id", "starts_at"),
        # What waits for somebody: few rows of a table that keeps all of history.
        Index(
            "ix_reservation_open",
            "status",
            "starts_at",
            sqlite_where=text("status IN ('requested', 'collected')"),
            postgresql_where=text("status IN ('requested', 'collected')"),
        ),
        # Few are one of several asked for together, or of a series: the others need no entry.
        Index(None, "request", sqlite_where=text("request <> ref"), postgresql_where=text("request <> ref")),
        Index(
            None,
            "series_id",
            sqlite_where=text("series_id IS NOT NULL"),
            postgresql_where=text("series_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[str] = mapped_column(String(10), default="loan")
    request: Mapped[str] = mapped_column(String(20))
    """Reservations asked for in one go carry the same word: the reference of the first."""
    lender_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    """Who asked."""
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    status: Mapped[str] = mapped_column(String(10))
    purpose: Mapped[str] = mapped_column(String(300))
    public: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)
    headcount: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    """What else the rules asked for: `distance_km`, `drivers` (ids), `options`, `collect_at`, `return_at`."""
    quote: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What it costs, frozen when it was asked for (`lending.prices.Quote` as JSON); none when free of charge."""
    lapses_at: Mapped[datetime | None] = mapped_column(Instant)
    """When a request nobody answered, or an offer nobody took, lets its slot go."""
    offered: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Held for somebody who has not said yes yet: from the waiting list, or another slot proposed by the house."""
    approved_once_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    """Who gave the first of two approvals."""
    signed_at: Mapped[datetime | None] = mapped_column(Instant)
    """When the agreement that covers it was signed."""
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"))
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often what calendars show of it changed; the database counts (migration 0009)."""

    lender: Mapped[Organisation] = relationship(foreign_keys=[lender_id])
    borrower: Mapped[Organisation] = relationship(foreign_keys=[borrower_id])
    user: Mapped[User] = relationship(foreign_keys=[user_id])
    lines: Mapped[list[ReservationLine]] = relationship(
        back_populates="reservation", cascade="all, delete-orphan", order_by="ReservationLine.id"
    )
    events: Mapped[list[ReservationEvent]] = relationship(
        back_populates="reservation", cascade="all, delete-orphan", order_by="ReservationEvent.id"
    )


class ReservationLine(Base):
    """`quantity` units of one resource, claimed over the reservation's period widened by the buffers.

    The database's guards (first migration) keep `holds` and `exclusive`, follow the reservation's state and
    period, and refuse whatever would take more units than there are, whoever writes.
    """

    __tablename__ = "reservation_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("starts_at < ends_at", name="period"),
        UniqueConstraint("reservation_id", "resource_id"),
        # One index answers for one resource, a hundred, or a year: equality on the resource, a bounded start. On
        # PostgreSQL the last three are only read along (migration 0012).
        Index("ix_reservation_line_calendar", "resource_id", "starts_at", "ends_at", "holds", "quantity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id", ondelete="CASCADE"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"))
    quantity: Mapped[int]
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    holds: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Does it take units: requested, approved or collected, and not back."""
    exclusive: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Of a single thing; PostgreSQL's exclusion constraint looks at these."""
    back: Mapped[bool] = mapped_column(default=False, server_default=false())
    """All of it came back while other lines are still out: it holds no more; `quantity` is what is still out."""

    reservation: Mapped[Reservation] = relationship(back_populates="lines")
    resource: Mapped[Resource] = relationship()


class ReservationEvent(Base):
    """One change of state: who, when, why."""

    __tablename__ = "reservation_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    status: Mapped[str] = mapped_column(String(10))
    why: Mapped[str] = mapped_column(Text, default="")

    reservation: Mapped[Reservation] = relationship(back_populates="events")
    user: Mapped[User | None] = relationship()


class Series(Base):
    """A reservation that repeats: wall time, zone and a rule; its occurrences are ordinary reservations."""

    __tablename__ = "series"
    __table_args__ = (
        CheckConstraint("skip IN ('none', 'school_holidays', 'public_holidays', 'both')", name="skip"),
        CheckConstraint("status IN ('active', 'ended')", name="status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(20), unique=True)
    purpose: Mapped[str] = mapped_column(String(300))
    lender_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    wants: Mapped[dict[str, int]] = mapped_column(JSON)
    """Units of each resource, by code."""
    rule: Mapped[str] = mapped_column(String(300))
    """RFC 5545 RRULE without its prefix."""
    zone: Mapped[str] = mapped_column(String(40))
    first_start: Mapped[str] = mapped_column(String(16))
    """Wall time `2026-12-31T18:30`, as the end."""
    first_end: Mapped[str] = mapped_column(String(16))
    until: Mapped[date | None]
    """Last local day, that day included."""
    skip: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(10), default="active")
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    """When it was last asked whether it is still needed."""
    release_at: Mapped[datetime | None] = mapped_column(Instant)
    """When its slots to come are let go unless somebody answers."""
    answer_hash: Mapped[str | None] = mapped_column(String(64))
    """Of the secret in the letter that asks."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    public: Mapped[bool] = mapped_column(default=False, server_default=false())
    headcount: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    """As of a reservation: what its dates are booked with, also those tried again later."""
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("series.id", ondelete="SET NULL"), index=True)
    """The series it goes on from: what is changed from one date on has a rule of its own."""

    lender: Mapped[Organisation] = relationship(foreign_keys=[lender_id])
    borrower: Mapped[Organisation] = relationship(foreign_keys=[borrower_id])
    user: Mapped[User] = relationship(foreign_keys=[user_id])
    dates: Mapped[list[SeriesDate]] = relationship(
        back_populates="series", cascade="all, delete-orphan", order_by="SeriesDate.starts_at"
    )

    @property
    def first_day(self) -> date:
        """The day of the first date."""
        return date.fromisoformat(self.first_start[:10])


class SeriesDate(Base):
    """One date of a series: booked as a reservation, or not yet, and why."""

    __tablename__ = "series_date"
    __table_args__ = (
        CheckConstraint(
            "state IN ('booked', 'conflict', 'closed', 'holiday', 'outside_hours', 'skipped', 'cancelled', "
            "'no_such_time')",
            name="state",
        ),
        UniqueConstraint("series_id", "starts_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(String(20))
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id", ondelete="SET NULL"), index=True)

    series: Mapped[Series] = relationship(back_populates="dates")
