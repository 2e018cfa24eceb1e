"""Every kind of rule, in one table; a new kind is one entry in one of the lists it is made of.

`when`, `windows`, `seasons`, `who`, `papers` and `money` hold the entries: name, label, settings, check, words, and
what they need to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharebank.core.errors import N_, Said, Word
from sharebank.lending import money, papers, seasons, when, who, windows
from sharebank.lending.facts import EFFECTS, Asked, Breach
from sharebank.lending.papers import PAPERS, UNDERTAKINGS
from sharebank.lending.schema import Kind, Settings

if TYPE_CHECKING:
    from sharebank.lending.terms import Terms

__all__ = [
    "FORM_FIELDS",
    "GATHERED",
    "KINDS",
    "PAPERS",
    "UNDERTAKINGS",
    "Breach",
    "breaches",
    "needs",
    "sentence",
    "words",
]

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*when.KINDS, *windows.KINDS, *seasons.KINDS, *who.KINDS, *papers.KINDS, *money.KINDS)
}
"""In the order in which people read rules: when, who, what it costs."""

FORM_FIELDS = frozenset({"purpose", "headcount", "distance_km", "collect_at", "return_at", "drivers", "options"})
"""What a rule may want the request form to ask."""
GATHERED = frozenset({"history", "papers"})
"""What a rule may want looked up: the borrower's loans this year, the documents it has shown."""


def breaches(terms: Terms, asked: Asked, staff: bool = False) -> list[Breach]:
    """The rules a request does not keep; for the owner's own staff only of those that bind it too."""
    checks = terms.staff_checks if staff else terms.checks
    return [found for check, settings in checks if (found := check(settings, asked))]


def needs(terms: Terms) -> frozenset[str]:
    """What must be known of a request to check it: keys of FORM_FIELDS and GATHERED."""
    return terms.needs


def words(terms: Terms) -> list[tuple[str, Said]]:
    """A rule set read back: label (a msgid) and words of each rule that says something."""
    found = ((KINDS[kind], settings, KINDS[kind].words(settings)) for kind, settings in terms.items())
    return [(kind.label, _otherwise(kind, settings, said)) for kind, settings, said in found if said]


def _otherwise(kind: Kind, settings: Settings, said: Said) -> Said:
    """What happens otherwise, where it is not the usual; a quota says so itself."""
    usual = next((setting.default for setting in kind.fields if setting.name == "effect"), None)
    if usual is None or settings["effect"] == usual or kind.name == "quota":
        return said
    return Said(N_("%(said)s (otherwise %(effect)s)"), {"said": said, "effect": Word(EFFECTS[settings["effect"]])})


def sentence(terms: Terms) -> Said:
    """The same in one sentence: “Minibus: 15 days before, 3 days at most, …”."""
    said = tuple(said for _label, said in words(terms))
    if not said:
        return Said(N_("%(rules)s: nothing is asked"), {"rules": terms.name})
    return Said(N_("%(rules)s: %(said)s"), {"rules": terms.name, "said": said})
