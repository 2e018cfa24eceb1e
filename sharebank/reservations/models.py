"""Reservations, the lines that take time from resources, and the events of their life."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false, text, true
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
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[str] = mapped_column(String(10), default="loan")
    request: Mapped[str] = mapped_column(String(20), index=True)
    """Reservations asked for in one go carry the same word."""
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

    lender: Mapped[Organisation] = relationship(foreign_keys=[lender_id])
    borrower: Mapped[Organisation] = relationship(foreign_keys=[borrower_id])
    user: Mapped[User] = relationship()
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
        # One index answers for one resource, a hundred, or a year: equality on the resource, a bounded start.
        Index("ix_reservation_line_calendar", "resource_id", "starts_at", "ends_at", "holds", "quantity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id", ondelete="CASCADE"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"))
    quantity: Mapped[int]
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    holds: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Does it take units: requested, approved or collected."""
    exclusive: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Of a single thing; PostgreSQL's exclusion constraint looks at these."""

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
