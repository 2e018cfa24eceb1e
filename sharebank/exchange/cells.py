"""How each sort of cell is read and written back; plain values, no database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sharebank.accounts.hours import parse_opening_hours
from sharebank.accounts.rules import PHONE as PHONE_SHAPE
from sharebank.catalog.attributes import KEY_LENGTH, VALUE_LENGTH
from sharebank.catalog.rules import RULES_NAME as NAME_OF_RULES
from sharebank.core.errors import Refused
from sharebank.core.money import cents, euros
from sharebank.core.period import Period, local_period, to_local
from sharebank.core.values import parse_decimal, parse_int
from sharebank.exchange.refusals import (
    BadAttributes,
    BadCode,
    BadColour,
    BadEmail,
    BadHours,
    BadPhone,
    InvalidDate,
    InvalidTime,
    LongText,
    NegativeQuantity,
    NotAChoice,
    NotNumber,
    NotWhole,
    OutOfBounds,
    TooFine,
    ZeroQuantity,
    short,
)
from sharebank.lending.terms import BadTerms, write_terms

MOST = 2**31 - 1
"""What a database integer holds."""
YEARS = range(1900, 2200)
REASON, REASON_LENGTH = "reason", 200
"""The attribute that says why a thing is out of service: a sentence, the last of them."""


def plain(value: Any) -> str:
    """A value as a cell; nothing is an empty one."""
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Cell:
    """How a sort of cell is read (raises Refused) and written."""

    read: Callable[[str], Any]
    write: Callable[[Any], str] = plain


def text(most: int) -> Cell:
    """Words, at most so many characters."""

    def read(cell: str) -> str:
        if len(cell) > most:
            raise LongText(length=len(cell), most=most)
        return cell

    return Cell(read)


def shaped(pattern: str, refusal: type[Refused], most: int, *, lower: bool = False) -> Cell:
    """Words of one shape."""
    shape, bounded = re.compile(pattern), text(most)

    def read(cell: str) -> str:
        cell = bounded.read(cell.lower() if lower else cell)
        if not shape.fullmatch(cell):
            raise refusal(value=short(cell))
        return cell

    return Cell(read)


def code(most: int = 20) -> Cell:
    """What names a thing in addresses and on labels."""
    return shaped(r"[A-Za-z0-9][A-Za-z0-9._-]*", BadCode, most)


EMAIL = shaped(r"(?=[!-~]+$)[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+", BadEmail, 254, lower=True)
PHONE = shaped(PHONE_SHAPE, BadPhone, 30)
LOWER = Cell(str.lower)
"""An address somebody must have already: no need to look at its shape."""
COLOUR = shaped(r"#[0-9A-Fa-f]{6}", BadColour, 7)


def understood(understand: Callable[[str], Any], refusal: type[Refused], most: int) -> Cell:
    """Words kept as they are, when the room they belong to understands them (raises ValueError if not)."""
    bounded = text(most)

    def read(cell: str) -> str:
        try:
            understand(cell)
        except ValueError as error:
            raise refusal(value=short(str(error))) from None
        return bounded.read(cell)  # type: ignore[no-any-return]

    return Cell(read)


HOURS = understood(parse_opening_hours, BadHours, 400)


def choice(*words: str) -> Cell:
    """One of these words."""

    def read(cell: str) -> str:
        if cell not in words:
            raise NotAChoice(value=short(cell), choices=", ".join(words))
        return cell

    return Cell(read)


def choices(*words: str) -> Cell:
    """Some of these words, `;` between them."""
    one = choice(*words)
    return Cell(lambda cell: [one.read(word.strip()) for word in cell.split(";")], ";".join)


def whole(low: int = 0, high: int = MOST) -> Cell:
    """A whole number within bounds."""

    def read(cell: str) -> int:
        try:
            number = parse_int(cell)
        except ValueError:
            raise NotWhole(value=short(cell)) from None
        if not low <= number <= high:
            raise OutOfBounds(value=short(cell), low=low, high=high)
        return number

    return Cell(read)


def _read_quantity(cell: str) -> int:
    number: int = whole(-MOST).read(cell)
    if number == 0:
        raise ZeroQuantity
    if number < 0:
        raise NegativeQuantity(value=short(cell))
    return number


QUANTITY = Cell(_read_quantity)


def decimal(high: int) -> Cell:
    """A number from zero to `high`, at most two decimals; written without idle zeros."""

    def read(cell: str) -> Decimal:
        try:
            number = parse_decimal(cell)
        except ValueError:
            raise NotNumber(value=short(cell)) from None
        if not 0 <= number <= high:
            raise OutOfBounds(value=short(cell), low=0, high=high)
        if number * 100 % 1:
            raise TooFine(value=short(cell))
        return number

    def write(number: Decimal | None) -> str:
        return "" if number is None else f"{number:.2f}".rstrip("0").rstrip(".")

    return Cell(read, write)


def money(most: int) -> Cell:
    """Euros in the file, cents inside."""
    amount = decimal(most)
    return Cell(lambda cell: cents(amount.read(cell)), lambda found: "" if found is None else str(euros(found)))


MONEY = money(MOST // 100)


def _read_terms(cell: str) -> str:
    try:
        return write_terms(json.loads(cell))
    except (ValueError, RecursionError):
        raise BadTerms from None


TERMS = Cell(_read_terms)
"""Rules of lending as data; kept in their one form."""
RULES_NAME = shaped(NAME_OF_RULES, BadCode, 60)

_DAY = re.compile(
    r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})|(?P<d2>[0-9]{1,2})/(?P<m2>[0-9]{1,2})/(?P<y2>[0-9]{4})"
)
_TIME = re.compile(
    rf"(?:{_DAY.pattern})[T ]+(?P<H>[0-9]{{1,2}})[:h](?P<M>[0-9]{{2}})(?::(?P<S>[0-9]{{2}}))?"
    r"(?P<offset>Z|(?P<sign>[+-])(?P<oh>[0-9]{2}):?(?P<om>[0-9]{2}))?"
)


def _date(found: re.Match[str]) -> date:
    year, month, day = (int(found[part] or found[f"{part}2"]) for part in "ymd")
    if year not in YEARS:
        raise ValueError(year)
    return date(year, month, day)


def _read_day(cell: str) -> date:
    found = _DAY.fullmatch(cell)
    try:
        if found:
            return _date(found)
    except ValueError:
        pass
    raise InvalidDate(value=short(cell))


DAY = Cell(_read_day)


def _read_moment(cell: str) -> datetime:
    found = _TIME.fullmatch(cell)
    try:
        if found:
            day, hour, minute = _date(found), int(found["H"]), int(found["M"])
            wall = datetime(day.year, day.month, day.day, hour, minute, int(found["S"] or 0))  # noqa: DTZ001
            if found["offset"] is None:
                return wall
            ahead = timedelta(hours=int(found["oh"] or 0), minutes=int(found["om"] or 0))
            return (wall + ahead if found["sign"] == "-" else wall - ahead).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise InvalidTime(value=short(cell))


MOMENT = Cell(_read_moment)
"""Wall time without zone, or an instant when the cell says its offset."""


def meant(start: datetime, end: datetime, tz: ZoneInfo) -> Period:
    """The period two cells mean; an offset says which of an hour's two turns, else it is taken whole.

    Raises NonexistentTime or EndsBeforeStart, their field naming the column.
    """
    walls = [to_local(moment, tz) if moment.tzinfo else moment for moment in (start, end)]
    widest = local_period(walls[0], walls[1], tz)
    return Period(start if start.tzinfo else widest.start, end if end.tzinfo else widest.end)


def written(period: Period, tz: ZoneInfo) -> tuple[str, str]:
    """The two cells of a period: wall time, with its offset only where the hour alone would mean another instant."""
    walls = [to_local(instant, tz) for instant in (period.start, period.end)]
    widest = local_period(walls[0], walls[1], tz)
    exact = [period.start.astimezone(tz), period.end.astimezone(tz)]
    told = [
        wall if instant == plainly else local
        for wall, local, instant, plainly in zip(
            walls, exact, (period.start, period.end), (widest.start, widest.end), strict=True
        )
    ]
    cells = [moment.isoformat(timespec="seconds" if moment.second else "minutes") for moment in told]
    return cells[0], cells[1]


def _read_attributes(cell: str) -> dict[str, str]:
    found: dict[str, str] = {}
    key = ""
    for part in cell.split(";"):
        if not part.strip():
            continue
        if key == REASON and "=" not in part:
            found[key] += f";{part.rstrip()}"  # a sentence may hold what tells attributes apart
            continue
        key, _, value = (" ".join(piece.split()) for piece in part.partition("="))
        most = REASON_LENGTH if key == REASON else VALUE_LENGTH
        if not (key and value) or key in found or len(key) > KEY_LENGTH or len(value) > most:
            raise BadAttributes(value=short(part))
        found[key] = value
    return found


ATTRIBUTES = Cell(_read_attributes, lambda found: "; ".join(f"{key}={value}" for key, value in found.items()))
