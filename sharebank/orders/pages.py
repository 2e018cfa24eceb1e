"""Every page of this room: importing them registers their routes on the blueprint."""

from __future__ import annotations

from sharebank.orders import views
from sharebank.orders.blueprint import bp
from sharebank.orders.desk import assistant_views, correction_views, desk_views
from sharebank.orders.incoming import reception_views
from sharebank.orders.outgoing import sending_views
from sharebank.orders.settlement import settling_views
from sharebank.orders.supply import price_views, supplier_views

__all__ = [
    "assistant_views",
    "bp",
    "correction_views",
    "desk_views",
    "price_views",
    "reception_views",
    "sending_views",
    "settling_views",
    "supplier_views",
    "views",
]
