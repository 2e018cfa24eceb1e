"""What ordering together saved: what each paid against what it would have paid alone, by year and organisation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.core.money import euros
from sharebank.core.period import to_local
from sharebank.orders.settlement.paper_words import csv_bytes
from sharebank.orders.settlement.settling import Settled, bodies_of, settled_orders


@dataclass(frozen=True, slots=True)
class Saving:
    """One organisation's year; everything with VAT and delivery, in cents."""

    year: int
    code: str
    name: str
    house: str
    orders: int
    paid_cents: int
    alone_cents: int
    refused: int
    """Orders the supplier would not have taken from it alone, for they stay below its minimum."""

    @property
    def saved_cents(self) -> int:
        """What ordering together saved; negative when it cost more."""
        return self.alone_cents - self.paid_cents

    @property
    def percent(self) -> int:
        """Of what it would have paid alone."""
        return round(100 * self.saved_cents / self.alone_cents) if self.alone_cents else 0


def savings(session: Session, actor: Actor, tz: ZoneInfo) -> list[Saving]:
    """Every year and organisation the actor may see, the latest year first; the year is that of an order's close.

    Staff see everyone's, others their own organisations'.
    """
    mine = None if actor.staff_ids or actor.admin else {role.organisation for role in actor.roles}
    found: dict[tuple[int, str], list[tuple[Settled, str]]] = defaultdict(list)
    for kept in settled_orders(session):
        year = to_local(kept.order.closes_at, tz).year
        for code in kept.alone:
            if mine is None or code in mine:
                found[year, code].append((kept, code))
    bodies = bodies_of(session)
    rows = [
        Saving(
            year,
            code,
            bodies[code].name if code in bodies else code,
            each[0][0].homes.get(code, ""),
            len(each),
            sum(kept.shares[code]["total_cents"] for kept, _ in each),
            sum(kept.alone[code]["total_cents"] for kept, _ in each),
            sum(not kept.alone[code]["taken"] for kept, _ in each),
        )
        for (year, code), each in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.year, -row.saved_cents, row.code))


def whole(rows: Sequence[Saving]) -> Saving:
    """The same of several together."""
    return Saving(
        rows[0].year if rows else 0,
        "",
        "",
        "",
        sum(row.orders for row in rows),
        sum(row.paid_cents for row in rows),
        sum(row.alone_cents for row in rows),
        sum(row.refused for row in rows),
    )


_HEADS = (
    "Année",
    "Structure",
    "Nom",
    "Maison",
    "Commandes",
    "Payé ensemble TTC (€)",
    "Seule TTC (€)",
    "Économie (€)",
    "Commandes sous le minimum du fournisseur",
)


def as_csv(rows: Sequence[Saving]) -> bytes:
    """The rows as a French spreadsheet opens them."""
    return csv_bytes(_HEADS, ([*_cells(row)] for row in rows))


def _cells(row: Saving) -> Iterator[str | int | Decimal]:
    yield from (row.year, row.code, row.name, row.house, row.orders)
    yield from (euros(cents) for cents in (row.paid_cents, row.alone_cents, row.saved_cents))
    yield row.refused
