"""A rule set as data: read from its JSON text once, written back in one form only.

The text is an object, rule kind to settings; each kind's settings (`kinds.KINDS`) drive reading, checking, the editing
form and writing, so that none of them can know more than another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from sharebank.lending.kinds import KINDS
from sharebank.lending.schema import BadTerms, Settings, UnknownRule

__all__ = ["BadTerms", "Terms", "parse_terms", "read_terms", "write_terms"]


class Terms(Mapping[str, Settings]):
    """The rules of one rule set: kind to settings, parsed, in the order of KINDS; never changed."""

    __slots__ = ("_rules", "checks", "name", "needs", "staff_checks")

    def __init__(self, name: str, rules: Mapping[str, Settings]) -> None:
        self.name = name
        """The rule set's."""
        self._rules = {kind: rules[kind] for kind in KINDS if kind in rules}
        found = [(KINDS[kind], settings) for kind, settings in self._rules.items()]
        # Put together once: a search asks 120 things what they think of a period.
        self.checks = tuple((kind.check, settings) for kind, settings in found if kind.check)
        self.staff_checks = tuple((kind.check, settings) for kind, settings in found if kind.check and kind.binds_staff)
        self.needs = frozenset(need for kind, settings in found for need in kind.needs(settings))
        """What must be known of a request, see `kinds.FORM_FIELDS` and `kinds.GATHERED`."""

    def __getitem__(self, kind: str) -> Settings:
        return self._rules[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)


@lru_cache(maxsize=1024)
def read_terms(name: str, text: str) -> Terms:
    """The rules of a text; raises BadTerms naming the field."""
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadTerms("terms") from None
    return parse_terms(name, found)


def parse_terms(name: str, found: Any) -> Terms:
    """The same from plain values: what a form or a program gives."""
    if not isinstance(found, Mapping):
        raise BadTerms("terms")
    rules: dict[str, Settings] = {}
    for kind, settings in found.items():
        if kind not in KINDS:
            raise UnknownRule(str(kind)[:60], value=str(kind)[:60])
        try:
            rules[kind] = KINDS[kind].read(settings)
        except BadTerms as bad:
            raise type(bad)(f"{kind}.{bad.field or ''}".rstrip("."), **bad.facts) from None
    return Terms(name, rules)


def write_terms(rules: Mapping[str, Any]) -> str:
    """The one canonical text: keys sorted, no spaces, settings at their default left out; raises BadTerms.

    Takes Terms, or plain values of JSON.
    """
    terms = rules if isinstance(rules, Terms) else parse_terms("", rules)
    plain = {kind: KINDS[kind].write(settings) for kind, settings in terms.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
