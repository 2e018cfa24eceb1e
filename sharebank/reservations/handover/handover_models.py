"""What went out and what came back: who, when, in which state, with photos; and what it costs in the end."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, LargeBinary, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import User
from sharebank.catalog.models import Resource
from sharebank.core.db import Base, Instant
from sharebank.lending.charges import UNSAID
from sharebank.reservations.models import Reservation


class Handover(Base):
    """One meeting at the counter: things were collected, or (some of them) came back."""

    __tablename__ = "handover"
    __table_args__ = (CheckConstraint("kind IN ('collect', 'return')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    """Of the lender's staff, signed in."""
    staff_name: Mapped[str] = mapped_column(String(200))
    """Typed, as a signature; so is the borrower's."""
    borrower_name: Mapped[str] = mapped_column(String(200))
    notes: Mapped[str] = mapped_column(Text, default="")

    reservation: Mapped[Reservation] = relationship()
    user: Mapped[User | None] = relationship()
    lines: Mapped[list[HandoverLine]] = relationship(
        back_populates="handover", cascade="all, delete-orphan", order_by="HandoverLine.id"
    )
    photos: Mapped[list[HandoverPhoto]] = relationship(
        back_populates="handover", cascade="all, delete-orphan", order_by="HandoverPhoto.id"
    )


class HandoverLine(Base):
    """How one thing was found at that meeting."""

    __tablename__ = "handover_line"
    __table_args__ = (CheckConstraint("quantity >= 0", name="quantity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    handover_id: Mapped[int] = mapped_column(ForeignKey("handover.id", ondelete="CASCADE"), index=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"), index=True)
    quantity: Mapped[int]
    """Units that went out, or came back this time."""
    missing: Mapped[int] = mapped_column(default=0, server_default="0")
    """Given up for lost, units of a pool or pieces of a set; so with the two that follow."""
    broken: Mapped[int] = mapped_column(default=0, server_default="0")
    dirty: Mapped[int] = mapped_column(default=0, server_default="0")
    note: Mapped[str] = mapped_column(String(500), default="", server_default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    """What else was looked at, by the keys of `handover_items.ITEMS`."""
    out: Mapped[bool] = mapped_column(default=False, server_default=false())
    """It is to be taken out of service, and is not yet: loans in its way are to be confirmed first."""
    out_until: Mapped[date | None]
    """Last local day out of service; none: until further notice."""
    gone: Mapped[int] = mapped_column(default=0, server_default="0")
    """Units that are to be taken off the stock, and are not yet, for the same cause."""

    handover: Mapped[Handover] = relationship(back_populates="lines")
    resource: Mapped[Resource] = relationship()


class HandoverPhoto(Base):
    """A re-encoded picture of that meeting, as those of the catalogue."""

    __tablename__ = "handover_photo"

    id: Mapped[int] = mapped_column(primary_key=True)
    handover_id: Mapped[int] = mapped_column(ForeignKey("handover.id", ondelete="CASCADE"), index=True)
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    image: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(Instant)

    handover: Mapped[Handover] = relationship(back_populates="photos")


class StockChange(Base):
    """So many units of a pool are gone for good, or were found again: its quantity followed."""

    __tablename__ = "stock_change"
    __table_args__ = (CheckConstraint("units <> 0", name="units"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"), index=True)
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id", ondelete="SET NULL"), index=True)
    """The loan they did not come back from."""
    at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    units: Mapped[int]
    """Less than none: gone; more: found again."""
    why: Mapped[str] = mapped_column(String(200))

    resource: Mapped[Resource] = relationship()
    reservation: Mapped[Reservation | None] = relationship()
    user: Mapped[User | None] = relationship()


class Charge(Base):
    """What the borrower owes beyond the price: reckoned by the rule set or added by staff, corrected with a reason."""

    __tablename__ = "charge"
    __table_args__ = (
        CheckConstraint("cents >= 0", name="cents"),
        CheckConstraint("corrected_cents >= 0", name="corrected"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id", ondelete="CASCADE"), index=True)
    handover_id: Mapped[int | None] = mapped_column(ForeignKey("handover.id", ondelete="SET NULL"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    cents: Mapped[int]
    sentence: Mapped[str] = mapped_column(Text)
    """Why so much, as a text of the catalogue; its facts beside it, as plain JSON values."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    """Who added it; nobody when the rules did."""
    corrected_cents: Mapped[int | None]
    """What is owed after all; 0 when it is waived."""
    corrected_at: Mapped[datetime | None] = mapped_column(Instant)
    corrected_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    why: Mapped[str] = mapped_column(String(500), default="", server_default="")

    reservation: Mapped[Reservation] = relationship()
    corrected_by: Mapped[User | None] = relationship(foreign_keys=[corrected_by_id])

    @property
    def unsaid(self) -> bool:
        """Only people can tell how much it is, and nobody has yet."""
        return self.corrected_cents is None and self.sentence in UNSAID

    @property
    def due_cents(self) -> int:
        """What is owed of it."""
        return self.cents if self.corrected_cents is None else self.corrected_cents
