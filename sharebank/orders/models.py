"""Suppliers and their price lists, group orders with their frozen articles, and what organisations pledge."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from sharebank.accounts.models import Organisation, User
from sharebank.core.db import Base, Instant


class Exact(TypeDecorator[Decimal]):
    """A decimal kept as it was written: SQLite knows no exact numbers, and a unit price has three decimals."""

    impl = String(20)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)


class Supplier(Base):
    """Who sells to the cooperation, and on which terms; money net unless it says gross."""

    __tablename__ = "supplier"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(40), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    phone: Mapped[str] = mapped_column(String(30), default="")
    address: Mapped[str] = mapped_column(String(200), default="")
    postal_code: Mapped[str] = mapped_column(String(10), default="")
    city: Mapped[str] = mapped_column(String(100), default="")
    minimum_cents: Mapped[int] = mapped_column(default=0)
    minimum_gross: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Is the minimum counted with VAT and delivery?"""
    fee_cents: Mapped[int] = mapped_column(default=0)
    free_from_cents: Mapped[int | None]
    """Net goods from which delivery is free; 0: always; None: never."""
    fee_vat: Mapped[Decimal] = mapped_column(Exact, default=Decimal(20), server_default="20")
    lead_days: Mapped[int] = mapped_column(default=0)
    labels: Mapped[list[str]] = mapped_column(JSON, default=list)
    notes: Mapped[str] = mapped_column(Text, default="")


class PriceList(Base):
    """One version of a supplier's prices; a new import makes the next, and none is changed afterwards."""

    __tablename__ = "price_list"
    __table_args__ = (UniqueConstraint("supplier_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("supplier.id"))
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))

    supplier: Mapped[Supplier] = relationship()


class PriceItem(Base):
    """One article of a price list."""

    __tablename__ = "price_item"
    __table_args__ = (
        UniqueConstraint("price_list_id", "sku"),
        CheckConstraint("pack > 0 AND least_packs > 0", name="pack"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    price_list_id: Mapped[int] = mapped_column(ForeignKey("price_list.id", ondelete="CASCADE"))
    sku: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(300))
    unit: Mapped[str] = mapped_column(String(20))
    pack: Mapped[int]
    """Units in a pack."""
    price: Mapped[Decimal] = mapped_column(Exact)
    """Net, a unit."""
    vat: Mapped[Decimal] = mapped_column(Exact)
    """Percent."""
    least_packs: Mapped[int] = mapped_column(default=1)
    breaks: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    """`[[units, "price"], …]`, rising."""
    labels: Mapped[list[str]] = mapped_column(JSON, default=list)
    category: Mapped[str] = mapped_column(String(60), default="")
    fallback_sku: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """What to take when it cannot be had."""
    search_text: Mapped[str] = mapped_column(Text, default="")
    """Article number, name, category and labels, folded to plain lower-case letters."""


class GroupOrder(Base):
    """One order at one supplier for many: its terms and articles are frozen when it opens.

    The guards of its migration refuse pledges while it is not open, whoever writes.
    """

    __tablename__ = "group_order"
    __table_args__ = (
        CheckConstraint(
            "state IN ('draft', 'open', 'closed', 'sent', 'received', 'settled', 'cancelled')", name="state"
        ),
        CheckConstraint("sharing IN ('pro_rata', 'first_come', 'priority')", name="sharing"),
        Index(None, "state", "closes_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(60), unique=True)
    campaign: Mapped[str] = mapped_column(String(60), index=True)
    """Orders at several suppliers for one occasion carry the same word; else the order's own code."""
    title: Mapped[str] = mapped_column(String(200))
    supplier_id: Mapped[int] = mapped_column(ForeignKey("supplier.id"), index=True)
    price_list_id: Mapped[int] = mapped_column(ForeignKey("price_list.id"))
    house_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    """Where it is delivered; its staff run the order."""
    coordinator_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    sharing: Mapped[str] = mapped_column(String(10), default="pro_rata")
    first: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Codes of the organisations served first under `priority`."""
    joins: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Who may join: kinds of organisation, `house:CODE` for those attached to a house; empty: everyone."""
    opens_at: Mapped[datetime] = mapped_column(Instant)
    closes_at: Mapped[datetime] = mapped_column(Instant)
    pickup: Mapped[str] = mapped_column(String(300), default="")
    """When and where to fetch it, in words."""
    notes: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(10), default="draft")
    version: Mapped[int] = mapped_column(default=1)
    """Grows each time it is sent anew."""
    terms: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The supplier's when it opened: `minimum_cents, minimum_gross, fee_cents, free_from_cents, fee_vat`."""
    pledge_version: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Another random number with every change, first of all: that takes the lock, and finds the order closed or not."""
    invoice: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """As the supplier wrote it: `number, goods_cents, delivery_cents, vat_cents, total_cents`."""
    created_at: Mapped[datetime] = mapped_column(Instant)

    supplier: Mapped[Supplier] = relationship()
    house: Mapped[Organisation] = relationship()
    coordinator: Mapped[User] = relationship()
    items: Mapped[list[OrderItem]] = relationship(
        back_populates="order", cascade="all, delete-orphan", order_by="OrderItem.id"
    )
    events: Mapped[list[OrderEvent]] = relationship(
        back_populates="order", cascade="all, delete-orphan", order_by="OrderEvent.id"
    )


class OrderItem(Base):
    """An article of an order as it was when the order opened, and what became of it."""

    __tablename__ = "order_item"
    __table_args__ = (
        UniqueConstraint("order_id", "sku"),
        CheckConstraint("pack > 0 AND least_packs > 0", name="pack"),
        CheckConstraint("received IS NULL OR received >= 0", name="received"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"))
    sku: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(300))
    unit: Mapped[str] = mapped_column(String(20))
    pack: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Exact)
    vat: Mapped[Decimal] = mapped_column(Exact)
    least_packs: Mapped[int] = mapped_column(default=1)
    breaks: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    labels: Mapped[list[str]] = mapped_column(JSON, default=list)
    category: Mapped[str] = mapped_column(String(60), default="")
    fallback_sku: Mapped[str] = mapped_column(String(40), default="")
    search_text: Mapped[str] = mapped_column(Text, default="")
    dropped: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Left out of the order by the coordinator."""
    ordered: Mapped[int | None]
    """Units as they were sent to the supplier; none before."""
    ordered_price: Mapped[Decimal | None] = mapped_column(Exact)
    received: Mapped[int | None]
    """Units that came in good order."""
    damaged: Mapped[int] = mapped_column(default=0, server_default="0")
    invoiced_price: Mapped[Decimal | None] = mapped_column(Exact)
    """Net unit price on the invoice, where it is not the ordered one."""

    order: Mapped[GroupOrder] = relationship(back_populates="items")


class Pledge(Base):
    """What an organisation takes of an article: `quantity` for sure, up to `accept_up_to` to fill a pack."""

    __tablename__ = "pledge"
    __table_args__ = (
        UniqueConstraint("item_id", "organisation_id"),
        CheckConstraint("quantity >= 0 AND accept_up_to >= quantity", name="quantity"),
        Index(None, "order_id", "organisation_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"))
    item_id: Mapped[int] = mapped_column(ForeignKey("order_item.id", ondelete="CASCADE"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    quantity: Mapped[int]
    accept_up_to: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
    """When it was first made: who came first is served first where the order says so."""


class PledgeChange(Base):
    """One change of a pledge: who, when, from what to what; and each correction after the close, with its reason."""

    __tablename__ = "pledge_change"
    __table_args__ = (Index(None, "order_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"))
    item_id: Mapped[int] = mapped_column(ForeignKey("order_item.id", ondelete="CASCADE"), index=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(Instant)
    before: Mapped[list[int]] = mapped_column(JSON)
    """`[quantity, accept_up_to]`; empty when there was none."""
    after: Mapped[list[int]] = mapped_column(JSON)
    why: Mapped[str] = mapped_column(String(300), default="")


class Adjustment(Base):
    """After the close: units put on somebody's account, or taken off it, with the reason; pledges stay as they were."""

    __tablename__ = "order_adjustment"
    __table_args__ = (CheckConstraint("units <> 0", name="units"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("order_item.id", ondelete="CASCADE"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    units: Mapped[int]
    why: Mapped[str] = mapped_column(String(300))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[datetime] = mapped_column(Instant)


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

    order: Mapped[GroupOrder] = relationship(back_populates="events")
    user: Mapped[User | None] = relationship()


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
    """Money that moved: to the supplier, or between organisations."""

    __tablename__ = "order_payment"
    __table_args__ = (CheckConstraint("cents > 0", name="cents"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    payee_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"))
    """None: the supplier."""
    cents: Mapped[int]
    note: Mapped[str] = mapped_column(String(300), default="")
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[datetime] = mapped_column(Instant)


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
