"""Reading what a program sent, by the tables of schemas; raises Invalid with all that is wrong."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, NoReturn

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from sharebank.api.problems import Invalid, NotJson, TooLarge, Wrong, WrongMediaType
from sharebank.api.shapes import DAY, INSTANT, MAX_BODY, Schema
from sharebank.core.errors import N_

YEARS = range(2000, 2101)
"""Beyond these an instant is a slip of the keyboard, and the arithmetic of buffers would overflow."""
REPORTED = 20
"""Errors told at once; who gets more wrong reads the documentation."""

MISSING = N_("This is missing.")
UNKNOWN = N_("There is no such field.")
ONCE = N_("Give this once.")
EMPTY = N_("Do not leave this empty.")
TOO_LONG = N_("At most %(max)s characters.")
UNPRINTABLE = N_("This holds characters that cannot be stored.")
OUT_OF_BOUNDS = N_("Between %(min)s and %(max)s.")
NOT_A_CHOICE = N_("One of: %(choices)s.")
NO_ITEM = N_("At least one.")
TOO_MANY = N_("At most %(max)s.")
NOT_AN_INSTANT = N_("Write an instant with its offset from UTC, such as 2026-11-28T14:00:00+01:00.")
NOT_A_DAY = N_("Write a day such as 2026-11-28.")
FAR_YEAR = N_("A year between %(min)s and %(max)s.")
BAD_CURSOR = N_("This cursor is not one of ours: start from the first page.")
WRONG_TYPE = {
    "object": N_("Write an object with its fields."),
    "array": N_("Write a list."),
    "string": N_("Write a text."),
    "integer": N_("Write a whole number."),
    "boolean": N_("Write true or false."),
}

# NUL and its like, and halves of surrogate pairs: no database stores them all.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_INSTANT = re.compile(INSTANT["pattern"])
_DAY = re.compile(DAY["pattern"])
_WHOLE = re.compile("-?[0-9]{1,12}")


class _Reader:
    """Walks a value along its schema and notes every error on the way."""

    def __init__(self) -> None:
        self.errors: list[Wrong] = []

    def wrong(self, field: str, sentence: str, **facts: Any) -> None:
        if len(self.errors) < REPORTED:
            self.errors.append(Wrong(field[:100], sentence, facts))

    def read(self, schema: Schema, value: Any, field: str) -> Any:
        """The value with its instants read; what is returned beside an error is never used."""
        kind = schema["type"]
        # A boolean is an int in Python, not here.
        if type(value) is not _TYPES[kind]:
            return self.wrong(field, WRONG_TYPE[kind])
        return _READ[kind](self, schema, value, field)

    def object(self, schema: Schema, value: dict[str, Any], field: str) -> dict[str, Any]:
        properties = schema["properties"]
        prefix = f"{field}." if field else ""
        for name in value:
            if name not in properties:
                self.wrong(prefix + name, UNKNOWN)
        for name in schema["required"]:
            if name not in value:
                self.wrong(prefix + name, MISSING)
        return {
            name: self.read(properties[name], inner, prefix + name)
            for name, inner in value.items()
            if name in properties
        }

    def array(self, schema: Schema, value: list[Any], field: str) -> list[Any]:
        if len(value) < schema.get("minItems", 0):
            self.wrong(field, NO_ITEM)
        if len(value) > schema["maxItems"]:
            self.wrong(field, TOO_MANY, max=schema["maxItems"])
            return []
        return [self.read(schema["items"], inner, f"{field}[{number}]") for number, inner in enumerate(value)]

    def string(self, schema: Schema, value: str, field: str) -> str | date:
        if schema.get("format") == "date-time":
            return self.instant(value, field)
        if schema.get("format") == "date":
            return self.day(value, field)
        value = value.strip()
        if "enum" in schema:
            if value not in schema["enum"]:
                self.wrong(field, NOT_A_CHOICE, choices=", ".join(schema["enum"]))
        elif len(value) < schema["minLength"]:
            self.wrong(field, EMPTY)
        elif len(value) > schema["maxLength"]:
            self.wrong(field, TOO_LONG, max=schema["maxLength"])
        elif _UNPRINTABLE.search(value):
            self.wrong(field, UNPRINTABLE)
        return value

    def instant(self, value: str, field: str) -> datetime:
        """RFC 3339 with its offset; fractions of a second are dropped."""
        try:
            if not _INSTANT.fullmatch(value):
                raise ValueError(value)
            found = datetime.fromisoformat(value.upper())
        except ValueError:
            self.wrong(field, NOT_AN_INSTANT)
            return datetime.min.replace(tzinfo=UTC)
        if found.year not in YEARS:
            self.wrong(field, FAR_YEAR, min=YEARS[0], max=YEARS[-1])
            return datetime.min.replace(tzinfo=UTC)
        return found.astimezone(UTC).replace(microsecond=0)

    def day(self, value: str, field: str) -> date:
        """A day as ISO 8601 writes it in full."""
        try:
            if not _DAY.fullmatch(value):
                raise ValueError(value)
            found = date.fromisoformat(value)
        except ValueError:
            self.wrong(field, NOT_A_DAY)
            return date.min
        if found.year not in YEARS:
            self.wrong(field, FAR_YEAR, min=YEARS[0], max=YEARS[-1])
        return found

    def integer(self, schema: Schema, value: int, field: str) -> int:
        if not schema["minimum"] <= value <= schema["maximum"]:
            self.wrong(field, OUT_OF_BOUNDS, min=schema["minimum"], max=schema["maximum"])
        return value

    def boolean(self, schema: Schema, value: bool, field: str) -> bool:  # noqa: ARG002  # one shape for all
        return value


_TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
_READ: dict[str, Callable[..., Any]] = {kind: getattr(_Reader, kind) for kind in _TYPES}


def refuse(field: str, sentence: str, **facts: Any) -> NoReturn:
    """One value is wrong for a reason that no schema can say."""
    raise Invalid([Wrong(field, sentence, facts)])


def read_body(request: Request, schema: Schema) -> dict[str, Any]:
    """The JSON object of a request; an absent body is an empty one."""
    request.max_content_length = MAX_BODY
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise TooLarge(max=MAX_BODY) from None
    value: Any = {}
    if raw:
        if not request.is_json:
            raise WrongMediaType
        try:
            value = json.loads(raw, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            # Also too many digits in a number, or bytes that are no text.
            raise NotJson from None
    reader = _Reader()
    body = reader.read(schema, value, "")
    if reader.errors:
        raise Invalid(reader.errors)
    found: dict[str, Any] = body
    return found


def read_query(args: MultiDict[str, str], schema: dict[str, Schema], required: Iterable[str] = ()) -> dict[str, Any]:
    """The query of a request; an empty value is an absent one."""
    reader = _Reader()
    found: dict[str, Any] = {name: each["default"] for name, each in schema.items() if "default" in each}
    for name, values in args.lists():
        if name not in schema:
            reader.wrong(name, UNKNOWN)
        elif len(values) > 1:
            reader.wrong(name, ONCE)
        elif value := values[0].strip():
            found[name] = reader.read(schema[name], _typed(schema[name], value), name)
    for name in required:
        if name not in found:
            reader.wrong(name, MISSING)
    if reader.errors:
        raise Invalid(reader.errors)
    return found


def _typed(schema: Schema, value: str) -> str | int:
    if schema["type"] == "integer" and _WHOLE.fullmatch(value):
        return int(value)
    if schema.get("format") == "date-time":
        return value.replace(" ", "+")  # a `+` that was not escaped arrives as a space
    return value


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def write_cursor(*place: str | int) -> str:
    """Where the next page begins, opaque to the reader."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, *shape: type) -> tuple[Any, ...] | None:
    """The place a cursor points to, its parts of these types."""
    if cursor is None:
        return None
    try:
        place = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        refuse("cursor", BAD_CURSOR)
    if not isinstance(place, list) or tuple(map(type, place)) != shape:
        refuse("cursor", BAD_CURSOR)
    return tuple(place)
