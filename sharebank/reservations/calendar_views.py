"""Calendars to subscribe to, and the paper that still counts."""

from __future__ import annotations
