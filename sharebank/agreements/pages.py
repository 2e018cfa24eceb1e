"""Every page of this room: importing them registers their routes on the blueprint."""

from __future__ import annotations

from sharebank.agreements import template_views, views
from sharebank.agreements.views import bp

__all__ = ["bp", "template_views", "views"]
