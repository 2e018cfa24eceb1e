"""Who owes what: statements, transfers, payments, slips, the sheet for the pick-up, savings."""

from __future__ import annotations

from sharebank.core.errors import NotFound
from sharebank.orders.blueprint import Page, bp


@bp.route("/orders/<order_code>/accounts")
def accounts(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/payments", methods=["POST"])
def pay(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/accounts.csv")
def accounts_csv(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/statements/<structure>.pdf")
def statement(order_code: str, structure: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/slips.pdf")
def slips(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/matrix.<form>")
def matrix(order_code: str, form: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/savings")
def savings() -> Page:
    """Under way."""
    raise NotFound
