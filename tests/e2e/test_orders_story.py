"""The demonstration's group orders on a phone, from the first pledge to the last cent."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from pypdf import PdfReader

from tests.e2e.conftest import Site, load_demonstration, served
from tests.e2e.test_handover import clean, photo
from tests.services.test_orders_sending import Post, files

pytestmark = pytest.mark.e2e
MEMBER, BODY = "odile.sarrazande@example.com", "Chorale Les Voix du Jacquemart"
MANAGER = "nadege.fontareche@example.org"  # of MCNG, which coordinates
ADMIN = "maelle.tessolin@example.org"
BOOKLET, SCORES = "Carnet de notes A6 couverture kraft", "Cahier de travaux pratiques 24×32 cm 96 pages"
RICHEST = "rentree-2026-jacq"
OTHERS = (
    "rentree-2026-scol",
    "bureau-hiver-2026-jacq",
    "bureau-hiver-2026-scol",
    "bureau-hiver-2026-gmar",
    "bureau-hiver-2026-netv",
    "conserverie-2027-gmar",
    "conserverie-2027-netv",
)
BY_LETTER = ("bureau-hiver-2026-jacq", "conserverie-2027-gmar")
"""One of each of the other occasions goes the whole way: by SMTP, read back, and short."""
DELIVERY = {"jacq": (0, 0), "scol": (1490, 30000), "gmar": (1800, 40000), "netv": (950, 18000)}
"""By supplier: the fee in cents, and from how much on delivery is free."""


class Line(NamedTuple):
    """One line of the order as its supplier reads it."""

    sku: str
    units: int
    price: Decimal
    vat: Decimal


@pytest.fixture
def post() -> Iterator[Post]:
    one = Post()
    one.controller.start()
    yield one
    one.controller.stop()


@pytest.fixture(scope="module")
def all_open(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration, each of its orders open."""
    return load_demonstration(sqlite_template, tmp_path_factory.mktemp("all-open"), all_open=True)


@pytest.fixture
def site(all_open: Path, tmp_path: Path, post: Post, frozen: None) -> Iterator[Site]:
    """All orders of the demonstration open, and its letters go out by SMTP."""
    with served(all_open, tmp_path, SHAREBANK_MAIL_URL=f"smtp://127.0.0.1:{post.controller.port}?tls=none") as site:
        yield site


def test_an_order_from_the_pledge_to_the_last_cent(
    site: Site, phone: Callable[..., BrowserContext], post: Post
) -> None:
    member, staff = (phone().new_page() for _ in range(2))
    site.sign_in(member.context, MEMBER)
    site.sign_in(staff.context, MANAGER)

    # A member finds the order and takes exercise books.
    member.goto("/orders")
    clean(member, axe=True)
    member.get_by_role("link", name="Rentrée 2026 : cahiers et papier").click()
    clean(member, axe=True)
    booklet = article(member, BOOKLET)
    expect(booklet).to_contain_text("encore 1 pour le carton")
    booklet.get_by_label("Quantité").fill("1")
    scores = article(member, SCORES)
    scores.get_by_label("Quantité").fill("9")
    scores.get_by_label("J’accepte jusqu’à").fill("10")
    member.get_by_role("button", name="Enregistrer", exact=True).click()
    expect(member.get_by_role("status")).to_contain_text("2 articles")
    expect(booklet).not_to_contain_text("pour le carton")
    expect(scores).to_contain_text("vous en recevrez 10")
    clean(member, axe=True)

    # The house closes it, sees that nobody can pledge any more, and sends it: the mail server takes it.
    staff.goto(f"/orders/{RICHEST}")
    tab(staff, "Préparer")
    clean(staff, axe=True)
    close(staff)
    member.reload()
    expect(member.get_by_role("button", name="Enregistrer", exact=True)).to_have_count(0)
    staff.get_by_role("link", name="Passer à l’envoi").click()
    clean(staff, axe=True)
    staff.get_by_label("Par courriel").check()
    staff.get_by_role("button", name="Envoyer la commande").click()
    expect(staff.get_by_role("status")).to_contain_text("commandes@example.org")
    clean(staff, axe=True)
    [letter] = [one for one in post.taken if "commandes@example.org" in one["To"]]
    papers = {name.rpartition(".")[2]: content for name, content in files(letter).items()}
    lines = sheet_lines(papers["xlsx"])
    pdf = pdf_text(papers["pdf"])
    assert all(line.sku in pdf for line in lines)
    assert lines == csv_lines(papers["csv"])
    assert {line.sku: line.units for line in lines}.items() >= {"PJ-1005": 10, "PJ-1007": 48}.items()
    assert "Chorale" not in pdf + papers["csv"].decode() + str(cells(papers["xlsx"]))

    # A pack is missing, two things are wet; the delivery note is photographed.
    tab(staff, "Réception")
    clean(staff, axe=True)
    staff.get_by_label("Prendre une photo").set_input_files(photo("navy"))
    staff.get_by_role("button", name="Garder la photo").click()
    expect(staff.get_by_role("img", name="Bon de livraison, photo 1")).to_be_visible()
    article(staff, SCORES).get_by_label("Arrivés").fill("5")
    article(staff, BOOKLET).get_by_text("Abîmé, autre prix").click()
    article(staff, BOOKLET).get_by_label("dont abîmés").fill("2")
    staff.get_by_role("button", name="C’est tout : terminer la réception").click()
    expect(staff.get_by_role("status")).to_contain_text("réception est terminée")
    clean(staff, axe=True)
    came = {line.sku: line.units for line in lines} | {"PJ-1005": 5, "PJ-1007": 46}
    total = bill([line._replace(units=came[line.sku]) for line in lines], RICHEST)

    # The invoice, first mistyped; then the accounts, and what everybody owes.
    staff.get_by_role("link", name="Saisir la facture").click()
    clean(staff, axe=True)
    enter(staff, total + 10)
    expect(staff.get_by_role("status")).to_have_count(0)
    expect(staff.get_by_role("table", name="Écarts")).to_contain_text("0,10")
    clean(staff, axe=True)
    enter(staff, total)
    expect(staff.get_by_role("status")).to_contain_text("au centime près")
    settle(staff)
    clean(staff, axe=True)
    assert shares(staff, RICHEST) == total

    # Paper: the pick-up's sheet and slips hold what came, statements what is owed.
    given = pickup(staff, RICHEST)
    assert given == {sku: units for sku, units in came.items() if units}
    slips, statements = (pdf_text(fetched(staff, f"/orders/{RICHEST}/{name}.pdf")) for name in ("slips", "statements"))
    assert BODY in slips
    assert BODY in statements
    member.goto(f"/orders/{RICHEST}")
    tab(member, "Comptes")
    clean(member, axe=True)
    [mine] = re.findall(r"Total TTC\s+([\d\s]+,\d\d)", member.get_by_role("table").first.inner_text())
    own = pdf_text(fetched(member, f"/orders/{RICHEST}/statements/CHORALE.pdf"))
    assert mine in own.replace("\u202f", " ").replace("\u00a0", " ")
    assert fetched(member, f"/orders/{RICHEST}/statements.pdf", 403)
    staff.get_by_role("button", name=f"Noter comme payé {BODY}").click()
    expect(staff.get_by_role("status")).to_contain_text("est noté")
    member.reload()
    expect(member.get_by_text("Réglé", exact=True)).to_be_visible()


def test_every_other_order_adds_up(
    site: Site, phone: Callable[..., BrowserContext], post: Post, subtests: pytest.Subtests
) -> None:
    page = phone().new_page()
    site.sign_in(page.context, ADMIN)
    for code in OTHERS:
        with subtests.test(code):
            whole = code not in BY_LETTER
            if not whole:
                page.goto(f"/orders/{code}")
                page.get_by_label("Quantité").first.fill("40")
                page.get_by_role("button", name="Enregistrer", exact=True).click()
                expect(page.get_by_role("status")).to_contain_text("1 article")
            page.goto(f"/orders/{code}/assistant")
            close(page)
            tab(page, "Envoi")
            page.get_by_label("Par mes soins" if whole else "Par courriel").check()
            if not whole:
                page.locator("[name=to]").fill(f"{code}@example.org")
            page.get_by_role("button", name="Envoyer la commande").click()
            expect(page.get_by_role("status")).to_contain_text(
                "compte comme envoyée" if whole else f"{code}@example.org"
            )
            lines = sheet_lines(fetched(page, f"/orders/{code}/order.xlsx"))
            assert lines
            tab(page, "Réception")
            if whole:
                page.get_by_role("button", name="Tout est là").click()
            else:  # the mail server has it; one article does not come
                [letter] = [one for one in post.taken if f"{code}@example.org" in one["To"]]
                papers = {name.rpartition(".")[2]: content for name, content in files(letter).items()}
                assert sheet_lines(papers["xlsx"]) == lines
                assert all(line.sku in pdf_text(papers["pdf"]) for line in lines)
                row = page.get_by_role("listitem").filter(has_text=re.compile(rf"{re.escape(lines[0].sku)}\b"))
                row.get_by_label("Arrivés").fill("0")
                page.get_by_role("button", name="C’est tout : terminer la réception").click()
                lines[0] = lines[0]._replace(units=0)
            page.get_by_role("link", name="Saisir la facture").click()
            enter(page, bill(lines, code))
            expect(page.get_by_role("status")).to_contain_text("au centime près")
            settle(page)
            assert shares(page, code) == bill(lines, code)
            assert pickup(page, code) == {line.sku: line.units for line in lines if line.units}


# -- on the way ------------------------------------------------------------------------------------


def article(page: Page, name: str) -> Any:
    """One article of the page of pledges."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def tab(page: Page, name: str) -> None:
    """To another place of the order."""
    page.get_by_role("navigation", name="Rubriques de cette commande").get_by_role("link", name=name).click()


def close(page: Page) -> None:
    """Before its time, on the page of preparation."""
    page.get_by_role("link", name="Fermer maintenant").click()
    page.get_by_role("button", name="Fermer maintenant").click()
    expect(page.get_by_role("status")).to_contain_text("close")


def enter(page: Page, cents: int) -> None:
    """The invoice as it is filled in, with this total."""
    page.get_by_label("Numéro de la facture").fill("F26-1042")
    page.get_by_label("Date de la facture").fill("2026-11-20")
    page.get_by_label("Total TTC à payer").fill(f"{cents // 100},{cents % 100:02}")
    page.get_by_role("button", name="Comparer et enregistrer").click()


def settle(page: Page) -> None:
    """The accounts, settled."""
    tab(page, "Comptes")
    page.get_by_role("button", name="Arrêter les comptes").click()
    expect(page.get_by_role("status")).to_contain_text("arrêtés")


# -- what comes out --------------------------------------------------------------------------------


def fetched(page: Page, path: str, status: int = 200) -> bytes:
    """A file, with the cookies of this browser."""
    answer = page.context.request.get(path)
    assert answer.status == status
    return answer.body()


def cells(content: bytes) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(io.BytesIO(content), read_only=True).active.iter_rows(values_only=True))


def sheet_lines(content: bytes) -> list[Line]:
    """The lines of the order's spreadsheet."""
    return _lines([["" if cell is None else str(cell) for cell in row] for row in cells(content)])


def csv_lines(content: bytes) -> list[Line]:
    """The lines of the order's CSV."""
    return _lines(list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=";")))


def _lines(rows: list[list[str]]) -> list[Line]:
    heads = next(row for row in rows if "Référence" in row)
    places = [heads.index(name) for name in ("Référence", "Unités", "Prix unitaire HT (€)", "TVA (%)")]
    body = [[row[place] for place in places] for row in rows[rows.index(heads) + 1 :] if len(row) > max(places)]
    return [Line(sku, int(units), _number(price), _number(vat)) for sku, units, price, vat in body if sku and units]


def _number(text: str) -> Decimal:
    return Decimal(text.replace(",", ".")).normalize()


def bill(lines: list[Line], code: str) -> int:
    """What a supplier bills in cents: lines and delivery, VAT by rate on their sum."""
    nets: dict[Decimal, int] = {}
    for line in lines:
        nets[line.vat] = nets.get(line.vat, 0) + _cents(line.units * line.price * 100)
    fee, free_from = DELIVERY[code.rpartition("-")[2]]
    twenty = Decimal(20).normalize()
    nets[twenty] = nets.get(twenty, 0) + (fee if sum(nets.values()) < free_from else 0)
    return sum(net + _cents(net * rate / 100) for rate, net in nets.items())


def _cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def shares(page: Page, code: str) -> int:
    """What all pay together, as the accountant's file has it."""
    rows = list(
        csv.reader(io.StringIO(fetched(page, f"/orders/{code}/accounts.csv").decode("utf-8-sig")), delimiter=";")
    )
    return sum(int(_number(row[-1]) * 100) for row in rows[1:])


def pickup(page: Page, code: str) -> dict[str, int]:
    """Units of each article that leave at the pick-up, by the spreadsheet: what its columns add up to."""
    rows = cells(fetched(page, f"/orders/{code}/matrix.xlsx"))
    for row in rows[2:]:
        assert row[2] == sum(units or 0 for units in row[3:])
    return {row[0]: row[2] for row in rows[2:]}


def pdf_text(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
