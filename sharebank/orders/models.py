"""Group orders with their frozen articles, and what organisations pledge."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import Organisation, User
from sharebank.core.db import Base, Instant
from sharebank.orders.supply.supplier_models import Exact, Sold, Supplier

if TYPE_CHECKING:
    from sharebank.orders.life_models import OrderEvent


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
    """Grows each time something else is sent than before."""
    leaving: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Its letter to the supplier waits for the mail server to take it: nothing of the order may change meanwhile."""
    terms: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The supplier's when it opened: `minimum_cents, minimum_gross, fee_cents, free_from_cents, fee_vat`."""
    pledge_version: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Another random number with every change, first of all: that takes the lock, and finds the order closed or not."""
    invoice: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """As the supplier wrote it, see `rules.invoices.to_json`: `number, goods_cents, vat_cents, total_cents…`."""
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


class OrderItem(Sold, Base):
    """An article of an order as it was when the order opened, and what became of it."""

    __tablename__ = "order_item"
    __table_args__ = (
        UniqueConstraint("order_id", "sku"),
        CheckConstraint("pack > 0 AND least_packs > 0", name="pack"),
        CheckConstraint("ordered >= 0 AND received >= 0 AND damaged >= 0", name="received"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("group_order.id", ondelete="CASCADE"))
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
        CheckConstraint("quantity >= 0 AND accept_up_to >= quantity AND accept_up_to <= 1000000", name="quantity"),
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
