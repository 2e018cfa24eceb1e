"""How a convention writes days, times, amounts and lists: in French, whatever the reader's language. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.numbers import format_currency, format_decimal
from babel.support import Translations

from sharebank.core.days import written

UNITS = {
    "hour": ("heure", "heures"),
    "half_day": ("demi-journée", "demi-journées"),
    "day": ("jour", "jours"),
    "week_end": ("week-end", "week-ends"),
    "km": ("km", "km"),
    "piece": ("pièce", "pièces"),
    "person": ("personne", "personnes"),
}
_DAYS = {
    "MO": "lundi",
    "TU": "mardi",
    "WE": "mercredi",
    "TH": "jeudi",
    "FR": "vendredi",
    "SA": "samedi",
    "SU": "dimanche",
}


@lru_cache(maxsize=1)
def _catalogue() -> Any:
    return Translations.load(str(Path(__file__).parents[1] / "translations"), ["fr"])


def say(msgid: str) -> str:
    """A word of the catalogue, in French."""
    return str(_catalogue().ugettext(msgid)) if msgid else ""


def day(value: date) -> str:
    """`samedi 28 novembre 2026`."""
    return written(value, "EEEE d MMMM y", "fr")


def day_short(value: date) -> str:
    """`28 novembre 2026`."""
    return written(value, "d MMMM y", "fr")


def hour(wall: datetime) -> str:
    """`14 h 30`, `9 h`."""
    return f"{wall.hour}\u00a0h\u00a0{wall.minute:02d}" if wall.minute else f"{wall.hour}\u00a0h"


def moment(wall: datetime) -> str:
    """`samedi 28 novembre 2026 à 14 h 30`."""
    return f"{day(wall.date())} à {hour(wall)}"


def euros(cents: int) -> str:
    """`1 250,00 €`."""
    return str(format_currency(Decimal(cents) / 100, "EUR", locale="fr"))


def number(value: int | Decimal) -> str:
    """`1 200`, `17,5`."""
    return str(format_decimal(value, locale="fr"))


def counted(count: int, one: str, many: str) -> str:
    """`1 jour`, `3 jours`."""
    return f"{number(count)}\u00a0{many if count > 1 else one}"


def listed(words: Iterable[str]) -> str:
    """`a, b et c`."""
    *first, last = [word for word in words if word] or [""]
    return f"{', '.join(first)} et {last}" if first else last


def duration(length: timedelta) -> str:
    """`4 heures`, `2 jours et 3 heures`."""
    minutes = int(length.total_seconds()) // 60
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((days, "jour", "jours"), (hours, "heure", "heures"), (minutes, "minute", "minutes"))
    return listed(counted(count, one, many) for count, one, many in parts if count)


def siret(text: str) -> str:
    """`000 412 379 00018`."""
    if len(text) != 14:
        return text
    return "\u00a0".join((text[:3], text[3:6], text[6:9], text[9:]))


def rhythm(rule: str, start: datetime, end: datetime) -> str:
    """`Chaque mardi, de 14 h à 17 h`; rules that no short sentence says are left to the list of dates."""
    parts: Mapping[str, str] = dict(part.split("=", 1) for part in rule.split(";") if "=" in part)
    named = [_DAYS[code] for code in parts.get("BYDAY", "").split(",") if code in _DAYS]
    days = listed(named or [list(_DAYS.values())[start.weekday()]])
    when = "Aux dates indiquées ci-dessous"
    if parts.get("FREQ") == "WEEKLY" and set(parts) <= {"FREQ", "BYDAY", "INTERVAL", "UNTIL", "COUNT", "WKST"}:
        every = parts.get("INTERVAL", "1")
        if every == "1":
            when = f"Chaque {days}"
        elif every == "2":
            when = f"Une semaine sur deux, le {days}"
    elif parts.get("FREQ") == "DAILY" and set(parts) <= {"FREQ", "UNTIL", "COUNT"}:
        when = "Chaque jour"
    overnight = "" if start.date() == end.date() else " le lendemain"
    return f"{when}, de {hour(start)} à {hour(end)}{overnight}"


def months(days: Sequence[date]) -> list[list[str]]:
    """Days by month: `["janvier 2027", "5, 12, 19 et 26"]`."""
    found: dict[str, list[str]] = {}
    for one in sorted(set(days)):
        month = written(one, "MMMM y", "fr")
        found.setdefault(month, []).append("1er" if one.day == 1 else str(one.day))
    return [[month, listed(numbers)] for month, numbers in found.items()]
