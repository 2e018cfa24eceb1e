"""The plain columns of a rule set (`rule_sets.csv`) and the rules they mean.

Columns say less than rules: what they cannot say stands in the `terms` column beside them, which then is the truth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sharebank.core import money
from sharebank.core.values import parse_decimal, parse_int
from sharebank.lending.papers import APPROVAL, IN_THE_REGISTER
from sharebank.lending.schema import Settings
from sharebank.lending.terms import Terms, parse_terms
from sharebank.lending.windows import MIDNIGHT, WEEKDAYS

REQUIRED: Mapping[str, tuple[str, Any]] = {
    "driver_licence": ("drivers", {"named": False}),
    "liability_certificate": ("documents", {"papers": [{"paper": IN_THE_REGISTER}]}),
    "deposit": ("deposits", {"rows": [{}]}),
    "charter": ("undertakings", {"which": ["charter"]}),
    "kitchen_training": ("undertakings", {"which": ["kitchen_training"]}),
}
"""Words of the `requires` column, and the rule each means."""
FEES = (("fee_member_eur", "houses"), ("fee_association_eur", "associations"), ("fee_external_eur", "everyone"))
FEE_UNITS = {"hour": "hour", "half_day": "half_day", "day": "day", "week_end": "week_end", "km": "km", "none": "loan"}
_DAYS = tuple(WEEKDAYS)
_WHEN = rf"(?:{'|'.join(_DAYS)})(?:-(?:{'|'.join(_DAYS)}))?|school_holidays"
_PRIORITY = re.compile(rf"((?:{_WHEN})(?:;(?:{_WHEN}))*): houses first until ([0-9]{{1,3}}) days before")


def from_columns(row: Mapping[str, str]) -> dict[str, Any]:
    """Plain values of rules (for `write_terms`) from the cells of a row, as text; raises ValueError on a bad cell.

    Name and buffers are no rules of lending and are not looked at.
    """
    rules: dict[str, Any] = {
        "advance": {"days": parse_int(row["max_advance_days"])},
        "length": {"hours": parse_int(row["max_duration_hours"])},
    }
    if notice := parse_int(row["min_notice_days"]):
        rules["notice"] = {"days": notice}
    if row["approval"] not in APPROVAL:
        raise ValueError(row["approval"])
    if row["approval"] != "none":
        rules["approval"] = {"mode": row["approval"]}
    for word in filter(None, row["requires"].split(";")):
        if word not in REQUIRED:
            raise ValueError(word)
        kind, settings = REQUIRED[word]
        for name, value in settings.items():
            before = rules.setdefault(kind, {}).get(name, [])
            rules[kind][name] = [*before, *value] if isinstance(value, list) else value
    rules |= _priority(row["priority"])
    return rules | _prices(row)


def _priority(cell: str) -> dict[str, Any]:
    if cell == "none":
        return {}
    found = _PRIORITY.fullmatch(cell)
    if found is None:
        raise ValueError(cell)
    until = int(found[2])
    windows = [{**_when(part), "groups": ["houses"], "until_days": until} for part in found[1].split(";")]
    return {"priority": {"windows": windows, "effect": "approve"}}


def _when(part: str) -> dict[str, Any]:
    if part == "school_holidays":
        return {"school": "holidays"}
    first, _, last = part.partition("-")
    start = _DAYS.index(first)
    length = (_DAYS.index(last) - start) % 7 + 1 if last else 1
    return {"days": [_DAYS[(start + step) % 7] for step in range(length)]}


def _prices(row: Mapping[str, str]) -> dict[str, Any]:
    unit = FEE_UNITS.get(row["fee_unit"])
    if unit is None:
        raise ValueError(row["fee_unit"])
    fees = [(group, parse_decimal(row[column])) for column, group in FEES]
    if unit == "loan" and not any(fee for _group, fee in fees):
        return {}
    grid = [{"audience": [group], "unit": unit, "cents": money.cents(fee)} for group, fee in fees]
    return {"prices": {"grid": grid}}


def to_columns(rules: Mapping[str, Any], requires: Sequence[str] = ()) -> dict[str, str]:
    """The cells that say as much of some rules as columns can; `requires` is the order the cell had.

    What columns cannot say (hours, groups, seasons…) is left to the `terms` column.
    """
    terms = rules if isinstance(rules, Terms) else parse_terms("", rules)
    order = [*requires, *(word for word in REQUIRED if word not in requires)]
    return {
        "min_notice_days": str(terms["notice"]["days"] if "notice" in terms else 0),
        "max_advance_days": str(terms["advance"]["days"] if "advance" in terms else 3650),
        "max_duration_hours": str(terms["length"]["hours"] if "length" in terms else 8784),
        "approval": terms["approval"]["mode"] if "approval" in terms else "none",
        "requires": ";".join(word for word in order if word in REQUIRED and _requires(terms, word)),
        "priority": _priority_cell(terms),
        **_fees(terms),
    }


def _requires(terms: Terms, word: str) -> bool:
    kind, wanted = REQUIRED[word]
    if kind not in terms:
        return False
    if kind == "undertakings":
        return word in terms[kind]["which"]
    if kind == "documents":
        return any(row["paper"] == wanted["papers"][0]["paper"] for row in terms[kind]["papers"])
    return True


def _priority_cell(terms: Terms) -> str:
    rows = terms["priority"]["windows"] if "priority" in terms else ()
    parts = [_part(row) for row in rows]
    if not rows or None in parts or len({row["until_days"] for row in rows}) > 1:
        return "none"
    return f"{';'.join(filter(None, parts))}: houses first until {rows[0]['until_days']} days before"


def _part(row: Settings) -> str | None:
    """One window as the column writes it; None when it says more than the column can."""
    hours = (row["first"], row["last"]) != (MIDNIGHT, MIDNIGHT)
    if hours or row["groups"] != ("houses",) or row["since"] or row["until"]:
        return None
    if not row["days"]:
        return "school_holidays" if row["school"] == "holidays" else None
    if row["school"] != "any":
        return None
    at = [_DAYS.index(day) for day in row["days"]]
    if len(at) == 7:
        return f"{_DAYS[0]}-{_DAYS[-1]}"
    start = next(day for day in at if (day - 1) % 7 not in at)
    if any((start + step) % 7 not in at for step in range(len(at))):
        return None
    return _DAYS[start] if len(at) == 1 else f"{_DAYS[start]}-{_DAYS[(start + len(at) - 1) % 7]}"


def _fees(terms: Terms) -> dict[str, str]:
    grid = [row for row in (terms["prices"]["grid"] if "prices" in terms else ()) if not row["season"]]
    units = {unit: cell for cell, unit in FEE_UNITS.items()}
    unit = next((row["unit"] for row in grid if row["unit"] in units), "loan")
    rows = [row for row in grid if row["unit"] == unit]
    fees = {column: _fee(rows, group) for column, group in FEES}
    return {**fees, "fee_unit": units[unit]}


def _fee(rows: Sequence[Settings], group: str) -> str:
    found = next((row for row in rows if group in row["audience"] or "everyone" in row["audience"]), None)
    return f"{money.euros(found['cents']) if found else Decimal('0.00')}"
