"""What every module of pages of this room shares."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response as Answer

bp = Blueprint("orders", __name__)
Page = str | Answer | tuple[str, int]
