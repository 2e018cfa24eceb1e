"""Suppliers and their price lists."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    cast,
    false,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator

from sharebank.accounts.models import User
from sharebank.catalog.service import words
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
    __table_args__ = (
        CheckConstraint(
            "minimum_cents >= 0 AND fee_cents >= 0 AND free_from_cents >= 0 AND lead_days >= 0", name="terms"
        ),
    )

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
    """One version of a supplier's prices; a new import makes the next, and no price is changed afterwards."""

    __tablename__ = "price_list"
    __table_args__ = (UniqueConstraint("supplier_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("supplier.id"))
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Counted once: `articles`, `labels`, `categories`, and `changes` since the version before, by kind."""

    supplier: Mapped[Supplier] = relationship()
    by: Mapped[User | None] = relationship()


class PriceDraft(Base):
    """A file of prices that somebody looks at before keeping it; forgotten after a while."""

    __tablename__ = "price_draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("supplier.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(Instant)
    version: Mapped[int]
    """The version it was compared with; 0: none."""
    name: Mapped[str] = mapped_column(String(200))
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Sold:
    """What an article is, on a price list and, frozen, in an order."""

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


SOLD = tuple(name for name in Sold.__annotations__)


class PriceItem(Sold, Base):
    """One article of a price list."""

    __tablename__ = "price_item"
    __table_args__ = (
        UniqueConstraint("price_list_id", "sku"),
        CheckConstraint("pack > 0 AND least_packs > 0", name="pack"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    price_list_id: Mapped[int] = mapped_column(ForeignKey("price_list.id", ondelete="CASCADE"))


def fitting(of: Any, q: str, labels: Iterable[str], category: str) -> list[ColumnElement[bool]]:
    """What articles must meet to be found: every word, every label, the category; `of` has the columns of `Sold`."""
    fits = [of.search_text.contains(word, autoescape=True) for word in words(q)]
    fits += [cast(of.labels, Text).contains(json.dumps(label), autoescape=True) for label in labels if label]
    return [*fits, of.category == category] if category else fits
