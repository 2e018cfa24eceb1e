"""What every test may ask for; the databases come from tests/databases.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Settings
from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.app import create_app
from sharebank.core import clock
from sharebank.core.db import db, transaction
from tests import world

pytest_plugins = ["tests.databases"]
SECRET = "tests-9f2c1Qe7Zt4mWx8uYp3kLr6sVb0nHd5gJa"


class Browser(FlaskClient):
    """Each request in a context of its own, as in a server: a test holds one open, whose `g` would be shared."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)


def make_app(url: str, folder: Path, **environ: str) -> Flask:
    """The application on one database, its letters and secret below `folder`."""
    values = {"SHAREBANK_DATABASE_URL": url, "SHAREBANK_SECRET_KEY": SECRET, **environ}
    app = create_app(Settings.from_environ(values, folder / "instance"))
    app.config["TESTING"] = False  # a fault shows the page users would see
    app.test_client_class = Browser
    return app


@pytest.fixture
def frozen() -> Iterator[None]:
    """It is Saturday 21 November 2026, 09:00 in Paris."""
    clock.set_source(lambda: world.NOW)
    yield
    clock.set_source(None)


class Standing:
    """One application a worker and a database: building it takes 0.1 s, its statements and templates start cold.

    Tests take turns on it, and what a test may leave behind is put back.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.app = make_app(url, folder)
        with self.app.app_context():
            self.engine = db.engine
        self.config = dict(self.app.config)
        self.extensions = dict(self.app.extensions)

    @contextmanager
    def turn(self, folder: Path) -> Iterator[Flask]:
        """The application as it was built, its letters below `folder`."""
        self.app.instance_path = str(folder / "instance")
        for now, built in ((self.app.config, self.config), (self.app.extensions, self.extensions)):
            now.clear()
            now.update(built)
        self.app.config["SHAREBANK_MAIL_URL"] = f"file:{folder / 'instance' / 'mail'}"
        with self.app.app_context():
            # What a test listens to on this engine ends with it; its pool and its compiled statements stay.
            db.engines[None] = self.engine.execution_options()
            yield self.app
            db.session.remove()
            self.engine.dispose()


@pytest.fixture(scope="session")
def standing() -> dict[str, Standing]:
    """The applications of this worker, by database."""
    return {}


@pytest.fixture
def app(town_url: str, standing: dict[str, Standing], tmp_path: Path, frozen: None) -> Iterator[Flask]:
    """The application with the small town of tests/world.py, on each database in turn."""
    if town_url not in standing:
        standing[town_url] = Standing(town_url, tmp_path)
    with standing[town_url].turn(tmp_path) as app:
        yield app


@pytest.fixture
def actor(app: Flask) -> Callable[[str], Actor]:
    """A person of the town, by address."""

    def find(email: str) -> Actor:
        found = directory.actor_of_email(db.session(), email)
        assert found is not None
        return found

    return find


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that is not signed in."""
    return app.test_client()


@pytest.fixture
def signed_in(app: Flask) -> Callable[[str], Any]:
    """A browser signed in as this person of the town."""
    from sharebank.accounts import service

    def sign_in(email: str) -> FlaskClient:
        browser = app.test_client()
        with transaction() as session:
            person = directory.actor_of_email(session, email)
            assert person is not None
            token = service.open_session(session, person.user_id, clock.now())
        with browser.session_transaction() as cookie:
            cookie["_user_id"] = token
            cookie["_fresh"] = True
        return browser

    return sign_in
