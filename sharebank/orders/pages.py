"""Every page of this room: importing them registers their routes on the blueprint."""

from __future__ import annotations

from sharebank.orders import desk_views, reception_views, sending_views, settling_views, supplier_views, views
from sharebank.orders.blueprint import bp

__all__ = ["bp", "desk_views", "reception_views", "sending_views", "settling_views", "supplier_views", "views"]
