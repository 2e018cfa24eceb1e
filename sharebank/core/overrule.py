"""What the owner's staff may let pass when they say why: the end of an insurance, or a rule of lending."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sharebank.core.errors import Refused


class Overridable(Refused):
    """A refusal that a reason of the owner's staff overrules."""

    def __init__(self, field: str | None, barred: str, *, overridable: bool = False, **facts: Any) -> None:
        super().__init__(field, **facts)
        self.barred = barred
        """The code of the thing that cannot be had so."""
        self.overridable = overridable
        """May the one who asked let it pass, with a reason?"""
        self.ways_out: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Something in the way at one house, and what is kept of it when it is overruled."""

    house_id: int
    refusal: Refused
    note: str


def overrule(found: Iterable[Hindrance], staff_of: Collection[int], reason: str) -> dict[int, str]:
    """Let things pass in spite of what is in the way, or raise the first refusal that stays.

    Staff of the house concerned may, when they say why; what is kept of it is returned, by house.
    """
    reason, kept = reason.strip(), dict[int, list[str]]()
    for one in found:
        if not isinstance(one.refusal, Overridable):
            raise one.refusal
        one.refusal.overridable = one.house_id in staff_of
        if not (one.refusal.overridable and reason):
            raise one.refusal
        kept.setdefault(one.house_id, []).append(one.note)
    return {house: f"{reason} ({', '.join(dict.fromkeys(notes))})" for house, notes in kept.items()}
