"""Letters leave once, readable, in their reader's language; what cannot leave is tried again, then given up."""

from __future__ import annotations

import email
import re
import smtplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import DictLoader
from sqlalchemy import select

from config import MailFolder, MailServer, read_mail_url
from sharebank.core.db import db, transaction
from sharebank.notifications import delivery, rules, transport, writing
from sharebank.notifications.models import AddressTrouble, Letter
from sharebank.notifications.rules import LEASE, LETTERS, PAUSES
from sharebank.notifications.service import Recipient, post
from tests import world
from tests.world import NOW

READER = Recipient("member@example.org", "Member Test", "fr")
LATER = NOW + timedelta(minutes=1)
"""When what was written at NOW has left, even what waited to be taken back."""
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
EMAIL = Path(__file__).resolve().parents[2] / "templates" / "email"
INVITATION = {"secret": "s3cr3t", "by": "Manager Test", "organisation": "Chorale du Vieux-Lavoir"}
TEMPLATES = {
    "invite": INVITATION,
    "joined": INVITATION,
    "reset": {"secret": "s3cr3t"},
    "sign_in": {"secret": "s3cr3t"},
    **{
        f"reservation_{news}": LOAN
        for news in (
            *("requested", "to_decide", "approved", "declined", "cancelled", "collected", "returned"),
            *("unanswered", "tomorrow", "ending", "overdue", "expired"),
        )
    },
}
HTML_TO_TEXT = re.compile(r"<head>.*?</head>|<[^>]+>", re.DOTALL)


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


def part(message: Any, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()).replace("\r\n", "\n")


def counts(sent: int = 0, failed: int = 0, dead: int = 0) -> dict[str, int]:
    return {"letters_sent": sent, "letters_failed": failed, "letters_dead": dead}


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_reads_well(sqlite_app: Flask, template: str, locale: str) -> None:
    write(template=template, reader=replace(READER, locale=locale))
    assert delivery.deliver(sqlite_app, LATER) == counts(sent=1)
    (message,) = delivered(sqlite_app)
    assert message["Subject"]
    kept = letter()
    assert kept.subject == message["Subject"]
    for body in (part(message, "plain"), HTML_TO_TEXT.sub("", page := part(message, "html")).strip()):
        assert body.startswith("Bonjour Member Test," if locale == "fr" else "Hello Member Test,")
        assert "http://127.0.0.1:5000/" in body
        assert not [mark for mark in ("{{", "%(", "None", "T13:00") if mark in body], body
        if "secret" not in TEMPLATES[template]:
            hours = "14:00 – 18:00" if locale == "fr" else "2:00\u202fPM – 6:00\u202fPM"
            assert hours in body
            assert "60 × Assiettes plates" in body
        assert ("Travaux" in body) == (template in ("reservation_declined", "reservation_cancelled"))
    assert "\n\n\n" not in part(message, "plain")
    for said, stored in ((part(message, "plain"), kept.text), (page, kept.html)):
        if "secret" in TEMPLATES[template]:
            assert ("s3cr3t" in said) == (template != "joined")
            assert "s3cr3t" not in (stored or "")
        else:
            assert "/reservations/R26-ABC234" in said
            assert stored == said


SHARED = {"layout", "loan", "order", "series"}
"""Templates that others extend."""


def test_every_template_has_its_class_and_every_class_its_templates() -> None:
    there = {file.stem for file in EMAIL.glob("*.txt")} - SHARED
    assert there == {file.stem for file in EMAIL.glob("*.html")} - SHARED
    assert there == set(LETTERS)


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
    delivery.deliver(sqlite_app, LATER)
    (message,) = delivered(sqlite_app)
    assert message["Bcc"] is None
    assert "Fête Bcc: all@example.org Bonus" in message["Subject"]
    assert "\nBcc:" not in part(message, "plain")


def test_html_escapes_and_text_does_not(sqlite_app: Flask) -> None:
    pair = {"email/joined.txt": "Subject: s\n{{ purpose }}", "email/joined.html": "<p>{{ purpose }}</p>"}
    sqlite_app.jinja_env.loader = DictLoader(pair)
    write(template="joined", purpose="<b>")
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
        for pause in PAUSES:
            assert delivery.deliver(app, now) == counts(failed=1)
            kept = letter()
            assert (kept.state, kept.due_at, kept.error) == ("queued", now + pause, "OSError: disk full")
            assert delivery.deliver(app, now + pause - timedelta(seconds=1)) == counts()
            now += pause
        assert delivery.deliver(app, now) == counts(dead=1)
    assert letter().state == "dead"
    assert "secret" not in letter().facts
    assert delivery.deliver(app, now + timedelta(days=9)) == counts()
    assert len(tries) == len(PAUSES) + 1
    assert len(set(tries)) == 1


def test_one_that_cannot_be_written_is_dead_and_does_not_hold_up_the_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "LETTERS", {**LETTERS, "no_such_template": LETTERS["joined"]})
    write("a", template="no_such_template")
    write("b", reader=replace(READER, email="two@example.org, three@example.org"))
    write("c", template="reservation_approved", starts_at="tomorrow")
    write("d")
    assert delivery.deliver(app, LATER) == counts(sent=1, dead=3)
    errors = db.session().scalars(select(Letter.error).where(Letter.state == "dead").order_by(Letter.key)).all()
    assert [str(error).partition(":")[0] for error in errors] == [
        "TemplateNotFound",
        "'two@example.org, three@example.org' is no plain e-mail address",
        "ValueError",
    ]


def test_a_header_that_would_become_two_is_caught(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some Pythons write the Bcc out, some fold it, some refuse: the second reading of the built message finds it."""
    monkeypatch.setattr(writing, "header_text", lambda text: text.strip())
    english = replace(READER, locale="en")  # a subject without accents, which is not encoded as a whole
    write(template="reservation_approved", purpose="=?UTF-8?Q?=0A?=Bcc: x@evil.example", reader=english)
    assert delivery.deliver(sqlite_app, LATER) == counts(dead=1)
    assert re.search("would arrive as|HeaderWriteError", letter().error or "")
    assert not delivered(sqlite_app)


def test_what_is_optional_can_be_stopped_with_one_click(sqlite_app: Flask) -> None:
    with transaction() as session:
        world.build(session)
    reader = replace(READER, user_id=1)
    write("news", "reservation_approved", reader)
    write("act", "reservation_to_decide", reader)
    write("account", "reset", reader)
    assert delivery.deliver(sqlite_app, LATER) == counts(sent=3)
    for message in delivered(sqlite_app):
        link = message["List-Unsubscribe"] and message["List-Unsubscribe"].strip()
        assert (link is not None) == message["Subject"].startswith("Validée")
        assert message["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click" if link else None)
        assert not link or re.fullmatch(r"<http://127.0.0.1:5000/letters/stop/\S+>", link)
        assert not link or link.strip("<>") in part(message, "plain")
    kept = db.session().scalars(select(Letter.text)).all()
    assert not [text for text in kept if "/letters/stop/" in str(text)]


def test_a_long_line_does_not_break_a_server(sqlite_app: Flask) -> None:
    write(template="reservation_declined", why="Trop long " * 200)
    delivery.deliver(sqlite_app, LATER)
    (message,) = delivered(sqlite_app)
    assert ("Trop long " * 200).strip() in part(message, "plain")
    assert all(len(line) < 998 for line in message.as_bytes().splitlines())


def test_a_process_that_died_leaves_the_letter_to_another(app: Flask) -> None:
    write()
    with failing(SystemExit("killed"), []), pytest.raises(SystemExit):  # type: ignore[arg-type]
        delivery.deliver(app, NOW)
    assert letter().state == "sending"
    assert delivery.deliver(app, NOW + LEASE - timedelta(seconds=2)) == counts()
    assert delivery.deliver(app, NOW + LEASE + timedelta(seconds=2)) == counts(sent=1)


class Server:
    """What smtplib would be talking to."""

    def __init__(self, log: list[tuple[Any, ...]]) -> None:
        self.log = log
        self.down = False
        self.says: Exception | None = None

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
        if self.says:
            raise self.says
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


def test_a_server_that_is_down_is_no_letter_s_fault(sqlite_app: Flask, smtp: Server) -> None:
    sqlite_app.config["SHAREBANK_MAIL_URL"] = "smtp://mail.example.org"
    write("a")
    write("b")
    smtp.down = True
    for _ in range(2 * len(PAUSES)):
        assert delivery.deliver(sqlite_app, NOW) == counts(failed=1)
    tries = db.session().execute(select(Letter.attempts, Letter.due_at)).all()
    assert tries == [(0, NOW), (0, NOW)]
    smtp.down = False
    assert delivery.deliver(sqlite_app, NOW) == counts(sent=2)


def rejected(code: int) -> Exception:
    return smtplib.SMTPRecipientsRefused({READER.email: (code, b"no")})


ANSWERS = [
    pytest.param(rejected(550), "dead", True, id="no such reader"),
    pytest.param(smtplib.SMTPDataError(554, b"no"), "dead", True, id="content refused"),
    pytest.param(rejected(450), "queued", False, id="greylisted"),
    pytest.param(smtplib.SMTPDataError(451, b"later"), "queued", False, id="not now"),
    pytest.param(smtplib.SMTPServerDisconnected("gone"), "queued", False, id="hung up"),
    pytest.param(ConnectionResetError("gone"), "queued", False, id="reset"),
    pytest.param(rejected(530), "unreachable", False, id="wants another sign-in"),
    pytest.param(rejected(421), "unreachable", False, id="goes away"),
    pytest.param(smtplib.SMTPSenderRefused(550, b"not you", "me"), "unreachable", False, id="our address refused"),
]


@pytest.mark.parametrize(("says", "state", "marked"), ANSWERS)
def test_what_the_server_answers(sqlite_app: Flask, smtp: Server, says: Exception, state: str, marked: bool) -> None:
    sqlite_app.config["SHAREBANK_MAIL_URL"] = "smtp://mail.example.org"
    write("a")
    write("b", reader=replace(READER, email="other@example.org"))
    smtp.says = says
    expected = {"dead": counts(dead=2), "queued": counts(failed=2), "unreachable": counts(failed=1)}
    if isinstance(says, smtplib.SMTPRecipientsRefused):
        says.recipients["other@example.org"] = says.recipients[READER.email]
    assert delivery.deliver(sqlite_app, NOW) == expected[state]
    for row in db.session().scalars(select(Letter)):
        assert row.state == ("dead" if state == "dead" else "queued")
        assert row.attempts == (0 if state == "unreachable" else 1)
    troubled = db.session().scalars(select(AddressTrouble.address)).all()
    assert set(troubled) == ({READER.email, "other@example.org"} if marked else set())
    db.session().rollback()


def test_an_address_that_works_again_is_no_trouble(app: Flask) -> None:
    with transaction() as session:
        session.add(AddressTrouble(address=READER.email, since=NOW, error="550 no"))
    write()
    assert delivery.deliver(app, NOW) == counts(sent=1)
    assert not db.session().scalars(select(AddressTrouble)).all()
    db.session().rollback()


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
