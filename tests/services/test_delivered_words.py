"""What people read above a letter arrives letter for letter: subjects, names, names of files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.core.db import db, transaction
from sharebank.notifications import delivery, writing
from sharebank.notifications.attachments import Attachment, attach, file_name
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Recipient, post
from sharebank.notifications.transport import FILED, WIRE, Folded
from tests.conftest import make_app
from tests.prove.postmen import MailServer
from tests.world import NOW


def _words(text: str) -> list[str]:
    return text.split()


FRENCH = _words(
    "Réservation à rendre demain matériel « Galoche » minibus régie été école théâtre prêt n° 12 – d’Île-de-France "
    "pour l’équipe jusqu’au créée 🚜🚜🚜 日本語のテキスト"
)
PLAIN = _words("O'Brien, \"Anna\" (x) a@b <q> \\ ; : a.b . ,, Jr. = ? =x? 'n' concert")
DAMAGED = "Élèves à l’école – « été »"
"""In a subject, where Python 3.11 itself folds it."""
READER = Recipient("member@example.org", "Élisabeth Lefèvre-Nguyễn de la Maison des Métiers à Saint-Étienne", "fr")


def read(data: bytes) -> tuple[str, str]:
    """Subject and reader's name, by RFC 2047; the parser of Python 3.11 puts spaces into long names."""
    raw = message_from_bytes(data)
    return tuple(str(make_header(decode_header(text))) for text in (raw["Subject"], parseaddr(raw["To"])[0]))  # type: ignore[return-value]


@pytest.mark.parametrize("words", [FRENCH, PLAIN, FRENCH + PLAIN], ids=["french", "ascii", "both"])
@pytest.mark.parametrize("policy", [FILED, WIRE], ids=["folder", "wire"])
def test_no_space_is_lost(words: list[str], policy: Any) -> None:
    chance = random.Random(2047)
    for _ in range(1000):
        subject, name = (" ".join(chance.choices(words, k=chance.randint(1, 40)))[:300].strip() for _ in "12")
        message = EmailMessage(policy=SMTP)
        message["Subject"], message["To"] = subject, Address(name, addr_spec=READER.email)
        data = message.as_bytes(policy=policy)
        assert read(data) == (subject, name)
        assert message_from_bytes(data, policy=default)["Subject"] == subject
        lines = data.splitlines()
        assert all(len(line) <= (76 if b"=?utf-8?" in line else 998) for line in lines)


def test_names_of_files() -> None:
    chance = random.Random(2231)
    for _ in range(500):
        name = file_name(" ".join(chance.choices([*FRENCH, *PLAIN, "%", "a;b"], k=chance.randint(1, 25))))
        message = EmailMessage(policy=SMTP)
        attach(message, Attachment(name, "application/pdf", b"%PDF"))
        for policy in (FILED, WIRE):
            data = message.as_bytes(policy=policy)
            (part,) = message_from_bytes(data, policy=default).iter_attachments()
            assert part.get_filename() == name
            assert all(len(line) <= 998 for line in data.splitlines())


class Postman(MailServer):
    """Keeps what was said to it."""

    def __init__(self) -> None:
        super().__init__(0)
        self.heard: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.heard.append(envelope.content)
        return await super().handle_DATA(server, session, envelope)


def declined(purpose: str, reader: Recipient = READER) -> None:
    loan = {"ref": "R26-ABC234", "borrower": "Chorale", "lender": "MCNG", "by": "Anna", "why": "non"}
    hours = {"starts_at": "2026-11-28T13:00:00+00:00", "ends_at": "2026-11-28T17:00:00+00:00"}
    with transaction() as session:
        post(
            session,
            "k",
            "reservation_declined",
            [reader],
            {**loan, **hours, "purpose": purpose, "things": [["Salle", 1]]},
            NOW,
        )


def test_what_a_mail_server_hears(app: Flask) -> None:
    app.config["SHAREBANK_MAIL_FROM"] = (
        "Partage des trois maisons de Saint-Étienne – théâtre et métiers <p@example.net>"
    )
    server = Postman()
    with server:
        app.config["SHAREBANK_MAIL_URL"] = server.url
        declined(DAMAGED)
        assert delivery.deliver(app, NOW + timedelta(minutes=2))["letters_sent"] == 1
    (data,) = server.heard
    subject, name = read(data)
    assert subject.startswith(f"Refusée\u202f: {DAMAGED}")
    assert name == READER.name
    sender = parseaddr(message_from_bytes(data)["From"])
    assert (
        str(make_header(decode_header(sender[0]))) == "Partage des trois maisons de Saint-Étienne – théâtre et métiers"
    )
    assert sender[1] == "p@example.net"
    assert data.isascii()
    assert all(len(line) <= 998 for line in data.splitlines())


def test_words_that_would_lose_a_space_do_not_leave(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python 3.11 does to a subject that it folds itself."""
    monkeypatch.setattr(writing, "FILED", SMTP)
    declined(DAMAGED)
    assert trouble(app).startswith("its Subject would arrive as")


def test_a_name_that_would_lose_a_space_does_not_leave(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Folded._encoded
    monkeypatch.setattr(Folded, "_encoded", lambda self, name, words: whole(self, name, words.replace("Ô à", "Ôà")))
    declined("Concert", replace(READER, name="Ô à"))
    assert trouble(app) == "its To would arrive as 'Ôà'"


def trouble(app: Flask) -> str:
    assert delivery.deliver(app, NOW + timedelta(minutes=2))["letters_dead"] == 1
    return db.session().scalars(select(Letter.error)).one() or ""


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    found = make_app(sqlite_url, tmp_path)
    with found.app_context():
        yield found
        db.session.remove()
        db.engine.dispose()
