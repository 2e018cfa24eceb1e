"""What no hand at a console gets into the tables of group orders, on either database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.core.errors import DatabaseRefused, Refused
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.models import Pledge
from sharebank.orders.outgoing import sending
from tests.services.test_orders import CLOSES, PRICES, SUPPLIERS, take
from tests.world import NOW

OTHER = "(SELECT id FROM group_order WHERE code = 'autre')"
ADJUST = "INSERT INTO order_adjustment (order_id, item_id, organisation_id, units, event_id) SELECT"
REFUSED = {
    "a text is no quantity": "UPDATE pledge SET quantity = 'abc', accept_up_to = 'abd'",
    "nor is less than nothing": "UPDATE pledge SET quantity = -1",
    "more than anybody may pledge": "UPDATE pledge SET accept_up_to = 2147483",
    "packs of x": "UPDATE order_item SET pack = 'x'",
    "packs of x in a price list": "UPDATE price_item SET pack = 'x'",
    "less than nothing damaged": "UPDATE order_item SET damaged = -5",
    "less than nothing ordered": "UPDATE order_item SET ordered = -5",
    "many received": "UPDATE order_item SET received = 'many'",
    "a fee paid to us": "UPDATE supplier SET fee_cents = -5",
    "a minimum below nothing": "UPDATE supplier SET minimum_cents = -5",
    "a correction in words": f"{ADJUST} order_id, item_id, 1, 'x', (SELECT MIN(id) FROM order_event) FROM pledge",
    "an article of another order": f"{ADJUST} {OTHER}, item_id, 1, 3, (SELECT MIN(id) FROM order_event) FROM pledge",
    "an article that goes to another order": f"UPDATE order_item SET order_id = {OTHER} WHERE sku = 'C1'",
}


@pytest.fixture
def pledged(app: Flask, actor: Callable[[str], Actor]) -> Actor:
    """An open order somebody pledged in, and another with one article; who runs both."""
    take("suppliers", SUPPLIERS)
    take("price-list", PRICES)
    staff, member = actor("staff@example.org"), actor("member@example.org")
    with transaction() as session:
        for code, skus in (("hiver", None), ("autre", ["L1"])):
            making.make_order(session, staff, Draft(code, "Fournitures", "PAP", "MCNG", CLOSES, skus=skus), NOW)
            lifecycle.change(session, staff, code, "open", NOW)
        pledging.pledge(session, member, "hiver", "CHORALE", {"C1": (10, 12)}, NOW)
    return staff


@pytest.mark.parametrize("what", REFUSED)
def test_no_hand_gets_nonsense_in(pledged: Actor, what: str) -> None:
    with pytest.raises((DatabaseError, Refused)), transaction() as session:
        session.execute(text(REFUSED[what]))


def test_only_whole_units_are_kept(pledged: Actor) -> None:
    """SQLite refuses a part of one, PostgreSQL rounds it."""
    try:
        with transaction() as session:
            session.execute(text("UPDATE pledge SET quantity = 1.5"))
    except DatabaseError:
        pass
    assert db.session.scalars(select(Pledge.quantity)).all() in ([2], [10])


def test_a_sent_order_is_not_open_again_by_its_state_alone(pledged: Actor, actor: Callable[[str], Actor]) -> None:
    with transaction() as session:
        lifecycle.change(session, pledged, "hiver", "close", NOW)
        sending.send(session, pledged, "hiver", NOW, "hand")
    with transaction() as session:
        session.execute(text("UPDATE group_order SET state = 'open'"))
    for quantity in (10, 20):
        with pytest.raises(DatabaseRefused), transaction() as session:
            pledging.pledge(session, actor("other@example.org"), "hiver", "ECHECS", {"C1": (quantity, quantity)}, NOW)
    with pytest.raises(DatabaseRefused), transaction() as session:
        pledging.pledge(session, actor("member@example.org"), "hiver", "CHORALE", {"C1": (11, 11)}, NOW)
    with transaction() as session:
        session.execute(text("UPDATE group_order SET state = 'sent'"))
    with transaction() as session:
        lifecycle.change(session, pledged, "hiver", "reopen", NOW)
        pledging.pledge(session, actor("member@example.org"), "hiver", "CHORALE", {"C1": (11, 11)}, NOW)
