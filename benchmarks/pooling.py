"""The group order that is measured: 95 organisations that pledge on 200 articles, every one on every one."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from benchmarks import client
from benchmarks.client import BadAnswer, Timing
from benchmarks.serving import Server, settings
from benchmarks.town import SECRETS, STAFF
from config import ROOT
from sharebank.accounts import directory
from sharebank.accounts.models import Organisation
from sharebank.catalog.service import search_text
from sharebank.orders import lifecycle
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.models import OrderItem, Pledge
from sharebank.orders.pledging import change_stamp
from sharebank.orders.supply.supplier_models import PriceItem, PriceList, Supplier

ORGANISATIONS, ARTICLES, LISTED = 95, 200, 20_000
CODE = "mesure"
PAGE, SUMMARY, CHANGED, SEARCH = "order page", "order summary", "order summary after a pledge", "search 20,000 articles"
TARGETS = {PAGE: 30, SUMMARY: 60, CHANGED: 60, SEARCH: 30}
"""Milliseconds p50, for one client."""


def price_rows(number: int) -> list[dict[str, Any]]:
    """Articles of a price list: packs of a few sizes, a third with a price break, two rates."""
    chance, rows = random.Random(5), []
    for one in range(number):
        sku, pack = f"B-{one:05}", chance.choice((1, 5, 10, 12, 25))
        name = f"{chance.choice(('Cahier', 'Stylo', 'Ramette', 'Bocal', 'Farine'))} n° {one}"
        price = Decimal(chance.randint(50, 9000)) / 1000
        rows.append(
            {
                "sku": sku,
                "name": name,
                "unit": "piece",
                "pack": pack,
                "price": price,
                "vat": Decimal(chance.choice(("20.0", "5.5"))),
                "least_packs": 1,
                "breaks": [[pack * 40, format(price * Decimal("0.95"), ".4f")]] if one % 3 == 0 else [],
                "labels": ["recycled"] if one % 4 == 0 else [],
                "category": f"rayon {one % 9}",
                "search_text": search_text([sku, name, f"rayon {one % 9}"]),
            }
        )
    return rows


def build(session: Session, now: datetime) -> str:
    """Put an open order with all its pledges in a database that holds the town; its code."""
    house = session.scalars(select(Organisation).where(Organisation.code == "MCNG")).one()
    known = session.scalars(select(Organisation.id).order_by(Organisation.id)).all()
    more = [
        Organisation(code=f"PART{number}", name=f"Partenaire {number}", kind="partner", house_id=house.id)
        for number in range(ORGANISATIONS - len(known))
    ]
    supplier = Supplier(
        code="MES", name="Papeterie mesurée", minimum_cents=30_000, fee_cents=1500, free_from_cents=None, fee_vat=20
    )
    session.add_all([*more, supplier])
    session.flush()
    prices = PriceList(supplier_id=supplier.id, version=1, created_at=now)
    session.add(prices)
    session.flush()
    session.execute(insert(PriceItem), [{**row, "price_list_id": prices.id} for row in price_rows(ARTICLES)])
    staff = directory.actor_of_email(session, STAFF)
    assert staff is not None
    making.make_order(session, staff, Draft(CODE, "Mesure", "MES", "MCNG", now + timedelta(days=20)), now)
    order = lifecycle.change(session, staff, CODE, "open", now)
    session.flush()
    chance = random.Random(6)
    items = session.scalars(select(OrderItem.id).where(OrderItem.order_id == order.id)).all()
    rows = []
    for organisation_id in [*known, *(body.id for body in more)]:
        for item_id in items:
            quantity = chance.randint(1, 12)
            rows.append(
                {
                    "order_id": order.id,
                    "item_id": item_id,
                    "organisation_id": organisation_id,
                    "quantity": quantity,
                    "accept_up_to": quantity + chance.choice((0, 0, 2, 5)),
                    "at": now,
                }
            )
    session.execute(insert(Pledge), rows)
    order.pledge_version = change_stamp()
    return CODE


def timings(server: Server, cookie: dict[str, str], rounds: int) -> Iterator[tuple[str, Timing]]:
    """The order's page, its summary as it stands and right after a pledge changed, and a search in a price list."""
    token = {"Authorization": f"Bearer {SECRETS[STAFF]}"}
    page = client.request(server.port, f"/orders/{CODE}", cookie)
    summary = client.request(server.port, f"/api/v1/orders/{CODE}/summary", token)
    search = client.request(server.port, "/orders/suppliers/GROS/prices?q=cahier+123", cookie)
    for what, message in ((PAGE, page), (SUMMARY, summary), (SEARCH, search)):
        yield what, _timed(server, [(message, 200)] * rounds)
    changes = []
    for number in range(rounds):
        body = json.dumps({"organisation": "MCNG", "quantity": 1 + number % 50}).encode()
        path = f"/api/v1/orders/{CODE}/pledges/B-{number % ARTICLES:05}"
        client.fetch(server.port, client.request(server.port, path, token, body, method="PUT"))
        changes.append(_timed(server, [(summary, 200)], warm=0).times[0])
    yield CHANGED, Timing(changes, sum(changes))


def _timed(server: Server, messages: list[tuple[bytes, int]], warm: int = 6) -> Timing:
    """One after the other, a new connection each; the first ones, of either worker, are not counted."""
    timing = Timing()
    for number, (message, expect) in enumerate([*messages[:1] * warm, *messages]):
        since = time.perf_counter()
        status, _head, body = client.fetch(server.port, message)
        if status != expect:
            raise BadAnswer(body[:500].decode(errors="replace"))
        if number >= warm:
            timing.times.append(time.perf_counter() - since)
    timing.elapsed = sum(timing.times)
    return timing


def import_seconds(url: str, folder: Path) -> float:
    """How long `sharebank import price-list` takes for 20,000 articles, from the prompt and back to it."""
    supplier, prices = folder / "suppliers.csv", folder / "price-list.csv"
    supplier.write_text("code,name\nGROS,Grossiste\n", encoding="utf-8")
    with prices.open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(
            ["supplier", "sku", "name", "pack_size", "unit_price_excl_vat_eur", "vat_rate", "price_breaks", "category"]
        )
        for row in price_rows(LISTED):
            breaks = ";".join(f"{units}:{price}" for units, price in row["breaks"])
            facts = (row["pack"], row["price"], row["vat"], breaks, row["category"])
            rows.writerow(("GROS", f"G{row['sku']}", row["name"], *facts))
    took = 0.0
    for kind, file in (("suppliers", supplier), ("price-list", prices)):
        command = [sys.executable, "-m", "sharebank", "import", kind, str(file)]
        since = time.perf_counter()
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **settings(url, folder)}, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - since
        if done.returncode:
            raise RuntimeError((done.stdout + done.stderr)[-2000:])
    return took
