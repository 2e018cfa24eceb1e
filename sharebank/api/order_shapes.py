"""The shapes of group orders in the API, as JSON Schema; prices are decimals as text, sums are cents."""

from __future__ import annotations

from sharebank.api.shapes import (
    ANY_TEXT,
    CODE,
    COUNT,
    FLAG,
    INSTANT,
    LIST_QUERY,
    MAX_BODY,
    MAX_UNITS,
    UTC_INSTANT,
    Schema,
    choice,
    many,
    maybe,
    text,
    thing,
    whole,
)
from sharebank.core.errors import N_
from sharebank.orders.rules.packs import SHARINGS
from sharebank.orders.rules.states import STATES

ORDER_CODE, SKU, UNITS = text(60), text(40), whole(0, MAX_UNITS)
MAX_COUNTED, MAX_NAMED = 900, 200
"""What fits into a body (`MAX_BODY`), every field as long as it may be."""
MAX_SKUS = MAX_BODY // len('"A",')
"""What fits of the shortest: a supplier may have many articles, and how many a body takes depends on their numbers."""
EURO_PRICE = text(20, examples=["0.874"])

# -- what comes in --------------------------------------------------------------------------------

_WHY = text(1000, minimum=0)
BODIES: dict[str, Schema] = {
    "NewOrder": thing(
        {
            "code": ORDER_CODE,
            "title": text(200),
            "supplier": CODE,
            "closes_at": INSTANT,
            "delivery_house": CODE,
            "sharing": choice(list(SHARINGS)),
            "skus": many(SKU, minItems=1, maxItems=MAX_SKUS),
            "campaign": ORDER_CODE,
            "opens_at": INSTANT,
            "pickup": text(300, minimum=0),
            "joins": many(text(40), maxItems=MAX_NAMED),
            "first": many(CODE, maxItems=MAX_NAMED),
            "notes": text(20_000, minimum=0),
        },
        optional=("sharing", "skus", "campaign", "opens_at", "pickup", "joins", "first", "notes"),
    ),
    "NewPledge": thing({"organisation": CODE, "quantity": UNITS, "accept_up_to": UNITS}, optional=("accept_up_to",)),
    "Opening": thing({"closes_at": INSTANT, "why": _WHY}, optional=("closes_at", "why")),
    "Nothing": thing({}),
    "OrderReason": thing({"why": _WHY}, optional=("why",)),
    "Sending": thing(
        {"how": choice(["email", "hand"]), "to": text(254, minimum=0), "words": text(1000, minimum=0)},
        optional=("how", "to", "words"),
    ),
    "Reception": thing(
        {
            "items": many(
                thing(
                    {"sku": SKU, "received": UNITS, "damaged": UNITS, "unit_price": EURO_PRICE},
                    optional=("damaged", "unit_price"),
                ),
                maxItems=MAX_COUNTED,
            ),
            "note": text(500, minimum=0),
        },
        optional=("items", "note"),
    ),
}
STEPS = {
    "open": "Opening",
    "extend": "Opening",
    "close": "Nothing",
    "send": "Sending",
    "receive": "Reception",
    "settle": "Nothing",
    "reopen": "Opening",
    "cancel": "OrderReason",
}
"""The steps of an order, and what each is told."""
ORDERS_QUERY: dict[str, Schema] = {"state": choice(list(STATES)), "campaign": ORDER_CODE, **LIST_QUERY}

# -- what goes out --------------------------------------------------------------------------------

_CENTS: Schema = {"type": "integer"}
_MONEY = thing({"goods_cents": _CENTS, "vat_cents": _CENTS, "delivery_cents": _CENTS, "total_cents": _CENTS})
_PLEDGE: dict[str, Schema] = {"organisation": CODE, "sku": SKU, "quantity": COUNT, "accept_up_to": COUNT}


def _by_organisation(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


ANSWERS: dict[str, Schema] = {
    "Order": thing(
        {
            "code": ORDER_CODE,
            "campaign": ORDER_CODE,
            "title": ANY_TEXT,
            "supplier": CODE,
            "delivery_house": CODE,
            "coordinator": ANY_TEXT,
            "state": choice(list(STATES)),
            "sharing": choice(list(SHARINGS)),
            "first": many(CODE),
            "joins": many(ANY_TEXT),
            "opens_at": UTC_INSTANT,
            "closes_at": UTC_INSTANT,
            "pickup": ANY_TEXT,
            "notes": ANY_TEXT,
            "version": COUNT,
            "minimum_cents": COUNT,
            "minimum_gross": FLAG,
            "delivery": thing({"fee_cents": COUNT, "free_from_cents": maybe(COUNT), "vat_rate": ANY_TEXT}),
            "items": many({"$ref": "#/components/schemas/OrderItem"}),
            "pledges": many(thing({**_PLEDGE, "at": UTC_INSTANT})),
            "events": many(
                thing(
                    {
                        "at": UTC_INSTANT,
                        "by": {"type": ["string", "null"]},
                        "act": ANY_TEXT,
                        "to": choice(list(STATES)),
                        "why": ANY_TEXT,
                    }
                )
            ),
            "sending": thing(
                {
                    "version": COUNT,
                    "how": choice(["email", "hand"]),
                    "to": ANY_TEXT,
                    "state": choice(["waiting", "taken", "dead", "withdrawn"]),
                    "at": UTC_INSTANT,
                    "error": ANY_TEXT,
                }
            ),
        },
        optional=("items", "pledges", "events", "sending"),
    ),
    "OrderItem": thing(
        {
            "sku": SKU,
            "name": ANY_TEXT,
            "unit": ANY_TEXT,
            "pack": COUNT,
            "unit_price": EURO_PRICE,
            "vat_rate": ANY_TEXT,
            "min_order_packs": COUNT,
            "price_breaks": many(thing({"units": COUNT, "unit_price": EURO_PRICE})),
            "labels": many(ANY_TEXT),
            "category": ANY_TEXT,
            "fallback_sku": ANY_TEXT,
            "dropped": FLAG,
            "ordered": maybe(COUNT),
            "received": maybe(COUNT),
            "damaged": COUNT,
        }
    ),
    "Pledge": thing({"order": ORDER_CODE, **_PLEDGE}),
    "Summary": thing(
        {
            "items": many(
                thing(
                    {
                        "sku": SKU,
                        "firm": COUNT,
                        "room": COUNT,
                        "packs": COUNT,
                        "units": COUNT,
                        "unit_price": EURO_PRICE,
                        "goods_cents": _CENTS,
                        "allocations": _by_organisation(COUNT),
                    }
                )
            ),
            "shares": _by_organisation(_MONEY),
            "invoice": _MONEY,
            "minimum_reached": FLAG,
            "hints": many(
                thing(
                    {
                        "sku": SKU,
                        "kind": choice(["pack", "break", "costs_less"]),
                        "units": COUNT,
                        "lost": COUNT,
                        "saves_cents": _CENTS,
                        "unit_price": EURO_PRICE,
                    },
                    optional=("lost", "saves_cents", "unit_price"),
                )
            ),
        }
    ),
}

MEANINGS = {
    "code": N_("Letters without accents, digits and hyphens; part of its address."),
    "title": N_("What people read of it."),
    "supplier": N_("Code of a supplier with a price list."),
    "closes_at": N_("When pledging ends, with its offset from UTC."),
    "delivery_house": N_("Code of the house it is delivered to; its staff run it."),
    "sharing": N_("How a shortage is shared; in proportion by default."),
    "skus": N_("Articles of the price list; all of them when left out."),
    "campaign": N_("A word that orders at several suppliers have in common."),
    "opens_at": N_("When pledging begins, now by default."),
    "pickup": N_("Where and when to fetch it."),
    "joins": N_("Who may join: house, association, partner, a code, or house:CODE for its own; everyone by default."),
    "first": N_("Codes of the organisations served first, under “priority”."),
    "notes": N_("Anything else to know."),
    "organisation": N_("Code of the organisation that pledges."),
    "quantity": N_("Units wanted for sure; 0 takes the pledge back."),
    "accept_up_to": N_("Units taken at most, to fill a pack; as many as wanted by default."),
    "why": N_("A reason, for those who pledged to read; needed to extend and to cancel."),
    "how": N_("By e-mail, which it is by default where the supplier has an address, or by hand."),
    "to": N_("Another address than the supplier’s."),
    "words": N_("A few words that go with it."),
    "items": N_("What came: units in good order, damaged ones, a changed price; what is left out came whole."),
    "note": N_("What is to be known of the delivery."),
    "state": N_("State of the order."),
}
"""What the words mean where they are not what they mean elsewhere."""
