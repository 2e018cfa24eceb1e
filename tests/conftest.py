"""What every test may ask for; the databases come from tests/databases.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


@pytest.fixture
def app(database_url: str, tmp_path: Path, frozen: None) -> Iterator[Flask]:
    """The application with the small town of tests/world.py, on each database in turn."""
    app = make_app(database_url, tmp_path)
    with app.app_context():
        with transaction() as session:
            world.build(session)
        yield app
        db.session.remove()
        db.engine.dispose()


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
