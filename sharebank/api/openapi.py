"""The description of the API: one table of calls, written out for programs (OpenAPI 3.1) and for people."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask_babel import gettext

from sharebank import api
from sharebank.api.problems import Invalid, KeyReused, NotJson, NoToken, TooLarge, WrongMediaType
from sharebank.api.schemas import (
    ACTS,
    ANSWERS,
    BODIES,
    BUSY_QUERY,
    COVERAGES_QUERY,
    LETTERS_QUERY,
    MEANINGS,
    RESERVATIONS_QUERY,
    RESOURCES_QUERY,
    Schema,
    many,
    page_of,
)
from sharebank.core.errors import N_, Busy, NotAllowed, NotFound, Refused
from sharebank.core.period import EndsBeforeStart
from sharebank.insurance import rules as insurance
from sharebank.reservations import rules, states

BASE = "/api/v1"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what it is for, what it takes, what it answers, and with which statuses it may refuse."""

    group: str
    method: str
    path: str
    name: str
    summary: str
    answer: Schema
    query: dict[str, Schema] | None = None
    required: Sequence[str] = ()
    body: str = ""
    body_required: bool = False
    status: int = 200
    refusals: Sequence[int] = (401, 422)

    @property
    def in_path(self) -> list[str]:
        """The parts of the path that the caller fills in."""
        return re.findall(r"{(\w+)}", self.path)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


CATALOGUE, LOANS, DEADLINES = N_("Resources"), N_("Reservations"), N_("Deadlines")
LETTERS, ITSELF = N_("Letters"), N_("This description")
ACT_SUMMARIES = {
    "approve": N_("Say yes to a request."),
    "decline": N_("Say no to a request, and why."),
    "cancel": N_("Give up a reservation that was not handed over yet."),
    "collect": N_("Note that the things were handed over."),
    "return": N_("Note that the things came back."),
}
CALLS = (
    Call(
        CATALOGUE,
        "get",
        "/resources",
        "listResources",
        N_("What the houses lend; with a period, how many units are free and, when that is not enough, why."),
        page_of(_ref("Resource")),
        RESOURCES_QUERY,
    ),
    Call(
        CATALOGUE,
        "get",
        "/resources/{code}",
        "getResource",
        N_("One resource."),
        _ref("Resource"),
        refusals=(401, 404, 422),
    ),
    Call(
        CATALOGUE,
        "get",
        "/resources/{code}/busy",
        "getBusy",
        N_("When it is in use, merged and sorted, over at most 400 days."),
        many(_ref("Use")),
        BUSY_QUERY,
        required=("from", "to"),
        refusals=(401, 404, 422),
    ),
    Call(
        LOANS,
        "post",
        "/reservations",
        "createReservations",
        N_("Book everything asked for, one reservation a lender, or nothing at all."),
        many(_ref("Reservation")),
        body="NewReservation",
        body_required=True,
        status=201,
        refusals=(400, 401, 409, 413, 415, 422),
    ),
    Call(
        LOANS,
        "get",
        "/reservations",
        "listReservations",
        N_("The reservations you may see, earliest first; those that touch the time between “from” and “to”."),
        page_of(_ref("Reservation")),
        RESERVATIONS_QUERY,
    ),
    Call(
        LOANS,
        "get",
        "/reservations/{ref}",
        "getReservation",
        N_("One reservation, with all that happened to it."),
        _ref("Reservation"),
        refusals=(401, 404, 422),
    ),
    *(
        Call(
            LOANS,
            "post",
            f"/reservations/{{ref}}/{act}",
            f"{act}Reservation",
            ACT_SUMMARIES[act],
            _ref("Reservation"),
            body="Reason",
            body_required=act == "decline",
            refusals=(400, 401, 403, 404, 409, 413, 415, 422),
        )
        for act in ACTS
    ),
    Call(
        DEADLINES,
        "get",
        "/coverages",
        "listCoverages",
        N_("The insurances, checks and certificates you may see, first to end first; what was renewed is left out."),
        page_of(_ref("Coverage")),
        COVERAGES_QUERY,
    ),
    Call(
        LETTERS,
        "get",
        "/letters",
        "listLetters",
        N_("Letters to the people of the organisations you manage, newest first."),
        page_of(_ref("Letter")),
        LETTERS_QUERY,
        refusals=(401, 404, 422),
    ),
    Call(
        ITSELF,
        "get",
        "/openapi.json",
        "getDescription",
        N_("This description, for programs."),
        {"type": "object"},
        refusals=(),
    ),
    Call(ITSELF, "get", "/docs", "getDocs", N_("This description, for people."), {}, refusals=()),
)

PROBLEMS: tuple[type[Refused], ...] = (
    NotJson,
    NoToken,
    NotAllowed,
    NotFound,
    rules.Collision,
    states.WrongState,
    Busy,
    TooLarge,
    WrongMediaType,
    Invalid,
    KeyReused,
    EndsBeforeStart,
    rules.UnknownResource,
    rules.UnknownOrganisation,
    rules.OutOfService,
    rules.InThePast,
    rules.TooSoon,
    rules.TooFar,
    rules.TooLong,
    states.ReasonMissing,
    insurance.InsuranceLapses,
    insurance.InsuranceNotBegun,
    insurance.CertificateMissing,
    insurance.CertificateLapses,
)
"""Every refusal of the API; the `type` of a problem is a link to its place in the page for people."""

STATUS_MEANINGS = {
    400: N_("The request cannot be read."),
    401: N_("No valid token."),
    403: N_("You see it, but may not do this."),
    404: N_("There is no such thing, or it is not yours to see."),
    409: N_("Somebody has it, or its state does not allow it."),
    413: N_("The body is too large."),
    415: N_("The body is not JSON."),
    422: N_("Some values are missing or wrong."),
}


def _operation(call: Call) -> dict[str, Any]:
    content = "text/html" if call.name == "getDocs" else "application/json"
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.group],
        "summary": call.summary,
        "responses": {
            str(call.status): {"description": call.summary, "content": {content: {"schema": call.answer}}},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in call.refusals},
        },
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in call.in_path
    ]
    parameters += [
        {
            "name": name,
            "in": "query",
            "required": name in call.required,
            "description": MEANINGS[name],
            "schema": schema,
        }
        for name, schema in (call.query or {}).items()
    ]
    if call.body:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        operation["requestBody"] = {
            "required": call.body_required,
            "content": {"application/json": {"schema": _ref(call.body)}},
        }
    if parameters:
        operation["parameters"] = parameters
    if not call.refusals:
        operation["security"] = []
    return operation


def build() -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(BASE + call.path, {})[call.method] = _operation(call)
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    challenge = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "sharebank", "version": "1", "description": api.__doc__, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": group} for group in (CATALOGUE, LOANS, DEADLINES, LETTERS, ITSELF)],
        "paths": paths,
        "components": {
            "schemas": {**BODIES, **ANSWERS},
            "responses": {
                str(status): {
                    "description": meaning,
                    "content": problem,
                    **({"headers": challenge} if status == 401 else {}),
                }
                for status, meaning in STATUS_MEANINGS.items()
            },
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": IDEMPOTENCY,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


IDEMPOTENCY = (
    "A word of your own for this request. Sent again within a day with the same request, it does nothing twice and "
    "answers the same; with another request it is refused."
)


@cache
def as_json() -> bytes:
    """The document as it travels."""
    return json.dumps(build(), ensure_ascii=False, separators=(",", ":")).encode()


def for_people() -> list[tuple[str, list[dict[str, Any]]]]:
    """The same table by group, its sentences in the reader's language."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for call in CALLS:
        groups.setdefault(gettext(call.group), []).append(
            {
                "name": call.name,
                "method": call.method.upper(),
                "path": BASE + call.path,
                "summary": gettext(call.summary),
                "query": _fields(call.query or {}, call.required),
                "body": _fields(BODIES[call.body]["properties"], BODIES[call.body]["required"]) if call.body else [],
                "status": call.status,
                "refusals": [(status, gettext(STATUS_MEANINGS[status])) for status in call.refusals],
            }
        )
    return list(groups.items())


def problems_for_people() -> list[tuple[type[Refused], str]]:
    """Every refusal with its sentence, its facts left open."""
    return [(refused, re.sub(r"%\(\w+\)s", "…", gettext(refused.sentence))) for refused in PROBLEMS]


def _fields(properties: dict[str, Schema], required: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": _shape(schema), "required": name in required, "meaning": gettext(MEANINGS[name])}
        for name, schema in properties.items()
    ]


def _shape(schema: Schema) -> str:
    """The bounds of a value, in a few signs."""
    if "enum" in schema:
        return " · ".join(schema["enum"])
    if schema["type"] == "array":
        return f"[{_shape(schema['items'])}]"
    if schema["type"] == "object":
        return "{" + ", ".join(f"{name}: {_shape(inner)}" for name, inner in schema["properties"].items()) + "}"
    if "maximum" in schema:
        return f"{schema['minimum']}…{schema['maximum']}"
    if "maxLength" in schema:
        return str(gettext("text, at most %(max)s", max=schema["maxLength"]))
    return str(gettext("instant") if schema.get("format") else gettext("true or false"))
