"""What waits for a decision."""

from __future__ import annotations
