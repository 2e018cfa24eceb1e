"""From the bytes of a CSV file to rows of clean text, whatever spreadsheet wrote them; no database here."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sharebank.core.errors import Refused
from sharebank.exchange.refusals import (
    BadQuotes,
    ColumnTwice,
    EmptyFile,
    ImportRefused,
    LongText,
    MissingColumns,
    MixedEncoding,
    NotText,
    Problem,
    TooBig,
    UnknownColumn,
    WrongWidth,
)

MOST_BYTES = 64 * 1024 * 1024
MOST_CHARACTERS = 100_000
"""In one cell."""
DELIMITERS = (",", ";", "\t")

# Python's own limit would end in a traceback; ours, above, names the line and the column.
csv.field_size_limit(MOST_BYTES)

# A zero-width joiner (U+200D) is kept between emoji, which it holds together.
_INVISIBLE = re.compile("[\u200b\u200c\u2060\ufeff]|(?<![\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d")
# What makes a spreadsheet compute a cell is written behind an apostrophe; see core.values.defuse.
_DEFUSED = re.compile(r"'+[=+\-@]")
_UTF8_IN_BYTES = re.compile(rb"\xc3[\x80-\xbf]|\xe2\x80[\x80-\xbf]")


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the physical line it starts on, and its clean cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(slots=True)
class Sheet:
    """A file as read: its rows, what was wrong with some, what was left unread."""

    lines: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def clean(text: str) -> str:
    """A cell as it was meant: trimmed, composed (NFC), without invisible characters or a defusing apostrophe."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.strip()
    return text[1:] if text[:1] == "'" and _DEFUSED.match(text) else text


def read_sheet(raw: bytes, file: str, known: Collection[str], needed: Collection[str]) -> Sheet:
    """Read a file with these columns; bad rows become problems, what nobody can read raises ImportRefused."""
    text = _decode(raw, file)
    if not text.strip(" \r\n" + "".join(DELIMITERS)):
        raise _unreadable(file, EmptyFile())
    delimiter = max(DELIMITERS, key=lambda one: len(set(_heading(text, one)[1]) & set(known)))
    at, heading = _heading(text, delimiter)
    missing = [name for name in needed if name not in heading]
    if missing:
        raise _unreadable(file, MissingColumns(missing=", ".join(missing), known=", ".join(known)), at, "header")
    twice = [name for name, count in Counter(heading).items() if name in known and count > 1]
    if twice:
        raise ImportRefused(file, [Problem(at, name, ColumnTwice()) for name in twice])
    sheet = Sheet()
    sheet.warnings = [Problem(at, name, UnknownColumn()) for name in heading if name and name not in known]
    for number, cells in _rows(text, delimiter, sheet):
        if number > at:
            _take(sheet, number, heading, cells, known)
    if not sheet.lines and not sheet.problems:
        raise _unreadable(file, EmptyFile())
    return sheet


def _take(sheet: Sheet, number: int, heading: list[str], cells: list[str], known: Collection[str]) -> None:
    if len(cells) != len(heading):
        sheet.problems.append(Problem(number, "row", WrongWidth(count=len(cells), expected=len(heading))))
        return
    kept = {name: cell for name, cell in zip(heading, cells, strict=True) if name in known}
    long = {name: len(cell) for name, cell in kept.items() if len(cell) > MOST_CHARACTERS}
    for name, length in long.items():
        sheet.problems.append(Problem(number, name, LongText(length=length, most=MOST_CHARACTERS)))
    if not long:
        sheet.lines.append(Line(number, kept))


def _decode(raw: bytes, file: str) -> str:
    if len(raw) > MOST_BYTES:
        raise _unreadable(file, TooBig(most=MOST_BYTES // 1024**2))
    if b"\0" in raw:
        raise _unreadable(file, NotText())
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # In Windows-1252 text these bytes would read "Ã©" or "â€™", which nobody types.
        if _UTF8_IN_BYTES.search(raw):
            raise _unreadable(file, MixedEncoding(), raw.count(b"\n", 0, error.start) + 1) from None
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        raise _unreadable(file, NotText()) from None


def _heading(text: str, delimiter: str) -> tuple[int, list[str]]:
    """The line and the names of the first row that is not blank; names of columns without one are empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = 1
    for row in reader:
        names = [clean(name).lower() for name in row]
        if any(names):
            return number, names
        number = reader.line_num + 1
    return number, []


def _rows(text: str, delimiter: str, sheet: Sheet) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the physical line it starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error:
            sheet.problems.append(Problem(number, "row", BadQuotes()))
            return
        if row is None:
            return
        cells = [clean(cell) for cell in row]
        if any(cells):
            yield number, cells


def _unreadable(file: str, refusal: Refused, line: int = 1, column: str = "file") -> ImportRefused:
    return ImportRefused(file, [Problem(line, column, refusal)])
