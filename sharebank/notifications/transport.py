"""How a letter leaves: into a folder, or to an SMTP server."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from pathlib import Path
from typing import Any

from config import MailFolder, MailServer
from sharebank.notifications.rules import verdict

TIMEOUT_SECONDS = 30


class Folded(EmailPolicy):
    """Words that are not ASCII fold between encoded words (RFC 2047), spaces inside them; the rest stays on its line.

    Where Python 3.11 itself folds between two encoded words, it drops the space that stood there.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header as it is sent."""
        people = getattr(value, "addresses", ())
        if str(value).isascii() or not (people or name.lower() == "subject"):
            return super().fold_binary(name, value)
        if not people:
            return f"{name}: {self._encoded(name, str(value))}{self.linesep}".encode()
        (one,) = people  # our letters have one reader and one sender
        return f"{name}: {self._encoded(name, one.display_name)}{self.linesep} <{one.addr_spec}>{self.linesep}".encode()

    def _encoded(self, name: str, words: str) -> str:
        # Two less than the 76 of RFC 2047: Python forgets the blank and the colon after the header's name.
        return Header(words, "utf-8", 74, name).encode(linesep=self.linesep)


LONGEST_LINE = 998
"""Bytes; a mail server may refuse more (RFC 5322)."""
FILED = Folded(linesep="\r\n", max_line_length=LONGEST_LINE)
# Quoted where it is not ASCII: not every server takes eight bits.
WIRE = FILED.clone(cte_type="7bit")
Send = Callable[[EmailMessage, str], None]
"""Hands over one message; the name says which letter it is, the same at every try. Raises what stands below."""


class NotSent(Exception):
    """It did not leave, or we do not know: try again later."""


class Unreachable(NotSent):
    """The mail server cannot be used: no letter can leave for now, and none is at fault."""


class TurnedAway(NotSent):
    """The server will never take this letter for this reader (5xx)."""


@contextmanager
def opened(mail: MailFolder | MailServer, timeout: float = TIMEOUT_SECONDS) -> Iterator[Send]:
    """A way out for several letters; a server is met at the first letter."""
    if isinstance(mail, MailFolder):
        mail.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield lambda message, name: _put(mail.directory / f"{name}.eml", message)
        return
    server = _Server(mail, timeout)
    try:
        yield server.send
    finally:
        server.close()


def _put(file: Path, message: EmailMessage) -> None:
    try:
        _write(file, message)
    except OSError as error:
        raise NotSent(_said(error)) from error


def _write(file: Path, message: EmailMessage) -> None:
    """A whole file or none; the same letter again replaces it. Letters hold links that sign in: owner only."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(message.as_bytes(policy=FILED))
        out.flush()
        os.fsync(handle)
    draft.replace(file)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class _Server:
    """One conversation with an SMTP server, begun anew when it broke."""

    def __init__(self, mail: MailServer, timeout: float) -> None:
        self.mail = mail
        self.timeout = timeout
        self.talk: smtplib.SMTP | None = None

    def send(self, message: EmailMessage, _name: str) -> None:
        if self.talk is None:
            try:
                self.talk = self._connect()
            except (OSError, smtplib.SMTPException) as error:
                raise Unreachable(f"{self.mail.host}:{self.mail.port}: {_said(error)}") from error
        sender, reader = (message[name].addresses[0].addr_spec for name in ("From", "To"))
        try:
            self.talk.sendmail(sender, [reader], message.as_bytes(policy=WIRE))
        except smtplib.SMTPSenderRefused as error:
            # It is us they do not want, or not now: no other letter would fare better.
            self.close()
            raise Unreachable(_said(error)) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, words = error.recipients[reader]
            raise self._judged(code, words) from error
        except smtplib.SMTPResponseException as error:
            raise self._judged(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise NotSent(_said(error)) from error

    def _judged(self, code: int, words: bytes | str) -> NotSent:
        """What the server's answer about one letter means."""
        said = f"{code} {words.decode('utf-8', 'replace') if isinstance(words, bytes) else words}"
        match verdict(code):
            case "server":
                self.close()
                return Unreachable(said)
            case "never":
                return TurnedAway(said)
        return NotSent(said)

    def _connect(self) -> smtplib.SMTP:
        mail, context = self.mail, ssl.create_default_context()
        if mail.tls == "tls":
            talk: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=self.timeout, context=context)
        else:
            talk = smtplib.SMTP(mail.host, mail.port, timeout=self.timeout)
        if mail.tls == "starttls":
            talk.starttls(context=context)
        if mail.user is not None:
            talk.login(mail.user, mail.password or "")
        return talk

    def close(self) -> None:
        if self.talk is not None:
            self.talk.close()
            self.talk = None
