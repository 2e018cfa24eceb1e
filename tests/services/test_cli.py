"""The command line as an administrator meets it: what it prints, where, and its status."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sharebank import cli
from sharebank.app import create_app

SECRET = "tR7-kQ2_vX9zLm4bWc8yNf1hJs6dGp3aEu5oTi0r"


@pytest.fixture
def sharebank(empty_sqlite_url: str, tmp_path: Path) -> Callable[..., Result]:
    """Types a command; the installation's database and mail are in `tmp_path`."""
    environ = {
        "SHAREBANK_DATABASE_URL": empty_sqlite_url,
        "SHAREBANK_SECRET_KEY": SECRET,
        "SHAREBANK_MAIL_URL": f"file:{tmp_path}/mail",
    }

    def no_app(settings: object) -> None:
        raise AssertionError("this command needs no application")

    def type_command(*words: str, **more: str) -> Result:
        return CliRunner().invoke(
            cli.commands,
            words,
            obj=cli.Place(no_app),  # type: ignore[arg-type]
            env=environ | {f"SHAREBANK_{name}": value for name, value in more.items()},
        )

    return type_command


def test_upgrade_backup_restore_check(sharebank: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "sharebank.db"
    assert sharebank("upgrade").stdout.startswith("The database was created at revision ")
    assert sharebank("upgrade").stdout.startswith("The database is up to date (revision ")
    assert sharebank("backup", str(tmp_path / "copy.db")).exit_code == 0
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE planted (id INTEGER)")
    restored = sharebank("restore", str(tmp_path / "copy.db"))
    assert restored.exit_code == 0
    assert "before-restore" in restored.stdout
    with closing(sqlite3.connect(file)) as connection:
        assert not connection.execute("SELECT * FROM sqlite_master WHERE name = 'planted'").fetchall()
    well = sharebank("check")
    assert well.exit_code == 0, well.output
    assert "database: sqlite reached, up to date\n" in well.stdout


EXPECTED = [
    pytest.param(["upgrade"], {"TIMEZONE": "Paris"}, "SHAREBANK_TIMEZONE: “Paris” is not a time zone", id="setting"),
    pytest.param(["serve"], {}, "run sharebank upgrade first", id="not upgraded"),
    pytest.param(["tick", "--now", "noon"], {}, "“noon” is no instant", id="no instant"),
    pytest.param(["tick", "--now", "2026-11-21T09:00"], {}, "no offset from UTC", id="instant without offset"),
    pytest.param(["restore", "nowhere.db"], {}, "There is no file", id="no file"),
    pytest.param(["backup", "copy.db"], {}, "There is no database", id="no database"),
    pytest.param(
        ["upgrade"],
        {"DATABASE_URL": "postgresql://127.0.0.1:1/sharebank?connect_timeout=5"},
        "Connection refused",
        id="no server",
    ),
]


@pytest.mark.parametrize(("words", "settings", "says"), EXPECTED)
def test_what_may_go_wrong_is_one_line_on_stderr(
    sharebank: Callable[..., Result], words: list[str], settings: dict[str, str], says: str
) -> None:
    result = sharebank(*words, **settings)
    assert result.exit_code == 1, result.output
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout


@pytest.mark.parametrize(
    ("system", "refused", "taken"),
    [
        (
            {"LC_ALL": "fr_FR.UTF-8", "LANG": "en_GB.UTF-8"},
            "« 12a » n’est pas un numéro de téléphone",
            "1 ligne importée.",
        ),
        (
            {"LC_ALL": "", "LC_MESSAGES": "fr", "LANG": "C"},
            "« 12a » n’est pas un numéro de téléphone",
            "1 ligne importée.",
        ),
        ({"LC_ALL": "C", "LANG": "fr_FR.UTF-8"}, "“12a” is no phone number", "1 rows imported."),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}, "“12a” is no phone number", "1 rows imported."),
    ],
)
def test_an_import_speaks_the_language_of_the_system(
    sharebank: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: dict[str, str],
    refused: str,
    taken: str,
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in system.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cli.Place, "app", lambda place: create_app(place.settings))
    file = tmp_path / "users.csv"
    sharebank("upgrade")
    file.write_text("email,first_name,last_name,organisation,role,phone,shoe\na@b.org,A,B,,,12a,\n")
    result = sharebank("import", "users", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:2: phone: {refused}")
    file.write_text("email,first_name,last_name,organisation,role\na@b.org,A,B,,\n")
    assert sharebank("import", "users", str(file)).stdout == f"{taken}\n"


def test_check_says_what_is_wrong(sharebank: Callable[..., Result]) -> None:
    result = sharebank("check", MAIL_URL="smtp://127.0.0.1:1?tls=none")
    assert result.exit_code == 1
    assert "database: TROUBLE: not up to date" in result.stdout
    assert "mail: TROUBLE: " in result.stdout
