"""Refusals: what is wrong, where, and what to do, said once for screens, API and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple


def N_(msgid: str) -> str:
    """Mark a sentence for the catalogue; it is translated where it is shown."""
    return msgid


class Word(str):
    """A fact that is itself a text of the catalogue: it is translated where it is shown."""

    __slots__ = ()


class Cents(int):
    """A fact that is an amount: it is shown in euros."""

    __slots__ = ()


class Count(NamedTuple):
    """A fact that is a number of something, in the singular or the plural of the reader's language."""

    one: str
    many: str
    n: int


def ngettext(one: str, many: str, n: int) -> Count:
    """Mark both forms for the catalogue; they are chosen and translated where they are shown."""
    return Count(one, many, n)


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the catalogue with its facts; itself a fact of a longer one."""

    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """Something asked for cannot be done; `facts` fill the sentence, `field` says where it was typed."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "refused"
    sentence: ClassVar[str] = N_("This cannot be done.")

    def __init__(self, field: str | None = None, **facts: Any) -> None:
        self.field = field
        self.facts = facts
        super().__init__(self.code)

    def __str__(self) -> str:
        """The English sentence, for logs and commands without a reader's language."""
        return self.sentence % self.facts


class NotFound(Refused):
    """It does not exist, or the actor may not know that it does."""

    status = 404
    code = "not_found"
    sentence = N_("We cannot find this page, or it is not yours to see.")


class NotAllowed(Refused):
    """The actor may see this but not do that."""

    status = 403
    code = "not_allowed"
    sentence = N_("You may not do this. Ask the house that owns it.")


class Busy(Refused):
    """Another act held the same rows too long, or crossed this one; nothing was stored."""

    status = 409
    code = "busy"
    sentence = N_("Someone else changed the same thing at the same moment. Nothing was stored: please try again.")


class ChangedMeanwhile(Refused):
    """Two people edit the same thing: the second one sees so instead of undoing the first one's work."""

    status = 409
    code = "changed_meanwhile"
    sentence = N_(
        "Someone else changed this while you were writing. Nothing was stored, and nothing you typed is lost:"
        " look at it in another window, then send yours once more if it is to replace what is there."
    )


class DatabaseRefused(Refused):
    """The database had the last word: what was written would have collided."""

    status = 409
    code = "overlap"
    sentence = N_("Someone else has just taken it. Nothing was stored: please search again.")
