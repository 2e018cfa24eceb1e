"""A day as a language writes it. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

from babel.dates import format_date, format_skeleton


@lru_cache(maxsize=4096)
def written(day: date, shape: str, locale: str) -> str:
    """A day in a shape: a pattern, `long`, or with `~` a skeleton; kept, for a page writes the same days again."""
    if shape.startswith("~"):
        words = str(format_skeleton(shape[1:], datetime(day.year, day.month, day.day), locale=locale))  # noqa: DTZ001
    else:
        words = str(format_date(day, shape, locale=locale))
    # French counts the first of a month and the others not; the CLDR's patterns do not know.
    return re.sub(r"\b1\b", "1er", words, count=1) if day.day == 1 and locale == "fr" else words
