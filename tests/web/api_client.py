"""A program that calls the API with somebody's token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from sharebank.accounts import directory
from sharebank.accounts.models import Token
from sharebank.accounts.web import hash_token
from sharebank.api.models import IdempotentAnswer
from sharebank.core.db import db, transaction
from sharebank.notifications.models import Letter
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from tests import world

API = "/api/v1"
EVERYTHING = (Reservation, ReservationLine, ReservationEvent, Letter, IdempotentAnswer)


def token_of(app: Flask, email: str, *, days: int = 30) -> str:
    """A new API token of a person of the town."""
    token = secrets.token_urlsafe(32)
    with app.app_context(), transaction() as session:
        person = directory.actor_of_email(session, email)
        assert person is not None
        session.add(
            Token(
                token_hash=hash_token(token),
                purpose="api",
                user_id=person.user_id,
                created_at=world.NOW,
                expires_at=world.NOW + timedelta(days=days),
            )
        )
    return token


def fresh(app: Flask, path: str, **options: Any) -> TestResponse:
    """One request outside the test's own application context: its own session and language, as in production."""
    return Context().run(app.test_client().open, path, **options)


class Program:
    """Calls as one person."""

    def __init__(self, app: Flask, email: str) -> None:
        self.app = app
        self.token = token_of(app, email)

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return fresh(self.app, API + path, method=method, headers=headers, **options)

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.call("GET", path, query_string={name.rstrip("_"): value for name, value in query.items()})

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, headers=named, **({} if body is None else {"json": body}))


def ask(
    *lines: tuple[str, int],
    start: str = "2026-11-28T14:00:00+01:00",
    end: str = "2026-11-28T18:00:00+01:00",
    organisation: str = "CHORALE",
    purpose: str = "Répétition",
    **more: Any,
) -> dict[str, Any]:
    """The body of a booking."""
    return {
        "organisation": organisation,
        "purpose": purpose,
        "starts_at": start,
        "ends_at": end,
        "lines": [{"resource": code, "quantity": quantity} for code, quantity in lines],
        **more,
    }


def stored(*tables: type) -> list[int]:
    """How many rows each table holds."""
    db.session.rollback()
    return [db.session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


As = Callable[[str], Program]


@pytest.fixture
def as_(app: Flask) -> As:
    """A program acting for a person: `as_("member")`."""
    return lambda name: Program(app, f"{name}@example.org")


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert answer.json["status"] == status
    assert answer.json["detail"]
    return answer.json


def fields(answer: Any) -> set[str]:
    return {error["field"] for error in problem(answer, 422)["errors"]}
