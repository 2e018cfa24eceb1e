"""What went wrong, for programs: RFC 9457 `application/problem+json`, its sentences in the reader's language."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from flask import Response, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.http import HTTP_STATUS_CODES

from sharebank.api.answers import conflict_out, dumps, way_out
from sharebank.core import web
from sharebank.core.errors import N_, Refused
from sharebank.core.texts import gettext
from sharebank.reservations.rules import Collision, RuleBroken

DOCS = "/api/v1/docs"


@dataclasses.dataclass(frozen=True, slots=True)
class Wrong:
    """One value that cannot be taken: which field, and a sentence with its facts."""

    field: str
    sentence: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


class Invalid(Refused):
    """The request could be read, some of its values cannot be taken."""

    code = "invalid"
    sentence = N_("Some values are missing or wrong; nothing was stored.")

    def __init__(self, errors: Sequence[Wrong]) -> None:
        super().__init__()
        self.errors = tuple(errors)


class NoToken(Refused):
    """The call says not, or not rightly, for whom it is made."""

    status = 401
    code = "no_token"
    sentence = N_("Send a valid token: “Authorization: Bearer …”. The token may have ended or been revoked.")


class NotJson(Refused):
    """The body is no JSON text."""

    status = 400
    code = "not_json"
    sentence = N_("The body cannot be read: send one JSON object, in UTF-8.")


class WrongMediaType(Refused):
    """The body says it is something else than JSON."""

    status = 415
    code = "wrong_media_type"
    sentence = N_("Send JSON, with the header “Content-Type: application/json”.")


class TooLarge(Refused):
    """The body is larger than any call needs."""

    status = 413
    code = "too_large"
    sentence = N_("This body is too large: send at most %(max)s bytes.")


class KeyReused(Refused):
    """The same Idempotency-Key with another request."""

    code = "key_reused"
    sentence = N_("This Idempotency-Key was used for another request. Send a new key with a new request.")


def problem(status: int, title: str, detail: str, code: str = "", **members: Any) -> Response:
    """One problem as an answer; `code` names its type, described in the documentation."""
    kind = f"{DOCS}#problem-{code}" if code else "about:blank"
    body = {"type": kind, "title": title, "status": status, "detail": detail, **members}
    answer = Response(dumps(body), status, mimetype="application/problem+json")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Language"] = web.locale_code()
    answer.vary.add("Accept-Language")
    if status == 401:
        given = ', error="invalid_token"' if g.get("token_was_given") else ""
        answer.headers["WWW-Authenticate"] = f'Bearer realm="sharebank"{given}'
    return answer


HTTP_WORDS = {
    404: N_("There is nothing at this address."),
    405: N_("This address does not answer that method."),
}
UNREADABLE = N_("This request cannot be read.")


def of_http_error(error: HTTPException) -> Response:
    """What the framework refuses before any call is reached."""
    status = error.code or 500
    answer = problem(status, error.name, gettext(HTTP_WORDS.get(status, UNREADABLE)))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def of_refusal(refused: Refused) -> Response:
    """The same refusal screens and commands show."""
    detail = web.say(refused)
    members: dict[str, Any] = {}
    match refused:
        case Invalid():
            members["errors"] = [{"field": e.field, "message": gettext(e.sentence) % e.facts} for e in refused.errors]
        case Collision():
            members["conflicts"] = [conflict_out(conflict) for conflict in refused.conflicts]
            members["alternatives"] = [way_out(way) for way in refused.ways_out]
        case RuleBroken():
            members["errors"] = [{"field": one.field, "message": web.say(one.said)} for one in refused.breaches]
        case _ if refused.status == 422:
            members["errors"] = [{"field": refused.field or "", "message": detail}]
        case _ if refused.status == 409:
            members["conflicts"], members["alternatives"] = [], []
    return problem(refused.status, HTTP_STATUS_CODES[refused.status], detail, refused.code, **members)
