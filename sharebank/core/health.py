"""How the program is, for whoever watches over it: alive, and ready to serve."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from sharebank.core.db import db
from sharebank.core.migrate import VERSION_TABLE
from sharebank.core.web import public

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def alive() -> Response:
    """The process answers."""
    return _say(200, status="alive")


@bp.get("/readyz")
@public
def ready() -> Response:
    """The database is reached and at the newest revision."""
    try:
        found = db.session().connection().execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608
    except SQLAlchemyError:
        db.session.rollback()
        return _say(503, status="not ready", database="cannot be reached, or was never migrated")
    if found != [newest_revision()]:
        return _say(503, status="not ready", database="reached", migrations="not up to date: run sharebank upgrade")
    return _say(200, status="ready", database="reached", migrations="up to date")


@cache
def newest_revision() -> str | None:
    """The last of the migrations; they do not change while the program runs."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head()


def _say(code: int, **words: str) -> Response:
    answer = jsonify(words)
    answer.status_code = code
    answer.headers["Cache-Control"] = "no-store"
    return answer
