"""Who waits for what, in the order they came; and the links by which a letter's reader decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core.db import Base, Instant
from sharebank.reservations.models import Reservation


class WaitingEntry(Base):
    """Somebody who wants things of one house at a time they are taken."""

    __tablename__ = "waiting_entry"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'offered', 'served', 'ended')", name="state"),
        CheckConstraint("starts_at < ends_at", name="period"),
        Index(None, "state", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lender_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    purpose: Mapped[str] = mapped_column(String(300))
    public: Mapped[bool] = mapped_column(default=False, server_default=false())
    headcount: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(Instant)
    """Its place in the line."""
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """`offered`: a reservation holds the slot for them; `served`: they took it; `ended`: they left or let it go."""
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id", ondelete="SET NULL"), index=True)

    lender: Mapped[Organisation] = relationship(foreign_keys=[lender_id])
    borrower: Mapped[Organisation] = relationship(foreign_keys=[borrower_id])
    user: Mapped[User] = relationship(foreign_keys=[user_id])
    reservation: Mapped[Reservation | None] = relationship()
    lines: Mapped[list[WaitingLine]] = relationship(
        back_populates="entry", cascade="all, delete-orphan", order_by="WaitingLine.resource_id"
    )


class WaitingLine(Base):
    """So many units of one thing."""

    __tablename__ = "waiting_line"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    entry_id: Mapped[int] = mapped_column(ForeignKey("waiting_entry.id", ondelete="CASCADE"), primary_key=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"), primary_key=True, index=True)
    quantity: Mapped[int]

    entry: Mapped[WaitingEntry] = relationship(back_populates="lines")
    resource: Mapped[Resource] = relationship()


class DecisionLink(Base):
    """The link of one letter "to decide", for its one reader, once; only the hash of its secret is kept."""

    __tablename__ = "decision_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    """When the loan starts."""
    used_at: Mapped[datetime | None] = mapped_column(Instant)

    reservation: Mapped[Reservation] = relationship()
    user: Mapped[User] = relationship()
