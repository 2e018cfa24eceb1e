"""The demonstration: alive at any date, in an empty database only, and open about what it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sharebank import cli
from sharebank.accounts import directory
from sharebank.accounts import service as accounts
from sharebank.accounts.models import Organisation, User
from sharebank.accounts.signin import HASHER
from sharebank.app import create_app
from sharebank.catalog.models import Resource
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.models import Fact
from sharebank.core.period import to_local
from sharebank.demo.loader import PASSWORD, NotEmpty, is_empty, load
from sharebank.insurance.models import Coverage
from sharebank.notifications.models import Letter
from sharebank.orders.models import GroupOrder, Pledge, PledgeChange
from sharebank.orders.reading import reckon
from sharebank.orders.settlement import settling
from sharebank.orders.supply.supplier_models import PriceList
from sharebank.reservations.models import Reservation
from tests.conftest import SECRET, make_app
from tests.world import NOW, PARIS

DAYS = [
    pytest.param(datetime(2026, 11, 21, 8, tzinfo=UTC), 0, id="the day of the data"),
    # The cargo bike that comes back on a Sunday at 02:30 meets the night the clocks go forward.
    pytest.param(datetime(2027, 8, 21, 8, tzinfo=UTC), 39, id="a night of 23 hours"),
    pytest.param(datetime(2028, 5, 6, 8, tzinfo=UTC), 76, id="later"),
]


@pytest.fixture
def empty(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application over a database without a row."""
    app = make_app(database_url, tmp_path)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
    clock.set_source(None)


@pytest.mark.parametrize(("now", "weeks"), DAYS)
def test_it_is_alive_at_any_date(empty: Flask, now: datetime, weeks: int) -> None:
    clock.set_source(lambda: now)
    with transaction() as session:
        assert is_empty(session)
        demo = load(session, now, PARIS)
    assert demo["weeks"] == weeks
    session = db.session()
    states = Counter(session.scalars(select(Reservation.status).where(Reservation.series_id.is_(None))))
    assert states == {
        "returned": 643,
        "approved": 133,
        "requested": 59,
        "cancelled": 43,
        "collected": 17,
        "declined": 15,
    }
    with transaction() as session:  # every line meets the guards again
        session.execute(text("UPDATE reservation_line SET quantity = quantity"))
    loan = session.scalars(select(Reservation).where(Reservation.ref == "R26-0535")).one()
    start = to_local(loan.starts_at, PARIS)
    assert (start.weekday(), start.hour) == (4, 17)  # Friday, 17:00
    assert (start.date() - to_local(now, PARIS).date()).days == -1
    live = select(Organisation.kind, Coverage.kind).join(Coverage.holder).where(Coverage.renewed_by_id.is_(None))
    expired = Counter(session.execute(live.where(Coverage.ends_on < now.date())).all())
    assert expired == {
        ("association", "liability"): 7,
        ("house", "liability"): 1,
        ("house", "inspection"): 1,
        ("house", "equipment"): 1,
        ("house", "fire_safety"): 1,
    }
    orders_live_on(session, now)
    room = session.scalars(select(Resource).where(Resource.code == "ORS-R04")).one()
    assert not room.in_service
    assert room.attributes["inactive_since"] < now.date().isoformat()


def orders_live_on(session: Session, now: datetime) -> None:
    """One occasion is over, one closes within the week, one in three weeks; what was shared adds up to the cent."""
    orders = {order.code: order for order in session.scalars(select(GroupOrder))}
    admin = directory.actor_of_email(session, "maelle.tessolin@example.org")
    assert admin is not None
    assert {code: order.state for code, order in orders.items()} == {
        "rentree-2026-jacq": "settled",
        "rentree-2026-scol": "settled",
        "bureau-hiver-2026-jacq": "open",
        "bureau-hiver-2026-scol": "open",
        "bureau-hiver-2026-gmar": "open",
        "bureau-hiver-2026-netv": "open",
        "conserverie-2027-gmar": "open",
        "conserverie-2027-netv": "closed",
    }
    assert {(order.closes_at - now).days for order in orders.values() if order.state == "open"} == {6, 21}
    pledged = select(Pledge.at, GroupOrder.opens_at, GroupOrder.closes_at).join(GroupOrder)
    moments = session.execute(pledged).all()
    assert len(moments) == 436
    assert all(opens <= at < min(closes, now) for at, opens, closes in moments)
    assert session.scalar(select(func.count()).where(PledgeChange.user_id.is_(None))) == 0
    for code in ("rentree-2026-jacq", "rentree-2026-scol"):
        order = orders[code]
        found = reckon(session, order)
        assert sum(share.total_cents for share in found.bill.shares.values()) == order.invoice["total_cents"]
        books = settling.books(session, admin, code).accounts
        assert books.unnoted == 0, "the supplier is paid"
        assert {cents > 0 for cents in books.owed.values()} == {True, False}, "some have not paid yet"
    short = [item for item in orders["rentree-2026-jacq"].items if item.ordered != item.received]
    assert sorted((item.ordered - item.received, item.damaged) for item in short) == [(2, 2), (12, 0)]
    assert session.scalar(select(func.count(Letter.id))) == 0, "nobody is written to about what is over"
    assert sorted(session.scalars(select(PriceList.version))) == [1, 1, 1, 1, 2, 2, 2, 2]


def test_it_says_what_it_is_and_lets_everyone_in(empty: Flask) -> None:
    with transaction() as session:
        demo = load(session, NOW, PARIS)
    session = db.session()
    assert json.loads(session.scalars(select(Fact.value).where(Fact.name == "demo")).one()) == demo
    assert accounts.demonstration(session) == demo
    assert [person["role"] for person in demo["people"]] == ["admin", "manager", "staff", "member"]
    hashes = set(session.scalars(select(User.password_hash)))
    assert len(hashes) == 1
    assert HASHER.verify(hashes.pop() or "", PASSWORD)
    page = empty.test_client().get("/sign-in").get_data(as_text=True)
    assert "Démonstration" in page


def test_it_never_mixes_with_real_data(app: Flask) -> None:
    with pytest.raises(NotEmpty), transaction() as session:
        load(session, NOW, PARIS)


@pytest.fixture
def sharebank(sqlite_url: str, tmp_path: Path) -> Callable[..., Result]:
    """Types a command on an installation of its own."""
    environ = {"SHAREBANK_DATABASE_URL": sqlite_url, "SHAREBANK_SECRET_KEY": SECRET, "LC_ALL": "C"}

    def type_command(*words: str) -> Result:
        return CliRunner().invoke(cli.commands, words, obj=cli.Place(create_app), env=environ)

    return type_command


def test_on_the_command_line(sharebank: Callable[..., Result], tmp_path: Path) -> None:
    first = sharebank("demo", "--if-empty")
    assert first.exit_code == 0, first.output
    assert PASSWORD in first.stdout
    assert "maelle.tessolin@example.org" in first.stdout
    assert sharebank("demo", "--if-empty").stdout == first.stdout
    again = sharebank("demo")
    assert again.exit_code == 1
    assert again.stderr.count("\n") == 1

    file = tmp_path / "users.csv"
    assert sharebank("export", "users", str(file)).exit_code == 0
    assert sharebank("export", "users").stdout == file.read_text(encoding="utf-8")
    assert sharebank("import", "users", str(file)).stdout == "140 rows imported.\n"
    with file.open("a", encoding="utf-8") as more:
        more.write("new@example.org,New,Person,MCNG,member,fr,\n")
    rehearsed = sharebank("import", "users", str(file), "--dry-run")
    assert rehearsed.stdout == "141 rows could be imported; nothing was stored.\n"
    assert "new@example.org" not in sharebank("export", "users").stdout
    with file.open("a", encoding="utf-8") as more:
        more.write("new@example.org,New\nother@example.org,New,Person,NOWHERE,boss,fr,\n")
    refused = sharebank("import", "users", str(file))
    assert refused.exit_code == 1
    assert refused.stderr.splitlines() == [
        f"{file}:143: row: This row has 2 cells, the heading has 7.",
        f"{file}:144: role: “boss” is none of: member, staff, manager, admin.",
        f"{file}:144: organisation: There is no structure with the code “NOWHERE”.",
    ]
    assert "new@example.org" not in sharebank("export", "users").stdout
    unknown = sharebank("import", "toys", str(file))
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (1, 1)
