"""Every kind of file there is, under the name the command line knows it by."""

from __future__ import annotations

from sharebank.exchange.columns import Kind
from sharebank.exchange.deadlines import INSURANCE
from sharebank.exchange.loans import RESERVATIONS
from sharebank.exchange.people import HOUSES, ORGANISATIONS, USERS
from sharebank.exchange.pledges import PLEDGES
from sharebank.exchange.prices import PRICE_LIST
from sharebank.exchange.refusals import UnknownKind, short
from sharebank.exchange.series import SERIES
from sharebank.exchange.suppliers import SUPPLIERS
from sharebank.exchange.things import RESOURCES, RULE_SETS

# In the order in which they build on each other.
KINDS: dict[str, Kind] = {
    "houses": HOUSES,
    "rule-sets": RULE_SETS,
    "organisations": ORGANISATIONS,
    "users": USERS,
    "resources": RESOURCES,
    "reservations": RESERVATIONS,
    "series": SERIES,
    "insurance": INSURANCE,
    "suppliers": SUPPLIERS,
    "price-list": PRICE_LIST,
    "pledges": PLEDGES,
}


def kind_named(name: str) -> Kind:
    """The kind of this name; raises UnknownKind."""
    if name not in KINDS:
        raise UnknownKind(value=short(name), known=", ".join(KINDS))
    return KINDS[name]
