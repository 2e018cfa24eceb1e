"""What a loan costs: the quote when it is asked for, the fee when it is cancelled.

Of a price list the first audience the borrower belongs to counts, and only its prices: houses first, everyone last. Of
its units of time the cheapest counts; what goes by the piece, the person or the loan comes on top; kilometres are
reckoned when they have been driven. A row for a season or a headcount goes before one without.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sharebank.core.errors import N_, Cents, Said
from sharebank.lending import counting
from sharebank.lending.facts import Asked
from sharebank.lending.groups import belongs
from sharebank.lending.money import TIMES
from sharebank.lending.schema import Settings
from sharebank.lending.terms import Terms
from sharebank.lending.when import day_count, within_span
from sharebank.lending.windows import days_touched

HIRE = N_("Hire")
DEPOSIT = N_("Deposit")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a quote: what, how many of which unit, how much."""

    label: str
    """A msgid (HIRE), or the name the house gave the price or the option."""
    units: int
    """Of time, pieces, people; those of time are of each piece."""
    unit: str
    """A key of `money.UNITS`."""
    cents: int
    thing: str = ""


@dataclass(frozen=True, slots=True)
class Deposit:
    """One deposit: its name, its amount, and `money`, `letter` (either will do) or `waived`."""

    label: str
    cents: int
    kind: str


@dataclass(frozen=True, slots=True)
class Travel:
    """What a kilometre of a thing costs, and how many are expected, there and back; 0 when nobody has said."""

    thing: str
    km: int
    cents: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What was said when it was asked for; kept with the loan, so that a later change of prices changes nothing."""

    lines: tuple[Line, ...] = ()
    deposits: tuple[Deposit, ...] = ()
    travel: tuple[Travel, ...] = ()
    advance_cents: int = 0
    """Of the total, to be paid when it is approved."""
    dearer: bool = False

    @property
    def total_cents(self) -> int:
        """What the loan costs, deposits and kilometres apart."""
        return sum(line.cents for line in self.lines)

    @property
    def estimate_cents(self) -> int:
        """What the kilometres expected will cost on top."""
        return sum(travel.km * travel.cents for travel in self.travel)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a JSON column; the two totals are for those who only read."""
        return {
            "lines": [[line.label, line.units, line.unit, line.cents, line.thing] for line in self.lines],
            "deposits": [[one.label, one.cents, one.kind] for one in self.deposits],
            "travel": [[one.thing, one.km, one.cents] for one in self.travel],
            "advance_cents": self.advance_cents,
            "dearer": self.dearer,
            "total_cents": self.total_cents,
            "estimate_cents": self.estimate_cents,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any] | None) -> Quote:
        """The quote that was kept; an empty one where there was none."""
        plain = plain or {}
        return cls(
            tuple(Line(*line) for line in plain.get("lines", ())),
            tuple(Deposit(*one) for one in plain.get("deposits", ())),
            tuple(Travel(*one) for one in plain.get("travel", ())),
            plain.get("advance_cents", 0),
            plain.get("dearer", False),
        )


def half_up(amount: int, over: int) -> int:
    """A whole number of cents over another, rounded half up once."""
    return (2 * amount + over) // (2 * over)


def quote(terms: Terms, asked: Asked, dearer: bool = False, repeated: bool = False) -> Quote:
    """What one thing costs for what is asked; `dearer` when a rule not kept makes it so.

    `repeated` when another thing of the same loan was quoted under the same rules: what goes by the loan is in there.
    """
    rule, lines, travel, advance = terms.get("prices"), tuple[Line, ...](), tuple[Travel, ...](), 0
    if rule:
        chosen = [row for row in rule["options"] if row["name"] in asked.options]
        rate = rule["dearer_percent"] if dearer else 100
        rows = [] if any(row["free"] for row in chosen) else _rows(rule, asked)
        lines = (*_hire(rule, rows, asked, rate, repeated), *_options(rule, chosen, asked, repeated))
        lines = tuple(line for line in lines if line.cents)
        km = next((half_up(row["cents"] * rate, 100) for row in rows if row["unit"] == "km"), 0)
        travel = (Travel(asked.thing, 2 * (asked.distance_km or 0), km),) if km else ()
        advance = half_up(sum(line.cents for line in lines) * rule["advance_percent"], 100)
    return Quote(lines, tuple(_deposits(terms, asked, repeated)), travel, advance, dearer and bool(lines or travel))


def quote_loan(parts: Sequence[tuple[Terms, Asked]], dearer: Collection[str] = ()) -> Quote:
    """What a loan of several things costs; `dearer` names the rule sets under which it does."""
    seen: set[str] = set()
    quotes = []
    for terms, asked in parts:
        quotes.append(quote(terms, asked, asked.rules in dearer, asked.rules in seen))
        seen.add(asked.rules)
    return Quote(
        tuple(line for one in quotes for line in one.lines),
        tuple(deposit for one in quotes for deposit in one.deposits),
        tuple(travel for one in quotes for travel in one.travel),
        sum(one.advance_cents for one in quotes),
        any(one.dearer for one in quotes),
    )


def _rows(rule: Settings, asked: Asked) -> list[Settings]:
    """The row of each unit that counts for who asks."""
    day, people = asked.start.date(), asked.headcount or 0
    seasons = {row["name"] for row in rule["seasons"] if within_span(row["first"], row["last"], day)}
    fitting = [
        row
        for row in rule["grid"]
        if belongs(asked.borrower, row["audience"])
        and (not row["season"] or row["season"] in seasons)
        and row["headcount_from"] <= people
    ]
    found: dict[str, Settings] = {}
    for row in fitting:
        if row["audience"] == fitting[0]["audience"]:
            best = found.setdefault(row["unit"], row)
            if (bool(row["season"]), row["headcount_from"]) > (bool(best["season"]), best["headcount_from"]):
                found[row["unit"]] = row
    return list(found.values())


_COUNT: Mapping[str, Callable[[Settings, Asked], int]] = {
    "hour": lambda _rule, asked: counting.hours(asked.start, asked.end),
    "half_day": lambda rule, asked: counting.half_days(rule, asked.start, asked.end),
    "day": lambda rule, asked: len(counting.days(rule, asked.start, asked.end)),
    "week_end": lambda rule, asked: counting.week_ends(rule, asked.start, asked.end),
    "piece": lambda _rule, asked: asked.quantity,
    "person": lambda _rule, asked: asked.headcount or 0,
    "loan": lambda _rule, _asked: 1,
}


def _hire(rule: Settings, rows: list[Settings], asked: Asked, rate: int, repeated: bool) -> Iterator[Line]:
    """The cheapest line of time, then what goes by the piece, the person and the loan."""
    times = [row for row in rows if row["unit"] in TIMES]
    if len(times) > 1 and not counting.is_week_end(rule, asked.start, asked.end):
        times = [row for row in times if row["unit"] != "week_end"]
    lines = []
    for row in times:
        units = _COUNT[row["unit"]](rule, asked)
        shares = 100 + (units - 1) * rule["further_percent"]
        cents = half_up(row["cents"] * asked.quantity * shares * rate, 100 * 100)
        lines.append(Line(row["name"] or HIRE, units, row["unit"], cents, asked.thing))
    if lines:
        yield min(lines, key=lambda line: line.cents)
    for row in rows:
        if row["unit"] in ("piece", "person") or (row["unit"] == "loan" and not repeated):
            units = _COUNT[row["unit"]](rule, asked)
            yield Line(row["name"] or HIRE, units, row["unit"], half_up(row["cents"] * units * rate, 100), asked.thing)


def _options(rule: Settings, chosen: list[Settings], asked: Asked, repeated: bool) -> Iterator[Line]:
    for row in chosen:
        if row["unit"] != "piece" and repeated:
            continue
        units = _COUNT[row["unit"]](rule, asked)
        yield Line(row["name"], units, row["unit"], row["cents"] * units, asked.thing)


def _deposits(terms: Terms, asked: Asked, repeated: bool) -> Iterator[Deposit]:
    for row in terms["deposits"]["rows"] if "deposits" in terms else ():
        own = row["cents"] is None
        cents = (asked.deposit_cents or 0) if own else row["cents"]
        cents *= asked.quantity if row["per"] == "piece" else 1
        if not cents or (repeated and not own and row["per"] == "loan"):
            continue
        kind = "waived" if belongs(asked.borrower, row["waived"]) else "letter" if row["letter"] else "money"
        yield Deposit(row["label"] or DEPOSIT, cents, kind)


def cancellation_fee(
    terms: Terms, quote: Quote, cancelled_at: datetime, start: datetime, end: datetime | None = None
) -> tuple[int, Said | None]:
    """What cancelling costs and why; both times are wall times. Nothing is owed, (0, None), in good time."""
    ahead = (start.date() - cancelled_at.date()).days
    week_end = any(day.weekday() >= 5 for day in days_touched(start, end or start.replace(hour=23)))
    due = [
        row
        for row in (terms["cancellation"]["tiers"] if "cancellation" in terms else ())
        if ahead < row["days"] and (week_end or not row["week_end"])
    ]
    row = max(due, key=lambda row: row["percent"], default=None)
    cents = half_up(quote.total_cents * row["percent"], 100) if row else 0
    if row is None or not cents:
        return 0, None
    facts = {"days": day_count(row["days"]), "share": row["percent"], "total": Cents(quote.total_cents)}
    facts |= {"rules": terms.name, "amount": Cents(cents)}
    said = N_("Cancelled less than %(days)s before: %(share)s %% of %(total)s, %(amount)s (rules “%(rules)s”).")
    return cents, Said(said, facts)
