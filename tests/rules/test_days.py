"""A day as a language writes it; no application."""

from __future__ import annotations

from datetime import date

import pytest

from sharebank.core.days import written

WRITTEN = [
    (date(2026, 12, 1), "EEEE d MMMM y", "fr", "mardi 1er décembre 2026"),
    (date(2026, 12, 1), "~MMMEd", "fr", "mar. 1er déc."),
    (date(2026, 12, 1), "~yMMMEd", "fr", "mar. 1er déc. 2026"),
    (date(2026, 12, 1), "~MMMMd", "fr", "1er décembre"),
    (date(2026, 12, 1), "long", "fr", "1er décembre 2026"),
    (date(2026, 12, 1), "EEE d", "fr", "mar. 1er"),
    (date(2026, 12, 1), "~yMMMM", "fr", "décembre 2026"),
    (date(2026, 12, 2), "EEEE d MMMM y", "fr", "mercredi 2 décembre 2026"),
    (date(2026, 12, 11), "~MMMEd", "fr", "ven. 11 déc."),
    (date(2026, 12, 1), "long", "en", "December 1, 2026"),
]


@pytest.mark.parametrize(("day", "shape", "locale", "words"), WRITTEN)
def test_days_as_a_language_writes_them(day: date, shape: str, locale: str, words: str) -> None:
    assert written(day, shape, locale) == words
