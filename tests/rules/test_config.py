"""Every setting: what is taken, what is refused, and what the refusal says."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from config import ConfigError, MailFolder, MailServer, Settings

GOOD_SECRET = "tR7-kQ2_vX9zLm4bWc8yNf1hJs6dGp3aEu5oTi0r"


def read(tmp_path: Path, **values: str) -> Settings:
    """Settings of an installation in `tmp_path`, the given ones without their prefix."""
    environ = {"SHAREBANK_SECRET_KEY": GOOD_SECRET} | {f"SHAREBANK_{name}": value for name, value in values.items()}
    return Settings.from_environ(environ, tmp_path / "instance")


def test_defaults(tmp_path: Path) -> None:
    settings = Settings.from_environ({}, tmp_path / "instance")
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/sharebank.db"
    assert settings.base_url == "http://127.0.0.1:5000"
    assert settings.mail_url == f"file:{tmp_path}/instance/mail"
    assert settings.mail == MailFolder(tmp_path / "instance" / "mail")
    assert settings.mail_from == "sharebank@127.0.0.1"
    assert (settings.timezone, settings.school_zone) == ("Europe/Paris", "A")
    assert settings.zone.key == "Europe/Paris"
    assert settings.trusted_hosts == ("127.0.0.1", "localhost")


def test_secrets_stay_out_of_what_is_printed(tmp_path: Path) -> None:
    settings = read(
        tmp_path, DATABASE_URL="postgresql://u:hush-db@db/s", MAIL_URL="smtp://u:hush-mail@mail.example.org"
    )
    assert not [word for word in (GOOD_SECRET, "hush-db", "hush-mail") if word in f"{settings!r} {settings.mail!r}"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("sqlite:///other.db", "sqlite:///{root}/other.db", id="relative to the project, not to the cwd"),
        pytest.param("sqlite:////srv/data/s.db", "sqlite:////srv/data/s.db", id="absolute file"),
        pytest.param("sqlite+pysqlite:////srv/s.db", "sqlite:////srv/s.db", id="driver named"),
        pytest.param("postgresql+psycopg://u:p@h:5433/d", "postgresql+psycopg://u:p@h:5433/d", id="psycopg"),
        pytest.param("postgresql://u:p%40@h/d", "postgresql+psycopg://u:p%40@h/d", id="postgresql, password quoted"),
        pytest.param("postgres://h/d", "postgresql+psycopg://h/d", id="postgres, as hosts hand it out"),
        pytest.param("postgresql:///d?host=/run/pg", "postgresql+psycopg:///d?host=%2Frun%2Fpg", id="socket"),
        pytest.param("  ", "sqlite:///{root}/instance/sharebank.db", id="left empty"),
    ],
)
def test_database_url_taken(tmp_path: Path, given: str, kept: str) -> None:
    assert read(tmp_path, DATABASE_URL=given).database_url == kept.format(root=tmp_path)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("https://partage.example.org/", "https://partage.example.org", id="slash dropped"),
        pytest.param("https://Partage.Example.org:8443", "https://partage.example.org:8443", id="port, lower case"),
        pytest.param("http://[::1]:5000", "http://[::1]:5000", id="IPv6"),
    ],
)
def test_base_url_taken(tmp_path: Path, given: str, kept: str) -> None:
    assert read(tmp_path, BASE_URL=given).base_url == kept


@pytest.mark.parametrize(
    ("base_url", "hosts"),
    [
        ("https://partage.example.org:8443", ("partage.example.org", "127.0.0.1", "localhost")),
        ("http://localhost:5000", ("localhost", "127.0.0.1")),
        ("http://[::1]:5000", ("[::1]", "127.0.0.1", "localhost")),
    ],
)
def test_trusted_hosts(tmp_path: Path, base_url: str, hosts: tuple[str, ...]) -> None:
    assert read(tmp_path, BASE_URL=base_url).trusted_hosts == hosts


@pytest.mark.parametrize(
    ("given", "server"),
    [
        pytest.param("smtp://mail.org", MailServer("mail.org", 587, "starttls", None, None), id="starttls by default"),
        pytest.param("smtp://mail.org?tls=tls", MailServer("mail.org", 465, "tls", None, None), id="tls, its port"),
        pytest.param("smtp://localhost:1025?tls=none", MailServer("localhost", 1025, "none", None, None), id="none"),
        pytest.param(
            "smtp://a%40b.org:p%3Aw@mail.org:2525",
            MailServer("mail.org", 2525, "starttls", "a@b.org", "p:w"),
            id="user",
        ),
    ],
)
def test_mail_server_taken(tmp_path: Path, given: str, server: MailServer) -> None:
    assert read(tmp_path, MAIL_URL=given).mail == server


@pytest.mark.parametrize(
    ("given", "folder"),
    [("file:post", "{root}/post"), ("file:/var/spool/post", "/var/spool/post"), ("file:///var/post", "/var/post")],
)
def test_mail_folder_taken(tmp_path: Path, given: str, folder: str) -> None:
    settings = read(tmp_path, MAIL_URL=given)
    assert settings.mail == MailFolder(Path(folder.format(root=tmp_path)))
    assert settings.mail_url == "file:" + folder.format(root=tmp_path)


REFUSED = [
    ("DATABASE_URL", "sharebank.db", "cannot be read"),
    ("DATABASE_URL", "postgresql://u:hunter2@h:port/d", "cannot be read"),
    ("DATABASE_URL", "mysql://u:hunter2@h/d", "“mysql” is not a database"),
    ("DATABASE_URL", "postgresql+asyncpg://u:hunter2@h/d", "“postgresql+asyncpg” is not a database"),
    ("DATABASE_URL", "postgresql://u:hunter2@h", "names no database"),
    ("DATABASE_URL", "sqlite://", "names no file"),
    ("DATABASE_URL", "sqlite:///:memory:", "names no file"),
    ("DATABASE_URL", "sqlite://instance/sharebank.db", "no host"),
    ("DATABASE_URL", "sqlite:////tmp", "names a folder"),
    ("SECRET_KEY", "dev", "shorter than 32"),
    ("SECRET_KEY", "secret", "shorter than 32"),
    ("SECRET_KEY", GOOD_SECRET[:31], "shorter than 32"),
    ("SECRET_KEY", "changeme-changeme-changeme-changeme", "known example"),
    ("SECRET_KEY", "Please-Change-Me-Before-Going-Live-2026", "known example"),
    ("SECRET_KEY", "your-secret-key-goes-here-1a2b3c4d5e6f", "known example"),
    ("SECRET_KEY", "a" * 64, "repeats itself"),
    ("SECRET_KEY", "devdevdevdevdevdevdevdevdevdevdevdev", "repeats itself"),
    ("SECRET_KEY", "azertyuiopqsazertyuiopqsazertyuiopqs", "repeats itself"),
    ("BASE_URL", "partage.example.org", "http:// or https://"),
    ("BASE_URL", "ftp://partage.example.org", "http:// or https://"),
    ("BASE_URL", "https://", "no host"),
    ("BASE_URL", "https://a b.org", "no host"),
    ("BASE_URL", "https://h:99999", "cannot be read"),
    ("BASE_URL", "https://h/under/a/path", "more than a scheme"),
    ("BASE_URL", "https://u:hunter2@h", "more than a scheme"),
    ("BASE_URL", "https://h?x=1", "more than a scheme"),
    ("MAIL_URL", "imap://mail.org", "“imap” is not a way"),
    ("MAIL_URL", "mail.org", "“nothing” is not a way"),
    ("MAIL_URL", "smtp://", "no mail server"),
    ("MAIL_URL", "smtp://u:hunter2@mail.org:smtp", "cannot be read"),
    ("MAIL_URL", "smtp://mail.org:70000", "cannot be read"),
    ("MAIL_URL", "smtp://mail.org:0", "port 0"),
    ("MAIL_URL", "smtp://mail.org?tls=yes", "tls=yes"),
    ("MAIL_URL", "smtp://mail.org?tls=", "tls="),
    ("MAIL_URL", "smtp://mail.org?ssl=tls", "more than server"),
    ("MAIL_URL", "file:", "no folder"),
    ("MAIL_URL", "file://host/mail", "no folder"),
    ("MAIL_FROM", "nobody", "not an e-mail address"),
    ("MAIL_FROM", "Partage <nom@example.org", "not an e-mail address"),
    ("MAIL_FROM", "a@b.org\nBcc: c@d.org", "not an e-mail address"),
    ("TIMEZONE", "Paris", "“Paris” is not a time zone"),
    ("TIMEZONE", "Europe", "“Europe” is not a time zone"),
    ("TIMEZONE", "../etc/passwd", "is not a time zone"),
    ("SCHOOL_ZONE", "D", "“D” is not a school holiday zone"),
]


@pytest.mark.parametrize(("name", "given", "says"), REFUSED, ids=[f"{name}={given}"[:50] for name, given, _ in REFUSED])
def test_refused_with_one_line_that_names_it(tmp_path: Path, name: str, given: str, says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, **{name: given})
    line = str(refusal.value)
    assert line.startswith(f"SHAREBANK_{name}: ")
    assert says in line
    assert "\n" not in line
    assert "hunter2" not in line, "a password must not be shown"


def test_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = Settings.from_environ({}, tmp_path / "instance").secret_key
    kept = tmp_path / "instance" / "secret_key"
    assert len(first) == 64
    assert Settings.from_environ({}, tmp_path / "instance").secret_key == first == kept.read_text().strip()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["secret_key"]


def test_a_kept_secret_that_was_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "secret_key").write_text("short\n")
    with pytest.raises(ConfigError, match=r"^SHAREBANK_SECRET_KEY: .*secret_key is unfit .*delete that file\.$"):
        Settings.from_environ({}, tmp_path / "instance")


def test_a_start_refused_for_another_reason_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Settings.from_environ({"SHAREBANK_TIMEZONE": "Paris"}, tmp_path / "instance")
    assert not (tmp_path / "instance").exists()
