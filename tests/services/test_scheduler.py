"""The timetable: each thing once, late after an outage, whatever else fails; and what the clock says about loans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from sharebank import scheduler
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Attempt, Token, User, UserSession
from sharebank.api.models import IdempotentAnswer
from sharebank.core import backup, clock
from sharebank.core.db import db, transaction
from sharebank.notifications import runs
from sharebank.notifications.models import JobRun, Letter
from sharebank.notifications.service import Recipient, post
from sharebank.notifications.writing import write_out
from sharebank.reservations import booking, lifecycle, reminders
from sharebank.reservations.booking import Ask
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from sharebank.reservations.states import WrongState
from tests import world
from tests.world import NOW, PARIS

Find = Callable[[str], Actor]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = NOW + 7 * DAY
END = START + 10 * HOUR
MANAGER = "manager@example.org"
MANAGERS = {"admin@example.org", MANAGER}


def write() -> None:
    with transaction() as session:
        reader = Recipient("member@example.org", "Member Test", "fr")
        post(session, "k", "joined", [reader], {"by": "Anna", "organisation": "MCNG"}, NOW)


def test_a_tick_does_everything_due(app: Flask) -> None:
    write()
    old, fresh = NOW - timedelta(days=40), NOW - timedelta(minutes=1)
    with transaction() as session:
        for at, name in ((old, "old"), (fresh, "fresh")):
            ends = at + timedelta(days=30)
            session.add(UserSession(token_hash=name, user_id=1, created_at=at, expires_at=ends))
            session.add(Token(token_hash=name, purpose="api", user_id=1, created_at=at, expires_at=ends))
            session.add(Attempt(account=name, at=at))
            session.add(IdempotentAnswer(user_id=1, key=name, request_hash="", status=201, body="", created_at=at))
    done = scheduler.tick(app, NOW)
    assert {name: count for name, count in done.items() if count} == {
        "forgotten": 4,
        "letters_sent": 1,
        **({"backups": 1} if backup.possible(db.engine) else {}),
    }
    assert not any(scheduler.tick(app, NOW).values())
    assert {run.job: run.error for run in runs.latest(db.session()).values()} == dict.fromkeys(NAMES)
    noted = db.session().scalars(select(JobRun).order_by(JobRun.id)).all()
    assert len(noted) == 2 * len(NAMES)
    assert all(run.finished_at == NOW for run in noted)
    assert [run.quiet for run in noted if run.job == "letters"] == [False, True]
    db.session().rollback()


NAMES = [job.name for job in scheduler.TIMETABLE]


def test_a_job_that_fails_leaves_the_others_running(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(app: Flask, now: datetime) -> dict[str, int]:
        raise ZeroDivisionError("first line\nsecret values")

    job = scheduler.TIMETABLE[0]
    jobs = [replace(job, name="one", act=broken), replace(job, name="two", act=broken), *scheduler.TIMETABLE]
    monkeypatch.setattr(scheduler, "TIMETABLE", jobs)
    write()
    done = scheduler.tick(app, NOW)
    assert (done["jobs_failed"], done["letters_sent"]) == (2, 1)
    assert "the job one failed" in caplog.text
    assert [run.error for run in runs.troubles(db.session())] == ["ZeroDivisionError: first line"] * 2
    db.session().rollback()


def test_a_job_runs_even_when_nothing_can_be_noted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "begin", lambda *_: 1 / 0)
    write()
    assert scheduler.tick(app, NOW)["letters_sent"] == 1


def test_the_timetable_keeps_utc_intervals(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Any] = {}

    def add_job(self: object, act: Callable[[], None], trigger: Any, name: str, **options: Any) -> None:
        kept[name] = trigger
        assert (options["coalesce"], options["max_instances"]) == (True, 1)
        act()

    monkeypatch.setattr(scheduler.BlockingScheduler, "add_job", add_job)
    monkeypatch.setattr(scheduler.BlockingScheduler, "start", lambda self: None)
    scheduler.run(app)
    assert list(kept) == NAMES
    for job in scheduler.TIMETABLE:
        fires = kept[job.name].get_next_fire_time(None, NOW + timedelta(seconds=1))
        assert job.next_after(NOW) == fires, job.name
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert {f"{job.next_after(now):%H:%M}" for job in scheduler.TIMETABLE[-2:] for now in (NOW, summer)} == {"02:30"}


def test_what_writes_letters_comes_before_what_sends_them() -> None:
    assert NAMES.index("letters") > max(map(NAMES.index, ("loans", "requests", "deadlines", "digests")))


def test_a_backup_a_night_fourteen_kept(app: Flask, postgres_tools: Path) -> None:
    folder = Path(app.instance_path) / "backups"
    folder.mkdir(parents=True)
    (folder / "before-0002.db").touch()  # an upgrade's is not ours to remove
    for night in range(20):
        now = NOW + night * DAY
        made = [scheduler.back_up(app, now)["backups"] for now in (now, now + HOUR)]
        assert made == [1, 0]
    kept = sorted(file.name for file in folder.iterdir())
    nights = [f"nightly-{NOW + night * DAY:%Y%m%d}.db" for night in range(6, 20)]
    assert kept == ["before-0002.db", *nights]


def test_no_backup_where_there_is_no_tool_for_it(app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert scheduler.back_up(app, NOW)["backups"] == int(db.engine.dialect.name == "sqlite")


def test_old_runs_are_forgotten(app: Flask) -> None:
    ages = [(timedelta(hours=23), True, 1), (timedelta(hours=25), True, 0), (29 * DAY, False, 1), (31 * DAY, False, 0)]
    with transaction() as session:
        for age, quiet, _ in ages:
            session.add(JobRun(job="x", started_at=NOW - age, quiet=quiet))
        session.flush()
        assert runs.forget(session, NOW) == 2
        left = session.scalars(select(JobRun.started_at).order_by(JobRun.id)).all()
    assert list(left) == [NOW - age for age, _, stays in ages if stays]


# -- what the clock says about loans -----------------------------------------------------------------


def lend(actor: Find, *acts: str, start: datetime = START, end: datetime = END, made: datetime = NOW) -> str:
    """The choir's loan of MCNG's room, moved on by these acts; its letters so far are put aside."""
    ask = Ask("CHORALE", "Répétition", world.Period(start, end), {"MCNG-R01": 1})
    with transaction() as session:
        ref = booking.book(session, actor("member@example.org"), ask, made, PARIS)[0].ref
        for act in acts:
            lifecycle.change(session, actor("manager@example.org"), ref, act, "", made, PARIS)
        for letter in session.scalars(select(Letter)):
            session.delete(letter)
    return ref


def told(now: datetime) -> Counter[tuple[str, str]]:
    """What one tick, and two more at once, write: (template, address)."""
    with transaction() as session:
        before = set(session.scalars(select(Letter.id)))
    for _ in range(3):
        with transaction() as session:
            reminders.remind(session, now)
            reminders.look_after_requests(session, now)
    rows = db.session().scalars(select(Letter).where(Letter.id.not_in(before))).all()
    found = Counter((row.template.removeprefix("reservation_"), row.to_address) for row in rows)
    assert all(row.due_at == now for row in rows)  # nobody undoes what the clock did
    db.session().rollback()
    return found


ME = "member@example.org"
WAYS: list[Any] = [
    pytest.param(["approve"], START - 25 * HOUR, {}, id="not yet"),
    pytest.param(["approve"], START - 24 * HOUR, {("tomorrow", ME): 1}, id="the day before"),
    pytest.param(["approve"], START - HOUR, {("tomorrow", ME): 1}, id="late, after an outage"),
    pytest.param(["approve"], START, {}, id="begun"),
    pytest.param(["approve", "collect"], START - HOUR, {}, id="already there"),
    pytest.param(["approve", "collect"], END - 3 * HOUR, {}, id="has time"),
    pytest.param(["approve", "collect"], END - 2 * HOUR, {("ending", ME): 1}, id="ends soon"),
    pytest.param(["approve", "collect"], END, {}, id="on its way back"),
    pytest.param(
        ["approve", "collect"],
        END + HOUR,
        {("overdue", ME): 1, **{("overdue", manager): 1 for manager in MANAGERS}},
        id="late",
    ),
    pytest.param(
        ["approve", "collect"],
        END + 9 * DAY,
        {("overdue", ME): 1, **{("overdue", manager): 1 for manager in MANAGERS}},
        id="very late, after an outage: one letter",
    ),
    pytest.param(["approve", "collect"], END + 30 * DAY, {}, id="people talk"),
    pytest.param(["approve", "collect", "return"], END + DAY, {}, id="back"),
    pytest.param([], NOW + 2 * DAY - HOUR, {}, id="they have time to answer"),
    pytest.param([], NOW + 2 * DAY, {("unanswered", manager): 1 for manager in MANAGERS}, id="unanswered"),
    pytest.param([], START, {("expired", ME): 1}, id="expired"),
    pytest.param(["cancel"], START, {}, id="cancelled"),
]


@pytest.mark.parametrize(("acts", "now", "letters"), WAYS)
def test_what_the_clock_writes(
    app: Flask, actor: Find, acts: list[str], now: datetime, letters: dict[tuple[str, str], int]
) -> None:
    lend(actor, *acts)
    assert told(now) == letters
    assert told(now) == {}


def test_a_late_loan_is_brought_up_once_a_day(app: Flask, actor: Find) -> None:
    lend(actor, "approve", "collect")
    letters: Counter[tuple[str, str]] = Counter()
    for hours in range(1, 73):
        letters += told(END + hours * HOUR)
    assert letters == {("overdue", who): 4 for who in (ME, *MANAGERS)}  # at once, then after each of three days


def test_late_the_borrower_is_asked_to_bring_it_back_and_the_lender_whom_to_call(app: Flask, actor: Find) -> None:
    lend(actor, "approve", "collect")
    with transaction() as session:
        session.execute(update(User).where(User.email == ME).values(phone="06 11 22 33 44"))
    told(END + HOUR)
    written = {letter.to_address: write_out(app, letter) for letter in db.session().scalars(select(Letter))}
    for who in (ME, *MANAGERS):
        for words in (written[who].text, unescape(written[who].html)):
            mine, theirs = (
                "Merci de le rapporter, ou de nous appeler",
                "Chorale du Vieux-Lavoir n’a pas encore rendu ceci",
            )
            assert (mine in words, theirs in words) == (who == ME, who != ME)
            assert ("Member Test, 06 11 22 33 44" in words) == (who != ME)


def test_whoever_is_late_and_a_manager_of_the_lender_is_not_told_to_call_themselves(app: Flask, actor: Find) -> None:
    ask = Ask("MCNG", "Réunion", world.Period(START, END), {"MCNG-R01": 1})
    with transaction() as session:
        ref = booking.book(session, actor(MANAGER), ask, NOW, PARIS)[0].ref
        lifecycle.change(session, actor(MANAGER), ref, "collect", "", NOW, PARIS)
        session.execute(delete(Letter))
    told(END + HOUR)
    calls = {letter.to_address: "call" in letter.facts for letter in db.session().scalars(select(Letter))}
    assert calls == {one: one != MANAGER for one in MANAGERS}


def test_who_booked_within_the_day_is_not_reminded(app: Flask, actor: Find) -> None:
    lend(actor, "approve", made=START - 23 * HOUR)
    assert told(START - HOUR) == {}


def test_a_short_loan_needs_no_reminder_of_its_end(app: Flask, actor: Find) -> None:
    lend(actor, "approve", "collect", end=START + 2 * HOUR)
    assert told(START) == {}


def test_a_closure_is_no_loan(app: Flask, actor: Find) -> None:
    ask = Ask("MCNG", "Travaux", world.Period(START, END), {"MCNG-R01": 1})
    with transaction() as session:
        booking.close(session, actor("manager@example.org"), ask, NOW, PARIS)
    assert told(START - HOUR) == {}


def test_a_request_nobody_answered_lets_its_slot_go(app: Flask, actor: Find) -> None:
    ref = lend(actor)
    with transaction() as session:
        assert not lifecycle.expire(session, ref, START - HOUR)
        assert reminders.look_after_requests(session, START) == {"requests_unanswered": 0, "requests_expired": 1}
    session = db.session()
    loan = session.scalars(select(Reservation)).one()
    events = [(event.user_id, event.status) for event in session.scalars(select(ReservationEvent))]
    assert (loan.status, events[-1]) == ("expired", (None, "expired"))
    assert not session.scalars(select(ReservationLine.holds).execution_options(populate_existing=True)).one()
    session.rollback()
    with pytest.raises(WrongState), transaction() as session:
        lifecycle.change(session, actor("manager@example.org"), ref, "approve", "", START, PARIS)


def test_it_is_the_machine_s_clock_that_dates_runs(app: Flask) -> None:
    scheduler.tick(app, NOW + 365 * DAY)
    assert runs.last_tick(db.session()) == clock.now()
    db.session().rollback()
