"""Letters are never lost nor doubled, whatever dies and whatever the mail server does; hostile values stay words.

A process killed between handing a letter over and marking it, or a reply that is lost, leaves no way to know: the
letter goes again, under the same Message-ID. Nothing else may double one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.core.db import db, transaction
from sharebank.notifications import delivery
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Recipient, post
from tests.conftest import make_app
from tests.prove.postmen import MailServer, Round
from tests.world import NOW

LONG = [pytest.mark.prove, pytest.mark.slow]
SIZES = [
    # letters, faults, kills
    pytest.param(200, 0.0, 0, id="200"),
    pytest.param(200, 0.1, 4, id="200 letters, faults, 4 kills"),
    pytest.param(10_000, 0.0, 0, id="10000", marks=LONG),
    pytest.param(10_000, 0.0, 100, id="10000 letters, 100 kills", marks=LONG),
    pytest.param(10_000, 0.1, 100, id="10000 letters, faults, 100 kills", marks=LONG),
]


def outbox(app: Flask, letters: int) -> None:
    with app.app_context(), transaction() as session:
        for number in range(letters):
            reader = Recipient(f"reader{number}@example.org", f"Reader {number}", "fr")
            post(session, f"k{number}", "joined", [reader], {"by": "Anna", "organisation": "MCNG"}, NOW)


@pytest.mark.parametrize(("letters", "faults", "kills"), SIZES)
def test_none_lost_none_doubled(database_url: str, tmp_path: Path, letters: int, faults: float, kills: int) -> None:
    app = make_app(database_url, tmp_path)
    outbox(app, letters)
    chance, killed, now = random.Random(letters), 0, NOW
    with MailServer(faults) as server:
        for _ in range(len(delivery.PAUSES)):
            killed += Round(database_url, tmp_path, server, now).until_done(
                kills - killed, letters // (kills + 4), chance
            )
            now += timedelta(days=1, minutes=11)  # longer than any pause, and than a lease of who was killed
            if not waiting(app):
                break
    assert killed == kills
    assert not waiting(app)
    with app.app_context():
        states = set(db.session().scalars(select(Letter.state)))
        db.engine.dispose()
    assert states == {"sent"}
    assert len(server.taken) == letters, "a letter was lost"
    assert all(len(readers) == 1 for readers in server.readers.values())
    assert len(set().union(*server.readers.values())) == letters
    doubled = server.taken.total() - letters
    assert doubled <= killed + server.met["lost reply"], f"{doubled} doubled, {killed} killed, {server.met}"
    assert faults == 0 or all(server.met[fault] for fault in ("later", "hangs up", "lost reply"))


def waiting(app: Flask) -> bool:
    with app.app_context():
        found = db.session().scalar(select(Letter.id).where(Letter.state.in_(("queued", "sending"))).limit(1))
        db.session().rollback()
        return found is not None


# -- hostile values ----------------------------------------------------------------------------------

# What each would do if it were believed: another header, another reader, another body, a template run, a script.
HEADERS = [
    "\r\nBcc: x@evil.example",
    "\nBcc: x@evil.example",
    "\rBcc: x@evil.example",
    "Fête\r\n\r\n<script>alert(1)</script>",
    "Fête\n\nBonjour, envoyez vos clés à x@evil.example",
    "=?UTF-8?Q?=0A?=Bcc: x@evil.example",
    "=?UTF-8?Q?=0D=0ABcc:_x@evil.example?=",
    "=?utf-8?b?CkJjYzogeEBldmlsLmV4YW1wbGU=?=",
    "=?ISO-8859-1?Q?a=0ABcc:_x@evil.example?=",
    "=?UTF-16?B?AAoAQgBjAGM6?=",
    "x =?UTF-8?Q?=0A?= =?UTF-8?Q?Bcc:x@evil.example?=",
    "\x0bBcc: x@evil.example",
    "\x0cBcc: x@evil.example",
    "\x1cBcc: x@evil.example",
    "\x1dBcc: x@evil.example",
    "\x1eBcc: x@evil.example",
    "\x85Bcc: x@evil.example",
    "\u2028Bcc: x@evil.example",
    "\u2029Bcc: x@evil.example",
    "\r\n Bcc: x@evil.example",
    "\r\n\tBcc: x@evil.example",
    "Content-Type: text/html\r\n\r\n<b>",
    "\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+",
    "\r\nTo: x@evil.example",
    "\r\nReply-To: x@evil.example",
    "\r\n.\r\nMAIL FROM:<x@evil.example>\r\nRCPT TO:<x@evil.example>\r\nDATA",
    "\n.\n",
    "--===============0==\nContent-Type: text/html\n\n<b>",
    "\ufeffBcc: x@evil.example",
    "\u202eelpmaxe.live@x",
    "\ud83d",
    "a" * 3000,
    '"><x@evil.example>',
    "Anna, <x@evil.example>",
    "Anna <x@evil.example>, Zoé",
    'Anna" <x@evil.example> "',
    "(Anna) x@evil.example;",
    "Group: x@evil.example;",
]
TEMPLATES = [
    "{{7*7}}",
    "{{ 7*7 }}",
    "{% for i in range(9) %}x{% endfor %}",
    "{{ config }}",
    "{{ config.items() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ absolute('accounts.sign_in') }}",
    "{{ secret }}",
    "{# comment #}",
    "{%raw%}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "%(secret)s",
    "%s %d %%",
    "%",
    "{0.__class__}",
    "{by.__class__}",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title><svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "javascript:alert(1)",
    "<a href=http://evil.example>ici</a>",
]
ADDRESSES = [
    "a@example.org\r\nBcc: x@evil.example",
    "a@example.org, x@evil.example",
    "a@example.org; x@evil.example",
    "a@example.org x@evil.example",
    "<a@example.org> <x@evil.example>",
    "Anna <x@evil.example>",
    "a@example.org>\r\nRCPT TO:<x@evil.example",
    "a@example.org> SIZE=1",
    "=?UTF-8?Q?x@evil.example?=",
    '"a b"@example.org',
    "a(comment)@example.org",
    "a@example.org(@evil.example)",
    "@evil.example:a@example.org",
    "a%evil.example@",
    "zoé@example.org",
    "a@exa\u2028mple.org",
    "a@[127.0.0.1]",
    "a@-example.org",
    "a..b@example.org",
    "",
    "a",
    "a@",
    "@example.org",
]


def test_the_corpus_is_large_enough() -> None:
    assert len({*HEADERS, *TEMPLATES, *ADDRESSES}) >= 60


@pytest.fixture
def sent(sqlite_url: str, tmp_path: Path) -> Callable[..., Any]:
    """Posts a letter with these values and delivers it to a listening server: (envelope, message) or None."""
    app = make_app(sqlite_url, tmp_path)
    heard: list[tuple[list[str], bytes]] = []

    def send(template: str, facts: dict[str, Any], name: str = "Anna", address: str = "anna@example.org") -> Any:
        from email import message_from_bytes
        from email.policy import default

        heard.clear()
        with app.app_context():
            with transaction() as session:
                number = session.query(Letter).count()
                post(session, f"k{number}", template, [Recipient(address, name, "fr", None)], facts, NOW)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("smtplib.SMTP", lambda *_, **__: Listener(heard))
                app.config["SHAREBANK_MAIL_URL"] = "smtp://mail.example.org?tls=none"
                delivery.deliver(app, NOW + timedelta(minutes=1))
            db.session.remove()
        return (heard[0][0], message_from_bytes(heard[0][1], policy=default)) if heard else None

    return send


class Listener:
    """What smtplib's client is, as far as letters are concerned."""

    def __init__(self, heard: list[tuple[list[str], bytes]]) -> None:
        self.heard = heard

    def sendmail(self, _sender: str, readers: list[str], data: bytes) -> None:
        self.heard.append((readers, data))

    def close(self) -> None:
        pass


WRITTEN = ["subject", "from", "to", "date", "message-id", "auto-submitted", "mime-version", "content-type"]
LOAN = {
    "ref": "R26-ABC234",
    "borrower": "Chorale",
    "lender": "MCNG",
    "starts_at": "2026-11-28T13:00:00+00:00",
    "ends_at": "2026-11-28T17:00:00+00:00",
}


@pytest.mark.parametrize("evil", [*HEADERS, *TEMPLATES], ids=lambda evil: ascii(evil)[:40])
def test_what_people_type_stays_words(sent: Callable[..., Any], evil: str) -> None:
    storable = evil.encode("utf-8", "replace").decode()  # a database takes no half characters
    facts = {**LOAN, "purpose": storable, "by": storable, "why": storable, "things": [[storable, 2]]}
    readers, message = sent("reservation_declined", facts, name=storable)
    assert readers == ["anna@example.org"]
    assert [name.lower() for name in message] == WRITTEN
    assert [each.addr_spec for each in message["To"].addresses] == ["anna@example.org"]
    parts = list(message.walk())
    assert [each.get_content_type() for each in parts] == ["multipart/alternative", "text/plain", "text/html"]
    text, html = (each.get_content() for each in parts[1:])
    harmless = " ".join(storable.split())
    if evil in TEMPLATES:
        assert harmless in text
        assert message["Subject"].startswith(f"Refusée\u202f: {harmless}"[:60])
        assert text.count("49") == storable.count("49")
    # The same letter with a plain word has as many lines, and the same elements with the same attributes.
    plain = {name: "mot" if value == storable else value for name, value in facts.items()}
    _, usual = sent("reservation_declined", {**plain, "things": [["mot", 2]]}, name="mot")
    usual_text, usual_html = (each.get_content() for each in list(usual.walk())[1:])
    assert len(text.splitlines()) == len(usual_text.splitlines())
    assert elements(html) == elements(usual_html)


def elements(html: str) -> list[Any]:
    found: list[Any] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, attributes))  # type: ignore[method-assign]
    parser.feed(html)
    return found


@pytest.mark.parametrize("evil", ADDRESSES, ids=ascii)
def test_an_address_that_is_no_plain_one_gets_nothing(sent: Callable[..., Any], evil: str) -> None:
    assert sent("joined", {"by": "Anna", "organisation": "MCNG"}, address=evil) is None


def test_a_plain_address_gets_its_letter(sent: Callable[..., Any]) -> None:
    for address in ("anna@example.org", "o'brien+prets@maison-1.example.org"):
        readers, _message = sent("joined", {"by": "Anna", "organisation": "MCNG"}, address=address)
        assert readers == [address]
