"""Before an order is sent: who goes without what under each rule, and what a correction would change. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sharebank.core.money import cents
from sharebank.orders.reading import Standing, Terms
from sharebank.orders.rules.advice import filling
from sharebank.orders.rules.packs import SHARINGS, Pledge, Sharing, allocate
from sharebank.orders.rules.shares import bill, line_of


@dataclass(frozen=True, slots=True)
class Party:
    """One organisation at one article: what it asked for, what it would get under each rule."""

    organisation: str
    wanted: int
    gets: Mapping[Sharing, int]

    def short(self, rule: Sharing) -> int:
        """Units it asked for and would not get."""
        return max(0, self.wanted - self.gets[rule])


@dataclass(frozen=True, slots=True)
class Uneven:
    """An article of which not everybody gets what they asked for, and those it concerns."""

    sku: str
    units: int
    lost: int
    """Firm units that nobody gets."""
    more: int
    """Units on top of what was asked for, that those who accept them get."""
    parties: tuple[Party, ...]


def uneven(standing: Standing, first: Sequence[str] = ()) -> list[Uneven]:
    """The articles that are cut or topped up, in the order's own order; `first`: those served first."""
    found = []
    for sku, line in standing.lines.items():
        pledges, firm = standing.pledges[sku], standing.fillings[sku].firm
        if line.units == firm:
            continue
        under = {rule: allocate(pledges, line.units, rule, first)[0] for rule in SHARINGS}
        parties = (
            Party(one.organisation, one.quantity, {rule: under[rule].get(one.organisation, 0) for rule in SHARINGS})
            for one in sorted(pledges)
        )
        concerned = tuple(party for party in parties if set(party.gets.values()) != {party.wanted})
        found.append(Uneven(sku, line.units, max(0, firm - line.units), max(0, line.units - firm), concerned))
    return found


@dataclass(frozen=True, slots=True)
class Cut:
    """What one organisation would go without over the whole order, in net cents under each rule."""

    organisation: str
    cents: Mapping[Sharing, int]


def cuts(standing: Standing, found: Iterable[Uneven]) -> list[Cut]:
    """The organisations that some rule cuts, those cut most first."""
    lost: dict[str, dict[Sharing, int]] = {}
    for article in found:
        price = standing.lines[article.sku].price
        for party in article.parties:
            mine = lost.setdefault(party.organisation, dict.fromkeys(SHARINGS, 0))
            for rule in SHARINGS:
                mine[rule] += cents(party.short(rule) * price)
    everyone = [Cut(organisation, amounts) for organisation, amounts in lost.items() if any(amounts.values())]
    return sorted(everyone, key=lambda cut: (-max(cut.cents.values()), cut.organisation))


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an order is from what its supplier asks for; cents, 0 when it is there."""

    have_cents: int
    minimum_cents: int
    gross: bool
    missing_cents: int
    to_free_cents: int | None
    """Net goods missing until delivery is free; None where it never is."""


def reach(standing: Standing, terms: Terms) -> Reach:
    """The way to the supplier's minimum and to free delivery."""
    invoice, minimum, free = standing.bill.invoice, terms.minimum, terms.delivery.free_from_cents
    have = invoice.total_cents if minimum.gross else invoice.goods_cents
    to_free = None if free is None else max(0, free - invoice.goods_cents)
    return Reach(have, minimum.cents, minimum.gross, max(0, minimum.cents - have), to_free)


def what_if(
    standing: Standing,
    terms: Terms,
    sharing: Sharing,
    first: Sequence[str],
    keeper: str,
    *,
    pledges: Mapping[str, Sequence[Pledge]],
    without: Collection[str] = (),
) -> Standing:
    """How the order would stand with other pledges for some articles, `without` others; nothing is sent yet."""
    kept = {sku: article for sku, article in standing.articles.items() if sku not in without}
    own = {sku: pledges.get(sku, standing.pledges[sku]) for sku in kept}
    lines = {
        sku: line_of(article, own[sku], sharing, first, keeper=keeper) if sku in pledges else standing.lines[sku]
        for sku, article in kept.items()
    }
    fillings = {
        sku: filling(article, own[sku]) if sku in pledges else standing.fillings[sku] for sku, article in kept.items()
    }
    whole = bill(lines.values(), terms.delivery)
    return Standing(kept, own, lines, fillings, whole, whole.reaches(terms.minimum))
