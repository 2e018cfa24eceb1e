"""What every module of pages of this room shares."""

from __future__ import annotations

from datetime import date

from flask import Blueprint
from werkzeug.wrappers import Response as Answer

from sharebank.core import clock, web
from sharebank.core.period import to_local

bp = Blueprint("reservations", __name__)
Page = str | Answer | tuple[str, int]


def today() -> date:
    """The day it is in town."""
    return to_local(clock.now(), web.tz()).date()
