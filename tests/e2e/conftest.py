"""A real server with the demonstration, and a real browser."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from werkzeug.serving import make_server

from sharebank.accounts import directory, service
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.demo import loader
from tests import world
from tests.conftest import make_app

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Site:
    """Where the server listens, and the application behind it."""

    address: str
    app: Flask

    def sign_in(self, context: BrowserContext, email: str) -> None:
        """Put a signed-in cookie in a browser: signing in by hand has its own test."""
        with self.app.app_context():
            with transaction() as session:
                person = directory.actor_of_email(session, email)
                assert person is not None
                token = service.open_session(session, person.user_id, clock.now())
            serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
            value = serializer.dumps({"_user_id": token, "_fresh": True})
        context.add_cookies([{"name": "sharebank", "value": value, "url": self.address}])


def load_demonstration(template: Path, folder: Path, **options: Any) -> Path:
    """A SQLite file with the demonstration loaded on its own day."""
    file = folder / "sharebank.db"
    shutil.copyfile(template, file)
    app = make_app(f"sqlite:///{file}", folder)
    with app.app_context():
        with transaction() as session:
            loader.load(session, world.NOW, world.PARIS, **options)
        db.session.remove()
        db.engine.dispose()
    return file


@contextmanager
def served(file: Path, folder: Path, **environ: str) -> Iterator[Site]:
    """A copy of this database behind a server on loopback."""
    shutil.copyfile(file, folder / "sharebank.db")
    app = make_app(f"sqlite:///{folder / 'sharebank.db'}", folder, **environ)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", app)
    server.shutdown()
    thread.join()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def demonstration(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the demonstration loaded on its own day."""
    return load_demonstration(sqlite_template, tmp_path_factory.mktemp("demonstration"))


@pytest.fixture
def site(demonstration: Path, tmp_path: Path, frozen: None) -> Iterator[Site]:
    """The demonstration, served on loopback; it is Saturday 21 November 2026."""
    with served(demonstration, tmp_path) as site:
        yield site


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for the run."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture
def phone(browser: Browser, site: Site) -> Iterator[Callable[..., BrowserContext]]:
    """A phone 360 px wide; any option of Playwright's contexts."""
    opened: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        usual = {"viewport": {"width": 360, "height": 740}, "locale": "fr-FR", "base_url": site.address}
        opened.append(browser.new_context(**usual | options))
        opened[-1].set_default_timeout(10_000)
        return opened[-1]

    yield make
    for context in opened:
        context.close()
