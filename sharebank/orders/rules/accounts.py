"""Who owes whom for an order: associations settle with their house, houses among themselves by the fewest transfers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from sharebank.core.money import cents
from sharebank.orders.rules.advice import alone
from sharebank.orders.rules.packs import Article
from sharebank.orders.rules.shares import Delivery, Share
from sharebank.orders.rules.transfers import Transfer, settle

SUPPLIER = ""
"""The payee that is no organisation."""


class Moved(NamedTuple):
    """Money that went from one to another; to the supplier when the payee is `SUPPLIER`."""

    payer: str
    payee: str
    cents: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """How an order's money stands; all by code, in cents."""

    homes: Mapping[str, str]
    """The house each settles with; a house settles with itself."""
    paid: Mapping[str, int]
    """To the supplier, by whom; what nobody noted is the delivery house's."""
    unnoted: int
    """Of the invoice, what no payment is noted for; negative when more than it was paid."""
    owed: Mapping[str, int]
    """What each association still owes its house; negative: its house owes it."""
    balances: Mapping[str, int]
    """What each house has paid, less what it and its associations bear; they add up to 0."""

    @property
    def transfers(self) -> list[Transfer]:
        """The fewest payments after which no house owes another anything for this order."""
        return settle(self.balances)

    def most(self, payer: str, payee: str) -> int:
        """The most one may pay the other for this order: what is owed, so that nothing is noted twice.

        Nothing from house to house: they settle all their orders together.
        """
        if payee == SUPPLIER:
            return max(0, self.unnoted)
        if payer in self.owed and payee in self.balances:
            return max(0, self.owed[payer])
        if payer in self.balances and payee in self.owed:
            return max(0, -self.owed[payee])
        return 0


def reckon_accounts(
    total: int, shares: Mapping[str, int], homes: Mapping[str, str], house: str, moved: Sequence[Moved]
) -> Accounts:
    """Accounts of an invoice of `total`, its shares, and what was paid; `house` is where it was delivered.

    `homes` names the house of everyone who bears or pays something. An association that paid somebody else than its
    house has paid all the same: the houses make it up among themselves.
    """
    parties = {house, *shares, *(party for move in moved for party in move[:2] if party != SUPPLIER)}
    homes = {party: homes[party] for party in sorted(parties | {homes[party] for party in parties})}
    to_supplier = [move for move in moved if move.payee == SUPPLIER]
    unnoted = total - sum(move.cents for move in to_supplier)
    paid: dict[str, int] = defaultdict(int)
    for move in (*to_supplier, Moved(house, SUPPLIER, unnoted)):
        paid[move.payer] += move.cents
    spent = {party: paid.get(party, 0) - shares.get(party, 0) for party in homes}
    for move in moved:
        if move.payee != SUPPLIER:
            spent[move.payer] += move.cents
            spent[move.payee] -= move.cents
    balances = dict.fromkeys(sorted(set(homes.values())), 0)
    for party, home in homes.items():
        balances[home] += spent[party]
    owed = {party: -spent[party] for party, home in homes.items() if party != home}
    return Accounts(homes, {party: cents for party, cents in sorted(paid.items()) if cents}, unnoted, owed, balances)


def together(each: Iterable[Mapping[str, int]], moved: Iterable[Moved]) -> dict[str, int]:
    """Balances of the houses over several orders, and what they paid each other for all of them at once."""
    balances: dict[str, int] = defaultdict(int)
    for one in each:
        for house, amount in one.items():
            balances[house] += amount
    for move in moved:
        balances[move.payer] += move.cents
        balances[move.payee] -= move.cents
    return dict(sorted(balances.items()))


def alone_share(lines: Iterable[tuple[Article, int]], delivery: Delivery) -> Share:
    """What somebody would pay who ordered these units alone: whole packs, their own breaks, delivery, VAT."""
    by_rate: dict[Decimal, list[tuple[Article, int]]] = defaultdict(list)
    for article, units in lines:
        by_rate[article.vat].append((article, units))
    bought = {rate: alone(part) for rate, part in by_rate.items()}
    goods = sum(part.goods_cents for part in bought.values())
    fee = delivery.cents(goods, sum(part.units for part in bought.values()))
    base = {rate: part.goods_cents for rate, part in bought.items()}
    base[delivery.vat] = base.get(delivery.vat, 0) + fee
    vat = {rate: cents(Decimal(net) * rate / 10_000) for rate, net in sorted(base.items()) if net}
    return Share(goods, fee, sum(vat.values()), vat)
