"""What every call of the API shares: the token, the shape of an answer, one act in one transaction, periods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, request
from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.web import hash_token
from sharebank.api import idempotency
from sharebank.api.answers import dumps
from sharebank.api.problems import NoToken
from sharebank.api.values import MISSING, refuse
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.period import EndsBeforeStart, Period
from sharebank.core.web import public

bp = Blueprint("api", __name__, url_prefix="/api/v1")

WITHOUT_TOKEN = {"api.document", "api.docs"}
View = Callable[..., Any]


def call(method: str, rule: str) -> Callable[[View], View]:
    """One call of the API; the gate lets it through, the token is asked for below."""

    def register(view: View) -> View:
        bp.add_url_rule(rule, view.__name__, public(view), methods=[method])
        return view

    return register


@bp.before_request
def authenticate() -> None:
    """Find who the program acts for; a cookie counts for nothing here."""
    if request.endpoint in WITHOUT_TOKEN:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    g.token_was_given = bool(token)
    actor = None
    if scheme.lower() == "bearer" and token:
        actor = directory.actor_of_api_token(db.session(), hash_token(token.strip()), clock.now())
    if actor is None:
        raise NoToken
    g.actor = actor


def me() -> Actor:
    """The person the program acts for."""
    actor: Actor = g.actor
    return actor


def answer(body: bytes, status: int = 200) -> Response:
    """JSON that nobody keeps."""
    said = Response(body, status, mimetype="application/json")
    said.headers["Cache-Control"] = "no-store"
    return said


def do(act: Callable[[Session], Any], body: dict[str, Any], now: datetime, status: int) -> Response:
    """Act in one transaction; with an Idempotency-Key, once."""
    key = idempotency.checked_key(request.headers.get("Idempotency-Key"))
    with transaction() as session:
        if key is None:
            said = dumps(act(session))
        else:
            same = idempotency.hash_request(request.path, body)
            status, said = idempotency.once(session, me(), key, same, status, act, now)
    return answer(said, status)


def period_of(query: dict[str, Any], first: str, last: str) -> Period | None:
    """The period of a query, when it has one; half of one is an oversight."""
    given = [name for name in (first, last) if name in query]
    if len(given) == 1:
        refuse(last if given == [first] else first, MISSING)
    return Period(query[first], query[last]) if given else None


def span(since: datetime, until: datetime) -> Period:
    """Two instants of a query, the second after the first."""
    if until <= since:
        refuse("to", EndsBeforeStart.sentence)
    return Period(since, until)
