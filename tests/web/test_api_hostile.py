"""What nobody should send to the API: refused, named, nothing stored."""

from __future__ import annotations

import json

import pytest

from tests.web.api_client import EVERYTHING, As, as_, ask, problem, stored

__all__ = ["as_"]  # the fixture


# -- what nobody should send -------------------------------------------------------------------------

GOOD = json.dumps(ask(("MCNG-R01", 1)))
DEEP = 100_000
JSON = "application/json"
HOSTILE_BODIES: dict[str, tuple[bytes | str, str]] = {
    "empty": ("", JSON),
    "no json": ("organisation=CHORALE", JSON),
    "half": (GOOD[:-5], JSON),
    "two": (GOOD + GOOD, JSON),
    "null": ("null", JSON),
    "number": ("17", JSON),
    "text": ('"text"', JSON),
    "list": (f"[{GOOD}]", JSON),
    "true": ("true", JSON),
    "a form": ("organisation=CHORALE", "application/x-www-form-urlencoded"),
    "a file": ("--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    "a broken file": ("--x", "multipart/form-data"),
    "plain text": (GOOD, "text/plain"),
    "no type": (GOOD, ""),
    "odd type": (GOOD, "application/json/x; charset=\x7f"),
    "deep lists": ("[" * DEEP, JSON),
    "deep closed lists": ("[" * DEEP + "]" * DEEP, JSON),
    "deep objects": ('{"a":' * 20_000 + "1" + "}" * 20_000, JSON),
    "deep in a field": (GOOD[:-1] + ', "x": ' + "[" * 60_000 + "]" * 60_000 + "}", JSON),
    "a megabyte": ('"' + "x" * 1_000_000 + '"', JSON),
    "a megabyte of spaces": (" " * 1_000_000 + GOOD, JSON),
    "a thousand fields": (json.dumps({f"f{n}": n for n in range(5000)}), JSON),
    "a thousand lines": (json.dumps(ask(*[("MCNG-R01", 1)] * 1500)), JSON),
    "bytes": (bytes(range(256)), JSON),
    "latin-1": (GOOD.replace("R\\u00e9p", "Rép").encode("latin-1"), JSON),
    "utf-16 halves": (b"\xff\xfe{", JSON),
    "nul": ("\0", JSON),
    "NaN": (GOOD.replace('"quantity": 1', '"quantity": NaN'), JSON),
    "Infinity": (GOOD.replace('"quantity": 1', '"quantity": -Infinity'), JSON),
    "float": (GOOD.replace('"quantity": 1', '"quantity": 1e400'), JSON),
    "minus": (GOOD.replace('"quantity": 1', '"quantity": -1'), JSON),
    "2**31": (GOOD.replace('"quantity": 1', '"quantity": 2147483648'), JSON),
    "2**63": (GOOD.replace('"quantity": 1', '"quantity": 9223372036854775808'), JSON),
    "5000 digits": (GOOD.replace('"quantity": 1', '"quantity": ' + "9" * 5000), JSON),
    "null quantity": (GOOD.replace('"quantity": 1', '"quantity": null'), JSON),
    "text quantity": (GOOD.replace('"quantity": 1', '"quantity": "1"'), JSON),
    "object quantity": (GOOD.replace('"quantity": 1', '"quantity": {"$gt": 0}'), JSON),
    "nul in the purpose": (GOOD.replace("R\\u00e9p", "\\u0000"), JSON),
    "half a character": (GOOD.replace("R\\u00e9p", "\\ud800"), JSON),
    "half a character in a name": (GOOD[:-1] + ', "\\udfff": 1}', JSON),
    "an escape in the purpose": (GOOD.replace("R\\u00e9p", "\\u001b[2J"), JSON),
    "nul in a code": (GOOD.replace("MCNG-R01", "MCNG\\u0000"), JSON),
    "sql in a code": (GOOD.replace("MCNG-R01", "' OR 1=1 --"), JSON),
    "year 9999": (GOOD.replace("2026-11-28T18", "9999-12-31T23"), JSON),
    "year 1": (GOOD.replace("2026-11-28T14:00:00+01:00", "0001-01-01T00:00:00+23:59"), JSON),
    "year 0": (GOOD.replace("2026-11-28T14", "0000-01-01T00"), JSON),
    "the 31st of November": (GOOD.replace("2026-11-28T14", "2026-11-31T14"), JSON),
    "offset of a day": (GOOD.replace("14:00:00+01:00", "14:00:00+24:00"), JSON),
    "offset in letters": (GOOD.replace("14:00:00+01:00", "14:00:00 Europe/Paris"), JSON),
    "other digits": (GOOD.replace("2026-11-28T14", "\u0662\u0660\u0662\u0666-11-28T14"), JSON),
    "many decimals": (GOOD.replace("18:00:00+", "14:00:00." + "9" * 50 + "+"), JSON),
    "backwards": (GOOD.replace("T18", "T08"), JSON),
    "five years": (GOOD.replace("2026-11-28T18", "2031-11-28T18"), JSON),
}


def test_a_hostile_body_is_refused_and_nothing_stored(as_: As, subtests: pytest.Subtests) -> None:
    program = as_("member")
    for name, (body, kind) in HOSTILE_BODIES.items():
        with subtests.test(name):
            answer = program.call("POST", "/reservations", data=body, headers={"Content-Type": kind})
            assert 400 <= answer.status_code < 500, answer.text
            problem(answer, answer.status_code)
            answer.get_data().decode("utf-8")
            assert len(answer.get_data()) < 20_000
            assert stored(*EVERYTHING) == [0] * 5


HOSTILE_QUERIES = [
    "/resources?limit=0",
    "/resources?limit=201",
    "/resources?limit=-1",
    "/resources?limit=1e3",
    "/resources?limit=%D9%A1",
    "/resources?limit=99999999999999999999999",
    "/resources?limit=1&limit=2",
    "/resources?colour=red",
    "/resources?kind=castle",
    "/resources?capacity=many",
    "/resources?quantity=0",
    "/resources?q=" + "x" * 101,
    "/resources?q=%00",
    "/resources?q=%1b",
    "/resources?house=%ED%A0%80%00",
    "/resources?cursor=%F0%9F%90%88",
    "/resources?cursor=abc",
    "/resources?cursor=WzFd",
    "/resources?cursor=WyJhIl0",
    "/resources?cursor=" + "W" * 200,
    "/resources?starts_at=2026-11-28T14:00:00Z",
    "/resources?ends_at=2026-11-28T14:00:00Z",
    "/resources?starts_at=2026-11-28T14:00:00&ends_at=2026-11-28T15:00:00",
    "/resources?starts_at=2026-11-28T14:00:00Z&ends_at=2026-11-28T14:00:00Z",
    "/resources/%00",
    "/resources/%F0%9F%90%88",
    "/resources/MCNG-R01?colour=red",
    "/resources/MCNG-R01/busy?from=now&to=then",
    "/resources/MCNG-R01/busy?from=2026-11-28T14:00:00Z&to=2026-11-28T13:00:00Z",
    "/resources/MCNG-R01/busy?from=0001-01-01T00:00:00Z&to=0001-01-02T00:00:00Z",
    "/reservations?status=lost",
    "/reservations?from=2026-11-28",
    "/reservations?from=2026-11-28T14:00:00Z&to=2026-11-28T14:00:00Z",
    "/reservations?cursor=WyJ4IiwxXQ",
    "/reservations?cursor=WyIyMDI2LTExLTI4VDE0OjAwOjAwWiIsOTIyMzM3MjAzNjg1NDc3NTgwOF0",
    "/reservations?cursor=WyIyMDI2LTExLTI4VDE0OjAwOjAwIiwxXQ",
    "/reservations?cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwWiIsMV0",
    "/reservations?cursor=WyJhIiwiYiJd",
    "/reservations/%00",
    "/reservations/" + "R" * 3000,
]


def test_a_hostile_query_is_refused(as_: As, subtests: pytest.Subtests) -> None:
    program = as_("member")
    for path in HOSTILE_QUERIES:
        with subtests.test(path[:60]):
            answer = program.call("GET", path)
            assert 400 <= answer.status_code < 500, answer.text
            problem(answer, answer.status_code)


def test_a_plus_that_was_not_escaped_is_understood(as_: As) -> None:
    path = "/resources/MCNG-R01/busy?from=2026-11-28T14:00:00+01:00&to=2026-11-29T14:00:00+01:00"
    assert as_("member").call("GET", path).json == []


def test_fractions_of_a_second_are_dropped(as_: As) -> None:
    body = ask(("MCNG-R01", 1), start="2026-11-28T13:00:00.750Z", end="2026-11-28t14:00:00.000z")
    [made] = as_("member").post("/reservations", body).json
    assert (made["starts_at"], made["ends_at"]) == ("2026-11-28T13:00:00Z", "2026-11-28T14:00:00Z")
