"""Suppliers and their price lists: terms, articles, versions and what changed between them."""

from __future__ import annotations

from sharebank.core.errors import NotFound
from sharebank.orders.blueprint import Page, bp


@bp.route("/orders/suppliers")
def suppliers() -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/suppliers/new", methods=["GET", "POST"])
def new_supplier() -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/suppliers/<supplier_code>")
def supplier(supplier_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/suppliers/<supplier_code>/edit", methods=["GET", "POST"])
def edit_supplier(supplier_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/suppliers/<supplier_code>/prices", methods=["GET", "POST"])
def prices(supplier_code: str) -> Page:
    """Under way."""
    raise NotFound
