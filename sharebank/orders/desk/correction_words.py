"""A correction by hand, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from sharebank.core import web
from sharebank.core.errors import N_
from sharebank.core.texts import gettext
from sharebank.orders.desk.desk_forms import RULES
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.models import OrderItem

_SENTENCES = {
    "more": N_("%(n)s × %(article)s put on the account of %(organisation)s"),
    "less": N_("%(n)s × %(article)s taken off the account of %(organisation)s"),
    "drop": N_("%(article)s left out"),
    "replace": N_("%(article)s replaced by %(other)s"),
    "share": N_("Shared by another rule: %(rule)s"),
    "take_back": N_("Taken back: %(article)s"),
}


def correction_words(event: OrderEvent, items: Mapping[str, OrderItem], names: Mapping[str, str]) -> str:
    """`3 × Cahier mis au compte de la MCNG`."""
    about = event.about
    facts = {"n": web.number_words(about.get("units", 0)), "organisation": about.get("organisation", "")}
    for name, key in (("article", "sku"), ("other", "by")):
        item = items.get(about.get(key, ""))
        facts[name] = item.name if item else about.get(key, "")
    facts["organisation"] = names.get(facts["organisation"], facts["organisation"])
    rule = about.get("to")
    facts["rule"] = str(gettext(RULES[rule])) if rule else ""
    return str(gettext(_SENTENCES[event.act])) % facts
