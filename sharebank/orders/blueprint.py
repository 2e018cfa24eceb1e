"""What every module of pages of this room shares."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response as Answer

from sharebank.accounts.permissions import may_order, require
from sharebank.accounts.web import me
from sharebank.core.db import db
from sharebank.orders.models import GroupOrder
from sharebank.orders.reading import order_of_code

bp = Blueprint("orders", __name__)
Page = str | Answer | tuple[str, int]


def run_by_me(order_code: str) -> GroupOrder:
    """The order, for whoever runs it; raises NotFound or NotAllowed."""
    order = order_of_code(db.session(), me(), order_code)
    require(may_order(me(), "run", order))
    return order
