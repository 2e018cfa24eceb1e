"""What the PDF of an agreement holds, whatever people typed."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pypdf
import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.accounts.models import Organisation
from sharebank.agreements import desk
from sharebank.agreements.drafting import document
from sharebank.core import press
from sharebank.core.db import transaction
from tests import world
from tests.agreed import Find, issued, loan_of, town, words

__all__ = ["town"]  # the fixture


def test_the_pdf_holds_parties_insurers_contracts_dates_and_things(town: Flask, actor: Find) -> None:
    staff = actor("staff@example.org")
    agreement = issued(staff, loan_of(actor("member@example.org"), {"MCNG-V01": 1}))
    text = words(desk.printed(agreement.id))
    for expected in (
        *("Maison citoyenne Noël Guichard", "Brigitte Talancieux", "présidente", "000 412 379 00018"),
        *("Chorale du Vieux-Lavoir", "Odile Sarrazande", "coprésidente", "000 729 137 00018", "27 rue de CHORALE"),
        *("Mutuelle du Peuplier Blanc", "PB-AUTO-000417", "Caisse Mutuelle du Jacquemart", "CMJ-RC-20261"),
        *("Assurance des Chœurs", "ADC-045021", "31 août 2027"),
        *("samedi 28 novembre 2026 à 14 h", "samedi 28 novembre 2026 à 18 h", "4 heures", "Concert"),
        *("MCNG-V01", "Minibus 9 places", "immatriculé OZ-117-IU", "24 500,00 €", "à titre gracieux"),
        *("C-MCNG-2026-0001", agreement.text_sha256, "Romans-sur-Isère", "Signature"),
        *("Article 1 – Objet", "Validé en ligne par Staff Test"),
    ):
        assert expected in text, expected
    assert "GC-LOC-77" not in text  # the room's, and no room is lent
    assert "{{" not in text
    assert "typst" not in sys.modules  # it works in a process of its own: no worker carries it


def test_it_is_made_for_everyone(town: Flask, actor: Find) -> None:
    pdf = desk.printed(issued(actor("staff@example.org"), loan_of(actor("member@example.org"), {"MCNG-V01": 1})).id)
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    root = reader.trailer["/Root"]
    assert root["/Lang"] == "fr-FR"
    assert root["/MarkInfo"]["/Marked"].value
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value
    assert "C-MCNG-2026-0001" in reader.metadata.title
    assert b"pdfuaid" in root["/Metadata"].get_object().get_data()
    tags = re.findall(r"/(H1|H2|TH|TD|Table|L|LI|P)\b", str(structure(root["/StructTreeRoot"])))
    assert {"H1", "H2", "TH", "TD", "Table", "L", "P"} <= set(tags)


def structure(node: Any) -> list[Any]:
    """The tags of a structure tree."""
    node = node.get_object()
    if not isinstance(node, dict):
        return []
    kids = node.get("/K", [])
    kids = kids if isinstance(kids, list) else [kids]
    return [str(node.get("/S", "")), *(structure(kid) for kid in kids if not isinstance(kid, int))]


HOSTILE = (
    '#eval("1+1") #include "/etc/passwd" *bold* _it_ $x^2$ `raw` <label> @ref \\ // /* = Head',
    "{{lender}} {{#x}} **gras** - point # titre",
    "Nguyễn-Vialonge Œuvre d’Été",
    "שלום עולם (בע״מ)",
    "جمعية الأصدقاء",
    "\u202egpj.exe\u2066 \u200b\ufeff 你好 😀 \x07",
    "A" * 10_000,
    "mot " * 2_500,
    "\u0301" * 300,
)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_prints_as_text(name: str) -> None:
    """Whatever people type is data: it stands on the page as it is, or by its code where no letter is at hand."""
    content = {
        "title": name,
        "author": name,
        "number": "C-X-2026-0001",
        "blocks": [
            {"t": "h", "level": 1, "runs": [[name, False]]},
            {"t": "p", "runs": [[name, True], [" fin", False]]},
            {"t": "list", "ordered": False, "items": [[[name, False]]]},
            {"t": "table", "head": ["Nom"], "rows": [[name]], "widths": [1], "right": []},
            {"t": "facts", "name": name, "pairs": [[name, name]]},
            {"t": "sign", "boxes": [[name, name], ["B"]]},
        ],
    }
    pdf = press.pdf(document(content, "0" * 64), world.NOW)
    text = words(pdf)
    plain = re.sub(r"\s", "", text)
    if name.startswith(("#", "{{", "N")):
        assert plain.count(re.sub(r"\s", "", name)) >= 6, text[:400]
    elif name.startswith("A"):
        assert plain.count("A") >= 60_000
    elif name.startswith("mot"):
        assert plain.count("mot") >= 15_000
    elif "你" in name:
        assert "[U+4F60][U+597D]" in plain
        assert "gpj.exe" in plain
        assert "\u202e" not in text
    else:
        # Written from right to left: each letter is there, in whatever order a reader of PDF gives them back.
        letters = {letter for letter in name if letter.isalpha()}
        assert letters <= set(pypdf_letters(text)), letters - set(text)
    assert "fin" in plain
    assert "root:" not in plain


def pypdf_letters(text: str) -> str:
    """With the shapes of Arabic letters as the letters they are."""
    import unicodedata

    return unicodedata.normalize("NFKC", text)


def test_a_hostile_borrower_and_purpose_go_all_the_way(town: Flask, actor: Find) -> None:
    name = '#panic("x") *Étoile* שלום ' + "Z" * 150
    with transaction() as session:
        body = session.scalars(select(Organisation).where(Organisation.code == "CHORALE")).one()
        body.name, body.represented_by = name[:200], "{{lender}}"
    agreement = issued(actor("staff@example.org"), loan_of(actor("member@example.org"), {"MCNG-V01": 1}, purpose="#x"))
    text = words(desk.printed(agreement.id))
    assert '#panic("x") *Étoile*' in text
    assert "{{lender}}" in text
