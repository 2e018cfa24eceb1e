"""The order on its way to the supplier: its documents, the letter that carries them."""

from __future__ import annotations

from sharebank.core.errors import NotFound
from sharebank.orders.blueprint import Page, bp


@bp.route("/orders/<order_code>/sending", methods=["GET", "POST"])
def sending(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/order.<form>")
def document(order_code: str, form: str) -> Page:
    """Under way."""
    raise NotFound
