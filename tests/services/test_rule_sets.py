"""Rule sets on both databases: old ones migrated, who may change them, two editors at once, what may be forgotten."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, event, select, text

from sharebank.accounts import bodies
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.catalog import editing, rule_sets
from sharebank.catalog import service as catalog
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.rules import Limits, RulesInUse, RulesNameTaken
from sharebank.catalog.service import Wish, find_things
from sharebank.core.db import db, transaction
from sharebank.core.errors import ChangedMeanwhile, NotAllowed, NotFound
from sharebank.core.migrate import upgrade
from sharebank.demo.loader import FOLDER
from sharebank.lending import legacy
from sharebank.lending.terms import read_terms, write_terms
from tests import world
from tests.databases import MIGRATIONS

Find = Callable[[str], Actor]
MANAGER, OTHER_MANAGER, ADMIN = "manager@example.org", "manager.stn@example.org", "admin@example.org"
NOTICE = write_terms({"notice": {"days": 9}})


def values(name: str = "camps", terms: str = NOTICE, before: int = 0) -> dict[str, object]:
    return {"name": name, "buffer_before_min": before, "buffer_after_min": 0, "terms": terms}


# -- databases of before ---------------------------------------------------------------------------


def test_rule_sets_of_an_old_database_mean_what_they_meant(
    empty_database_url: str, tmp_path: Path, postgres_tools: Path
) -> None:
    """Each of the demonstration's, put in the columns of before, becomes what importing its row gives today."""
    engine = create_engine(empty_database_url, poolclass=NullPool)
    before = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, before)
    for file in (before / "versions").glob("*.py"):
        if file.name >= "0004":
            file.unlink()
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert upgrade(engine, before, backup_dir=tmp_path / "backups", now=now).after == "0003"
    with (FOLDER / "rule_sets.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    extreme = {**rows[0], "name": "extreme", "min_notice_days": "3650", "max_advance_days": "0", "requires": ""}
    with engine.begin() as connection:
        for row in [*rows, extreme]:
            old = {name: cell for name, cell in row.items() if not name.endswith("_eur")}
            old["requires"] = json.dumps(row["requires"].split(";") if row["requires"] else [])
            for who in ("member", "association", "external"):
                old[f"fee_{who}_cents"] = int(row[f"fee_{who}_eur"].replace(".", ""))  # type: ignore[assignment]
            names = ", ".join(old)
            marks = ", ".join("CAST(:requires AS json)" if name == "requires" else f":{name}" for name in old)
            if engine.dialect.name == "sqlite":
                marks = marks.replace("CAST(:requires AS json)", ":requires")
            connection.execute(text(f"INSERT INTO rule_set ({names}) VALUES ({marks})"), _typed(old))
    upgrade(engine, MIGRATIONS, backup_dir=tmp_path / "backups", now=now)
    with engine.connect() as connection:
        found = {row["name"]: row for row in connection.execute(text("SELECT * FROM rule_set")).mappings()}
    for row in rows:
        stored = found[row["name"]]
        assert stored["terms"] == write_terms(legacy.from_columns(row)), row["name"]
        assert stored["file_order"] == row["requires"]
        assert f"{stored['buffer_before_min']},{stored['buffer_after_min']}" == (
            f"{row['buffer_before_min']},{row['buffer_after_min']}"
        )
    odd = read_terms("extreme", found["extreme"]["terms"])
    assert (odd["notice"]["days"], odd["advance"]["days"], "undertakings" in odd) == (365, 1, False)
    assert set(found["extreme"]) == {"id", "name", "buffer_before_min", "buffer_after_min", "terms", "file_order"}
    engine.dispose()


def _typed(row: dict[str, str]) -> dict[str, object]:
    return {name: int(cell) if isinstance(cell, str) and cell.isdecimal() else cell for name, cell in row.items()}


# -- what lending reads ----------------------------------------------------------------------------


def test_a_thing_carries_its_rules_and_one_reading_serves_all(app: Flask) -> None:
    terms = world.TERMS | {
        "notice": {"days": 3},
        "approval": {"mode": "own_house_free"},
        "undertakings": {"which": ["charter"]},
        "documents": {"papers": [{"paper": "liability_certificate"}]},
    }
    with transaction() as session:
        rules = session.scalars(select(RuleSet)).one()
        rules.terms, rules.buffer_before_min = write_terms(terms), 15
        session.execute(text("UPDATE organisation SET school_zone = 'A'"))
        session.execute(text("UPDATE resource SET replacement_value_cents = 250, deposit_cents = 100"))
    things = find_things(db.session(), Wish())
    first = things[0]
    assert first.limits == Limits(3, 365, 72, 15, 0)
    assert (first.approval, set(first.requires)) == ("own_house_free", {"charter", "liability_certificate"})
    assert (first.value_cents, first.deposit_cents, first.school_zone, first.rules) == (250, 100, "A", "simple")
    assert first.terms["notice"]["days"] == 3
    assert all(thing.terms is first.terms and thing.limits is first.limits for thing in things)
    locked = catalog.things_by_code(db.session(), [first.code])[first.code]
    assert locked == first


def test_a_catalogue_of_rules_is_two_queries(app: Flask) -> None:
    asked: list[str] = []
    session = db.session()
    session.connection()
    event.listen(db.engine, "before_cursor_execute", lambda *facts: asked.append(facts[2]))
    found = rule_sets.uses(session)
    assert len(asked) == 2
    assert [(use.rule_set.name, use.things, use.total) for use in found] == [("simple", {"MCNG": 3, "STN": 2}, 5)]


# -- who changes them ------------------------------------------------------------------------------


@pytest.mark.parametrize("email", [MANAGER, OTHER_MANAGER, ADMIN])
def test_managers_of_a_house_that_lends_by_them_change_them(app: Flask, actor: Find, email: str) -> None:
    with transaction() as session:
        seen = rule_sets.mark(rule_sets.use(session, "simple").rule_set)
        rule_sets.change(session, actor(email), "simple", seen, values("simple", before=20))
    thing = catalog.things_by_code(db.session(), ["MCNG-R01"])["MCNG-R01"]
    assert (thing.limits.min_notice_days, thing.limits.buffer_before_min) == (9, 20)


def test_nobody_else_does(app: Flask, actor: Find) -> None:
    with transaction() as session:
        rule_sets.create(session, actor(MANAGER), values())
        only_stn = session.scalars(select(RuleSet).where(RuleSet.name == "camps")).one()
        session.scalars(select(Resource).where(Resource.code == "STN-K03")).one().rule_set = only_stn
    session = db.session()
    for email in (MANAGER, "staff.stn@example.org", "member@example.org"):
        with pytest.raises(NotAllowed):
            rule_sets.editable(session, actor(email), "camps")
        with pytest.raises(NotAllowed):
            rule_sets.delete(session, actor(email), "camps")
    for email in (OTHER_MANAGER, ADMIN):
        assert rule_sets.editable(session, actor(email), "camps").things == {"STN": 1}
    for email in ("staff@example.org", "member@example.org"):
        with pytest.raises(NotAllowed):
            rule_sets.create(session, actor(email), values("mine"))
    with pytest.raises(NotFound):
        rule_sets.editable(session, actor(ADMIN), "nothing")


def test_a_name_is_taken_once_whatever_its_case(app: Flask, actor: Find) -> None:
    with transaction() as session:
        rule_sets.create(session, actor(MANAGER), values())
    with pytest.raises(RulesNameTaken), transaction() as session:
        rule_sets.create(session, actor(MANAGER), values("CAMPS"))
    seen = rule_sets.mark(rule_sets.use(db.session(), "camps").rule_set)
    with pytest.raises(RulesNameTaken), transaction() as session:
        rule_sets.change(session, actor(MANAGER), "camps", seen, values("Simple"))
    with transaction() as session:
        rule_sets.change(session, actor(MANAGER), "camps", seen, values("Camps"))


def test_what_something_is_lent_by_is_not_forgotten(app: Flask, actor: Find) -> None:
    with transaction() as session:
        rule_sets.create(session, actor(MANAGER), values())
    with pytest.raises(RulesInUse), transaction() as session:
        rule_sets.delete(session, actor(ADMIN), "simple")
    with transaction() as session:
        rule_sets.delete(session, actor(MANAGER), "camps")
    assert db.session().scalars(select(RuleSet.name)).all() == ["simple"]


# -- two at once -----------------------------------------------------------------------------------


def test_the_second_of_two_editors_is_told(app: Flask, actor: Find) -> None:
    with transaction() as session:
        seen = rule_sets.mark(rule_sets.use(session, "simple").rule_set)
        rule_sets.change(session, actor(MANAGER), "simple", seen, values("simple", before=5))
    with pytest.raises(ChangedMeanwhile), transaction() as session:
        rule_sets.change(session, actor(OTHER_MANAGER), "simple", seen, values("simple", before=50))
    assert rule_sets.use(db.session(), "simple").rule_set.buffer_before_min == 5


def test_so_is_the_second_who_describes_a_thing_or_a_structure(app: Flask, actor: Find) -> None:
    with transaction() as session:
        thing = editing.mark(editing.editable(session, actor(MANAGER), "MCNG-R03"))
        editing.change(session, actor(MANAGER), "MCNG-R03", {"name": "Salle bleue"}, thing)
        body = bodies.mark(bodies.editable(session, actor(MANAGER), "CHORALE"))
        said = dict.fromkeys(bodies.FIELDS, "") | {"member_since": None, "represented_by": "Odile"}
        bodies.change(session, actor(MANAGER), "CHORALE", body, said)
    with pytest.raises(ChangedMeanwhile), transaction() as session:
        editing.change(session, actor(ADMIN), "MCNG-R03", {"name": "Salle verte"}, thing)
    with pytest.raises(ChangedMeanwhile), transaction() as session:
        bodies.change(session, actor(ADMIN), "CHORALE", body, said | {"represented_by": "Amina"})
    session = db.session()
    assert session.scalars(select(Resource.name).where(Resource.code == "MCNG-R03")).one() == "Salle bleue"
    assert session.scalars(select(Organisation.represented_by).where(Organisation.code == "CHORALE")).one() == "Odile"
    for email, code in ((OTHER_MANAGER, "CHORALE"), ("staff@example.org", "CHORALE"), (ADMIN, "XX")):
        with pytest.raises(NotFound):
            bodies.editable(session, actor(email), code)
