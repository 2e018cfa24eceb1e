"""How an article fills, in words and as a bar: what is missing to the pack, to the next price; and its plain facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from markupsafe import Markup

from sharebank.core import web
from sharebank.core.errors import N_
from sharebank.core.money import cents
from sharebank.core.texts import gettext, ngettext
from sharebank.orders.rules.advice import Filling, full_packs
from sharebank.orders.rules.packs import Article
from sharebank.orders.words import price_words

_UNITS = {
    "piece": N_("a piece"),
    "unit": N_("a unit"),
    "kg": N_("a kilo"),
    "litre": N_("a litre"),
    "bottle": N_("a bottle"),
    "roll": N_("a roll"),
    "packet": N_("a packet"),
    "box": N_("a box"),
    "ream": N_("a ream"),
    "sheet": N_("a sheet"),
    "set": N_("a set"),
}
_LABELS = {
    "recycled": N_("recycled"),
    "ecolabel": N_("ecolabel"),
    "local": N_("local"),
    "organic": N_("organic"),
    "fair_trade": N_("fair trade"),
}


def unit_word(unit: str) -> str:
    """`la pièce`: what a price is for; a unit of the supplier's own as it is written."""
    return str(gettext(_UNITS[unit])) if unit in _UNITS else unit


def label_word(label: str) -> str:
    """A label of the eco charter; one of the supplier's own as it is written."""
    return str(gettext(_LABELS[label])) if label in _LABELS else label


def category_word(category: str) -> str:
    """A category as people write it: price lists join its words by underscores."""
    return category.replace("_", " ")


class Said(NamedTuple):
    """One thing to say: `pack`, `full`, `break`, `less`; the kind is the class of its line."""

    kind: str
    text: str


_BAR = Markup(
    '<svg class="filling" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
    '<rect width="%s" height="8"/><rect class="room" x="%s" width="%s" height="8"/></svg>'
)


def bar(article: Article, filling: Filling) -> Markup:
    """The pack being filled, by firm units and by those accepted on top; none where each unit is one, nor at first."""
    if article.pack * article.least_packs == 1 or not filling.firm:
        return Markup()
    aim = full_packs(article, filling.firm)
    start = 0 if aim == article.least_packs * article.pack else aim - article.pack
    firm = (filling.firm - start) * 100 // (aim - start)
    room = min(filling.room, aim - filling.firm) * 100 // (aim - start)
    return _BAR % (firm, firm, room)


def advice(article: Article, filling: Filling) -> Sequence[Said]:
    """What is missing, what is reached, and what more would save."""
    return _advice(article, filling, web.locale_code())


@lru_cache(maxsize=4096)
def _advice(article: Article, filling: Filling, _locale: str) -> Sequence[Said]:
    """The same for everybody who reads this language."""
    return tuple(_said(article, filling))


def _said(article: Article, filling: Filling) -> Iterator[Said]:
    if not filling.firm:
        yield Said("pack", _untouched(article))
        return
    if filling.missing:
        yield Said("pack", _missing(article, filling))
    elif article.pack > 1 or article.least_packs > 1:
        packs = filling.units // article.pack
        full = str(ngettext("%(num)s full pack", "%(num)s full packs", packs))
        helped = filling.units > filling.firm
        yield Said("full", str(gettext("%(packs)s, thanks to those who accept more", packs=full)) if helped else full)
    if filling.next_price is not None and filling.to_break:
        yield _more(filling, filling.next_price)


def _more(filling: Filling, price: Decimal) -> Said:
    """What ordering up to the next price would change, for everyone together."""
    facts = {"num": web.number_words(filling.to_break), "price": price_words(price)}
    if filling.costs_less:
        saved = cents(filling.units * filling.price) - cents((filling.next_break or 0) * price)
        less = gettext("Ordering more costs less: with %(num)s more, at %(price)s, all together pay %(saved)s less")
        same = gettext("Ordering more costs no more: %(num)s more, at %(price)s, come for nothing")
        return Said("less", str(less if saved else same) % (facts | {"saved": web.euros_words(saved)}))
    if filling.saves_cents > 0:
        sentence = gettext("%(num)s more to come to %(price)s: −%(saved)s for all")
        return Said("break", str(sentence) % (facts | {"saved": web.euros_words(filling.saves_cents)}))
    return Said("break", str(gettext("%(num)s more to come to %(price)s")) % facts)


def _untouched(article: Article) -> str:
    """Nobody has asked for it yet: from how many on it comes."""
    least = article.least_packs * article.pack
    if least == 1:
        return str(gettext("Nobody has asked for it yet."))
    return str(gettext("Nobody has asked for it yet: it comes from %(num)s on.", num=web.number_words(least)))


def _missing(article: Article, filling: Filling) -> str:
    least = article.least_packs * article.pack
    facts = {"num": web.number_words(filling.missing), "least": web.number_words(least)}
    if filling.firm < least and article.least_packs > 1:
        return str(gettext("%(num)s more, or none comes: the supplier sells at least %(least)s")) % facts
    return str(gettext("%(num)s more to fill the pack")) % facts
