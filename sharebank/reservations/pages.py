"""Every page of this room: importing them registers their routes on the blueprint."""

from __future__ import annotations

from sharebank.reservations import (
    ask_views,
    calendar_views,
    handover_views,
    loan_views,
    planning_views,
    requests_views,
    series_change_views,
    series_views,
    views,
    waiting_views,
)
from sharebank.reservations.blueprint import bp

__all__ = [
    "ask_views",
    "bp",
    "calendar_views",
    "handover_views",
    "loan_views",
    "planning_views",
    "requests_views",
    "series_change_views",
    "series_views",
    "views",
    "waiting_views",
]
