"""The fewest transfers that settle who paid what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EXACT = 14
"""Up to so many parties the fewest transfers are found; beyond, largest first, which is nearly as few."""


@dataclass(frozen=True, slots=True, order=True)
class Transfer:
    """Somebody pays somebody."""

    payer: str
    payee: str
    cents: int


def settle(balances: Mapping[str, int]) -> list[Transfer]:
    """Transfers after which nobody owes anything; `balances` are cents paid less cents borne and add up to 0.

    A group of n whose balances add up to 0 is settled with n - 1 transfers, so the fewest transfers come from the most
    such groups. Raises ValueError when the balances do not add up to 0.
    """
    if sum(balances.values()):
        raise ValueError("balances do not add up to 0")
    open_ = {party: cents for party, cents in sorted(balances.items()) if cents}
    groups = _zero_groups(open_) if len(open_) <= EXACT else [list(open_)]
    return sorted(transfer for group in groups for transfer in _within({party: open_[party] for party in group}))


def _zero_groups(balances: Mapping[str, int]) -> list[list[str]]:
    """The parties in as many groups of sum 0 as there can be: the best way to build each subset up, one at a time."""
    parties = list(balances)
    size = 1 << len(parties)
    sums, most, last = [0] * size, [0] * size, [0] * size
    for subset in range(1, size):
        low = subset & -subset
        sums[subset] = sums[subset ^ low] + balances[parties[low.bit_length() - 1]]
        best, came_from = -1, 0
        rest = subset
        while rest:
            bit = rest & -rest
            if most[subset ^ bit] > best:
                best, came_from = most[subset ^ bit], bit
            rest ^= bit
        most[subset], last[subset] = best + (sums[subset] == 0), came_from
    groups: list[list[str]] = []
    subset, group = size - 1, list[str]()
    while subset:
        if sums[subset] == 0 and group:
            groups.append(group)
            group = []
        group.append(parties[last[subset].bit_length() - 1])
        subset ^= last[subset]
    return [*groups, group] if group else groups


def _within(balances: Mapping[str, int]) -> list[Transfer]:
    """The largest debt pays the largest claim, until nothing is left."""
    left, transfers = dict(balances), list[Transfer]()
    while any(left.values()):
        payer = min(left, key=lambda party: (left[party], party))
        payee = min(left, key=lambda party: (-left[party], party))
        cents = min(-left[payer], left[payee])
        transfers.append(Transfer(payer, payee, cents))
        left[payer] += cents
        left[payee] -= cents
    return transfers
