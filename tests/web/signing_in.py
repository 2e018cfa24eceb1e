"""At the door: a browser that signs in, sends forms, and what is then stored; for the tests of accounts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from sharebank.accounts import service, signin
from sharebank.accounts.models import Membership, User
from sharebank.core.db import db, transaction
from tests.world import NOW

SignedIn = Callable[[str], FlaskClient]
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
MEMBER, PASSWORD = "member@example.org", "un mot de passe"
WRONG = "ne vont pas ensemble"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "HASHER", CHEAP)
    monkeypatch.setattr(signin, "NOBODY", CHEAP.hash("nobody"))


@pytest.fixture(autouse=True)
def passwords(app: Flask, cheap: None) -> None:
    with transaction() as session:
        session.execute(update(User).where(User.email == MEMBER).values(password_hash=CHEAP.hash(PASSWORD)))


def csrf(browser: FlaskClient, page: str = "/sign-in") -> str:
    answer = browser.get(page)
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


def post(browser: FlaskClient, path: str, page: str | None = None, **fields: Any) -> Any:
    return browser.post(path, data={"csrf_token": csrf(browser, page or path), **fields})


def sign_in(browser: FlaskClient, email: str = MEMBER, password: str = PASSWORD, **more: str) -> Any:
    return post(browser, "/sign-in", email=email, password=password, **more)


def is_in(browser: FlaskClient) -> bool:
    return bool(browser.get("/account").status_code == 200)


def rows(model: type[Any]) -> list[Any]:
    found = db.session().scalars(select(model).execution_options(populate_existing=True)).all()
    db.session().rollback()
    return list(found)


def issue(purpose: str, email: str = MEMBER) -> str:
    with transaction() as session:
        user_id = session.scalar(select(User.id).where(User.email == email))
        assert user_id
        return service.issue_token(session, user_id, purpose, NOW)


def seat_id(email: str) -> int:
    query = select(Membership.id).join(User).where(User.email == email)
    found = db.session().scalars(query).one()
    db.session().rollback()
    return found
