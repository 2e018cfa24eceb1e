"""How many packs are ordered, and who gets how many units of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, TypeVar

Sharing = Literal["pro_rata", "first_come", "priority"]
SHARINGS: tuple[Sharing, ...] = ("pro_rata", "first_come", "priority")

Key = TypeVar("Key", bound="str | int")


@dataclass(frozen=True, slots=True)
class Article:
    """One line of a price list, frozen in an order; prices are net, a unit; the VAT rate in percent."""

    sku: str
    pack: int
    price: Decimal
    vat: Decimal
    least_packs: int = 1
    breaks: tuple[tuple[int, Decimal], ...] = ()
    """Units from which another unit price holds (a break counts when reached), rising."""


class Pledge(NamedTuple):
    """What an organisation takes: `quantity` units for sure, up to `accept_up_to` to fill a pack."""

    organisation: str
    quantity: int
    accept_up_to: int
    turn: int = 0
    """The lower, the earlier it came; who came first is served first where the order says so."""

    @property
    def room(self) -> int:
        """Units it would take on top."""
        return self.accept_up_to - self.quantity


def units_to_order(article: Article, pledges: Iterable[Pledge]) -> int:
    """Units in whole packs: up to the next pack when those who accept more cover what it lacks, else down.

    Room alone opens no pack, but where the supplier's minimum for the article can be reached with it, it is: below
    that minimum nobody would get anything.
    """
    firm, most = wanted(pledges)
    return whole_packs(article, firm, most - firm)


def wanted(pledges: Iterable[Pledge]) -> tuple[int, int]:
    """Firm units, and the most everyone together would take."""
    firm = most = 0
    for _organisation, quantity, accept_up_to, _turn in pledges:
        firm += quantity
        most += accept_up_to
    return firm, most


def whole_packs(article: Article, firm: int, room: int) -> int:
    """The same for so many firm units and so much room."""
    if firm == 0:
        return 0
    packs = -(-firm // article.pack)
    if packs * article.pack - firm > room:
        packs -= 1
    if packs < article.least_packs:
        packs = article.least_packs if article.least_packs * article.pack <= firm + room else 0
    return packs * article.pack


def unit_price(article: Article, units: int) -> Decimal:
    """The price of the highest break that this many units reach."""
    price = article.price
    for threshold, lower in article.breaks:
        if units >= threshold:
            price = lower
    return price


def allocate(
    pledges: Sequence[Pledge], units: int, sharing: Sharing, first: Sequence[str] = ()
) -> tuple[dict[str, int], int]:
    """Units of each organisation, and those nobody accepts (more came than anybody would take).

    Everyone keeps their firm quantity when there is enough; what is more goes to those who accept more, what is
    missing is shared by the rule. `first` names the organisations that come first under `priority`.
    """
    firm = {pledge.organisation: pledge.quantity for pledge in pledges}
    room = {pledge.organisation: pledge.room for pledge in pledges}
    ranks = _ranks(pledges, sharing, first)
    if units < sum(firm.values()):
        return _serve(units, firm, ranks), 0
    extra = min(units - sum(firm.values()), sum(room.values()))
    more = _serve(extra, room, ranks)
    given = {organisation: firm[organisation] + more[organisation] for organisation in firm}
    return given, units - sum(given.values())


def _ranks(pledges: Sequence[Pledge], sharing: Sharing, first: Sequence[str]) -> list[list[str]]:
    """Groups served one after the other; within a group all alike."""
    everyone = sorted(pledge.organisation for pledge in pledges)
    if sharing == "first_come":
        came = {pledge.organisation: (pledge.turn, pledge.organisation) for pledge in pledges}
        return [[organisation] for organisation in sorted(everyone, key=lambda one: came[one])]
    if sharing == "priority":
        named: Collection[str] = set(first)
        return [[one for one in everyone if one in named], [one for one in everyone if one not in named]]
    return [everyone]


def _serve(units: int, wanted: Mapping[str, int], ranks: Iterable[Sequence[str]]) -> dict[str, int]:
    """Share `units` group by group, within a group in proportion to what each wants, never above it."""
    given = dict.fromkeys(wanted, 0)
    for group in ranks:
        here = min(units, sum(wanted[one] for one in group))
        given |= largest_remainder(here, {one: wanted[one] for one in group})
        units -= here
    return given


def largest_remainder(total: int, weights: Mapping[Key, int]) -> dict[Key, int]:
    """Share a whole number in proportion to weights; what rounding leaves goes to the largest remainders.

    Ties go to the first key in order. The parts add up to `total`, and none exceeds its weight when `total` is at
    most the sum of the weights. All weights zero: all alike. Nobody to share with: `total` must be 0.
    """
    if not weights:
        if total:
            raise ValueError("nobody to share with")
        return {}
    whole = sum(weights.values())
    if not whole:
        weights, whole = dict.fromkeys(weights, 1), len(weights)
    # Whole numbers all along: parts and remainders of total × weight ÷ whole.
    parts = {key: total * weight // whole for key, weight in weights.items()}
    left = total - sum(parts.values())
    if left:
        remainders = sorted([(-(total * weight % whole), key) for key, weight in weights.items()])
        for _remainder, key in remainders[:left]:
            parts[key] += 1
    return parts
