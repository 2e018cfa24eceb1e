"""Reservations that repeat."""

from __future__ import annotations
