"""What came: counted on a phone, the delivery note photographed, the invoice reconciled."""

from __future__ import annotations

from sharebank.core.errors import NotFound
from sharebank.orders.blueprint import Page, bp


@bp.route("/orders/<order_code>/reception", methods=["GET", "POST"])
def reception(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/invoice", methods=["GET", "POST"])
def invoice(order_code: str) -> Page:
    """Under way."""
    raise NotFound
