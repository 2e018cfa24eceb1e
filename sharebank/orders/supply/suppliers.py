"""Suppliers: who sells to the cooperation and on which terms; looked after by whoever runs orders anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_suppliers, require
from sharebank.core.errors import N_, ChangedMeanwhile, NotFound, Refused
from sharebank.orders.supply.supplier_models import PriceList, Supplier

KINDS = {
    "school_office": N_("School and office"),
    "food": N_("Food"),
    "cleaning": N_("Cleaning"),
    "equipment": N_("Equipment"),
    "other": N_("Something else"),
}
"""What a supplier sells, in words; another word may come in a file."""
WRITTEN = (
    *("name", "kind", "email", "phone", "address", "postal_code", "city", "minimum_cents", "minimum_gross"),
    *("fee_cents", "free_from_cents", "fee_vat", "lead_days", "labels", "notes"),
)
"""What the form of a supplier writes."""


class SupplierCodeTaken(Refused):
    """Two suppliers cannot bear the same code."""

    status = 409
    code = "code_taken"
    sentence = N_("There is a supplier with the code “%(value)s” already.")


class BadSupplierCode(Refused):
    """A code is part of addresses, and “new” is one."""

    code = "bad_code"
    sentence = N_("“%(value)s” cannot be a code: letters, digits, dot, hyphen or underscore, without a space.")


@dataclass(frozen=True, slots=True)
class Listing:
    """A supplier and its newest prices."""

    supplier: Supplier
    prices: PriceList | None


def all_suppliers(session: Session, actor: Actor) -> list[Listing]:
    """Every supplier by name; raises NotFound for whom they do not concern."""
    if not may_suppliers(actor, "see"):
        raise NotFound
    newest = select(func.max(PriceList.id)).group_by(PriceList.supplier_id)
    prices = {one.supplier_id: one for one in session.scalars(select(PriceList).where(PriceList.id.in_(newest)))}
    found = session.scalars(select(Supplier).order_by(func.lower(Supplier.name)))
    return [Listing(one, prices.get(one.id)) for one in found]


def supplier_of_code(session: Session, actor: Actor, code: str, *, lock: bool = False) -> Supplier:
    """One supplier; raises NotFound when there is none or it is not the actor's to see."""
    query = select(Supplier).where(Supplier.code == code)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    supplier = session.scalar(query)
    if supplier is None or not may_suppliers(actor, "see"):
        raise NotFound
    return supplier


def mark(supplier: Supplier) -> str:
    """What a form saw; another one when somebody changed the supplier meanwhile."""
    seen = repr([getattr(supplier, name) for name in WRITTEN])
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def add(session: Session, actor: Actor, code: str, values: Mapping[str, Any]) -> Supplier:
    """Add a supplier; raises NotAllowed, BadSupplierCode, SupplierCodeTaken."""
    require(may_suppliers(actor, "edit"))
    if (
        code.lower() == "new"
        or not code.replace(".", "").replace("-", "").replace("_", "").isalnum()
        or not code.isascii()
    ):
        raise BadSupplierCode("code", value=code)
    if session.scalar(select(Supplier.id).where(func.lower(Supplier.code) == code.lower())) is not None:
        raise SupplierCodeTaken("code", value=code)
    supplier = Supplier(code=code, **values)
    session.add(supplier)
    try:
        session.flush()
    except IntegrityError as clash:  # two add it at once
        raise SupplierCodeTaken("code", value=code) from clash
    return supplier


def change(session: Session, actor: Actor, code: str, values: Mapping[str, Any], seen: str) -> Supplier:
    """Change a supplier's terms: for orders that open from now on. Raises NotFound, NotAllowed or ChangedMeanwhile."""
    supplier = supplier_of_code(session, actor, code, lock=True)
    require(may_suppliers(actor, "edit"))
    if seen != mark(supplier):
        raise ChangedMeanwhile
    for name, value in values.items():
        setattr(supplier, name, value)
    session.flush()
    return supplier
