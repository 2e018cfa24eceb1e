"""The markup of templates, what may be printed, and French, as truth tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from sharebank.agreements import french, markup
from sharebank.agreements.markup import BadTemplate, NoSignatures, NoTitle, UnknownPlace, fill, parse
from sharebank.agreements.rules import KINDS, Wanted, kind_of, number_of, period_basis, wanted
from sharebank.core.press.printable import printable

HEAD = "# Titre\n{{parties}}\n{{signatures}}\n"
SHIPPED = Path(markup.__file__).with_name("texts")


@pytest.mark.parametrize(
    ("body", "refusal", "line"),
    [
        ("", NoTitle, 1),
        ("Bonjour\n# Titre\n{{parties}}\n{{signatures}}", NoTitle, 1),
        ("# Un\n{{parties}}\n{{signatures}}\n# Deux", NoTitle, 1),
        ("# Titre\n{{signatures}}", NoSignatures, 1),
        ("# Titre\n{{parties}}", NoSignatures, 1),
        (HEAD + "\nPour {{lendr}}.", UnknownPlace, 5),
        (HEAD + "\nun {{things}} deux", BadTemplate, 5),
        (HEAD + "\n{{ lender", BadTemplate, 5),
        (HEAD + "\n{{#eval}}", BadTemplate, 5),
        (HEAD + "\n}}", BadTemplate, 5),
    ],
)
def test_a_template_that_cannot_be_read_says_where(body: str, refusal: type[BadTemplate], line: int) -> None:
    with pytest.raises(refusal) as refused:
        parse(body)
    assert refused.value.facts["line"] == line


def said(body: str, **texts: str) -> list[str]:
    """What is left of a template, each block as a line; bold between stars."""
    shown = []
    for block in fill(parse(HEAD + body), texts, {})[1:]:
        lists = block["items"] if block["t"] == "list" else [block["runs"]]
        shown += [block["t"] + ":" + "".join(f"*{t}*" if bold else t for t, bold in runs) for runs in lists]
    return shown


@pytest.mark.parametrize(
    ("body", "texts", "left"),
    [
        ("un\ndeux\n\ntrois", {}, ["p:un deux", "p:trois"]),
        ("- un\n- **deux**\n3. trois", {}, ["list:un", "list:*deux*", "list:trois"]),
        ("Pour {{purpose}}.", {"purpose": "*x* {{lender}} # y"}, ["p:Pour *x* {{lender}} # y."]),
        ("Pour **{{purpose}}**", {"purpose": "fête"}, ["p:Pour *fête*"]),
        ("Pour {{purpose}}", {}, [f"p:Pour {markup.BLANK}"]),
        ("Prix : {{total?}}", {}, []),
        ("Prix : {{total?}}", {"total": "3 €"}, ["p:Prix : 3 €"]),
        ("## Prix\n{{total?}}\n## Fin\nfin", {}, ["h:Article 1 – Fin", "p:fin"]),
        ("## Un\nx\n## Deux\n### Sous\n{{total?}}", {}, ["h:Article 1 – Un", "p:x"]),
        ("2 ** 3 ** 4 * 5", {}, ["p:2 * 3 * 4 * 5"]),
        ("#hashtag et -tiret", {}, ["p:#hashtag et -tiret"]),
    ],
)
def test_filling_a_template(body: str, texts: dict[str, str], left: list[str]) -> None:
    assert said(body, **texts) == left


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_has_a_text_that_reads(kind: str) -> None:
    body = (SHIPPED / f"{kind}.txt").read_text("utf-8")
    parts = parse(body, short=kind == "short")
    named = {part.runs[0].text for part in parts if part.kind == "block"}
    assert {"parties", "insurances"} <= named
    if kind in ("weekly", "annual", "cooperation"):
        assert "trente jours" in body
        assert "lettre recommandée" in body


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Été\u202f: «\u00a0Œuvre\u00a0» – 3 €", "Été\u202f: «\u00a0Œuvre\u00a0» – 3 €"),
        ("Nguye\u0302\u0303n", "Nguyễn"),
        ("a\nb\tc\u2028d", "a b c d"),
        ("\u202egpj.exe\u2066\u200b\ufeff\x07", "gpj.exe"),
        ("你😀", "[U+4F60][U+1F600]"),
        ("שלום", "שלום\u200e"),
        (" gras ", " gras "),
        ("e" + "\u0301" * 200, "é" + "\u0301" * 30),
        ("\ud800x", "x"),
    ],
)
def test_what_may_be_printed(text: str, printed: str) -> None:
    assert printable(text) == printed


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        ([], "none"),
        ([("none", True)], "none"),
        ([("none", True), ("annual", True)], "annual"),
        ([("annual", True), ("per_loan", True)], "per_loan"),
    ],
)
def test_the_rules_of_several_things(asked: list[tuple[str, bool]], mode: str) -> None:
    assert wanted(asked).mode == mode
    assert wanted([("annual", False)]) == Wanted("annual", short_form=False)


def test_kinds_numbers_and_marks() -> None:
    assert [kind_of(kinds, in_series=False) for kinds in (["room", "equipment"], ["vehicle"])] == ["room", "loan"]
    assert kind_of(["room"], in_series=True) == "weekly"
    assert number_of("MCNG", 2026, 7) == "C-MCNG-2026-0007"
    start, end = datetime(2026, 11, 28, 13), datetime(2026, 11, 28, 17)  # noqa: DTZ001
    mark = period_basis(start, end, [("A", 1), ("B", 2)])
    assert mark == period_basis(start, end, [("B", 2), ("A", 1)])
    assert mark != period_basis(start, end, [("A", 1), ("B", 3)])
    assert mark != period_basis(start, end + timedelta(hours=1), [("A", 1), ("B", 2)])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=WEEKLY;BYDAY=TU", "Chaque mardi, de 14 h à 17 h 30"),
        ("FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20270706", "Chaque lundi et jeudi, de 14 h à 17 h 30"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", "Une semaine sur deux, le mardi, de 14 h à 17 h 30"),
        ("FREQ=WEEKLY", "Chaque mardi, de 14 h à 17 h 30"),
        ("FREQ=DAILY", "Chaque jour, de 14 h à 17 h 30"),
        ("FREQ=MONTHLY;BYDAY=2TU", "Aux dates indiquées ci-dessous, de 14 h à 17 h 30"),
    ],
)
def test_rhythms(rule: str, words: str) -> None:
    start, end = datetime(2026, 9, 1, 14), datetime(2026, 9, 1, 17, 30)  # noqa: DTZ001
    assert french.rhythm(rule, start, end).replace("\u00a0", " ") == words


def test_french() -> None:
    assert french.day(date(2027, 1, 1)) == "vendredi 1er janvier 2027"
    assert french.day_short(date(2026, 11, 21)) == "21 novembre 2026"
    assert french.duration(timedelta(days=3, hours=20)).replace("\u00a0", " ") == "3 jours et 20 heures"
    assert french.duration(timedelta(days=1, minutes=30)).replace("\u00a0", " ") == "1 jour et 30 minutes"
    assert french.listed(["a", "b", "c"]) == "a, b et c"
    assert french.listed([]) == ""
    assert french.siret("00041237900018").replace("\u00a0", " ") == "000 412 379 00018"
    months = [date(2027, 1, 12), date(2027, 1, 5), date(2027, 2, 1)]
    assert french.months(months) == [["janvier 2027", "5 et 12"], ["février 2027", "1er"]]
