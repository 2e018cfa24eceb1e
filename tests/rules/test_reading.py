"""Reading files and cells, whatever spreadsheet wrote them; no database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sharebank.core.errors import Refused
from sharebank.core.period import Period
from sharebank.core.values import defuse
from sharebank.exchange import cells
from sharebank.exchange.reading import MOST_CHARACTERS, clean, read_sheet
from sharebank.exchange.refusals import ImportRefused
from tests.world import PARIS

KNOWN = ("code", "name", "note")


def rows(raw: str | bytes) -> list[tuple[int, dict[str, str]]]:
    sheet = read_sheet(raw.encode() if isinstance(raw, str) else raw, "f.csv", KNOWN, ["code", "name"])
    assert not sheet.problems
    return [(line.number, dict(line.cells)) for line in sheet.lines]


ONE = [(2, {"code": "A", "name": "Été"})]
READ = [
    pytest.param("code,name\nA,Été\n", ONE, id="comma"),
    pytest.param("code;name\nA;Été\n", ONE, id="semicolon"),
    pytest.param("code\tname\nA\tÉté\n", ONE, id="tab"),
    pytest.param("code;name;more, and more\nA;Été;x\n", ONE, id="a comma in a heading"),
    pytest.param("code,name\r\nA,Été\r\n", ONE, id="CRLF"),
    pytest.param("code,name\nA,Été", ONE, id="no last line end"),
    pytest.param("\ufeffcode,name\nA,Été\n", ONE, id="BOM"),
    pytest.param("code,name\nA,Été\n".encode("cp1252"), ONE, id="Windows-1252"),
    pytest.param("code,name\nA,E\u0301te\u0301\n", ONE, id="NFD"),
    pytest.param("code,name\nA,\u200bÉ\u200bté\ufeff\n", ONE, id="zero width"),
    pytest.param(' CODE ," name "\n A ,\u00a0Été\u202f\n', ONE, id="trimmed"),
    pytest.param("code,,name,\nA,note,Été,\n", ONE, id="nameless columns"),
    pytest.param("\n;;\ncode;name\n\n;\nA;Été\n\n", [(6, ONE[0][1])], id="blank lines, lines of separators"),
    pytest.param(
        'code,name\nA,"one\r\ntwo"\nB,x\n',
        [(2, {"code": "A", "name": "one\ntwo"}), (4, {"code": "B", "name": "x"})],
        id="line break in a cell",
    ),
    pytest.param('code,name\nA,"5"" x 3"""\n', [(2, {"code": "A", "name": '5" x 3"'})], id="quotes in a cell"),
    pytest.param("code,name\nA,\u2028x\x0by\n", [(2, {"code": "A", "name": "x\x0by"})], id="not line ends"),
]


@pytest.mark.parametrize(("raw", "expected"), READ)
def test_what_is_read(raw: str | bytes, expected: list[tuple[int, dict[str, str]]]) -> None:
    assert rows(raw) == expected


REFUSED = [
    pytest.param("", [(1, "file", "empty_file")], id="empty"),
    pytest.param("\n;;\n", [(1, "file", "empty_file")], id="blank"),
    pytest.param("code,name\n", [(1, "file", "empty_file")], id="heading alone"),
    pytest.param(b"\0\xff\xfe9", [(1, "file", "not_text")], id="binary"),
    pytest.param("code,name\nA,x\n".encode("utf-16"), [(1, "file", "not_text")], id="UTF-16"),
    pytest.param(b"code,name\nA,\x81\x8d\n", [(1, "file", "not_text")], id="neither encoding"),
    pytest.param(b"code,name\nA,\xc3\xa9t\xc3\xa9\nB,\xe9\n", [(3, "file", "mixed_encoding")], id="both encodings"),
    pytest.param("\nRéférence,Lieu\nA,x\n", [(2, "header", "missing_columns")], id="foreign heading"),
    pytest.param("code,note\nA,x\n", [(1, "header", "missing_columns")], id="a column missing"),
    pytest.param("code,name,code\nA,x,B\n", [(1, "code", "column_twice")], id="a column twice"),
    pytest.param("code,name\nA\nB,x,y\nC,x\n", [(2, "row", "wrong_width"), (3, "row", "wrong_width")], id="width"),
    pytest.param('code,name\nA,x\nB,"x\nC,y\n', [(3, "row", "bad_quotes")], id="a quote never closed"),
    pytest.param('code,name\nA,"x"y\n', [(2, "row", "bad_quotes")], id="a quote closed too early"),
    pytest.param(f"code,name\nA,{'x' * (MOST_CHARACTERS + 1)}\n", [(2, "name", "long_text")], id="beyond our limit"),
    pytest.param(f"code,name\nA,{'x' * 1_048_576}\n", [(2, "name", "long_text")], id="beyond Python's own limit"),
]


@pytest.mark.parametrize(("raw", "expected"), REFUSED)
def test_what_is_refused(raw: str | bytes, expected: list[tuple[int, str, str]]) -> None:
    try:
        sheet = read_sheet(raw.encode() if isinstance(raw, str) else raw, "f.csv", KNOWN, ["code", "name"])
        problems = sheet.problems
    except ImportRefused as refused:
        problems = list(refused.problems)
    assert [(found.line, found.column, found.refusal.code) for found in problems] == expected


def test_an_unknown_column_is_told_not_refused() -> None:
    sheet = read_sheet(b"code,name,colour\nA,x,red\n", "f.csv", KNOWN, ["code", "name"])
    assert [warning.said("f.csv") for warning in sheet.warnings] == [
        "f.csv:1: colour: No such column is known: it was not read."
    ]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+33 4 65", "-10 %", "@home", "'=1", "''@x", "'quoted'", "it's", "", "plain", "👩\u200d🍳 chef", "a\nb"],
)
def test_what_is_written_reads_the_same(text: str) -> None:
    assert clean(defuse(text)) == text
    assert not defuse(text).startswith(("=", "+", "-", "@"))


SUMMER = datetime(2026, 7, 1, 16, 30)  # noqa: DTZ001 - wall time
CELLS = [
    pytest.param(cells.DAY, "2026-12-31", date(2026, 12, 31), id="day"),
    pytest.param(cells.DAY, "31/12/2026", date(2026, 12, 31), id="French day"),
    pytest.param(cells.DAY, "29/02/2024", date(2024, 2, 29), id="leap day"),
    pytest.param(cells.DAY, "31/02/2024", "invalid_date", id="no such day"),
    pytest.param(cells.DAY, "12/31/2026", "invalid_date", id="American day"),
    pytest.param(cells.DAY, "0001-01-01", "invalid_date", id="year 1"),
    pytest.param(cells.DAY, "２026-01-01", "invalid_date", id="full-width digit"),
    pytest.param(cells.MOMENT, "2026-07-01T16:30", SUMMER, id="time"),
    pytest.param(cells.MOMENT, "2026-07-01 16:30:00", SUMMER, id="time with seconds"),
    pytest.param(cells.MOMENT, "1/7/2026 16:30", SUMMER, id="French time"),
    pytest.param(cells.MOMENT, "01/07/2026 16h30", SUMMER, id="French hour"),
    pytest.param(cells.MOMENT, "2026-07-01T16:30+02:00", datetime(2026, 7, 1, 14, 30, tzinfo=UTC), id="offset"),
    pytest.param(cells.MOMENT, "2026-07-01T16:30Z", SUMMER.replace(tzinfo=UTC), id="Z"),
    pytest.param(cells.MOMENT, "2027-04-31T18:00", "invalid_date", id="31 April"),
    pytest.param(cells.MOMENT, "2026-07-01", "invalid_date", id="a day alone"),
    pytest.param(cells.MOMENT, "2026-07-01T25:00", "invalid_date", id="25 h"),
    pytest.param(cells.MONEY, "1\u202f250,00\u00a0€", 125_000, id="euros as French writes them"),
    pytest.param(cells.MONEY, "39.5", 3_950, id="euros with a point"),
    pytest.param(cells.MONEY, "environ 80 €", "not_number", id="words"),
    pytest.param(cells.MONEY, "0,855", "too_fine", id="thousandths"),
    pytest.param(cells.MONEY, "-1", "out_of_bounds", id="negative euros"),
    pytest.param(cells.MONEY, "99999999999", "out_of_bounds", id="more cents than fit"),
    pytest.param(cells.decimal(999), "17,5", Decimal("17.5"), id="decimal comma"),
    pytest.param(cells.decimal(999), "NaN", "not_number", id="NaN"),
    pytest.param(cells.QUANTITY, "1\u00a0200", 1200, id="thousands"),
    pytest.param(cells.QUANTITY, "0", "zero_quantity", id="zero"),
    pytest.param(cells.QUANTITY, "-3", "negative_quantity", id="negative"),
    pytest.param(cells.QUANTITY, "2,5", "not_whole", id="two and a half"),
    pytest.param(cells.QUANTITY, "deux", "not_whole", id="deux"),
    pytest.param(cells.QUANTITY, "4294967296", "out_of_bounds", id="beyond 31 bits"),
    pytest.param(cells.EMAIL, "Linh@Example.org", "linh@example.org", id="address in small letters"),
    pytest.param(cells.EMAIL, "linh@example", "bad_email", id="no address"),
    pytest.param(cells.EMAIL, "lınh@example.org", "bad_email", id="a letter that only looks the same"),
    pytest.param(cells.code(), "MCNG-R01", "MCNG-R01", id="code"),
    pytest.param(cells.code(), "a/b", "bad_code", id="no code"),
    pytest.param(cells.code(), "A" * 21, "long_text", id="long code"),
    pytest.param(cells.HOURS, "mon-fri 08:30-12:00; sat closed", "mon-fri 08:30-12:00; sat closed", id="hours"),
    pytest.param(cells.HOURS, "lun-ven 8h-12h", "bad_hours", id="no hours"),
    pytest.param(cells.choices("a", "b"), "a; b", ["a", "b"], id="some words"),
    pytest.param(cells.choices("a", "b"), "a;c", "not_a_choice", id="not a word"),
    pytest.param(cells.ATTRIBUTES, "a=1; b = x = y ", {"a": "1", "b": "x = y"}, id="attributes"),
    pytest.param(cells.ATTRIBUTES, "status=x; reason=wet; walls", {"status": "x", "reason": "wet; walls"}, id="reason"),
    pytest.param(cells.ATTRIBUTES, "a=1; b", "bad_attributes", id="no value"),
    pytest.param(cells.ATTRIBUTES, "a=1; a=2", "bad_attributes", id="a key twice"),
]


@pytest.mark.parametrize(("cell", "text", "expected"), CELLS)
def test_cells(cell: cells.Cell, text: str, expected: Any) -> None:
    try:
        found = cell.read(text)
    except Refused as refused:
        found = refused.code
        str(refused)  # every fact its sentence needs is there
    assert found == (text if expected is None else expected)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


PERIODS = [
    pytest.param("2026-11-21T09:00", "2026-11-21T10:00", utc(2026, 11, 21, 8), utc(2026, 11, 21, 9), id="plain"),
    pytest.param("2026-10-25T01:00", "2026-10-25T02:30", utc(2026, 10, 24, 23), utc(2026, 10, 25, 1, 30), id="widest"),
    pytest.param(
        "2026-10-25T01:00", "2026-10-25T02:30+02:00", utc(2026, 10, 24, 23), utc(2026, 10, 25, 0, 30), id="first turn"
    ),
    pytest.param(
        "2026-10-25T02:30+01:00", "2026-10-25T04:00", utc(2026, 10, 25, 1, 30), utc(2026, 10, 25, 3), id="second turn"
    ),
    pytest.param(
        "2026-11-21T09:00:30", "2026-11-21T10:00", utc(2026, 11, 21, 8, 0, 30), utc(2026, 11, 21, 9), id="seconds"
    ),
]


@pytest.mark.parametrize(("start", "end", "since", "until"), PERIODS)
def test_periods_both_ways(start: str, end: str, since: datetime, until: datetime) -> None:
    period = cells.meant(cells.MOMENT.read(start), cells.MOMENT.read(end), PARIS)
    assert period == Period(since, until)
    assert cells.written(period, PARIS) == (start, end)
