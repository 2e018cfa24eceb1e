"""Insurances in files, and those that structures had said before there was a table for them."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, func, select, text
from sqlalchemy.orm import Session

from sharebank.accounts.models import Organisation
from sharebank.core import migrate
from sharebank.core.db import db, transaction
from sharebank.exchange import ImportRefused, export_text, import_bytes
from sharebank.insurance.models import Coverage
from tests import world
from tests.databases import MIGRATIONS
from tests.insured import MANAGER, STN

# -- files -------------------------------------------------------------------------------------------

HEADING = (
    "holder_house,kind,insurer_or_body,contract_number,covers,starts_on,ends_on,"
    "responsible_email,annual_premium_eur,notes\n"
)
FILES: list[tuple[str, str, tuple[str, str] | None]] = [
    ("a minibus", f"MCNG,vehicle,M,PB-1,MCNG-V01,2026-01-01,2026-12-31,{MANAGER},1184.00,Note", None),
    ("an unknown house", "MCN,vehicle,M,PB-1,MCNG-V01,,2026-12-31,,,", ("holder_house", "unknown_organisation")),
    ("an unknown kind", "MCNG,boat,M,PB-1,MCNG-V01,,2026-12-31,,,", ("kind", "not_a_choice")),
    ("an unknown thing", "MCNG,vehicle,M,PB-1,MCNG-V99,,2026-12-31,,,", ("covers", "unknown_resource")),
    ("another house's thing", "MCNG,vehicle,M,PB-1,STN-R01,,2026-12-31,,,", ("covers", "not_their_thing")),
    ("nothing covered", "MCNG,vehicle,M,PB-1,,,2026-12-31,,,", ("covers", "no_things")),
    ("no end", "MCNG,vehicle,M,PB-1,MCNG-V01,,,,,", ("ends_on", "missing")),
    ("ends early", "MCNG,vehicle,M,PB-1,MCNG-V01,2026-12-31,2026-01-01,,,", ("ends_on", "ends_too_early")),
    ("an association's thing", "CHORALE,vehicle,M,PB-1,MCNG-V01,,2026-12-31,,,", ("kind", "liability_only")),
    ("nobody", "MCNG,liability,M,PB-1,,,2026-12-31,no@example.org,,", ("responsible_email", "unknown_user")),
    ("a stranger", f"MCNG,liability,M,PB-1,,,2026-12-31,{STN},,", ("responsible_email", "user_not_in_organisation")),
]


@pytest.mark.parametrize(("row", "wrong"), [pytest.param(*row[1:], id=row[0]) for row in FILES])
def test_a_row_of_a_file(app: Flask, row: str, wrong: tuple[str, str] | None) -> None:
    raw = f"{HEADING}{row}\n".encode()
    if wrong is None:
        take("insurance", raw)
        assert give("insurance") == raw.decode()
        take("insurance", raw)
        assert give("insurance") == raw.decode()
        return
    with pytest.raises(ImportRefused) as refused:
        take("insurance", raw)
    assert wrong in [(problem.column, problem.refusal.code) for problem in refused.value.problems]
    assert db.session.scalar(select(func.count()).select_from(Coverage)) == 0


def take(kind: str, raw: bytes) -> None:
    with transaction() as session:
        import_bytes(session, kind, "f.csv", raw, world.NOW, world.PARIS)


def give(kind: str) -> str:
    return export_text(db.session(), kind, world.PARIS)


def test_the_certificate_of_a_structure_lives_in_its_file_too(app: Flask) -> None:
    def body(end: str, contract: str = "RC-1") -> bytes:
        head = "code,name,kind,house,liability_insurer,liability_contract,liability_expires_on"
        return f"{head}\nCHORALE,Chorale,association,MCNG,Asso,{contract},{end}\n".encode()

    def told() -> list[tuple[Any, ...]]:
        query = select(Coverage.contract_number, Coverage.ends_on, Coverage.renewed_by_id).order_by(Coverage.id)
        return [tuple(row) for row in db.session.execute(query)]

    take("organisations", body(""))
    take("organisations", body("2026-12-31"))
    assert told() == [("RC-1", date(2026, 12, 31), None)]
    take("organisations", body("2026-12-30"))  # a correction
    assert told() == [("RC-1", date(2026, 12, 30), None)]
    take("organisations", body("2027-12-31"))  # the next one
    [old, new] = told()
    assert (old[:2], new) == (("RC-1", date(2026, 12, 30)), ("RC-1", date(2027, 12, 31), None))
    assert old[2] is not None
    take("organisations", b"code,name,kind,house\nCHORALE,Chorale,association,MCNG\n")
    assert len(told()) == 2
    assert "CHORALE,Chorale,association,MCNG,,,,Asso,RC-1,2027-12-31\n" in give("organisations")
    assert give("insurance") == f"{HEADING}CHORALE,liability,Asso,RC-1,,,2026-12-30,,,\n"


def test_what_structures_said_of_their_insurance_becomes_coverages(empty_database_url: str, tmp_path: Path) -> None:
    first = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, first, ignore=shutil.ignore_patterns("000[2-9]*", "00[1-9]*", "__pycache__"))
    engine = create_engine(empty_database_url, poolclass=NullPool)
    migrate.upgrade(engine, first, backup_dir=tmp_path, now=world.NOW)
    with engine.begin() as connection:
        for code, insurer, contract, end in (
            ("A", "Asso", "RC-1", "'2026-12-31'"),
            ("B", "Asso", "RC-2", "NULL"),
            ("C", "", "", "NULL"),
        ):
            connection.execute(
                text(
                    "INSERT INTO organisation (code, name, kind, siret, email, phone, address, postal_code, city,"
                    " colour, opening_hours, school_zone, liability_insurer, liability_contract, liability_expires_on)"
                    f" VALUES ('{code}', 'x', 'association', '', '', '', '', '', '', '', '', '', '{insurer}',"
                    f" '{contract}', {end})"
                )
            )
    migrate.upgrade(engine, MIGRATIONS, backup_dir=tmp_path, now=world.NOW)
    with Session(engine) as session:
        query = select(Organisation.code, Coverage.kind, Coverage.body, Coverage.contract_number, Coverage.ends_on)
        rows = session.execute(query.join(Coverage.holder).order_by(Organisation.code)).all()
        assert [tuple(row) for row in rows] == [
            ("A", "liability", "Asso", "RC-1", date(2026, 12, 31)),
            ("B", "liability", "Asso", "RC-2", None),
        ]
        assert all(one.created_at.tzinfo for one in session.scalars(select(Coverage)))
    engine.dispose()
