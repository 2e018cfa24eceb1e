"""Kinds of borrower as rules name them, and what a rule not kept may do."""

from __future__ import annotations

from collections.abc import Collection

from sharebank.core.errors import N_, Said, Word
from sharebank.lending.facts import EFFECTS, Borrower
from sharebank.lending.saying import both
from sharebank.lending.schema import choice

GROUPS = {
    "houses": N_("the houses"),
    "own": N_("those attached to the house"),
    "associations": N_("associations"),
    "partners": N_("partners"),
    "everyone": N_("everyone"),
}

_TWO = {name: EFFECTS[name] for name in ("refuse", "approve")}
EFFECT = choice("effect", N_("Otherwise"), _TWO, default="refuse")
EFFECT_APPROVE = choice("effect", N_("Otherwise"), _TWO, default="approve")
"""Of what may still be put right before the house decides."""
EFFECT_DEARER = choice("effect", N_("Otherwise"), EFFECTS, default="refuse")


def belongs(borrower: Borrower, groups: Collection[str]) -> bool:
    """Is the borrower of one of these groups?"""
    return "everyone" in groups or f"{borrower.kind}s" in groups or (borrower.own and "own" in groups)


def named(groups: Collection[str]) -> Said | Word:
    """The groups in words, as a fact."""
    found: Said | Word = both(Word(GROUPS[group]) for group in groups)
    return found
