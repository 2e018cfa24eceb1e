"""The description says what the API does: every call is in it, and every answer is as it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from sharebank.api.openapi import PROBLEMS
from sharebank.core.errors import Refused
from tests.web.api_client import API, Program, ask, fresh

DOCUMENT = "urn:openapi"


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The description as served, without a token."""
    answer = fresh(app, f"{API}/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json["openapi"] == "3.1.0"
    return answer.json


@pytest.fixture
def validate(document: dict[str, Any]) -> Callable[..., None]:
    """Check an answer against the description of its call."""
    registry = Registry().with_resource(DOCUMENT, Resource.from_contents(document, default_specification=DRAFT202012))

    def pointed(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {
                key: DOCUMENT + value if key == "$ref" and value.startswith("#") else pointed(value)
                for key, value in schema.items()
            }
        return [pointed(each) for each in schema] if isinstance(schema, list) else schema

    def check(answer: Any, method: str, path: str) -> None:
        responses = document["paths"][API + path][method]["responses"]
        response = responses[str(answer.status_code)]
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = response["content"][answer.mimetype]["schema"]
        Draft202012Validator(pointed(schema), registry=registry).validate(answer.json)

    return check


def test_every_call_is_described_and_the_reverse(app: Flask, document: dict[str, Any]) -> None:
    routed = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            plain = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
            for act in re.sub(r".*<any\((.*)\):act>", r"\1", plain).split(", ") if "<any" in plain else [""]:
                path = re.sub(r"<any\(.*\):act>", act, plain)
                routed |= {(path, method.lower()) for method in rule.methods - {"HEAD", "OPTIONS"}}
    described = {(path, method) for path, calls in document["paths"].items() for method in calls}
    assert routed == described
    assert len(described) == 29


def test_the_schemas_are_schemas(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = [call["operationId"] for calls in document["paths"].values() for call in calls.values()]
    assert len(names) == len(set(names))
    for path, calls in document["paths"].items():
        for call in calls.values():
            given = {each["name"] for each in call.get("parameters", []) if each.get("in") == "path"}
            assert given == set(re.findall(r"{(\w+)}", path))


def test_real_answers_are_as_described(app: Flask, validate: Callable[..., None]) -> None:
    staff, member = Program(app, "staff@example.org"), Program(app, "member@example.org")
    period = {"starts_at": "2026-11-28T14:00:00+01:00", "ends_at": "2026-11-28T18:00:00+01:00"}
    span = {"from_": "2026-11-28T00:00:00Z", "to": "2026-11-29T00:00:00Z"}
    made = staff.post("/reservations", ask(("MCNG-R01", 1), ("STN-K03", 40), organisation="MCNG"))
    answers = [
        (made, "post", "/reservations"),
        (member.post("/reservations", ask(("STN-K03", 40))), "post", "/reservations"),
        (member.post("/reservations", {}), "post", "/reservations"),
        (member.call("POST", "/reservations", data="{"), "post", "/reservations"),
        (member.call("POST", "/reservations", data="{", content_type="application/json"), "post", "/reservations"),
        (member.call("POST", "/reservations", data="x" * 200_000), "post", "/reservations"),
        (member.get("/resources"), "get", "/resources"),
        (member.get("/resources", quantity=50, **period), "get", "/resources"),
        (member.get("/resources", limit=1), "get", "/resources"),
        (member.get("/resources", limit="x"), "get", "/resources"),
        (member.get("/resources/MCNG-R01"), "get", "/resources/{code}"),
        (member.get("/resources/NOPE"), "get", "/resources/{code}"),
        (member.get("/resources/MCNG-R01/busy", **span), "get", "/resources/{code}/busy"),
        (member.get("/resources/MCNG-R01/busy"), "get", "/resources/{code}/busy"),
        (Program(app, "manager@example.org").get("/letters"), "get", "/letters"),
        (staff.get("/letters"), "get", "/letters"),
        (staff.get("/coverages"), "get", "/coverages"),
        (staff.get("/coverages", expiring_before="2027-01-01"), "get", "/coverages"),
        (staff.get("/coverages", expiring_before="soon"), "get", "/coverages"),
        (staff.get("/reservations"), "get", "/reservations"),
        (staff.get("/reservations", status="x"), "get", "/reservations"),
        (fresh(app, f"{API}/reservations"), "get", "/reservations"),
    ]
    ref = made.json[0]["ref"]
    answers += [(by.get(f"/reservations/{ref}"), "get", "/reservations/{ref}") for by in (staff, member)]
    acts = ("decline", "approve", "collect", "return", "cancel")
    answers += [(staff.post(f"/reservations/{ref}/{act}"), "post", f"/reservations/{{ref}}/{act}") for act in acts]
    [own] = member.post("/reservations", ask(("MCNG-R03", 1))).json
    answers.append((member.post(f"/reservations/{own['ref']}/approve"), "post", "/reservations/{ref}/approve"))
    for answer, method, path in answers:
        validate(answer, method, path)
    assert {answer.status_code for answer, _, _ in answers} == {200, 201, 400, 401, 403, 404, 409, 413, 415, 422}


def test_every_problem_has_its_place_in_the_page(app: Flask) -> None:
    page = fresh(app, f"{API}/docs")
    assert page.status_code == 200
    for refused in PROBLEMS:
        assert f'id="problem-{refused.code}"' in page.text
    assert len({refused.code for refused in PROBLEMS}) == len(PROBLEMS)

    def kinds(base: type[Refused]) -> set[type[Refused]]:
        return {base}.union(*(kinds(each) for each in base.__subclasses__()))

    ours = {each for each in kinds(Refused) if each.__module__.startswith("sharebank.api")}
    assert ours <= set(PROBLEMS)


def test_the_page_reads_in_both_languages(app: Flask) -> None:
    browser = app.test_client()
    french = Context().run(browser.get, f"{API}/docs").text
    browser.set_cookie("locale", "en")
    english = Context().run(browser.get, f"{API}/docs").text
    assert "POST /api/v1/reservations" in french
    assert "POST /api/v1/reservations" in english
    assert '<html lang="en">' in english
    assert "<script" not in re.sub(r'<script src="[^"]*" defer></script>', "", english)
