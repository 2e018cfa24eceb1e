"""What the description of the API is made of: bounded values as JSON Schema, and calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

MAX_UNITS = 1_000_000
MAX_LIMIT = 200
LIMIT = 50
MAX_BODY = 128 * 1024
"""Bytes; a hundred lines with every field as long as it may be take a fifth of it."""

# What comes in may carry any offset, what goes out is UTC.
INSTANT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$",
    "examples": ["2026-11-28T14:00:00+01:00"],
}
UTC_INSTANT: Schema = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
DAY: Schema = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d\d-\d\d$", "examples": ["2026-12-31"]}


def text(maximum: int, minimum: int = 1, **more: Any) -> Schema:
    """A bounded text."""
    return {"type": "string", "minLength": minimum, "maxLength": maximum, **more}


def whole(minimum: int, maximum: int, **more: Any) -> Schema:
    """A bounded whole number."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def choice(options: list[str]) -> Schema:
    """One word of a few."""
    return {"type": "string", "enum": options}


def thing(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object that has these properties and no other."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def many(items: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **more}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def page_of(items: Schema) -> Schema:
    """A page of a list."""
    return thing({"items": many(items), "next": {"type": ["string", "null"]}})


CODE = text(20)
ANY_TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
LIST_QUERY: dict[str, Schema] = {
    "limit": whole(1, MAX_LIMIT, default=LIMIT),
    "cursor": text(200),
}


# -- calls -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what it is for, what it takes, what it answers, and with which statuses it may refuse."""

    group: str
    method: str
    path: str
    name: str
    summary: str
    answer: Schema
    query: dict[str, Schema] | None = None
    required: Sequence[str] = ()
    body: str = ""
    body_required: bool = False
    status: int = 200
    refusals: Sequence[int] = (401, 422)
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What words mean here, where it is not what they mean elsewhere."""

    @property
    def in_path(self) -> list[str]:
        """The parts of the path that the caller fills in."""
        return re.findall(r"{(\w+)}", self.path)


def ref(name: str) -> Schema:
    """A shape by its name."""
    return {"$ref": f"#/components/schemas/{name}"}
