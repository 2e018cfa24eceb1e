"""Handing over and taking back, on a phone."""

from __future__ import annotations
