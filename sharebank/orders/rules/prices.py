"""Two versions of a price list side by side: what is new, gone, dearer, cheaper, packed otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sharebank.core.errors import N_

KINDS = {
    "new": N_("New"),
    "gone": N_("No longer sold"),
    "dearer": N_("Dearer"),
    "cheaper": N_("Cheaper"),
    "pack": N_("Packed otherwise"),
    "breaks": N_("Other price breaks"),
    "least": N_("Another least quantity"),
    "vat": N_("Another VAT rate"),
    "words": N_("Described otherwise"),
    "fallback": N_("Something else instead"),
}
"""What may have changed about an article, what costs most attention first."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One article as a price list has it; `breaks` as `[[units, "price"], …]`."""

    sku: str
    name: str
    unit: str
    pack: int
    price: Decimal
    vat: Decimal
    least_packs: int = 1
    breaks: Sequence[Sequence[int | str]] = ()
    labels: Sequence[str] = ()
    category: str = ""
    fallback_sku: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """An article that is not what it was; `before` or `after` is missing when it is new or gone."""

    sku: str
    kinds: tuple[str, ...]
    before: Listed | None = field(repr=False)
    after: Listed | None = field(repr=False)

    @property
    def listed(self) -> Listed:
        """The article as it is, or as it last was."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def percent(self) -> Decimal | None:
        """By how much its price rose, to a tenth of a percent; below 0 when it fell."""
        if self.before is None or self.after is None or self.before.price == self.after.price:
            return None
        return round((self.after.price - self.before.price) * 100 / self.before.price, 1)


def compare(before: Iterable[Listed], after: Iterable[Listed]) -> list[Change]:
    """What changed: in the new list's order, what is gone at the end."""
    old, found = {one.sku: one for one in before}, []
    for new in after:
        was = old.pop(new.sku, None)
        if was is None:
            found.append(Change(new.sku, ("new",), None, new))
        elif kinds := _kinds(was, new):
            found.append(Change(new.sku, kinds, was, new))
    return found + [Change(one.sku, ("gone",), one, None) for one in old.values()]


def _kinds(was: Listed, new: Listed) -> tuple[str, ...]:
    differs = {
        "dearer": new.price > was.price,
        "cheaper": new.price < was.price,
        "pack": (new.pack, new.unit) != (was.pack, was.unit),
        "breaks": _steps(new) != _steps(was),
        "least": new.least_packs != was.least_packs,
        "vat": new.vat != was.vat,
        "words": (new.name, list(new.labels), new.category) != (was.name, list(was.labels), was.category),
        "fallback": new.fallback_sku != was.fallback_sku,
    }
    return tuple(kind for kind, so in differs.items() if so)


def _steps(listed: Listed) -> list[tuple[int, Decimal]]:
    return [(int(units), Decimal(price)) for units, price in listed.breaks]


def count(changes: Iterable[Change]) -> dict[str, int]:
    """How many articles changed in each way; one may have changed in several."""
    found = Counter(kind for change in changes for kind in change.kinds)
    return {kind: found[kind] for kind in KINDS if found[kind]}
