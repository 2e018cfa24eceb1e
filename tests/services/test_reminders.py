"""Reminders of deadlines: each rung once a reader, whoever ticks, however late, and exactly those that were agreed."""

from __future__ import annotations

import csv
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from sharebank.accounts.models import Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core.db import db, transaction
from sharebank.core.period import to_local
from sharebank.demo import loader
from sharebank.insurance import editing
from sharebank.insurance.editing import Terms
from sharebank.insurance.models import Coverage, Reminder
from sharebank.insurance.reminders import remind, write
from sharebank.notifications.models import Letter
from tests import world
from tests.conftest import make_app

DATA = Path(loader.__file__).parent
MANAGER, STAFF, ADMIN, MEMBER = "manager@example.org", "staff@example.org", "admin@example.org", "member@example.org"


def at(day: date, hour: int = 8) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def letters() -> list[tuple[str, list[tuple[str, int]]]]:
    """Who was written to, and of what: (contract, days left) as the letter says."""
    db.session.expire_all()
    found = db.session.scalars(select(Letter).where(Letter.template == "deadlines").order_by(Letter.id))
    return [(one.to_address, [(line["contract"], line["left"]) for line in one.facts["lines"]]) for one in found]


Add = Callable[..., Coverage]


@pytest.fixture
def add(app: Flask) -> Add:
    """Writes a coverage of the house MCNG, or another holder's, that ends so many days from now."""

    def put(left: int, contract: str = "C-1", holder: str = "MCNG", **facts: Any) -> Coverage:
        with transaction() as session:
            body = session.scalars(select(Organisation).where(Organisation.code == holder)).one()
            end = world.NOW.date() + timedelta(days=left)
            kind = facts.pop("kind", "liability")
            one = Coverage(
                holder=body,
                kind=kind,
                body="Mutuelle",
                contract_number=contract,
                ends_on=end,
                created_at=world.NOW,
                **facts,
            )
            session.add(one)
        return one

    return put


def tick(app: Flask, days: float = 0) -> dict[str, int]:
    return remind(app, world.NOW + timedelta(days=days))


def test_one_letter_a_reader_with_all_that_is_due_most_urgent_first(app: Flask, add: Add) -> None:
    add(30, "LATER")
    add(-9, "OVER")
    add(7, "SOON")
    add(61, "FAR")
    assert tick(app) == {"reminders": 5, "reminder_letters": 2}
    assert sorted(letters()) == [
        (ADMIN, [("OVER", -9), ("SOON", 7)]),
        (MANAGER, [("OVER", -9), ("SOON", 7), ("LATER", 30)]),
    ]
    assert tick(app) == {"reminders": 0, "reminder_letters": 0}
    assert tick(app, 0.5)["reminders"] == 0


def test_the_responsible_person_and_an_associations_own_people(app: Flask, add: Add) -> None:
    staff = db.session.scalars(select(User.id).where(User.email == STAFF)).one()
    add(60, "HOUSE", responsible_id=staff)
    add(60, "CHOIR", holder="CHORALE")
    tick(app)
    told = dict(letters())
    assert told == {STAFF: [("HOUSE", 60)], MANAGER: [("HOUSE", 60), ("CHOIR", 60)], MEMBER: [("CHOIR", 60)]}
    links = {one.to_address: one.facts["lines"][0]["may_renew"] for one in db.session.scalars(select(Letter))}
    assert links == {STAFF: True, MANAGER: True, MEMBER: False}


def test_a_changed_end_opens_a_new_series_and_a_renewal_closes_it(
    app: Flask, add: Add, actor: Callable[[str], Any]
) -> None:
    one = add(30)
    assert tick(app)["reminders"] == 1
    with transaction() as session:
        session.execute(update(Coverage).values(ends_on=one.ends_on + timedelta(days=1)))
    assert tick(app, 1)["reminders"] == 1
    with transaction() as session:
        end = date(2028, 1, 1)
        editing.renew(session, actor(MANAGER), one.id, Terms("liability", "M", "C-2", None, end), world.NOW)
    assert [tick(app, days)["reminders"] for days in range(2, 200, 3)] == [0] * 66
    assert tick(app, (end - world.NOW.date()).days - 60)["reminders"] == 1


def test_silence_is_kept_and_ends(app: Flask, add: Add) -> None:
    add(14, silent_until=world.NOW.date() + timedelta(days=10))
    assert [tick(app, days)["reminders"] for days in range(12)] == [0] * 10 + [2, 0]


def test_nobody_hears_of_an_end_that_nobody_knows(app: Flask, add: Add) -> None:
    one = add(0)
    with transaction() as session:
        session.execute(update(Coverage).where(Coverage.id == one.id).values(ends_on=None))
    assert tick(app)["reminders"] == 0


def test_the_day_is_that_of_the_town(app: Flask, add: Add) -> None:
    add(61)
    late = datetime(2026, 11, 21, 22, 59, tzinfo=UTC)  # 23:59 in Paris
    assert remind(app, late)["reminders"] == 0
    assert remind(app, late + timedelta(minutes=1))["reminders"] == 1


def test_the_letter_reads_and_its_links_lead_to_the_form(app: Flask, add: Add) -> None:
    from sharebank.notifications.writing import write_out

    one = add(-9, "PB-417 <b>")
    with transaction() as session:
        session.execute(update(Coverage).values(kind="vehicle"))
        room = session.scalars(select(Resource).where(Resource.code == "MCNG-V01")).one()
        session.get_one(Coverage, one.id).things = [room]
    tick(app)
    letter = db.session.scalars(select(Letter).where(Letter.to_address == MANAGER)).one()
    written = write_out(app, letter)
    assert "échéance" in written.subject
    for text in (written.text, written.html):
        assert f"{app.config['SHAREBANK_BASE_URL']}/insurance/{one.id}/renew" in text
        assert "jeudi 12 novembre 2026" in text
        assert "Minibus 9 places" in text
    assert "<b>" in written.text
    assert "<b>" not in written.html


# -- after an outage, several at once -----------------------------------------------------------------


def _worker(start: Barrier, url: str, folder: str, now: datetime) -> None:
    app = make_app(url, Path(folder))
    start.wait(60)
    for _ in range(3):
        remind(app, now)
    with app.app_context():
        db.engine.dispose()


def test_after_72_hours_four_workers_at_once_tell_everybody_once_at_the_present_stage(
    database_url: str, tmp_path: Path
) -> None:
    app = make_app(database_url, tmp_path)
    with app.app_context():
        with transaction() as session:
            loader.load(session, world.NOW, world.PARIS)
        remind(app, world.NOW)
        with transaction() as session:
            session.execute(delete(Letter))
        before = set(_rows())
        db.session.remove()
        db.engine.dispose()
    later = world.NOW + timedelta(hours=72)
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(4)
    workers = [spawn.Process(target=_worker, args=(start, database_url, str(tmp_path), later)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    with app.app_context():
        rows = _rows()
        assert len(rows) == len(set(rows))
        new = set(rows) - before
        expected = Town().told(later.date()) - Town().told(world.NOW.date())
        assert {(contract, end, stage, email) for contract, end, stage, email in new} == expected
        # The cargo bike's insurance had a day left, then it was over: only where it stands now is told.
        assert {stage for contract, _, stage, _ in rows if contract == "AAG-CYC-00288"} == {1, 0}
        said = [(address, line) for address, lines in letters() for line in lines]
        assert len(said) == len(set(said)) == len(new)
        assert max(Counter(address for address, _ in letters()).values()) == 1
        db.session.remove()
        db.engine.dispose()


def _rows() -> list[tuple[str, date, int, str]]:
    query = (
        select(Coverage.contract_number, Reminder.ends_on, Reminder.stage, User.email)
        .join(Coverage, Coverage.id == Reminder.coverage_id)
        .join(User, User.id == Reminder.user_id)
    )
    return [tuple(row) for row in db.session.execute(query)]


# -- two years, day by day, against an expectation written apart ---------------------------------------


class Town:
    """What ought to be told, read from the files by somebody who has never seen the program."""

    REPLACED = ("PB-AUTO-000362", "GCBD-MRP-2874", "BVC-EL-8841")

    def __init__(self) -> None:
        self.house = {row["code"]: row["house"] for row in self._read("organisations")}
        self.people: dict[str, list[str]] = defaultdict(list)
        self.managers: dict[str, list[str]] = defaultdict(list)
        self.admins: list[str] = []
        for row in self._read("users"):
            self.people[row["organisation"]].append(row["email"])
            if row["role"] == "manager":
                self.managers[row["organisation"]].append(row["email"])
            elif row["role"] == "admin":
                self.admins.append(row["email"])
        self.contracts = {}
        for row in self._read("organisations"):
            if row["liability_expires_on"]:
                readers = {*self.managers[row["house"]]}
                if row["kind"] != "house":
                    readers |= {*self.people[row["code"]]}
                self.contracts[row["liability_contract"], row["liability_expires_on"]] = readers
        for row in self._read("insurance"):
            if row["contract_number"] not in self.REPLACED:
                readers = {*self.managers[row["holder_house"]], row["responsible_email"]}
                self.contracts[row["contract_number"], row["ends_on"]] = readers

    @staticmethod
    def _read(name: str) -> Iterator[dict[str, str]]:
        with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)

    def told(self, day: date) -> set[tuple[str, date, int, str]]:
        """Everybody who knows by this day of the stage each contract has reached: (contract, end, stage, e-mail)."""
        found = set()
        for (contract, end), readers in self.contracts.items():
            last = date.fromisoformat(end)
            left = last.toordinal() - day.toordinal()
            if left > 60:
                continue
            if left > 30:
                reached = 60
            elif left > 14:
                reached = 30
            elif left > 7:
                reached = 14
            elif left > 1:
                reached = 7
            elif left == 1:
                reached = 1
            elif left > -7:
                reached = 0
            else:
                reached = -(-left - (-left % 7))
            hearing = readers | {*self.admins} if left <= 7 else readers
            found |= {(contract, last, reached, email) for email in hearing}
        return found


def test_every_day_of_two_years_tells_exactly_what_was_agreed(sqlite_url: str, tmp_path: Path) -> None:
    """Ticked a minute before and a minute after each midnight of Paris, all four changes of the clock included."""
    app = make_app(sqlite_url, tmp_path)
    town, seen = Town(), set[tuple[str, date, int, str]]()
    with app.app_context():
        with transaction() as session:
            loader.load(session, world.NOW, world.PARIS)
        session = db.session()
        emails = {user.id: user.email for user in session.scalars(select(User))}
        contracts = {one.id: one.contract_number for one in session.scalars(select(Coverage))}
        day, total = date(2026, 1, 1), 0
        while day <= date(2027, 12, 31):
            with transaction() as session:
                session.execute(delete(Letter))
                for minute in (1, 60 * 24 - 1):
                    now = _paris(day, minute)
                    assert to_local(now, world.PARIS).date() == day
                    write(session, now, to_local(now, world.PARIS).date())
                session.flush()
                wanted = town.told(day) - seen
                seen |= wanted
                said = session.execute(select(Letter.to_address, Letter.facts)).all()
                assert len({address for address, _ in said}) == len(said), f"two letters to one reader on {day}"
                found = [
                    (line["contract"], date.fromisoformat(line["ends_on"]), line["left"], address)
                    for address, facts in said
                    for line in facts["lines"]
                ]
                expected = {(c, end, (end - day).days, email) for c, end, _, email in wanted}
                assert sorted(found) == sorted(expected), day
                total += len(found)
            day += timedelta(days=1)
        rows = session.execute(select(Reminder.coverage_id, Reminder.ends_on, Reminder.stage, Reminder.user_id))
        kept = [(contracts[c], end, rung, emails[user]) for c, end, rung, user in rows]
        assert len(kept) == len(set(kept)) == total
        assert set(kept) == seen
        assert total > 10_000
        db.session.remove()
        db.engine.dispose()


def _paris(day: date, minute: int) -> datetime:
    """So many minutes after midnight on the wall, which on two days of the year are not minutes that went by."""
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=world.PARIS)
    return wall.astimezone(UTC)
