"""The markup of agreement templates: headings, paragraphs, lists, bold, and places to fill in. Pure.

    # Title               one, on the first line
    ## Article            articles number themselves
    - a point             or `1. a point`
    some **bold** words   a blank line ends a paragraph
    {{lender}}            filled in; when nothing is known, a line to write on by hand
    {{deposit?}}          its paragraph or point is left out when nothing is known; of a title, only the place
    {{things}}            alone on its line: a table

What fills a place is text and never markup: it is put in after the template was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sharebank.core.errors import N_, Refused

MOST_LETTERS = 40_000
BLANK = "……………………………"
"""Where somebody writes by hand."""

_PLACE = re.compile(r"\{\{\s*([a-z_]+)\s*(\?)?\s*\}\}")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_HEADING = re.compile(r"(#{1,3})\s+(.+)")
_POINT = re.compile(r"(-|\d{1,2}\.)\s+(.+)")

# What a template may ask for, and what that is.
TEXTS: Mapping[str, str] = {
    "number": N_("Number of the agreement"),
    "lender": N_("Lender: name"),
    "borrower": N_("Borrower: name"),
    "purpose": N_("What it is for"),
    "start": N_("Day and time of the beginning"),
    "end": N_("Day and time of the end"),
    "duration": N_("Duration, in words"),
    "rhythm": N_("Of a series: days and times, in words"),
    "year": N_("Year of an annual agreement"),
    "headcount": N_("Number of people announced"),
    "drivers": N_("Named drivers"),
    "pickup": N_("Times of collection and return"),
    "deposit": N_("Deposits, with their amounts"),
    "total": N_("Price, that of a kilometre included; nothing when nothing at all is paid"),
    "free": N_("“à titre gracieux”, only when nothing at all is paid, not even by the kilometre"),
    "capacity": N_("Of a room: how many people it holds"),
    "keys": N_("Of a room: how many keys are handed over"),
    "first_number": N_("Of an addendum or a short form: number of the agreement it belongs to"),
    "first_day": N_("Of an addendum or a short form: day of the agreement it belongs to"),
    "rank": N_("Of an addendum: its number"),
    "place": N_("Where it is signed"),
    "day": N_("Day of issue"),
}
BLOCKS: Mapping[str, str] = {
    "parties": N_("Both parties: name, seat, SIRET, represented by"),
    "things": N_("Table of the things lent"),
    "rooms": N_("Description of each room"),
    "dates": N_("Of a series: list of its dates"),
    "prices": N_("Table of the price, line by line"),
    "insurances": N_("Table of both parties’ insurances"),
    "signatures": N_("Where both parties sign"),
}


class BadTemplate(Refused):
    """A template that cannot be read; says on which line."""

    code = "bad_template"
    sentence = N_("Line %(line)s: “%(value)s” cannot be read here.")


class UnknownPlace(BadTemplate):
    """A place nobody knows how to fill."""

    code = "unknown_place"
    sentence = N_("Line %(line)s: there is no “%(value)s”. The list below says what can be filled in.")


class NoTitle(BadTemplate):
    """An agreement has a title, and one only."""

    code = "no_title"
    sentence = N_("The first line is the title: “# ” and its words. There is one title only.")


class NoSignatures(BadTemplate):
    """Nothing to sign is no agreement."""

    code = "no_signatures"
    sentence = N_("“{{parties}}” and “{{signatures}}” must stand somewhere, each alone on its line.")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text, or a place to fill."""

    text: str
    bold: bool = False
    place: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A heading (`h1` to `h3`), a paragraph (`p`), a point (`ul`, `ol`) or a block to fill (`block`)."""

    kind: str
    runs: tuple[Run, ...]


# -- reading ---------------------------------------------------------------------------------------


def parse(body: str, *, short: bool = False) -> list[Part]:
    """A template's parts; raises BadTemplate and its kind, with the line. A `short` form needs no signatures."""
    parts = list(_parts(body))
    titles = [at for at, part in enumerate(parts) if part.kind == "h1"]
    if titles != [0]:
        raise NoTitle("body", line=1, value="#")
    named = {part.runs[0].text for part in parts if part.kind == "block"}
    if "parties" not in named or not (short or "signatures" in named):
        raise NoSignatures("body", line=1, value="")
    return parts


def _parts(body: str) -> Iterator[Part]:
    waiting: list[tuple[int, str]] = []
    for line, text in enumerate([*body.replace("\r", "").split("\n"), ""], 1):
        text = text.strip()
        heading, point = _HEADING.fullmatch(text), _POINT.fullmatch(text)
        block = _PLACE.fullmatch(text)
        if waiting and (not text or heading or point or (block and block[1] in BLOCKS)):
            yield Part("p", tuple(_runs(" ".join(words for _line, words in waiting), waiting[0][0])))
            waiting = []
        if heading:
            yield Part(f"h{len(heading[1])}", tuple(_runs(heading[2], line)))
        elif point:
            yield Part("ul" if point[1] == "-" else "ol", tuple(_runs(point[2], line)))
        elif block and block[1] in BLOCKS:
            yield Part("block", (Run(block[1], place=True),))
        elif text:
            waiting.append((line, text))


def _runs(text: str, line: int) -> Iterator[Run]:
    at = 0
    for found in _BOLD.finditer(text):
        yield from _plain(text[at : found.start()], line, bold=False)
        yield from _plain(found[1], line, bold=True)
        at = found.end()
    yield from _plain(text[at:], line, bold=False)


def _plain(text: str, line: int, *, bold: bool) -> Iterator[Run]:
    at = 0
    for found in _PLACE.finditer(text):
        if found[1] in BLOCKS:
            raise BadTemplate("body", line=line, value=found[0])
        if found[1] not in TEXTS:
            raise UnknownPlace("body", line=line, value=found[0])
        yield from _words(text[at : found.start()], line, bold=bold)
        yield Run(found[1], bold, place=True, optional=bool(found[2]))
        at = found.end()
    yield from _words(text[at:], line, bold=bold)


def _words(text: str, line: int, *, bold: bool) -> Iterator[Run]:
    if "{{" in text or "}}" in text:
        raise BadTemplate("body", line=line, value=text.strip()[:60])
    if text:
        yield Run(text, bold)


# -- filling ---------------------------------------------------------------------------------------

Json = dict[str, Any]


def fill(parts: Sequence[Part], texts: Mapping[str, str], blocks: Mapping[str, Sequence[Json]]) -> list[Json]:
    """What the press prints: blocks of plain values (`t`: `h`, `p`, `list`, or those of `blocks`).

    Articles get their numbers here; a heading with nothing left below it goes.
    """
    found: list[Json] = []
    for part in parts:
        if part.kind == "block":
            found += blocks.get(part.runs[0].text, ())
            continue
        asked = [run for run in part.runs if not (run.place and run.optional and not texts.get(run.text))]
        if len(asked) < len(part.runs) and part.kind != "h1":
            continue
        runs = [[(texts.get(run.text) or BLANK) if run.place else run.text, run.bold] for run in asked]
        if part.kind == "h1":
            runs = _closed(runs)
        if part.kind in ("ul", "ol"):
            if not (found and found[-1]["t"] == "list" and found[-1]["ordered"] == (part.kind == "ol")):
                found.append({"t": "list", "ordered": part.kind == "ol", "items": []})
            found[-1]["items"].append(runs)
        elif part.kind == "p":
            found.append({"t": "p", "runs": runs})
        else:
            found.append({"t": "h", "level": int(part.kind[1]), "runs": runs})
    return _numbered(_without_bare_headings(found))


def _closed(runs: list[list[Any]]) -> list[list[Any]]:
    """A title without the gaps that places left out leave: there is always one."""
    kept: list[list[Any]] = []
    for text, bold in runs:
        text = text.lstrip(" ") if not kept or kept[-1][0].endswith(" ") else text
        kept += [[text, bold]] if text else []
    if kept:
        kept[-1][0] = kept[-1][0].rstrip(" ")
    return kept or [[BLANK, False]]


def _without_bare_headings(blocks: Sequence[Json]) -> list[Json]:
    kept: list[Json] = []
    for block in reversed(blocks):
        if block["t"] == "h" and block["level"] > 1:
            after = kept[-1] if kept else None
            if after is None or (after["t"] == "h" and after["level"] <= block["level"]):
                continue
        kept.append(block)
    return kept[::-1]


def _numbered(blocks: Sequence[Json]) -> list[Json]:
    articles = 0
    for block in blocks:
        if block["t"] == "h" and block["level"] == 2:
            articles += 1
            block["runs"] = [[f"Article {articles} – ", False], *block["runs"]]
    return list(blocks)
