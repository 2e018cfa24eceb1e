"""Every page of this room: importing them registers their routes on the blueprint."""

from __future__ import annotations

from sharebank.orders import (
    assistant_views,
    correction_views,
    desk_views,
    price_views,
    reception_views,
    sending_views,
    settling_views,
    supplier_views,
    views,
)
from sharebank.orders.blueprint import bp

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
