"""What is looked at when a thing changes hands: one table of data for each sort of thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sharebank.core.errors import N_

MOST = 100_000
"""Units, pieces, keys, passengers."""
MOST_KM = 2_000_000

BOTH = ("collect", "return")
OUT, IN = ("collect",), ("return",)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to look at: `yes` (a box, ticked when all is well), `count`, `km`, `words`, or a key of CHOICES.

    `first` stands open on the screen, the others are folded; what went out is proposed again when it comes back
    if `carried`.
    """

    key: str
    label: str
    type: str
    acts: tuple[str, ...] = BOTH
    first: bool = False
    fine: bool = True
    """What a box says before anybody touches it."""
    carried: bool = False
    wrong: str = ""
    """What is said of a thing when its box is not ticked."""


CHOICES: Mapping[str, Mapping[str, str]] = {
    "fuel": {
        "": N_("Not read"),
        "full": N_("Full"),
        "3/4": N_("Three quarters"),
        "1/2": N_("Half"),
        "1/4": N_("A quarter"),
        "reserve": N_("On reserve"),
    },
    "seal": {"": N_("No crate"), "sealed": N_("Sealed"), "opened": N_("Opened")},
}

LOST = "lost"
"""Among the facts of a return: pieces that bear a name and a price of their own, and how many are gone."""

WORKS = Item("works", N_("Tried: it works"), "yes", wrong=N_("does not work"))
KEYS = Item("keys", N_("Keys"), "count", carried=True)
CLEAN = Item("clean", N_("Clean"), "yes", wrong=N_("dirty"))
ITEMS: Mapping[str, tuple[Item, ...]] = {
    "vehicle": (
        Item("odometer", N_("Kilometres on the dial"), "km", first=True),
        Item("fuel", N_("Fuel gauge"), "fuel", first=True, carried=True),
        Item("driver", N_("Driver"), "words", OUT, first=True),
        Item("licence", N_("Licence seen"), "yes", OUT, first=True, fine=False),
        Item("papers", N_("Papers aboard"), "yes", wrong=N_("papers missing")),
        Item("safety", N_("Safety kit aboard: vest, triangle"), "yes", wrong=N_("safety kit missing or incomplete")),
        Item(
            "bodywork", N_("Bodywork and seats without a new mark"), "yes", wrong=N_("a new mark on bodywork or seats")
        ),
        CLEAN,
        KEYS,
        Item("parking", N_("Parked where"), "words", carried=True),
        Item("passengers", N_("Passengers carried"), "count", IN),
    ),
    "cycle": (
        WORKS,
        Item("charged", N_("Battery charged"), "yes", wrong=N_("battery not charged")),
        Item("safety", N_("Lock, lights and charger there"), "yes", wrong=N_("lock, lights or charger missing")),
        Item("bodywork", N_("Without a new mark"), "yes", wrong=N_("a new mark")),
        CLEAN,
        KEYS,
        Item("parking", N_("Parked where"), "words", carried=True),
    ),
    "room": (
        KEYS,
        Item("furniture", N_("Furniture in its place"), "yes", wrong=N_("furniture not in its place")),
        Item(
            "shut",
            N_("Lights off, heating down, doors shut"),
            "yes",
            IN,
            wrong=N_("lights or heating left on, or doors open"),
        ),
        Item("extinguishers", N_("Extinguishers in their place"), "yes", wrong=N_("extinguishers not in their place")),
        Item("waste", N_("Waste taken away"), "yes", IN, wrong=N_("waste left behind")),
        CLEAN,
        Item("meters", N_("Meters"), "words"),
    ),
    "equipment": (
        WORKS,
        Item("complete", N_("Contents complete"), "yes", wrong=N_("contents incomplete")),
        CLEAN,
        Item("seal", N_("Crate"), "seal", carried=True),
        Item("pieces", N_("Pieces counted"), "count", carried=True),
    ),
}


def sort(kind: str, plate: str) -> str:
    """Which row of ITEMS a thing is looked at by: a vehicle without a number plate is a bicycle."""
    return "cycle" if kind == "vehicle" and not plate else kind


def items(kind: str, act: str) -> tuple[Item, ...]:
    """What is looked at for a sort of thing at one of the two meetings."""
    return tuple(item for item in ITEMS[kind] if act in item.acts)
