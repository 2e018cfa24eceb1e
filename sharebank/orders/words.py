"""A group order in words, on every page about it: its state, what happens next, the places it has."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from babel.numbers import parse_pattern
from flask import url_for

from sharebank.accounts.permissions import may_order
from sharebank.accounts.web import me
from sharebank.core import clock, web
from sharebank.core.errors import N_
from sharebank.core.texts import gettext, ngettext
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.models import GroupOrder
from sharebank.orders.rules.states import WORDS

# The shape of a state's mark: those of reservations, so that a reader learns them once.
_SHAPES = {
    "draft": "expired",
    "open": "approved",
    "closed": "requested",
    "sent": "collected",
    "received": "returned",
    "settled": "returned",
    "cancelled": "cancelled",
}


def state_word(state: str) -> str:
    """An order's state as screens name it."""
    return str(gettext(WORDS[state]))


def shape(state: str) -> str:
    """The class of its mark."""
    return _SHAPES[state]


# state -> what happens next: for who runs the order, for everybody else.
_NEXT = {
    "draft": (N_("Nobody sees it yet. Check it, then open it."), ""),
    "early": (N_("It opens on %(opens)s, until %(closes)s."), N_("It opens on %(opens)s, until %(closes)s.")),
    "open": (
        N_("Everyone may pledge until %(closes)s. Then you check it and send it to the supplier."),
        N_("Say what you take until %(closes)s. Then %(house)s sends the order to the supplier."),
    ),
    "late": (
        N_("It closed on %(closes)s: nothing can be pledged any more."),
        N_("It closed on %(closes)s: nothing can be pledged any more."),
    ),
    "closed": (
        N_("Nothing can be pledged any more. Look at what is not full, then send it to the supplier."),
        N_("Nothing can be pledged any more. %(house)s checks the order and sends it to the supplier."),
    ),
    "leaving": (
        N_("The order is on its way to the supplier by e-mail: look under Sending."),
        N_("Nothing can be pledged any more. %(house)s is sending the order to the supplier."),
    ),
    "sent": (
        N_("The supplier delivers to %(house)s. Count what comes, under Reception."),
        N_("The supplier delivers to %(house)s. You will be told when you can fetch your part."),
    ),
    "received": (
        N_("It is there: hand the parts out, enter the invoice, then settle the accounts."),
        N_("It is there: fetch your part at %(house)s."),
    ),
    "settled": (
        N_("All is shared out. Note under Accounts who has paid."),
        N_("All is shared out. What you owe, and your statement, are under Accounts."),
    ),
    "cancelled": (N_("Nothing is ordered."), N_("Nothing is ordered.")),
}


def next_words(order: GroupOrder) -> str:
    """What happens next, said to this reader."""
    now, state = clock.now(), order.state
    if state == "open":
        state = "early" if now < order.opens_at else "late" if now >= order.closes_at else "open"
    mine, others = _NEXT["leaving" if order.leaving else state]
    facts = {"house": order.house.name, "opens": moment(order.opens_at), "closes": moment(order.closes_at)}
    return str(gettext(mine if may_order(me(), "run", order) else others)) % facts


def moment(at: datetime) -> str:
    """`samedi 28 novembre 2026, 18:30`."""
    return f"{web.day_words(at)}, {web.clock_words(at)}"


def left_words(order: GroupOrder) -> str:
    """`ferme dans 3 jours`, while one may pledge; empty otherwise."""
    now = clock.now()
    if order.state != "open" or not order.opens_at <= now < order.closes_at:
        return ""
    hours = int((order.closes_at - now).total_seconds()) // 3600
    if hours < 1:
        return str(gettext("closes within the hour"))
    if hours < 48:
        return str(ngettext("closes in %(num)s hour", "closes in %(num)s hours", hours))
    return str(ngettext("closes in %(num)s day", "closes in %(num)s days", hours // 24))


_ACTS = {
    "make": N_("Prepared"),
    "open": N_("Opened"),
    "extend": N_("Closing time moved"),
    "close": N_("Pledging closed"),
    "reopen": N_("Reopened"),
    "send": N_("Sent to the supplier"),
    "receive": N_("Delivered"),
    "invoice": N_("Invoice entered"),
    "no_invoice": N_("Invoice taken back"),
    "settle": N_("Shared out"),
    "cancel": N_("Cancelled"),
    "edit": N_("Facts changed"),
    "more": N_("Topped up by hand"),
    "less": N_("Reduced by hand"),
    "drop": N_("Article left out"),
    "replace": N_("Article replaced"),
    "share": N_("Other rule of sharing"),
    "take_back": N_("Correction taken back"),
    "remind": N_("Those who had not pledged were reminded"),
    "call_off": N_("The supplier was written to: version %(version)s no longer holds"),
    "not_called_off": N_("The supplier could not be written to: version %(version)s has to be called off by telephone"),
}


def act_word(event: OrderEvent) -> str:
    """A step that was made."""
    return str(gettext(_ACTS[event.act])) % event.about if event.act in _ACTS else state_word(event.state)


class Tab(NamedTuple):
    """A place of an order."""

    key: str
    label: str
    url: str


# key, label, endpoint, in which states, for whom: everybody or who runs the order.
_TABS = (
    ("articles", N_("Articles"), "orders.show", "draft open closed sent received settled cancelled", False),
    ("assistant", N_("Prepare"), "orders.assistant", "draft open closed sent received settled", True),
    ("sending", N_("Sending"), "orders.sending", "closed sent received settled", True),
    ("reception", N_("Reception"), "orders.reception", "sent received settled", True),
    ("invoice", N_("Invoice"), "orders.invoice", "received settled", True),
    ("accounts", N_("Accounts"), "orders.accounts", "sent received settled", False),
    ("history", N_("History"), "orders.history", "draft open closed sent received settled cancelled", False),
)


def tabs(order: GroupOrder, here: str) -> list[Tab]:
    """The places of an order that make sense now to this reader, and the one shown."""
    runs = may_order(me(), "run", order)
    return [
        Tab(key, str(gettext(label)), url_for(endpoint, order_code=order.code))
        for key, label, endpoint, states, only in _TABS
        if key == here or (order.state in states.split() and (runs or not only))
    ]


# -- prices ------------------------------------------------------------------------------------------

_PRICE = {"fr": parse_pattern("#,##0.00##\N{NO-BREAK SPACE}¤"), "en": parse_pattern("¤#,##0.00##")}


@lru_cache(maxsize=4096)
def _price(price: Decimal, locale: str) -> str:
    return str(_PRICE[locale].apply(price, locale, currency="EUR", currency_digits=False))


def price_words(price: Decimal) -> str:
    """`0,874 €`, a unit price: cents, and what is finer where there is any."""
    return _price(price, web.locale_code())
