"""Fifty clients pledge on one article while it closes: what is counted is what was stored before, each once."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.accounts import directory
from sharebank.accounts import service as accounts
from sharebank.accounts.models import Organisation
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.orders import lifecycle, ticking
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.models import GroupOrder, PledgeChange
from sharebank.orders.supply.supplier_models import PriceItem, PriceList, Supplier
from tests.conftest import make_app
from tests.race.contest import prepare
from tests.serving import Served

pytestmark = pytest.mark.slow
CLIENTS, CLOSERS, SECONDS = 50, 3, 2
CODES = [f"A{number:02}" for number in range(CLIENTS)]
SUMMARY, PLEDGE = "/api/v1/orders/hiver/summary", "/api/v1/orders/hiver/pledges/C1"


@dataclass
class Client:
    """One organisation's program: it pledges one more each time, for as long as it is told yes."""

    port: int
    token: str
    code: str
    stored: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def run(self, start: threading.Barrier) -> Client:
        """Until it was refused three times."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        start.wait(60)
        for quantity in range(1, 10_000):
            connection.request("PUT", PLEDGE, json.dumps({"organisation": self.code, "quantity": quantity}), headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status == 200:
                self.stored.append(quantity)
            else:
                self.refused.append(f"{answer.status} {body['type'].rpartition('-')[2]}")
            if len(self.refused) == 3:
                break
        connection.close()
        return self


def build(app: Flask) -> str:
    """Fifty associations and an open order for one article; an administrator's token, who may pledge for all."""
    with app.app_context():
        with transaction() as session:
            house = session.scalars(select(Organisation.id).where(Organisation.code == "MCNG")).one()
            session.add_all(Organisation(code=code, name=code, kind="association", house_id=house) for code in CODES)
            prices = PriceList(supplier=Supplier(code="PAP", name="Papeterie"), version=1, created_at=clock.now())
            session.add(prices)
            session.flush()
            facts = {"name": "Cahier", "unit": "piece", "pack": 1, "price": Decimal(1), "vat": Decimal(20)}
            session.add(PriceItem(price_list_id=prices.id, sku="C1", **facts))
            session.flush()
            admin = directory.actor_of_email(session, "admin@example.org")
            assert admin is not None
            draft = Draft("hiver", "Fournitures", "PAP", "MCNG", clock.now() + timedelta(days=1))
            making.make_order(session, admin, draft, clock.now())
            lifecycle.change(session, admin, "hiver", "open", clock.now())
            token = accounts.issue_api_token(session, "admin@example.org", clock.now())
        db.session.remove()
    return token


def close(app: Flask, start: threading.Barrier) -> int:
    """One process' clock: it ticks until the order is closed; how many orders it closed."""
    start.wait(60)
    closed = 0
    with app.app_context():
        state = "open"
        while state == "open":
            with transaction() as session:
                closed += ticking.look_after_orders(session, clock.now())["orders_closed"]
            state = db.session.scalars(select(GroupOrder.state)).one()
            db.session.rollback()
        db.session.remove()
    return closed


def test_the_closing_minute(database_url: str, tmp_path: Path) -> None:
    prepare(database_url, tmp_path)
    app = make_app(database_url, tmp_path)
    token = build(app)
    served = Served(database_url, tmp_path, module="tests.race.paused_orders")
    try:
        clients = [Client(served.port, token, code) for code in CODES]
        start, start_is_slow = threading.Barrier(CLIENTS + CLOSERS + 1), threading.Event()
        with ThreadPoolExecutor(CLIENTS + CLOSERS) as pool:
            running = [pool.submit(client.run, start) for client in clients]
            clocks = [pool.submit(close, app, start) for _ in range(CLOSERS)]
            start.wait(60)
            begun = lambda: sum(bool(client.stored or client.refused) for client in clients)  # noqa: E731
            while begun() < CLIENTS - 10 and not any(done.done() for done in running):
                start_is_slow.wait(0.01)  # on a busy machine
            with app.app_context(), transaction() as session:
                closes_at = clock.now().replace(microsecond=0) + timedelta(seconds=SECONDS)
                session.scalars(select(GroupOrder)).one().closes_at = closes_at
            for done in running:
                done.result()
            closed = [tick.result() for tick in clocks]
        found = _read(served.port, token)
    finally:
        served.kill()
    told = Counter(word for client in clients for word in client.refused)
    assert told == {"409 order_closed": 3 * CLIENTS}, "nothing is refused before it closed, nothing stored after"
    counted = {client.code: client.stored[-1] for client in clients if client.stored}
    assert len(counted) > CLIENTS // 2, "most were told yes at least once"
    assert found["items"][0]["allocations"] == counted, "what is counted is what each was told is stored"
    assert found["invoice"]["goods_cents"] == 100 * sum(counted.values())
    assert sum(closed) == 1, "closed once"
    with app.app_context():
        _each_once(clients, closes_at)
        db.session.remove()
        db.engine.dispose()


def _read(port: int, token: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", SUMMARY, headers={"Authorization": f"Bearer {token}"})
    return json.loads(connection.getresponse().read())


def _each_once(clients: list[Client], closes_at: Any) -> None:
    """Every change that was answered yes is kept, in its turn, once; all of them were asked for before the close."""
    changes = (
        select(Organisation.code, PledgeChange.before, PledgeChange.after, PledgeChange.at)
        .join(Organisation, Organisation.id == PledgeChange.organisation_id)
        .order_by(PledgeChange.id)
    )
    kept: dict[str, list[int]] = {client.code: [] for client in clients}
    for code, before, after, at in db.session.execute(changes):
        assert before == ([kept[code][-1]] * 2 if kept[code] else []), "from what was there to what is there"
        assert at < closes_at
        kept[code].append(after[0])
    assert kept == {client.code: client.stored for client in clients}
    events = db.session.execute(select(OrderEvent.act, OrderEvent.about).order_by(OrderEvent.id)).all()
    assert [act for act, _ in events if act != "remind"] == ["make", "open", "close"]
    reminded = [json.dumps(about) for act, about in events if act == "remind"]
    assert reminded, "the clocks found that it closes within a day"
    assert len(set(reminded)) == len(reminded), "each closing time is reminded of once"
