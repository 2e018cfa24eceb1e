"""Group orders as those see them who pledge: the list, the articles, what they take, who changed what."""

from __future__ import annotations

from sharebank.core.errors import NotFound
from sharebank.orders.blueprint import Page, bp


@bp.route("/orders")
def index() -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>")
def show(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/pledges", methods=["POST"])
def pledge(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/history")
def history(order_code: str) -> Page:
    """Under way."""
    raise NotFound
