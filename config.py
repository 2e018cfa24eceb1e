"""What the surroundings decide: read once, checked, then never changed.

Each setting is an environment variable of CONTRACT (README, "Settings"). A value that cannot be used stops the
start with one line that names it, says what is wrong and what to do; it never shows a password.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ROOT: Final = Path(__file__).resolve().parent
"""The project's folder: `migrations/`, `templates/` and `instance/` are in it."""

SECRET_MIN_LENGTH: Final = 32
SECRET_MIN_LETTERS: Final = 10
"""A secret of fewer different characters was typed, not drawn."""

# Pieces of secrets that manuals, templates and forums print. Long enough never to turn up by chance.
EXAMPLE_SECRETS: Final = (
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "secretkey",
    "mysecret",
    "yoursecret",
    "topsecret",
    "supersecret",
    "notsecret",
    "insecure",
    "placeholder",
    "password",
    "example",
    "development",
    "0123456789",
    "abcdefgh",
)

SMTP_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}

Tls = Literal["starttls", "tls", "none"]


class ConfigError(Exception):
    """A setting cannot be used; its text is one line: the variable, what is wrong, what to do."""

    def __init__(self, variable: str, wrong: str, remedy: str) -> None:
        self.variable = variable
        super().__init__(" ".join(f"{variable}: {wrong}; {remedy}.".split()))


@dataclass(frozen=True, slots=True)
class MailFolder:
    """Letters are written here, one `.eml` each."""

    directory: Path


@dataclass(frozen=True, slots=True)
class MailServer:
    """Letters go to this SMTP server."""

    host: str
    port: int
    tls: Tls
    user: str | None
    password: str | None = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Everything the surroundings decide. `database_url` and `mail_url` are absolute, whatever the folder one is in."""

    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    base_url: str
    mail_url: str = field(repr=False)
    mail_from: str
    timezone: str
    school_zone: str
    instance_path: Path
    trusted_hosts: tuple[str, ...]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], instance_path: Path) -> Settings:
        """Read and check every setting; makes `instance_path` and the secret on first start. Raises ConfigError."""
        instance_path = instance_path.resolve()
        root = instance_path.parent
        # An empty value is what a template with nothing filled in leaves behind: it means the default.
        values = {name: value.strip() for name, value in environ.items() if value.strip()}

        def value(name: str, default: str) -> str:
            return values.get(f"SHAREBANK_{name}", default)

        base_url = _base_url(value("BASE_URL", "http://127.0.0.1:5000"))
        host = urlsplit(base_url).hostname or ""
        mail_url = value("MAIL_URL", "file:instance/mail")
        mail = read_mail_url(mail_url, root)
        return cls(
            database_url=_database_url(value("DATABASE_URL", "sqlite:///instance/sharebank.db"), root),
            base_url=base_url,
            mail_url=f"file:{mail.directory}" if isinstance(mail, MailFolder) else mail_url,
            mail_from=_mail_from(value("MAIL_FROM", f"sharebank@{host if '.' in host else 'localhost'}")),
            timezone=_timezone(value("TIMEZONE", "Europe/Paris")),
            school_zone=_school_zone(value("SCHOOL_ZONE", "A")),
            instance_path=instance_path,
            trusted_hosts=tuple(dict.fromkeys([host if ":" not in host else f"[{host}]", "127.0.0.1", "localhost"])),
            # Last: it writes a file, which a start that fails for another reason should not.
            secret_key=_secret_key(values.get("SHAREBANK_SECRET_KEY"), instance_path),
        )

    @property
    def zone(self) -> ZoneInfo:
        """The houses' time zone."""
        return ZoneInfo(self.timezone)

    @property
    def mail(self) -> MailFolder | MailServer:
        """Where letters go."""
        return read_mail_url(self.mail_url, self.instance_path.parent)


def read_mail_url(text: str, root: Path) -> MailFolder | MailServer:
    """`file:FOLDER` (from `root` when relative) or `smtp://user:password@host:port?tls=starttls|tls|none`."""
    name = "SHAREBANK_MAIL_URL"
    remedy = "write smtp://user:password@host:port?tls=starttls (or tls, or none), or file:instance/mail"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigError(name, "its port or host cannot be read", remedy) from None
    if parts.scheme == "file":
        if parts.netloc or not parts.path.strip("/"):
            raise ConfigError(name, "it names no folder of this machine", "write file:instance/mail or file:/a/folder")
        return MailFolder((root / unquote(parts.path)).resolve())
    if parts.scheme != "smtp":
        raise ConfigError(name, f"“{parts.scheme or 'nothing'}” is not a way to send mail here", remedy)
    if not parts.hostname:
        raise ConfigError(name, "it names no mail server", remedy)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = options.pop("tls", "starttls")
    if tls not in SMTP_PORTS:
        raise ConfigError(name, f"tls={tls} is not known", "choose tls=starttls, tls=tls or tls=none")
    if options or parts.path.strip("/") or parts.fragment:
        raise ConfigError(name, "it says more than server, port and tls", remedy)
    if port == 0:
        raise ConfigError(name, "port 0 is no port", "write the port of the mail server, 587 as a rule")
    return MailServer(
        host=parts.hostname,
        port=port or SMTP_PORTS[tls],
        tls=tls,  # type: ignore[arg-type]  # one of the keys of SMTP_PORTS
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _database_url(text: str, root: Path) -> str:
    """The database's address as SQLAlchemy wants it, a relative SQLite path taken from `root`."""
    name = "SHAREBANK_DATABASE_URL"
    remedy = "write sqlite:///instance/sharebank.db or postgresql+psycopg://user:password@host/database"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError(name, "it cannot be read as a database address", remedy) from None
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return _sqlite_url(url, root)
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        if not url.database:
            raise ConfigError(name, "it names no database", remedy)
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    raise ConfigError(name, f"“{url.drivername}” is not a database sharebank knows", remedy)


def _sqlite_url(url: URL, root: Path) -> str:
    """A database file; memory would be forgotten, and is not shared between the server's processes."""
    name = "SHAREBANK_DATABASE_URL"
    if url.host:
        raise ConfigError(name, "a SQLite address has no host", "write three slashes: sqlite:///instance/sharebank.db")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError(name, "it names no file", "write sqlite:///instance/sharebank.db")
    path = (root / url.database).resolve()
    if path.is_dir():
        raise ConfigError(name, "it names a folder", "name a file in it, as sqlite:///instance/sharebank.db")
    return url.set(drivername="sqlite", database=str(path)).render_as_string(hide_password=False)


def _base_url(text: str) -> str:
    """The address people type, without a slash at the end; letters and labels begin with it."""
    name = "SHAREBANK_BASE_URL"
    remedy = "write the address people type, as https://partage.example.org"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigError(name, "its port or host cannot be read", remedy) from None
    if parts.scheme not in {"http", "https"}:
        raise ConfigError(name, "it does not begin with http:// or https://", remedy)
    # Hosts of letters, digits, dots and hyphens, or an IPv6 address: anything else ends up in links and headers.
    if not parts.hostname or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:]+", parts.hostname):
        raise ConfigError(name, "it names no host", remedy)
    if parts.username is not None or parts.query or parts.fragment or parts.path not in {"", "/"}:
        raise ConfigError(name, "it holds more than a scheme, a host and a port", remedy)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _mail_from(text: str) -> str:
    """The sender of letters: `address@host` or `Name <address@host>`, on one line."""
    address = re.fullmatch(r"(?:[^<>\r\n]*<)?([^\s<>@]+@[^\s<>@]+)>?", text)
    if address is None or ("<" in text) != text.endswith(">"):
        raise ConfigError(
            "SHAREBANK_MAIL_FROM", "it is not an e-mail address", "write nom@example.org or Partage <nom@example.org>"
        )
    return text


def _timezone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    # An unknown name, a path out of the zones, a folder of zones ("Europe").
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            "SHAREBANK_TIMEZONE", f"“{text}” is not a time zone", "write a name such as Europe/Paris"
        ) from None


def _school_zone(text: str) -> str:
    if text.upper() not in {"A", "B", "C"}:
        raise ConfigError("SHAREBANK_SCHOOL_ZONE", f"“{text}” is not a school holiday zone", "choose A, B or C")
    return text.upper()


def _secret_key(given: str | None, instance_path: Path) -> str:
    """The given secret, or the one kept in `instance/secret_key`, drawn on first start."""
    draw = "leave it out and one is made, or draw one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
    if given is not None:
        if trouble := secret_trouble(given):
            raise ConfigError("SHAREBANK_SECRET_KEY", trouble, draw)
        return given
    path = instance_path / "secret_key"
    try:
        instance_path.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _keep_new_secret(path)
        kept = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text"
        raise ConfigError(
            "SHAREBANK_SECRET_KEY", f"cannot keep a secret in {path} ({reason})", "make it readable and writable"
        ) from None
    if trouble := secret_trouble(kept):
        raise ConfigError("SHAREBANK_SECRET_KEY", f"the one kept in {path} is unfit ({trouble})", "delete that file")
    return kept


def _keep_new_secret(path: Path) -> None:
    """Draw a secret and keep it, readable by its owner alone; the first of several processes wins."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
        # A link appears whole or not at all, and never replaces the secret another process kept a moment ago.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def secret_trouble(secret: str) -> str | None:
    """Why a secret is unfit, or nothing."""
    if len(secret) < SECRET_MIN_LENGTH:
        return f"it is shorter than {SECRET_MIN_LENGTH} characters"
    plain = re.sub(r"[^a-z0-9]", "", secret.lower())
    if any(example in plain for example in EXAMPLE_SECRETS):
        return "it is a known example"
    if len(set(secret)) < SECRET_MIN_LETTERS or re.fullmatch(r"(.{1,16}?)\1+.{0,15}", plain):
        return "it repeats itself and can be guessed"
    return None
