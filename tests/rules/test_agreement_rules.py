"""The markup of templates, what may be printed, and French, as truth tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from sharebank.agreements import french, markup, priced
from sharebank.agreements.markup import BadTemplate, NoSignatures, NoTitle, UnknownPlace, fill, parse
from sharebank.agreements.priced import Fare, Price
from sharebank.agreements.rules import KINDS, Wanted, kind_of, number_of, period_basis, wanted
from sharebank.core.press.printable import printable
from sharebank.lending.prices import Deposit, Line, Quote, Travel

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


@pytest.mark.parametrize(
    ("title", "texts", "left"),
    [
        ("Prêt {{free?}}", {"free": "à titre gracieux"}, "Prêt à titre gracieux"),
        ("Prêt {{free?}}", {}, "Prêt"),
        ("Prêt {{free?}} du {{day}}", {"day": "1er mai"}, "Prêt du 1er mai"),
        ("Prêt **{{free?}}** {{total?}}", {}, "Prêt"),
        ("{{free?}} Prêt", {}, "Prêt"),
        ("Prêt du {{day}}", {}, f"Prêt du {markup.BLANK}"),
        ("{{free?}}", {}, markup.BLANK),
    ],
)
def test_a_title_stays_without_what_is_not_known(title: str, texts: dict[str, str], left: str) -> None:
    first = fill(parse(f"# {title}\n{{{{parties}}}}\n{{{{signatures}}}}\n"), texts, {})[0]
    assert (first["t"], first["level"]) == ("h", 1)
    assert "".join(text for text, _bold in first["runs"]) == left


PAID = Price([Line("Forfait", 1, "day", 6000)])
BY_KM = Price((), [Fare(32)])


@pytest.mark.parametrize(
    ("prices", "total"),
    [
        ([], ""),
        ([Price(deposits=[Deposit("Caution", 30_000, "money")])], ""),
        ([PAID], "60,00 €"),
        ([BY_KM], "0,32 € le kilomètre, au compteur"),
        ([Price(PAID.lines, BY_KM.fares)], "60,00 € et 0,32 € le kilomètre, au compteur"),
        ([Price((), [Fare(32, 50, 60)])], "0,32 € le kilomètre, au compteur, au-delà de 50 km"),
        ([Price((), [Fare(32, thing="A"), Fare(32, thing="B")])], "0,32 € le kilomètre, au compteur (A et B)"),
        (
            [Price((), [Fare(32, thing="A"), Fare(40, thing="B")])],
            "0,32 € le kilomètre, au compteur (A) et 0,40 € le kilomètre, au compteur (B)",
        ),
        ([PAID, Price()], "60,00 € ou à titre gracieux, selon la date"),
        ([Price(), Price()], ""),
    ],
)
def test_free_means_that_nothing_at_all_is_paid(prices: list[Price], total: str) -> None:
    assert plain(priced.total(prices)) == total
    assert priced.free(prices) == ("" if total else "à titre gracieux")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def test_the_table_of_prices_says_what_a_kilometre_costs() -> None:
    def cells(*prices: Price) -> list[list[str]]:
        found = [block["rows"] for block in priced.tables(prices) if block["t"] == "table"]
        return [[plain(cell) for cell in row] for rows in found for row in rows]

    km = ["Kilomètres, au compteur (Minibus)", "environ 60 km", "0,32 € le kilomètre, au-delà de 50 km"]
    fares = [Fare(32, 50, 60, "Minibus")]
    assert cells(Price((), fares)) == [km]  # no total: nobody knows it yet
    paid = ["Forfait", "1 jour", "60,00 €"]
    assert cells(Price(PAID.lines, fares)) == [paid, km, ["Total hors kilomètres", "", "60,00 €"]]
    assert cells(PAID) == [paid, ["Total", "", "60,00 €"]]
    assert cells(Price()) == []
    leads = [block["runs"][0][0] for block in priced.tables([PAID, BY_KM, Price()]) if block["t"] == "p"]
    assert [plain(lead) for lead in leads] == [
        "Séance à 60,00 € :",
        "Séance à 0,32 € le kilomètre, au compteur :",
    ]


@pytest.mark.parametrize("kind", ["loan", "room", "weekly", "short", "addendum"])
def test_no_text_calls_a_paid_loan_free(kind: str) -> None:
    parts = parse((SHIPPED / f"{kind}.txt").read_text("utf-8"), short=kind == "short")
    paid = str(fill(parts, {"total": "0,32 € le kilomètre"}, {}))
    assert "gracieux" not in paid
    assert "1875" not in paid  # a loan for use is free by law
    assert "0,32 € le kilomètre" in paid
    free = str(fill(parts, {"free": "à titre gracieux"}, {}))
    assert "consenti" in free
    assert "à titre gracieux" in free


@pytest.mark.parametrize("kind", ["annual", "cooperation"])
def test_a_year_promises_no_loan_for_nothing(kind: str) -> None:
    """The prices are those of the house's rules on the day."""
    body = (SHIPPED / f"{kind}.txt").read_text("utf-8")
    assert "sont consentis à titre gracieux" not in body
    assert "règlement" in body


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
    free = period_basis(start, end, [("A", 1), ("B", 2)], priced.mark(None))
    assert (
        len(
            {
                mark,
                free,
                period_basis(start, end, [("A", 1), ("B", 2)], priced.mark(Quote(travel=(Travel("A", 0, 32),)))),
            }
        )
        == 3
    )
    assert priced.mark(Quote(travel=(Travel("A", 60, 32),))) == priced.mark(Quote(travel=(Travel("A", 0, 32),)))


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
