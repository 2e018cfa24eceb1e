"""What is measured, and what it has to reach."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import delete

from benchmarks import client, loading, town
from benchmarks.client import Timing
from benchmarks.serving import Server, serving, settings
from benchmarks.town import MEMBER, SECRETS, STAFF, Thing, Town
from config import ROOT, Settings
from sharebank.accounts import directory
from sharebank.app import create_app
from sharebank.catalog.service import Wish
from sharebank.core.db import db, transaction
from sharebank.core.period import Period
from sharebank.reservations import searching
from sharebank.reservations.calendars import feeds, feeds_reading
from sharebank.reservations.calendars.calendar_models import CalendarFeed
from sharebank.reservations.calendars.calendar_writing import calendar
from sharebank.reservations.models import Reservation, Series
from sharebank.reservations.series import series, series_booking
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_rules import MOST, Plan, read_rule

PARIS = ZoneInfo("Europe/Paris")
VIEWS, BOOKING = ("day", "week", "month"), "booking, by staff"
ROUNDS = 5
"""Of what has a target over HTTP."""
DENSE_DAYS = 90
"""How far ahead of today the dense part of the history is looked at."""
IMPORTED = 10_000
IN_TURN = 20
"""Whiles of two servers that are compared."""
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure: what, on which database and size, for how many clients."""

    database: str
    size: int
    what: str
    clients: int
    timing: Timing
    cpu_ms: float
    """Of the two workers, an answer."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a page costs to carry."""

    what: str
    size: int
    bytes: int
    compressed: int
    requests: int


def cookie(app: Flask) -> dict[str, str]:
    """The header of a browser signed in as staff of the first house, which has seen a page with a form before."""
    signer: Any = app.session_interface
    value = signer.get_signing_serializer(app).dumps(
        {"_user_id": SECRETS[STAFF], "_fresh": True, "csrf_token": "5" * 40}
    )
    return {"Cookie": f"{app.config['SESSION_COOKIE_NAME']}={value}"}


def application(url: str, folder: Path) -> Flask:
    """The same application in this process, to build, to sign and to measure services."""
    return create_app(Settings.from_environ(settings(url, folder), folder / "instance"))


def pages(town: Town) -> dict[str, str]:
    """The addresses of the pages that are measured: sparse window, dense history, search."""
    house = "MCNG"
    found = {view: f"/planning?view={view}&date={town.today}&house={house}" for view in VIEWS}
    dense = town.today + timedelta(days=DENSE_DAYS)
    found |= {f"{view}, dense": f"/planning?view={view}&date={dense}&house={house}" for view in VIEWS}
    soon = town.today + timedelta(days=7)
    found["search"] = f"/?day={soon}&start=14:00&end=18:00"
    return found


def http(database: str, size: int, town: Town, app: Flask, server: Server, seconds: float) -> Iterator[Figure]:
    """Every page and the booking call, for one client and for eight; those that have a target, in several rounds.

    A machine's neighbours take up to half its pace, for seconds or minutes: rounds lie apart, and the best tells ours.
    """
    signed = cookie(app)
    posts = {
        BOOKING: _bookings(server.port, town, STAFF, "MCNG", [t for t in town.things if t.house == "MCNG"]),
        "request, by a member": _bookings(
            server.port, town, MEMBER, town.borrowers[0].code, [t for t in town.things if t.house != "MCNG"]
        ),
    }
    for number, clients in itertools.product(range(ROUNDS), (1, 8)):
        for what, path in pages(town).items():
            if not number or what in VIEWS:
                messages = client.again(client.request(server.port, path, signed))
                yield _figure(database, size, what, clients, server, messages, seconds, 200)
        for what, bookings in posts.items():
            if not number or what == BOOKING:
                yield _figure(database, size, what, clients, server, bookings, seconds, 201)


def _figure(
    database: str,
    size: int,
    what: str,
    clients: int,
    server: Server,
    messages: Iterator[bytes],
    seconds: float,
    expect: int,
) -> Figure:
    warm = 0.5
    before = server.cpu_seconds()
    timing = client.load(server.port, messages, clients, seconds, expect, warm)
    used = server.cpu_seconds() - before
    answers = timing.rate * (seconds + warm)
    return Figure(database, size, what, clients, timing, used / answers * 1000 if answers else 0.0)


def in_turn(little: Server, much: Server, town: Town, signed: dict[str, str]) -> Iterator[tuple[str, float]]:
    """How many times as long a view takes on the second server: the median of many short whiles, one after the other.

    A machine's own pace changes within seconds: figures taken minutes apart compare its minutes, not the databases.
    """

    def took(server: Server, view: str) -> float:
        messages = client.again(client.request(server.port, pages(town)[view], signed))
        return client.load(server.port, messages, clients=1, seconds=0.3, expect=200, warm=0.1).at(0.5)

    for view in VIEWS:
        ratios = []
        for number in range(IN_TURN):
            found = {server: took(server, view) for server in ((little, much) if number % 2 else (much, little))}
            ratios.append(found[much] / found[little])
        yield view, statistics.median(ratios)


def _bookings(port: int, town_: Town, email: str, organisation: str, things: list[Thing]) -> Iterator[bytes]:
    headers = {"Authorization": f"Bearer {SECRETS[email]}"}
    for thing, start, end in town.free_slots(town_, things):
        body = {
            "organisation": organisation,
            "purpose": "Mesure de la vitesse",
            "starts_at": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "ends_at": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "lines": [{"resource": thing.code, "quantity": 1}],
        }
        yield client.request(port, "/api/v1/reservations", headers, json.dumps(body).encode())


def weights(size: int, town: Town, app: Flask, server: Server) -> Iterator[Weight]:
    """Bytes of each planning page, and how many requests a browser makes for it."""
    signed = cookie(app)
    for view in VIEWS:
        path = pages(town)[view]
        status, _, plain = client.fetch(server.port, client.request(server.port, path, signed))
        zipped = {**signed, "Accept-Encoding": "gzip"}
        _, head, body = client.fetch(server.port, client.request(server.port, path, zipped))
        if status != 200 or b"content-encoding: gzip" not in head.lower():
            raise client.BadAnswer(f"{path}: {status}, {head!r}")
        assert len(gzip.decompress(body)) == len(plain)
        parts = re.findall(rb'<link[^>]+rel="(?:stylesheet|icon)|<script[^>]+src=|<img[^>]+src=', plain)
        yield Weight(view, size, len(plain), len(body), 1 + len(parts))


def search_service(app: Flask, town: Town, rounds: int) -> Timing:
    """What is free among the 120 things in a week's afternoon: the service alone, a transaction each time."""
    day = datetime.combine(town.today + timedelta(days=7), datetime.min.time(), PARIS)
    period = Period(day + timedelta(hours=14), day + timedelta(hours=18))
    timing = Timing()
    with app.app_context():
        for number in range(rounds + 20):
            since = time.perf_counter()
            session = db.session()
            actor = directory.actor_of_email(session, STAFF)
            assert actor is not None
            since = time.perf_counter()
            offers = searching.search(session, actor, Wish(), None, period, town.now, PARIS)
            took = time.perf_counter() - since
            session.rollback()
            assert len(offers) == len(town.things)
            if number >= 20:
                timing.times.append(took)
    timing.elapsed = sum(timing.times)
    return timing


def series_service(app: Flask, town: Town, rounds: int) -> Iterator[tuple[str, Timing]]:
    """Four hundred dates of a room, previewed and then booked in one transaction: the service alone."""
    rooms = [thing.code for thing in town.things if thing.code.startswith("MCNG-R")]
    looked, booked = Timing(), Timing()
    first = datetime.combine(town.today + timedelta(days=3), datetime.min.time())
    with app.app_context():
        for number in range(rounds):
            actor = directory.actor_of_email(db.session(), STAFF)
            assert actor is not None
            start = first + timedelta(hours=5, minutes=5 * number)
            rule = read_rule(f"FREQ=DAILY;COUNT={MOST}")
            ask = SeriesAsk("MCNG", "Mesure", {rooms[number % len(rooms)]: 1}, Plan(start, start + QUARTER, rule))
            since = time.perf_counter()
            found = series.preview(db.session(), actor, ask, town.now, PARIS)
            looked.times.append(time.perf_counter() - since)
            assert len(found.dates) == MOST
            db.session().rollback()
            since = time.perf_counter()
            with transaction() as session:
                series_booking.book(session, actor, ask, None, town.now, PARIS)
            booked.times.append(time.perf_counter() - since)
        with transaction() as session:  # the calls measured next find the calendar as it was
            session.execute(delete(Reservation).where(Reservation.series_id.is_not(None)))
            session.execute(delete(Series))
    for timing in (looked, booked):
        timing.elapsed = sum(timing.times)
    yield "series of 400, previewed", looked
    yield "series of 400, booked", booked


def calendar_service(app: Flask, town: Town, rounds: int) -> Timing:
    """A house's calendar as it is fetched again, its events written before: what a thousand of them take."""
    timing = Timing()
    with app.test_request_context():
        with transaction() as session:
            actor = directory.actor_of_email(session, STAFF)
            assert actor is not None
            _, secret = feeds.make(session, actor, "house", "MCNG", town.now)
        for number in range(rounds + 1):
            since = time.perf_counter()
            opened = feeds.opened(db.session(), secret)
            found, _ = feeds_reading.entries(db.session(), opened, "key", town.now, PARIS)
            calendar(opened.kind, found, PARIS.key, town.now, whose=opened.kind)
            if number:
                timing.times.append((time.perf_counter() - since) * 1000 / len(found))
            db.session().rollback()
        with transaction() as session:
            session.execute(delete(CalendarFeed))
    timing.elapsed = sum(timing.times)
    return timing


def floor_page(folder: Path, url: str, seconds: float) -> Iterator[Figure]:
    """An empty page of an empty Flask, on the same server."""
    with serving("floor", url, folder) as server:
        for clients in (1, 8):
            messages = client.again(client.request(server.port, "/"))
            yield _figure("", 0, "an empty Flask page", clients, server, messages, seconds, 200)


def floor_insert(database: str, url: str, seconds: float) -> Iterator[Figure]:
    """One raw row under a lock, durable."""
    open_one = loading.floor_insert(url)
    for clients in (1, 8):
        timing = Timing()
        until = time.perf_counter() + seconds
        own = [threading.Thread(target=_write, args=(open_one, until, timing.times)) for _ in range(clients)]
        for thread in own:
            thread.start()
        for thread in own:
            thread.join()
        timing.elapsed = seconds
        yield Figure(database, 0, "one raw locked insert", clients, timing, 0.0)


def _write(open_one: Callable[[], Callable[[], None]], until: float, times: list[float]) -> None:
    write = open_one()
    while (since := time.perf_counter()) < until:
        write()
        times.append(time.perf_counter() - since)


def import_seconds(url: str, town_: Town, folder: Path) -> float:
    """How long `sharebank import reservations` takes for 10,000 rows, from the prompt and back to it."""
    file = folder / "reservations.csv"
    with file.open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle)
        handle.write("ref,resource_code,quantity,organisation,user_email,starts_at,ends_at,status,purpose\n")
        for number, loan in enumerate(town.loans(town_, IMPORTED), 1):
            times = (_wall(loan.starts_at), _wall(loan.ends_at))
            who = loan.borrower.code, loan.borrower.email
            rows.writerow((f"R26-{number:05}", loan.thing.code, loan.quantity, *who, *times, loan.status, loan.purpose))
    command = [sys.executable, "-m", "sharebank", "import", "reservations", str(file)]
    since = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings(url, folder)}, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - since
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-2000:])
    return took


def _wall(text: str) -> str:
    instant = datetime.fromisoformat(f"{text}+00:00")
    return f"{instant.astimezone(PARIS):%Y-%m-%dT%H:%M}"
