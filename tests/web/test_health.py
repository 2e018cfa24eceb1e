"""Is it alive, is it ready."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from sharebank.core.db import transaction
from tests.web.api_client import fresh


def test_alive_and_ready_without_signing_in(app: Flask) -> None:
    assert fresh(app, "/healthz").json == {"status": "alive"}
    answer = fresh(app, "/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = '0000'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
        "INSERT INTO alembic_version VALUES ('9999')",
    ],
)
def test_a_database_at_another_revision_is_not_ready(app: Flask, change: str) -> None:
    with transaction() as session:
        session.execute(text(change))
    answer = fresh(app, "/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "not ready")
    assert fresh(app, "/healthz").status_code == 200


def test_a_database_that_cannot_be_reached_is_not_ready(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OperationalError("connect", {}, Exception("secret address refused"))

    monkeypatch.setattr(Session, "connection", refused)
    answer = fresh(app, "/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "not ready")
    assert "secret" not in answer.text
    assert fresh(app, "/healthz").status_code == 200
