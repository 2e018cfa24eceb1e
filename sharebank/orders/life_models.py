"""What happens to a group order: its steps, corrections, papers, arrivals and payments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import Organisation, User
from sharebank.core.db import Base, Instant
from sharebank.orders.models import GroupOrder


class Adjustment(Base):
    """After the close: units put on somebody's account, or taken off it, with the reason; pledges stay as they were."""

    __tablename__ = "order_adjustment"
    __table_args__ = (CheckConstraint("units <> 0", name="units"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("order_item.id", ondelete="CASCADE"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    units: Mapped[int]
    event_id: Mapped[int] = mapped_column(ForeignKey("order_event.id", ondelete="CASCADE"), index=True)
    """The correction it belongs to: who, when, why."""


class OrderEvent(Base):
    """One step of an order: who, when, what, why; nobody when the clock did it."""

    __tablename__ = "order_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    act: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10))
    why: Mapped[str] = mapped_column(Text, default="")
    about: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Of a correction: the `sku` and the like (`corrections.ACTS`)."""

    order: Mapped[GroupOrder] = relationship(back_populates="events")
    user: Mapped[User | None] = relationship(lazy="joined")


class OrderVersion(Base):
    """An order as it was at a step: sent, received, settled; nothing of it is ever changed."""

    __tablename__ = "order_version"
    __table_args__ = (UniqueConstraint("order_id", "act", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"))
    act: Mapped[str] = mapped_column(String(20))
    number: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)


class Payment(Base):
    """Money that moved: to the supplier, or between organisations; taken back with a reason, never deleted."""

    __tablename__ = "order_payment"
    __table_args__ = (CheckConstraint("cents > 0", name="cents"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    """None: between two houses, for all their orders together."""
    payer_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    payee_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"))
    """None: the supplier."""
    cents: Mapped[int]
    paid_on: Mapped[date]
    note: Mapped[str] = mapped_column(String(300), default="")
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    undone_at: Mapped[datetime | None] = mapped_column(Instant)
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    undone_why: Mapped[str] = mapped_column(String(300), default="", server_default="")

    order: Mapped[GroupOrder | None] = relationship()
    payer: Mapped[Organisation] = relationship(foreign_keys=[payer_id])
    payee: Mapped[Organisation | None] = relationship(foreign_keys=[payee_id])
    user: Mapped[User] = relationship(foreign_keys=[user_id])
    undone_by: Mapped[User | None] = relationship(foreign_keys=[undone_by_id])


class OrderArrival(Base):
    """What came at once: an order may come in several parts."""

    __tablename__ = "order_arrival"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    version: Mapped[int]
    """Of the order, as it was sent: what came of another version does not count."""
    at: Mapped[datetime] = mapped_column(Instant)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    counts: Mapped[dict[str, list[Any]]] = mapped_column(JSON)
    """`{sku: [units in good order, damaged, "price" where it changed, or null]}`."""
    note: Mapped[str] = mapped_column(String(500), default="", server_default="")

    user: Mapped[User | None] = relationship()


class OrderPhoto(Base):
    """The delivery note, photographed; re-encoded, and in the database so that one backup holds everything."""

    __tablename__ = "order_photo"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    image: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class OrderPaper(Base):
    """One version of what the supplier is sent: its content frozen, its files as they were made of it once."""

    __tablename__ = "order_paper"
    __table_args__ = (UniqueConstraint("order_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"))
    version: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Plain values (`papers.content_of`)."""


class OrderFile(Base):
    """A version as one file; never made twice, so that whatever is sent again is the same to the byte."""

    __tablename__ = "order_file"
    __table_args__ = (UniqueConstraint("paper_id", "form"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    paper_id: Mapped[int] = mapped_column(ForeignKey("order_paper.id", ondelete="CASCADE"))
    form: Mapped[str] = mapped_column(String(10))
    """`pdf`, `xlsx`, `csv`."""
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)


class OrderSending(Base):
    """One try to bring a version to the supplier, by e-mail or by hand, and what became of it."""

    __tablename__ = "order_sending"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'taken', 'dead', 'withdrawn')", name="state"),
        CheckConstraint("how IN ('email', 'hand')", name="how"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    paper_id: Mapped[int] = mapped_column(ForeignKey("order_paper.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(Instant)
    how: Mapped[str] = mapped_column(String(5))
    address: Mapped[str] = mapped_column(String(254), default="", server_default="")
    words: Mapped[str] = mapped_column(Text, default="", server_default="")
    state: Mapped[str] = mapped_column(String(10))
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    """When the server took the letter, or it was given up or taken back."""
    error: Mapped[str] = mapped_column(Text, default="", server_default="")

    paper: Mapped[OrderPaper] = relationship()
    user: Mapped[User | None] = relationship()
