"""Which corrections may be made when, and what stands against one."""

from __future__ import annotations

from sharebank.core.errors import N_, Refused

ACTS = {
    "more": ("closed",),
    "less": ("closed",),
    "drop": ("open", "closed"),
    "replace": ("closed",),
    "share": ("draft", "open", "closed"),
    "take_back": ("open", "closed"),
}
"""In which states each correction may be made."""
UNDOABLE = ("more", "less", "drop", "replace")
"""Those that another one takes back."""


class NothingToMove(Refused):
    """A correction changes something."""

    code = "nothing_to_move"
    sentence = N_("Write how many units, at least 1 and at most %(most)s.")


class NotSoMany(Refused):
    """Nobody gives up more than they take."""

    code = "not_so_many"
    sentence = N_("“%(value)s” takes %(n)s of it: no more than that can be taken off.")


class NoFallback(Refused):
    """Nothing is named that could be taken instead."""

    code = "no_fallback"
    sentence = N_("The price list names nothing that could be taken instead of this article.")


class TakenBack(Refused):
    """Once is enough."""

    status = 409
    code = "taken_back"
    sentence = N_("This correction was taken back already, or it is none that can be.")
