"""Letters leave once, readable, in their reader's language; what cannot leave is tried again, then given up."""

from __future__ import annotations

import email
import smtplib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import DictLoader
from sqlalchemy import select

from config import MailFolder, MailServer, read_mail_url
from sharebank import scheduler
from sharebank.accounts.models import Attempt, Token, UserSession
from sharebank.api.models import IdempotentAnswer
from sharebank.core.db import db, transaction
from sharebank.notifications import delivery, transport
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Recipient, post
from tests.world import NOW

READER = Recipient("member@example.org", "Member Test", "fr")
LOAN = {
    "ref": "R26-ABC234",
    "purpose": "Concert de Noël",
    "borrower": "Chorale du Vieux-Lavoir",
    "lender": "MCNG",
    "starts_at": "2026-11-28T13:00:00+00:00",
    "ends_at": "2026-11-28T17:00:00+00:00",
    "things": [["Grande salle", 1], ["Assiettes plates", 60]],
    "by": "Staff Test",
    "why": "Travaux",
}
INVITATION = {"secret": "s3cr3t", "by": "Manager Test", "organisation": "Chorale du Vieux-Lavoir"}
TEMPLATES = {
    "invite": INVITATION,
    "joined": INVITATION,
    "reset": {"secret": "s3cr3t"},
    "sign_in": {"secret": "s3cr3t"},
    **{
        f"reservation_{news}": LOAN
        for news in ("requested", "to_decide", "approved", "declined", "cancelled", "collected", "returned")
    },
}


def write(key: str = "k", template: str = "reset", reader: Recipient = READER, **facts: Any) -> None:
    with transaction() as session:
        post(session, key, template, [reader], {**TEMPLATES.get(template, {}), **facts}, NOW)


def folder(app: Flask) -> Path:
    mail = read_mail_url(app.config["SHAREBANK_MAIL_URL"], Path("/"))
    assert isinstance(mail, MailFolder)
    return mail.directory


def delivered(app: Flask) -> list[Any]:
    return [email.message_from_bytes(file.read_bytes(), policy=default) for file in sorted(folder(app).glob("*.eml"))]


def letter() -> Letter:
    found = db.session().scalars(select(Letter).execution_options(populate_existing=True)).one()
    db.session().rollback()
    return found


def counts(sent: int = 0, failed: int = 0, dead: int = 0) -> dict[str, int]:
    return {"letters_sent": sent, "letters_failed": failed, "letters_dead": dead}


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_reads_well(sqlite_app: Flask, template: str, locale: str) -> None:
    write(template=template, reader=replace(READER, locale=locale))
    assert delivery.deliver(sqlite_app, NOW) == counts(sent=1)
    (message,) = delivered(sqlite_app)
    body = message.get_content().replace("\r\n", "\n")
    assert message["Subject"]
    assert body.startswith("Bonjour Member Test," if locale == "fr" else "Hello Member Test,")
    assert "http://127.0.0.1:5000/" in body
    assert not [mark for mark in ("{{", "%(", "None", "\n\n\n", "T13:00") if mark in body], body
    if "secret" in TEMPLATES[template]:
        assert ("s3cr3t" in body) == (template != "joined")
    else:
        hours = "14:00 – 18:00" if locale == "fr" else "2:00\u202fPM – 6:00\u202fPM"
        assert hours in body
        assert "60 × Assiettes plates" in body
        assert "/reservations/R26-ABC234" in body
    assert ("Travaux" in body) == (template in ("reservation_declined", "reservation_cancelled"))


def test_headers(sqlite_app: Flask) -> None:
    sqlite_app.config["SHAREBANK_MAIL_FROM"] = "Partage <partage@example.net>"
    write(reader=replace(READER, name="Zoë Nguyễn"))
    delivery.deliver(sqlite_app, NOW)
    (message,) = delivered(sqlite_app)
    assert message["From"] == "Partage <partage@example.net>"
    assert message["To"].addresses[0].display_name == "Zoë Nguyễn"
    assert message["To"].addresses[0].addr_spec == READER.email
    assert message["Message-ID"] == f"<{letter().message_id}@example.net>"
    assert message["Date"].datetime == NOW
    (file,) = folder(sqlite_app).iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_people_type_begins_no_header(sqlite_app: Flask) -> None:
    evil = "Fête\r\nBcc: all@example.org\n\nBonus"
    write(template="reservation_declined", purpose=evil, why=evil, reader=replace(READER, name=f"A {evil}"))
    delivery.deliver(sqlite_app, NOW)
    (message,) = delivered(sqlite_app)
    assert message["Bcc"] is None
    assert "Fête Bcc: all@example.org Bonus" in message["Subject"]
    assert "\nBcc:" not in message.get_content()


def test_html_goes_along_when_there_is_a_template_and_escapes(sqlite_app: Flask) -> None:
    pair = {"email/x.txt": "Subject: s\n{{ purpose }}", "email/x.html": "<p>{{ purpose }}</p>"}
    sqlite_app.jinja_env.loader = DictLoader(pair)
    write(template="x", purpose="<b>")
    assert delivery.deliver(sqlite_app, NOW) == counts(sent=1)
    (message,) = delivered(sqlite_app)
    assert message.get_body(("plain",)).get_content().strip() == "<b>"
    assert message.get_body(("html",)).get_content().strip() == "<p>&lt;b&gt;</p>"


def test_sent_once_and_the_secret_is_forgotten(app: Flask) -> None:
    write(template="invite")
    write(template="invite")  # the same key: the same letter
    assert letter().facts["secret"] == "s3cr3t"
    assert delivery.deliver(app, NOW) == counts(sent=1)
    assert delivery.deliver(app, NOW) == counts()
    kept = letter()
    assert (kept.state, kept.sent_at, kept.leased_until) == ("sent", NOW, None)
    assert kept.facts == {"by": "Manager Test", "organisation": "Chorale du Vieux-Lavoir"}


def test_two_processes_send_a_letter_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    monkeypatch.setattr(transport, "_write", lambda file, message: names.append(file.name))
    for number in range(20):
        write(str(number))
    with ThreadPoolExecutor(4) as pool:
        totals = list(pool.map(lambda _: delivery.deliver(app, NOW)["letters_sent"], range(4)))
    assert sum(totals) == 20
    assert len(set(names)) == len(names) == 20


def test_limit_and_order(sqlite_app: Flask) -> None:
    for number in range(3):
        write(str(number))
    assert delivery.deliver(sqlite_app, NOW, limit=2) == counts(sent=2)
    assert delivery.deliver(sqlite_app, NOW) == counts(sent=1)


@contextmanager
def failing(error: Exception, log: list[str]) -> Iterator[None]:
    def fail(file: Path, message: EmailMessage) -> None:
        log.append(str(message["Message-ID"]))
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "_write", fail)
        yield


def test_a_failure_waits_longer_each_time_then_gives_up(app: Flask) -> None:
    write(template="invite")
    now, tries = NOW, []
    with failing(OSError("disk full"), tries):
        for pause in delivery.PAUSES:
            assert delivery.deliver(app, now) == counts(failed=1)
            kept = letter()
            assert (kept.state, kept.due_at, kept.error) == ("queued", now + pause, "OSError: disk full")
            assert delivery.deliver(app, now + pause - timedelta(seconds=1)) == counts()
            now += pause
        assert delivery.deliver(app, now) == counts(dead=1)
    assert letter().state == "dead"
    assert "secret" not in letter().facts
    assert delivery.deliver(app, now + timedelta(days=9)) == counts()
    assert len(tries) == len(delivery.PAUSES) + 1
    assert len(set(tries)) == 1


def test_one_that_cannot_be_written_does_not_hold_up_the_others(app: Flask) -> None:
    write("a", template="no_such_template")
    write("b")
    assert delivery.deliver(app, NOW) == counts(sent=1, failed=1)


def test_a_process_that_died_leaves_the_letter_to_another(app: Flask) -> None:
    write()
    with failing(SystemExit("killed"), []), pytest.raises(SystemExit):  # type: ignore[arg-type]
        delivery.deliver(app, NOW)
    assert letter().state == "sending"
    assert delivery.deliver(app, NOW + delivery.LEASE - timedelta(seconds=2)) == counts()
    assert delivery.deliver(app, NOW + delivery.LEASE + timedelta(seconds=2)) == counts(sent=1)


class Server:
    """What smtplib would be talking to."""

    def __init__(self, log: list[tuple[Any, ...]]) -> None:
        self.log = log
        self.down = self.refuses = False

    def __call__(self, host: str, port: int, **_options: Any) -> Server:
        if self.down:
            raise ConnectionRefusedError("nobody there")
        self.log.append(("connect", host, port))
        return self

    def starttls(self, context: Any) -> None:
        assert context.check_hostname
        self.log.append(("starttls",))

    def login(self, user: str, password: str) -> None:
        self.log.append(("login", user, password))

    def sendmail(self, sender: str, readers: list[str], data: bytes) -> None:
        if self.refuses:
            raise smtplib.SMTPRecipientsRefused({readers[0]: (550, b"no such user")})
        assert data.isascii()
        self.log.append(("send", sender, *readers))

    def close(self) -> None:
        self.log.append(("close",))


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server([])
    monkeypatch.setattr(smtplib, "SMTP", server)
    monkeypatch.setattr(smtplib, "SMTP_SSL", server)
    return server


@pytest.mark.parametrize(
    ("url", "before"),
    [
        ("smtp://mail.example.org?tls=none", [("connect", "mail.example.org", 25)]),
        ("smtp://mail.example.org?tls=tls", [("connect", "mail.example.org", 465)]),
        (
            "smtp://me:p%40ss@mail.example.org:2525",
            [("connect", "mail.example.org", 2525), ("starttls",), ("login", "me", "p@ss")],
        ),
    ],
)
def test_smtp_talks_once_for_several_letters(
    sqlite_app: Flask, smtp: Server, url: str, before: list[tuple[Any, ...]]
) -> None:
    sqlite_app.config["SHAREBANK_MAIL_URL"] = url
    write("a")
    write("b", reader=replace(READER, name="Zoë"))
    assert delivery.deliver(sqlite_app, NOW) == counts(sent=2)
    sent = ("send", "sharebank@127.0.0.1", READER.email)
    assert smtp.log == [*before, sent, sent, ("close",)]


def test_a_server_that_is_down_costs_one_letter_one_try(sqlite_app: Flask, smtp: Server) -> None:
    sqlite_app.config["SHAREBANK_MAIL_URL"] = "smtp://mail.example.org"
    write("a")
    write("b")
    smtp.down = True
    assert delivery.deliver(sqlite_app, NOW) == counts(failed=1)
    smtp.down, smtp.refuses = False, True
    assert delivery.deliver(sqlite_app, NOW) == counts(failed=1)
    smtp.refuses = False
    assert delivery.deliver(sqlite_app, NOW + timedelta(minutes=1)) == counts(sent=2)


# -- the timetable -------------------------------------------------------------------------------


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
    assert scheduler.tick(app, NOW) == {"jobs_failed": 0, "forgotten": 4, **counts(sent=1)}
    assert scheduler.tick(app, NOW) == {"jobs_failed": 0, "forgotten": 0, **counts()}


def test_a_job_that_fails_leaves_the_others_running(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(app: Flask, now: datetime) -> dict[str, int]:
        raise ZeroDivisionError

    job = scheduler.TIMETABLE[0]
    jobs = [replace(job, name="one", act=broken), replace(job, name="two", act=broken), *scheduler.TIMETABLE]
    monkeypatch.setattr(scheduler, "TIMETABLE", jobs)
    write()
    done = scheduler.tick(sqlite_app, NOW)
    assert (done["jobs_failed"], done["letters_sent"]) == (2, 1)
    assert "the job one failed" in caplog.text


def test_the_timetable_keeps_utc_intervals(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Any] = {}

    def add_job(self: object, act: Callable[[], None], trigger: Any, name: str, **options: Any) -> None:
        kept[name] = trigger
        assert (options["coalesce"], options["max_instances"]) == (True, 1)
        act()

    monkeypatch.setattr(scheduler.BlockingScheduler, "add_job", add_job)
    monkeypatch.setattr(scheduler.BlockingScheduler, "start", lambda self: None)
    scheduler.run(sqlite_app)
    assert list(kept) == [job.name for job in scheduler.TIMETABLE]
    assert f"{kept['clean_up'].get_next_fire_time(None, NOW):%d %H:%M %Z}" == "22 02:30 UTC"


@pytest.fixture
def sqlite_app(sqlite_url: str, tmp_path: Path, frozen: None) -> Iterator[Flask]:
    """On one database: what is said, not what is stored."""
    from tests.conftest import make_app

    app = make_app(sqlite_url, tmp_path)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def test_mail_server_is_what_config_says() -> None:
    assert read_mail_url("smtp://h", Path("/")) == MailServer("h", 587, "starttls", None, None)
