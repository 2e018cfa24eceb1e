"""What an administrator types: `sharebank …`. Each command opens the transaction and leaves the work to a service.

A room is imported by the command that needs it: upgrade, backup and restore start at once, whatever the rest needs.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from config import ROOT, ConfigError, MailFolder, Settings
from sharebank.core import backup, clock, migrate, server, web
from sharebank.core.db import transaction
from sharebank.core.errors import Refused
from sharebank.core.texts import ngettext

MIGRATIONS = ROOT / "migrations"
PATH = click.Path(path_type=Path)
SILENCE = timedelta(minutes=10)
"""A scheduler that ticks every quarter of a minute and was not heard for so long is not running."""


class Stop(click.ClickException):
    """An expected end: its lines on stderr, status 1, no traceback."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002  # click's signature
        click.echo(self.message, err=True)


class Commands(click.Group):
    """Turns what may be expected to go wrong into lines a person can act on."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Refused, ConfigError) as refusal:
            raise Stop(str(refusal)) from refusal
        except OperationalError as error:
            raise Stop("The database cannot be used: " + " ".join(str(error.orig).split())) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Stop(str(error)) from error


@dataclass(frozen=True)
class Place:
    """The installation a command works on."""

    create_app: Callable[[Settings], Flask]

    @property
    def settings(self) -> Settings:
        return Settings.from_environ(os.environ, ROOT / "instance")

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The bare database, for what must work before or without the application."""
        engine = create_engine(self.settings.database_url, poolclass=NullPool)
        yield engine
        engine.dispose()

    def app(self) -> Flask:
        """The application, over a database that is up to date."""
        with self.engine() as engine:
            if not migrate.is_current(engine, MIGRATIONS):
                raise Stop("The database is not up to date: run sharebank upgrade first.")
        return self.create_app(self.settings)

    @contextmanager
    def at_work(self) -> Iterator[Session]:
        """Inside the application and one transaction; what is refused is said in the language of who types."""
        with self.app().app_context(), force_locale(spoken()):
            try:
                with transaction() as session:
                    yield session
            except Refused as refusal:
                raise Stop(_in_words(refusal)) from refusal


def spoken() -> str:
    """The language their system is set to; English, which programs may read, where that says nothing else."""
    said = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "fr" if said.lower().startswith("fr") else "en"


def _word(refusal: Refused) -> str:
    return str(refusal) if spoken() == "en" else web.say(refusal)


def _in_words(refusal: Refused) -> str:
    from sharebank.exchange import ImportRefused

    return refusal.told(_word) if isinstance(refusal, ImportRefused) else _word(refusal)


here = click.make_pass_decorator(Place)


def _instant(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """An instant typed with its offset from UTC."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Stop(f"--now: “{text}” is no instant; write 2026-11-21T09:00:00+01:00.") from None
    if instant.tzinfo is None:
        raise Stop(f"--now: “{text}” says no offset from UTC; write {text}+01:00 or {text}Z.")
    return instant.astimezone(UTC)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """sharebank: what three houses lend each other."""


@commands.command()
@here
def upgrade(place: Place) -> None:
    """Create or migrate the database, after a backup of it."""
    folder = place.settings.instance_path / "backups"
    with place.engine() as engine:
        report = migrate.upgrade(engine, MIGRATIONS, backup_dir=folder, now=clock.now())
    for line in report.lines():
        click.echo(line)


@commands.command("demo")
@click.option("--if-empty", is_flag=True, help="Do nothing, without complaint, when there is data already.")
@here
def load_demo(place: Place, if_empty: bool) -> None:
    """Load the demonstration data and print its sign-ins."""
    from sharebank.accounts import service as accounts
    from sharebank.demo import loader as demo

    with place.at_work() as session:
        there = if_empty and not demo.is_empty(session)
        told = accounts.demonstration(session) if there else demo.load(session, clock.now(), web.tz())
    if told:
        click.echo(f"This is a demonstration, nothing in it is real. Sign in with the password {told['password']} as:")
    for person in told.get("people", []):
        click.echo(f"  {person['role']:8} {person['email']:32} {person['organisation']}")


@commands.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 64), help="Per worker.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--no-scheduler", is_flag=True, help="Another process runs sharebank worker.")
@here
def serve(place: Place, host: str, port: int, threads: int, workers: int, no_scheduler: bool) -> None:
    """Serve web pages, and run the scheduler beside."""
    place.app()  # refuses here, in one line, what would otherwise end every worker
    beside = None if no_scheduler else (sys.executable, "-m", "sharebank", "worker", "--with-parent")
    server.serve(lambda: place.create_app(place.settings), server.Serving(host, port, workers, threads, beside))


@commands.command()
@click.option("--with-parent", is_flag=True, hidden=True, help="End when the process that started this ends.")
@here
def worker(place: Place, with_parent: bool) -> None:
    """Run the scheduler alone; any number may run against one database."""
    from sharebank import scheduler

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if with_parent:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    scheduler.run(place.app())


@commands.command()
@click.option("--now", metavar="ISO", callback=_instant, help="As if it were this instant, with its offset.")
@here
def tick(place: Place, now: datetime | None) -> None:
    """Do everything due once; print counts per job as a line of JSON."""
    from sharebank import scheduler

    counts = scheduler.tick(place.app(), now or clock.now())
    click.echo(json.dumps(counts))
    if any(counts.get(trouble) for trouble in ("letters_failed", "letters_dead", "jobs_failed")):
        raise SystemExit(1)


@commands.command("import")
@click.argument("kind")
@click.argument("file")  # as text: problems are told under the name that was typed
@click.option("--dry-run", is_flag=True, help="Check everything, store nothing.")
@here
def import_(place: Place, kind: str, file: str, dry_run: bool) -> None:
    """Import a CSV file, all of it or nothing; every bad row is named."""
    from sharebank import exchange

    with place.at_work() as session:
        report = exchange.import_file(session, kind, file, clock.now(), web.tz())
        if dry_run:
            session.rollback()
        warnings = [warning.said(file, _word) for warning in report.warnings]
        if dry_run:
            done = ngettext(
                "%(num)s rows could be imported; nothing was stored.",
                "%(num)s rows could be imported; nothing was stored.",
                report.rows,
            )
        else:
            done = ngettext("%(num)s rows imported.", "%(num)s rows imported.", report.rows)
    for line in warnings:
        click.echo(line, err=True)
    click.echo(done)


@commands.command()
@click.argument("kind")
@click.argument("file", type=PATH, required=False)
@here
def export(place: Place, kind: str, file: Path | None) -> None:
    """Export to a CSV file, or to the screen; it imports again unchanged."""
    from sharebank import exchange

    with place.at_work() as session:
        text = exchange.export_text(session, kind, web.tz())
    if file is None:
        click.echo(text.encode(), nl=False)
    else:
        file.write_text(text, encoding="utf-8", newline="")


@commands.command()
@click.argument("email")
@here
def token(place: Place, email: str) -> None:
    """Print a new API token of a user; it is not shown again."""
    from sharebank.accounts import service as accounts

    with place.at_work() as session:
        value = accounts.issue_api_token(session, email, clock.now())
    click.echo(value)


@commands.command("backup")
@click.argument("file", type=PATH)
@here
def back_up(place: Place, file: Path) -> None:
    """Copy the whole database into FILE; consistent while serving."""
    backup.backup(place.settings.database_url, file)
    click.echo(f"Backed up into {file}.")


@commands.command("restore")
@click.argument("file", type=PATH)
@here
def restore(place: Place, file: Path) -> None:
    """Put the database back as it is in FILE; the present one is kept."""
    kept = backup.restore(place.settings.database_url, file, now=clock.now())
    click.echo(f"Restored from {file}; run sharebank upgrade next.")
    if kept:
        click.echo(f"The database as it was before: {kept}")


@commands.command()
@here
def check(place: Place) -> None:
    """Say how the installation is, a line a point; status 1 on trouble."""
    points = {
        "database": _check_database,
        "letters": _check_letters,
        "scheduler": _check_scheduler,
        "mail": _check_mail,
    }
    well = True
    for name, look in points.items():
        try:
            said = look(place)
        except (Refused, DBAPIError, OSError, smtplib.SMTPException) as trouble:
            said, well = "TROUBLE: " + " ".join(str(getattr(trouble, "orig", trouble)).split()), False
        click.echo(f"{name}: {said}")
    if not well:
        raise SystemExit(1)


def _check_database(place: Place) -> str:
    with place.engine() as engine:
        if not migrate.is_current(engine, MIGRATIONS):
            raise migrate.MigrationRefused("not up to date, run sharebank upgrade")
        return f"{engine.dialect.name} reached, up to date"


class NotWell(Refused):
    """A point of `check` that wants somebody's attention."""

    code = "not_well"
    sentence = "%(trouble)s"


def _check_letters(place: Place) -> str:
    from sharebank.notifications import outbox

    with place.engine() as engine, Session(engine) as session:
        if number := outbox.stuck(session, clock.now()):
            raise NotWell(trouble=f"{number} stuck, see /admin/letters")
        return "none stuck"


def _check_scheduler(place: Place) -> str:
    from sharebank.notifications import runs

    with place.engine() as engine, Session(engine) as session:
        last = runs.last_tick(session)
    if last is None:
        return "has not run yet"
    if last < clock.now() - SILENCE:
        raise NotWell(trouble=f"silent since {last.isoformat()}: is sharebank serve or sharebank worker running?")
    return f"last tick {last.isoformat()}"


def _check_mail(place: Place) -> str:
    mail = place.settings.mail
    if isinstance(mail, MailFolder):
        mail.directory.mkdir(parents=True, exist_ok=True)
        if not os.access(mail.directory, os.W_OK):
            raise PermissionError(f"{mail.directory} cannot be written to")
        return f"letters go to {mail.directory}"
    connect = smtplib.SMTP_SSL if mail.tls == "tls" else smtplib.SMTP
    with connect(mail.host, mail.port, timeout=10) as smtp:
        smtp.noop()
    return f"{mail.host}:{mail.port} reached"


def _end_with(parent: int) -> None:
    """End this process once its parent is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main(create_app: Callable[[Settings], Flask]) -> None:
    """Run the command typed on the application `create_app` makes."""
    commands(obj=Place(create_app), prog_name="sharebank")
