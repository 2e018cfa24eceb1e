"""How the program is, for whoever watches over it: alive, and ready to serve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sharebank.core import clock
from sharebank.core.db import db
from sharebank.core.migrate import VERSION_TABLE
from sharebank.core.web import public

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

bp = Blueprint("health", __name__)
Watch = Callable[[Session, datetime], str | None]
"""What a room finds amiss, in a few words, or nothing."""


@bp.get("/healthz")
@public
def alive() -> Response:
    """The process answers."""
    return _say(200, status="alive")


@bp.get("/readyz")
@public
def ready() -> Response:
    """The database is reached and at the newest revision.

    What a room finds amiss (`app.extensions["watches"]`) is said, and the status stays 200: pages are served all the
    same, and a balancer that took the server away for a letter that cannot leave would make it worse.
    """
    try:
        found = db.session().connection().execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608
    except SQLAlchemyError:
        db.session.rollback()
        return _say(503, status="not ready", database="cannot be reached, or was never migrated")
    if found != [newest_revision()]:
        return _say(503, status="not ready", database="reached", migrations="not up to date: run sharebank upgrade")
    watches: dict[str, Watch] = current_app.extensions.get("watches", {})
    said = {name: watch(db.session(), clock.now()) for name, watch in watches.items()}
    amiss = {name: words for name, words in said.items() if words}
    return _say(200, status="degraded" if amiss else "ready", database="reached", migrations="up to date", **amiss)


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
