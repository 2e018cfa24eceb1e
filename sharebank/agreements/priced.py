"""What is paid for a loan, as an agreement says it: each line, each kilometre, or nothing at all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sharebank.agreements import french
from sharebank.agreements.markup import Json
from sharebank.lending.prices import Deposit, Line, Quote

FREE = "à titre gracieux"


@dataclass(frozen=True, slots=True)
class Fare:
    """What a kilometre costs, read off the dial: beyond those included, and how many are expected."""

    cents: int
    included: int = 0
    expected: int = 0
    thing: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """All that is paid for a loan; a deposit comes back and is no price."""

    lines: Sequence[Line] = ()
    fares: Sequence[Fare] = ()
    deposits: Sequence[Deposit] | None = None
    """None when no rule says what is asked for: then the things do."""

    @property
    def cents(self) -> int:
        """Of its lines: kilometres are not known yet."""
        return sum(line.cents for line in self.lines)


def mark(quote: Quote | None) -> list[Any]:
    """What an agreement says of a quote, as plain values; how far they mean to drive is none of it."""
    quote = quote or Quote()
    lines = [[line.thing, line.label, line.units, line.unit, line.cents] for line in quote.lines]
    return [
        lines,
        [[one.thing, one.cents] for one in quote.travel],
        [[one.label, one.cents, one.kind] for one in quote.deposits],
    ]


def total(prices: Sequence[Price]) -> str:
    """`60,00 € et 0,32 € le kilomètre, au compteur`; empty when nothing at all is paid."""
    said = list(dict.fromkeys(_said(price) for price in prices))
    if not any(said):
        return ""
    # Of a series some dates may cost more than others.
    return " ou ".join(one or FREE for one in said) + ", selon la date" * (len(said) > 1)


def free(prices: Sequence[Price]) -> str:
    """The words for it, only when nothing at all is paid."""
    return "" if total(prices) else FREE


def _said(price: Price) -> str:
    named: dict[str, list[str]] = {}
    for fare in price.fares:
        named.setdefault(f"{_each(fare)}, au compteur{_beyond(fare)}", []).append(fare.thing)
    fares = (words + f" ({french.listed(things)})" * any(things) for words, things in named.items())
    return french.listed([french.euros(price.cents) if price.cents else "", *fares])


def _each(fare: Fare) -> str:
    return f"{french.euros(fare.cents)} le kilomètre"


def _beyond(fare: Fare) -> str:
    return f", au-delà de {french.number(fare.included)}\u00a0km" if fare.included else ""


def tables(prices: Sequence[Price]) -> list[Json]:
    """Line by line; of a series each price there is, under what it comes to."""
    found: list[Json] = []
    for price in prices:
        if len(prices) > 1 and _said(price):
            found.append({"t": "p", "runs": [[f"Séance à {_said(price)}\u202f:", False]]})
        found += _table(price)
    return found


def _table(price: Price) -> list[Json]:
    rows = [_row(line) for line in price.lines]
    for fare in price.fares:
        what = _of("Kilomètres, au compteur", fare.thing)
        expected = f"environ {french.number(fare.expected)}\u00a0km" if fare.expected else ""
        rows.append([what, expected, _each(fare) + _beyond(fare)])
    if price.lines:
        rows.append(["Total hors kilomètres" if price.fares else "Total", "", french.euros(price.cents)])
    return [table(("Prix", "Quantité", "Montant"), rows, (5, 2, 3), (2,))] if rows else []


def _row(line: Line) -> list[str]:
    unit = french.UNITS.get(line.unit)
    counted = french.counted(line.units, *unit) if unit else ""
    return [_of(french.say(line.label), line.thing), counted, french.euros(line.cents)]


def _of(what: str, thing: str) -> str:
    return f"{what} ({thing})" if thing else what


def deposits(asked: Sequence[Deposit]) -> str:
    """Each with its amount, and whether a letter will do."""
    named = len(asked) > 1
    return french.listed(
        french.euros(one.cents)
        + f" ({french.say(one.label)})" * named
        + (" ou une lettre de l’employeur" * (one.kind == "letter"))
        for one in asked
    )


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], right: Sequence[int] = ()
) -> Json:
    """Plain values the press lays out; `right` says which columns stand on the right."""
    return {
        "t": "table",
        "head": list(head),
        "rows": [list(row) for row in rows],
        "widths": list(widths),
        "right": list(right),
    }
