"""Writing a letter out: subject, text and HTML in its reader's language, and a message that is only what it says."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.policy import SMTP, default
from email.utils import format_datetime, parseaddr
from typing import Any

from flask import Flask
from flask_babel import force_locale
from itsdangerous import BadSignature, URLSafeSerializer

from sharebank.core.period import Period
from sharebank.core.texts import gettext
from sharebank.core.web import absolute
from sharebank.notifications.attachments import Attachment, NotReady, attach
from sharebank.notifications.rules import LETTERS, header_text, is_address, one_line, optional, readable
from sharebank.notifications.transport import FILED, LONGEST_LINE, WIRE


class Unwritable(Exception):
    """This letter cannot be made, or would not arrive as it was written; trying again changes nothing."""


@dataclass(frozen=True, slots=True)
class Written:
    """A letter in words: the message that leaves, and what is kept of it, without what only its reader may know."""

    message: EmailMessage
    subject: str
    text: str
    html: str


def write_out(app: Flask, letter: Any) -> Written:
    """The letter in its reader's language; links begin with SHAREBANK_BASE_URL. Raises Unwritable or NotReady."""
    try:
        written = _written(app, letter)
        _prove(written.message, letter.to_address)
    except (Unwritable, NotReady):
        raise
    except Exception as error:  # a template, a fact or a header that is wrong: whatever it is, only this letter's
        raise Unwritable(f"{type(error).__name__}: {error}") from error
    return written


def _written(app: Flask, letter: Any) -> Written:
    if not is_address(letter.to_address):
        raise Unwritable(f"{letter.to_address!r} is no plain e-mail address")
    with app.test_request_context(base_url=app.config["SHAREBANK_BASE_URL"]), force_locale(letter.locale):
        stop = _stop_url(app, letter)
        ours = {"to_name": one_line(letter.to_name), "locale": letter.locale, "absolute": absolute, "stop_url": stop}
        facts = {**_facts(letter.facts), **ours}
        text = app.jinja_env.get_template(f"email/{letter.template}.txt").render(facts)
        html = app.jinja_env.get_template(f"email/{letter.template}.html").render(facts)
        words = gettext("(a link that is only for its reader)")
        files = _files(app, letter)
    first, _, body = text.partition("\n")
    subject = header_text(first.removeprefix("Subject:"))
    # Templates share paragraphs, and where a part says nothing its blank lines stay.
    body, html = re.sub(r"\n{3,}", "\n\n", body.strip("\n")) + "\n", _compact(html)
    secrets = [secret for secret in (letter.facts.get("secret"), stop) if secret]
    return Written(
        _message(app, letter, subject, body, html, stop, files),
        subject,
        _without(body, secrets, words),
        _without(html, secrets, words),
    )


def _files(app: Flask, letter: Any) -> list[Attachment]:
    """What goes along, by the letter's kind."""
    makers = app.extensions.get("letter_attachments", {})
    made = [makers[name](letter.facts, letter.created_at) for name in LETTERS[letter.template].attach]
    return [one for one in made if one is not None]


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as templates want them: one-line texts, instants for `…_at`, and `when` from the two of a period."""
    values = {name: _fact(name, value) for name, value in facts.items()}
    if "starts_at" in values and "ends_at" in values:
        values["when"] = Period(values["starts_at"], values["ends_at"])
    return values


def _fact(name: str, value: Any) -> Any:
    """One of them; a fact may have facts of its own, and a list of them."""
    match value:
        case str() if name.endswith("_at"):
            return datetime.fromisoformat(value)
        case dict():
            return _facts(value)
        case [dict(), *_]:
            return [_facts(each) for each in value]
    return readable(value)


def _compact(html: str) -> str:
    """Without the indentation of templates; what people typed has no line breaks."""
    return re.sub(r"\s*\n\s*", "\n", html).strip() + "\n"


def _without(text: str, secrets: list[str], words: str) -> str:
    """The same with words in place of each link that holds a secret."""
    for secret in secrets:
        text = re.sub(rf"(?<=href=\")[^\"]*{re.escape(secret)}[^\"]*", "#", text)
        text = re.sub(rf"[^\s\"<>]*{re.escape(secret)}[^\s\"<>]*", words, text)
    return text


# -- the message -----------------------------------------------------------------------------------


def _message(
    app: Flask, letter: Any, subject: str, text: str, html: str, stop: str, files: Sequence[Attachment]
) -> EmailMessage:
    name, address = parseaddr(app.config["SHAREBANK_MAIL_FROM"])
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = Address(name or "sharebank", addr_spec=address)
    message["To"] = Address(header_text(letter.to_name), addr_spec=letter.to_address)
    message["Date"] = format_datetime(letter.created_at.astimezone(UTC))
    message["Message-ID"] = f"<{letter.message_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    answers = str(letter.facts.get("answers_to", ""))
    if is_address(answers):
        message["Reply-To"] = Address(addr_spec=answers)
    if stop:
        message["List-Unsubscribe"] = f"<{stop}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    message.set_content(text, cte=_coding(text))
    message.add_alternative(html, subtype="html", cte=_coding(html))
    for one in files:
        attach(message, one)
    _bound(app, message, letter.message_id)
    return message


def _bound(app: Flask, message: EmailMessage, mark: str) -> None:
    """The same lines between the parts at every try, which nobody can foresee and type into a letter."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        key = str(app.config["SECRET_KEY"]).encode()
        seal = hmac.new(key, f"boundary:{mark}:{number}".encode(), hashlib.sha256).hexdigest()
        part.set_boundary(f"=_{seal[:40]}")


def _coding(text: str) -> str:
    """Eight bits keep a link whole for whoever opens the file; the SMTP transport quotes them."""
    long = any(len(line.encode()) > LONGEST_LINE for line in text.splitlines())
    return "quoted-printable" if long else "8bit"


def _prove(message: EmailMessage, address: str) -> None:
    """Read the message as a mail server will: exactly the headers written, once each, one reader, the same parts.

    Python 3.11 turns a subject such as `=?UTF-8?Q?=0A?=Bcc: x@evil` into a real Bcc header.
    """
    for policy in (WIRE, FILED):  # as a server gets it, and as a folder does
        sent = message.as_bytes(policy=policy)
        _prove_one(message, message_from_bytes(sent, policy=default), address)
        _prove_words(message, message_from_bytes(sent))


def _prove_words(message: EmailMessage, arrives: Message) -> None:
    """What people read above a letter, space for space, by the decoder that keeps to RFC 2047 in names too."""
    for name in ("Subject", "To", "From"):
        wanted, raw = str(message[name]), arrives[name]
        if name != "Subject":
            wanted, raw = message[name].addresses[0].display_name, parseaddr(raw)[0]
        found = str(make_header(decode_header(raw)))
        if found != wanted:
            raise Unwritable(f"its {name} would arrive as {found!r}")


def _prove_one(message: EmailMessage, arrives: EmailMessage, address: str) -> None:
    names = [name.lower() for name in arrives.keys()]  # noqa: SIM118  # a header may be there twice
    if names != [name.lower() for name in message.keys()] or len(set(names)) != len(names):  # noqa: SIM118
        raise Unwritable(f"its headers would arrive as {', '.join(names)}")
    for name, wanted in (("To", address), ("From", message["From"].addresses[0].addr_spec)):
        found = [each.addr_spec for each in arrives[name].addresses]
        if found != [wanted]:
            raise Unwritable(f"its {name} would arrive as {found}")
    if (parts := _parts(arrives)) != _parts(message):
        raise Unwritable(f"its parts would arrive as {', '.join(str(part[0]) for part in parts)}")


def _parts(message: EmailMessage) -> list[tuple[str, list[str], str | None, Any]]:
    """Each part: its kind, the names of its headers, its file name, and of a file its bytes."""
    return [
        (
            part.get_content_type(),
            # The coding of words may change on the way, never what else they say.
            [name.lower() for name in part.keys() if name.lower() != "mime-version"],  # noqa: SIM118
            part.get_filename(),
            part.get_payload(decode=True) if part.get_filename() else b"",
        )
        for part in message.walk()
    ]


# -- stopping what is optional -----------------------------------------------------------------------


def _stop_url(app: Flask, letter: Any) -> str:
    """The link of RFC 8058's one click, for what is optional."""
    if letter.user_id is None or not optional(letter.template):
        return ""
    return absolute("letters.stop", token=_serializer(app).dumps(letter.user_id))


def reader_who_stops(app: Flask, token: str) -> int | None:
    """Whose link this is; None when it is none of ours."""
    try:
        return int(_serializer(app).loads(token))
    except (BadSignature, TypeError, ValueError):
        return None


def _serializer(app: Flask) -> URLSafeSerializer:
    return URLSafeSerializer(app.config["SECRET_KEY"], salt="stop letters")
