"""The description of the API: its table of calls written out for programs (OpenAPI 3.1) and for people."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sharebank import api
from sharebank.api import order_shapes, schemas
from sharebank.api.schemas import MEANINGS
from sharebank.api.shapes import Call, Schema, ref
from sharebank.api.table import CALLS, GROUPS, PROBLEMS, STATUS_MEANINGS
from sharebank.core.errors import Refused
from sharebank.core.texts import gettext

__all__ = ["PROBLEMS", "as_json", "build", "for_people", "problems_for_people"]

BASE = "/api/v1"
BODIES = schemas.BODIES | order_shapes.BODIES
ANSWERS = schemas.ANSWERS | order_shapes.ANSWERS


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
            "description": (MEANINGS | dict(call.meanings))[name],
            "schema": schema,
        }
        for name, schema in (call.query or {}).items()
    ]
    if call.body:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        operation["requestBody"] = {
            "required": call.body_required,
            "content": {"application/json": {"schema": ref(call.body)}},
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
    problem = {"application/problem+json": {"schema": ref("Problem")}}
    challenge = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "sharebank", "version": "1", "description": api.__doc__, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": group} for group in GROUPS],
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
                "query": _fields(call, call.query or {}, call.required),
                "body": _fields(call, BODIES[call.body]["properties"], BODIES[call.body]["required"])
                if call.body
                else [],
                "status": call.status,
                "refusals": [(status, gettext(STATUS_MEANINGS[status])) for status in call.refusals],
            }
        )
    return list(groups.items())


def problems_for_people() -> list[tuple[type[Refused], str]]:
    """Every refusal with its sentence, its facts left open."""
    return [(refused, re.sub(r"%\(\w+\)s", "…", gettext(refused.sentence))) for refused in PROBLEMS]


def _fields(call: Call, properties: dict[str, Schema], required: Sequence[str]) -> list[dict[str, Any]]:
    meanings = MEANINGS | dict(call.meanings)
    return [
        {"name": name, "shape": _shape(schema), "required": name in required, "meaning": gettext(meanings[name])}
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
