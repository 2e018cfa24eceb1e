"""Every page of this room: importing them registers their routes on the blueprint."""

from __future__ import annotations

from sharebank.reservations import ask_views, loan_views, views
from sharebank.reservations.blueprint import bp
from sharebank.reservations.calendars import calendar_views
from sharebank.reservations.deciding import requests_views
from sharebank.reservations.handover import handover_views
from sharebank.reservations.planning import planning_views
from sharebank.reservations.series import series_change_views, series_views
from sharebank.reservations.waiting import waiting_views

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
