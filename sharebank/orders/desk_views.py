"""Preparing a group order and closing it: the draft, the assistant, its steps, corrections with their reason."""

from __future__ import annotations

from sharebank.core.errors import NotFound
from sharebank.orders.blueprint import Page, bp


@bp.route("/orders/new", methods=["GET", "POST"])
def new() -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/edit", methods=["GET", "POST"])
def edit(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/assistant")
def assistant(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/step", methods=["POST"])
def step(order_code: str) -> Page:
    """Under way."""
    raise NotFound


@bp.route("/orders/<order_code>/adjust", methods=["POST"])
def adjust(order_code: str) -> Page:
    """Under way."""
    raise NotFound
