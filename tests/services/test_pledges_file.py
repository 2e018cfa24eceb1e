"""Pledges from files: for which order, of which article, and the same back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import insert, select, text

from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.exchange import ImportRefused, export_text, pledges
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import corrections, making
from sharebank.orders.desk.making import Draft
from sharebank.orders.models import GroupOrder, Pledge
from tests import world
from tests.services.test_orders import CLOSES, order, pledge, take
from tests.world import NOW

__all__ = ["order"]
HEAD = "campaign,organisation,sku,quantity,accept_up_to\n"


def said() -> list[str]:
    db.session.rollback()
    return export_text(db.session(), "pledges", world.PARIS).splitlines()[1:]


def test_nothing_is_pledged_for_an_article_that_was_dropped(order: str, actor: Callable[[str], Actor]) -> None:
    with transaction() as session:
        corrections.correct(session, actor("staff@example.org"), "hiver", "drop", NOW, "épuisé", sku="C1")
    with pytest.raises(ImportRefused) as refused:
        take("pledges", f"{HEAD}hiver,CHORALE,C1,3,3\n")
    assert [(one.line, one.column, one.refusal.code) for one in refused.value.problems] == [(2, "sku", "unknown_sku")]


def test_of_two_orders_of_a_campaign_the_open_one_is_meant(order: str, actor: Callable[[str], Actor]) -> None:
    staff = actor("staff@example.org")
    pledge(actor("member@example.org"), "CHORALE", "C1", 3)
    with transaction() as session:
        lifecycle.change(session, staff, "hiver", "close", NOW)
        session.scalars(select(GroupOrder)).one().campaign = "saison"
        making.make_order(session, staff, Draft("hiver-2", "Suite", "PAP", "MCNG", CLOSES, campaign="saison"), NOW)
        lifecycle.change(session, staff, "hiver-2", "open", NOW)
    take("pledges", f"{HEAD}saison,CHORALE,C1,4,5\n")
    assert said() == ["hiver,CHORALE,C1,3,3", "hiver-2,CHORALE,C1,4,5"], "by code, for the campaign has two of it"
    with pytest.raises(ImportRefused) as refused:
        take("pledges", f"{HEAD}hiver,ECHECS,C1,4,5\n")
    assert [one.refusal.code for one in refused.value.problems] == ["order_closed"], "a code means that order"


def test_who_only_accepts_some_is_exported_and_imported_again(order: str, actor: Callable[[str], Actor]) -> None:
    pledge(actor("member@example.org"), "CHORALE", "C1", 0, 5)
    assert said() == ["hiver,CHORALE,C1,0,5"]
    with transaction() as session:
        session.execute(text("DELETE FROM pledge"))
    take("pledges", f"{HEAD}hiver,CHORALE,C1,0,5\n")
    assert said() == ["hiver,CHORALE,C1,0,5"]


def test_who_pledged_since_the_file_was_looked_over_is_not_pledged_for_twice(
    app: Flask, order: str, actor: Callable[[str], Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = pledging.claim_open

    def late(session, order_id, now):  # type: ignore[no-untyped-def]
        """Somebody pledged just before the order was ours."""
        claim(session, order_id, now)
        mine = text("SELECT i.id, o.id FROM order_item i, organisation o WHERE i.sku = 'C1' AND o.code = 'CHORALE'")
        item_id, body_id = session.execute(mine).one()
        subject = {"order_id": order_id, "item_id": item_id, "organisation_id": body_id, "at": NOW}
        session.execute(insert(Pledge).values(**subject, quantity=1, accept_up_to=1))

    monkeypatch.setattr(pledging, "claim_open", late)
    with pytest.raises(pledges.PledgedAlready):
        take("pledges", f"{HEAD}hiver,CHORALE,C1,3,3\n")
