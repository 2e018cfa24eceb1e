"""Files in and out, on both databases: all or nothing, every bad row named, and the same shapes back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from sharebank.accounts.models import Membership, Organisation, User
from sharebank.catalog.models import Resource, RuleSet
from sharebank.core.db import Base, db, transaction
from sharebank.demo.loader import FILES, FOLDER, MORE, files
from sharebank.exchange import KINDS, ImportRefused, Report, export_text, import_bytes, import_file
from sharebank.exchange.refusals import UnknownKind
from sharebank.lending.terms import read_terms
from sharebank.reservations.models import Reservation, ReservationEvent, ReservationLine
from tests import world
from tests.conftest import make_app

DATA = Path(__file__).parent.parent / "data"
HEADING = "ref,resource_code,quantity,organisation,user_email,starts_at,ends_at,status,purpose"
Found = list[tuple[int, str, str]]


@pytest.fixture
def empty(database_url: str, tmp_path: Path, frozen: None) -> Iterator[Flask]:
    """The application over a database without a row."""
    app = make_app(database_url, tmp_path)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def stocked(empty: Flask) -> Flask:
    """The three houses, before their reservations."""
    for kind, file, _ in files():
        if kind != "reservations":
            take(kind, file)
    return empty


def take(kind: str, file: Path | str) -> Report:
    """Import a file, or text."""
    with transaction() as session:
        if isinstance(file, str):
            return import_bytes(session, kind, "f.csv", file.encode(), world.NOW, world.PARIS)
        return import_file(session, kind, file, world.NOW, world.PARIS)


def problems(kind: str, file: Path | str) -> Found:
    """What is wrong with a file: line, column and code of each problem; nothing is stored."""
    before = counts()
    with pytest.raises(ImportRefused) as refused:
        take(kind, file)
    assert counts() == before
    return [(problem.line, problem.column, problem.refusal.code) for problem in refused.value.problems]


def give(kind: str) -> str:
    return export_text(db.session(), kind, world.PARIS)


def counts() -> dict[str, int]:
    """Rows of every table."""
    db.session.rollback()
    found = {
        table.name: db.session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
    }
    return {name: count or 0 for name, count in found.items()}


def the(model: type[Resource], code: str) -> Resource:
    db.session.expire_all()
    return db.session.scalars(select(model).where(model.code == code)).one()


def loans(*rows: str, heading: str = HEADING) -> str:
    return "\n".join([heading, *rows]) + "\n"


def test_the_whole_town_comes_back_byte_for_byte_and_imports_again_unchanged(empty: Flask) -> None:
    for kind, file, _ in files():
        take(kind, file)
    whole = counts()
    single = select(func.count()).select_from(Reservation).where(Reservation.series_id.is_(None))
    assert db.session.scalar(single) == 910
    assert whole["reservation"] == whole["reservation_line"] == whole["reservation_event"]
    assert (whole["series"], whole["reservation"] - 910) == (20, 551), "skipped days and what meets a bridge left out"
    assert whole["letter"] == 0
    versions = db.session.scalar(select(func.sum(Resource.calendar_version)))
    for kind, (file, _) in FILES.items():
        text = give(kind)
        given = (FOLDER / file).read_text(encoding="utf-8")
        if kind == "reservations":  # the dates of series are written among them, each a loan like any other
            refs = {line.partition(",")[0] for line in given.splitlines()}
            assert [line for line in text.splitlines() if line.partition(",")[0] in refs] == given.splitlines()
        elif kind == "series":  # the file does not say who asked, the house's records do
            pairs = zip(text.splitlines(), given.splitlines(), strict=True)
            assert [line for line, told in pairs if not line.startswith(f"{told},")] == []
        elif kind not in MORE:
            assert text == given, kind
        assert take(kind, text).rows == text.count("\n") - 1
        assert give(kind) == text
    assert counts() == whole
    assert db.session.scalar(select(func.sum(Resource.calendar_version))) == versions


def test_rule_sets_keep_their_columns_and_add_one_where_these_cannot_say_all(empty: Flask) -> None:
    plain, rich = (
        (FOLDER / file).read_text(encoding="utf-8") for file in (FILES["rule-sets"][0], MORE["rule-sets"][0])
    )
    take("rule-sets", plain)
    assert give("rule-sets") == plain
    take("rule-sets", rich)
    heading, *rows = give("rule-sets").splitlines()
    assert [heading, *rows[9:]] == rich.splitlines()
    assert rows[:9] == [f"{row}," for row in plain.splitlines()[1:]]
    whole = give("rule-sets")
    # A file of the plain columns knows nothing of what only rules can say: that stays.
    bare = list(csv.DictReader(io.StringIO(whole)))
    out = io.StringIO()
    writer = csv.DictWriter(out, [name for name in bare[0] if name != "terms"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(bare)
    take("rule-sets", out.getvalue())
    assert give("rule-sets") == whole
    take("rule-sets", out.getvalue().replace("minibus_adherents_deux_ans,10,", "minibus_adherents_deux_ans,12,"))
    found = read_terms(
        "", db.session.scalars(select(RuleSet.terms).where(RuleSet.name == "minibus_adherents_deux_ans")).one()
    )
    assert (found["notice"]["days"], found["recall"]["days"], found["borrowers"]["member_years"]) == (12, 3, 2)


RULES_HEADING = (FOLDER / "rule_sets.csv").read_text(encoding="utf-8").splitlines()[0] + ",terms"
RULES_ROW = "x,2,365,14,0,15,none,charter,none,0.00,4.00,12.00,hour,"
RULES: list[tuple[str, str, Found]] = [
    ("good", RULES_ROW, []),
    ("rules that are none", RULES_ROW + '"{""notice"":{""days"":""x""}}"', [(2, "terms", "bad_number")]),
    ("an unknown rule", RULES_ROW + '"{""magic"":{}}"', [(2, "terms", "unknown_rule")]),
    ("no JSON", RULES_ROW + "{", [(2, "terms", "bad_terms")]),
    ("a name", RULES_ROW.replace("x,", "a/b,", 1), [(2, "name", "bad_code")]),
    ("priority", RULES_ROW.replace("charter,none", "charter,when we like"), [(2, "priority", "bad_priority")]),
    ("priority too long", RULES_ROW.replace("charter,none", "charter,sat: houses first until 999 days before"),
     [(2, "priority", "bad_priority")]),
    ("required", RULES_ROW.replace("charter", "smile"), [(2, "requires", "not_a_choice")]),
    ("fee", RULES_ROW.replace("12.00", "120000000.00"), [(2, "fee_external_eur", "out_of_bounds")]),
]  # fmt: skip


@pytest.mark.parametrize(("row", "expected"), [pytest.param(*row[1:], id=row[0]) for row in RULES])
def test_rules_of_a_file(app: Flask, row: str, expected: Found) -> None:
    text = f"{RULES_HEADING}\n{row}\n"
    if expected:
        assert problems("rule-sets", text) == expected
    else:
        assert take("rule-sets", text).rows == 1


def test_who_signs_for_a_structure_comes_back(app: Flask) -> None:
    before = give("organisations")
    assert "represented_by" not in before
    heading = "code,name,kind,house,member_since,represented_by,office"
    take("organisations", f"{heading}\nCHORALE,Chorale,association,MCNG,2019-09-01,Odile Sarrazande,présidente\n")
    text = give("organisations")
    assert text.splitlines()[0].endswith(",member_since,represented_by,office")
    assert "2019-09-01,Odile Sarrazande,présidente" in text
    take("organisations", before)
    assert give("organisations") == text.replace("Chorale,assoc", "Chorale du Vieux-Lavoir,assoc"), "not said, it stays"


def test_every_conflicting_row_is_refused_for_its_own_reason(stocked: Flask) -> None:
    take("reservations", FOLDER / "reservations.csv")
    columns = {
        "over_quantity": "quantity",
        "zero_quantity": "quantity",
        "negative_quantity": "quantity",
        "unknown_resource": "resource_code",
        "inactive": "resource_code",
        "unknown_organisation": "organisation",
        "unknown_user": "user_email",
        "user_not_in_organisation": "user_email",
        "duplicate_ref": "ref",
        "ends_before_start": "ends_at",
        "too_long": "ends_at",
    }
    file = DATA / "reservations_conflicting.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 30
    for row in rows:
        expected = row.pop("expected")
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row))
        writer.writeheader()
        writer.writerow(row)
        found = problems("reservations", text.getvalue())
        assert {code for _, _, code in found} == {expected}, row
        assert found[0][1] == columns.get(expected, found[0][1]), row
        assert {column for _, column, _ in found} <= {columns.get(expected), "starts_at", "ends_at"}, row
    together = problems("reservations", file)
    assert [line for line, column, _ in together if column != "ends_at" or line != 31] == list(range(2, 32))


EXCEL = [
    (6, "code", "duplicate_row"),
    (13, "kind", "not_a_choice"),
    (14, "house", "unknown_house"),
    (15, "quantity", "not_whole"),
    (16, "quantity", "not_whole"),
    (17, "code", "missing"),
    (18, "replacement_value_eur", "not_number"),
    (18, "purchased_on", "invalid_date"),
    (19, "rules", "unknown_rule_set"),
    (20, "row", "wrong_width"),
]


def test_a_catalogue_from_excel(stocked: Flask, tmp_path: Path) -> None:
    source = DATA / "messy" / "catalogue_excel_cp1252.csv"
    assert problems("resources", source) == EXCEL
    bad = {line for line, _, _ in EXCEL}
    lines = source.read_bytes().split(b"\r\n")
    good = tmp_path / "good.csv"
    good.write_bytes(b"\r\n".join(line for number, line in enumerate(lines, 1) if number not in bad))
    assert take("resources", good).rows == 8
    tent = the(Resource, "MCNG-E91")
    assert (tent.replacement_value_cents, tent.purchased_on) == (125_000, date(2025, 12, 31))
    assert tent.attributes == {"size_m": "4x4"}
    assert the(Resource, "STN-K91").name == 'Mijoteuse 12 L ; couvercle et "socle" compris'
    assert the(Resource, "ORS-E91").description.startswith('=HYPERLINK("http')
    cups = the(Resource, "STN-K92")
    assert (cups.quantity, cups.deposit_cents) == (1200, None)
    assert "oeuvre d'un collectif" in cups.search_text
    assert the(Resource, "ORS-E92").purchased_on == date(2024, 2, 29)
    room = the(Resource, "MCNG-R91")
    assert (room.description, room.area_m2) == ("Petite salle\navec balcon", Decimal("17.5"))
    assert the(Resource, "ORS-V91").seats is None
    assert the(Resource, "MCNG-E98").description == "-10 % si abîmé"
    text = give("resources")
    assert "'=HYPERLINK" in text
    assert "'-10 % si abîmé" in text
    assert text.splitlines()[0].endswith(",attributes,purchased_on,warranty_until")
    take("resources", text)
    assert give("resources") == text
    assert the(Resource, "MCNG-E98").description == "-10 % si abîmé"


def test_a_catalogue_with_everything_unicode_has(stocked: Flask) -> None:
    report = take("resources", DATA / "messy" / "catalogue_utf8_bom.csv")
    assert report == Report(8)
    assert the(Resource, "MCNG-E71").replacement_value_cents == 125_000
    assert the(Resource, "STN-K71").replacement_value_cents == 234_050
    assert the(Resource, "STN-K72").name == "Tireuse à limonade 🍋"
    assert the(Resource, "ORS-R71").name == "Préau couvert"
    assert the(Resource, "ORS-R71").area_m2 == Decimal("85.5")
    assert "\u200b" not in the(Resource, "MCNG-I71").description


NOT_OURS = [
    ("resources", "empty.csv", (1, "file", "empty_file")),
    ("resources", "binary.csv", (1, "file", "not_text")),
    ("resources", "wrong_header.csv", (1, "header", "missing_columns")),
    ("resources", "pledges_bad.csv", (1, "header", "missing_columns")),
    ("reservations", "pledges_bad.csv", (1, "header", "missing_columns")),
]


def test_files_that_are_something_else(stocked: Flask, tmp_path: Path) -> None:
    for kind, file, expected in NOT_OURS:
        assert problems(kind, DATA / "messy" / file) == [expected], file
    for kind in KINDS:
        assert problems(kind, DATA / "messy" / "wrong_header.csv")[0][2] == "missing_columns"
    huge = tmp_path / "huge_cell.csv"
    heading, row = give("resources").split("\n")[:2]
    cells = row.split(",", 5)
    cells[5] = f'"{"é" * 524_288}",1,"MCNG, réserve",,,,,,,,materiel_courant,'
    huge.write_text("\n".join([heading, ",".join(cells), row]), encoding="utf-8")
    with pytest.raises(ImportRefused, match=r"huge_cell\.csv:2: description: This text has 524288 characters"):
        take("resources", huge)
    with pytest.raises(UnknownKind, match=r"“toys” .* houses, rule-sets"):
        take("toys", "a,b\n")


def test_every_problem_is_a_line_that_names_file_line_and_column(stocked: Flask) -> None:
    with pytest.raises(ImportRefused) as refused:
        take(
            "reservations", loans("A-1,MCNG-R99,x,MCNG,nobody@example.org,2026-12-01T09:00,2026-12-01T10:00,approved,")
        )
    assert str(refused.value).split("\n") == [
        "f.csv:2: quantity: “x” is not a whole number.",
        "f.csv:2: resource_code: There is nothing with the code “MCNG-R99” in the catalogue.",
        "f.csv:2: user_email: Nobody here has the address “nobody@example.org”.",
    ]
    with pytest.raises(ImportRefused) as refused:
        take("reservations", loans("A-1,MCNG-R99,1,MCN,nobody@example.org,2026-12-01T09:00,2026-12-01T10:00,approved,"))
    assert str(refused.value).split("\n") == [
        "f.csv:2: resource_code: There is nothing with the code “MCNG-R99” in the catalogue.",
        "f.csv:2: organisation: There is no structure with the code “MCN”.",
        "f.csv:2: user_email: Nobody here has the address “nobody@example.org”.",
    ]


STAFF, MEMBER = "staff@example.org", "member@example.org"
MANY = f"A-1,STN-K03,40,CHORALE,{MEMBER},2026-12-01T09:00,2026-12-01T10:00,approved,"
HISTORY = "A-1,STN-R01,1,CHORALE,other@example.org,2025-12-01T09:00,2025-12-31T10:00,returned,Trop long jadis"
ROWS: list[tuple[str, list[str], Found]] = [
    ("a row and its neighbour", [MANY, MANY.replace("A-1", "A-2").replace("T10", "T11").replace("T09", "T10")], []),
    ("too many for the rows before", [MANY, MANY.replace("A-1", "A-2")], [(3, "quantity", "over_quantity")]),
    ("what was refused takes nothing", [MANY.replace(",40,", ",61,"), MANY], [(2, "quantity", "over_quantity")]),
    ("one reference, two things", [MANY, MANY.replace("STN-K03,40", "STN-R01,1")], []),
    ("one reference, two lenders", [MANY, MANY.replace("STN-K03,40", "MCNG-R01,1")], [(3, "ref", "duplicate_ref")]),
    ("one reference, one thing twice", [MANY, MANY.replace(",40,", ",1,")], [(3, "ref", "duplicate_ref")]),
    (
        "one reference, two purposes",
        [MANY, MANY.replace("STN-K03,40", "STN-R01,1") + "x"],
        [(3, "ref", "duplicate_ref")],
    ),
    ("the house's own staff for its association", [MANY.replace(MEMBER, STAFF)], []),
    (
        "another house's staff",
        [MANY.replace(MEMBER, "staff.stn@example.org")],
        [(2, "user_email", "user_not_in_organisation")],
    ),
    ("history is not held to today's rules", [HISTORY], []),
    ("but must be well written", [HISTORY.replace("12-31T", "02-31T")], [(2, "ends_at", "invalid_date")]),
    ("at short notice: it has been agreed", [MANY.replace("2026-12-01", "2026-11-21")], []),
    ("French dates", [MANY.replace("2026-12-01T09:00", "01/12/2026 09:00")], []),
    ("a state nobody knows", [MANY.replace("approved", "validée")], [(2, "status", "not_a_choice")]),
    (
        "an hour twice",
        [MANY.replace("2026-12-01T10:00", "2026-10-25T02:30+02:00").replace("2026-12-01", "2026-10-24")],
        [],
    ),
]


@pytest.mark.parametrize(("rows", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_reservations(app: Flask, rows: list[str], expected: Found) -> None:
    if expected:
        assert problems("reservations", loans(*rows)) == expected
        return
    take("reservations", loans(*rows))
    text, whole = give("reservations"), counts()
    assert sorted(text.splitlines()[1:]) == sorted(row.replace("01/12/2026 09:00", "2026-12-01T09:00") for row in rows)
    take("reservations", text)
    assert counts() == whole
    lines = db.session.scalars(select(ReservationLine)).all()
    assert len(lines) == len(rows)
    assert {line.holds for line in lines} == {"returned" not in rows[0]}
    event = db.session.scalars(select(ReservationEvent)).first()
    assert event is not None
    assert (event.at, event.why) == (world.NOW, "")


def test_what_is_out_of_service_is_not_lent(app: Flask) -> None:
    with transaction():
        the(Resource, "STN-K03").in_service = False
    assert problems("reservations", loans(MANY)) == [(2, "resource_code", "inactive")]
    take("reservations", loans(MANY.replace("approved", "cancelled")))


def test_closures_public_loans_and_joint_requests_have_their_columns(app: Flask) -> None:
    heading = f"{HEADING},kind,public,request"
    rows = [
        "A-1,STN-R01,1,STN,staff.stn@example.org,2026-12-01T09:00,2026-12-08T09:00,approved,Travaux,closure,,",
        f"A-2,MCNG-R01,1,CHORALE,{MEMBER},2026-12-01T09:00,2026-12-01T10:00,approved,Concert,,yes,",
        f"A-3,STN-K03,60,CHORALE,{MEMBER},2026-12-01T09:00,2026-12-01T10:00,approved,Concert,,,A-2",
    ]
    text = loans(*rows, heading=heading)
    take("reservations", text)
    assert give("reservations") == text
    take("reservations", text)
    kinds = db.session.execute(select(Reservation.kind, Reservation.public, Reservation.request)).all()
    assert [tuple(row) for row in kinds] == [("closure", False, "A-1"), ("loan", True, "A-2"), ("loan", False, "A-2")]


def test_a_closure_keeps_no_buffers(database_url: str, tmp_path: Path, frozen: None) -> None:
    with make_app(database_url, tmp_path).app_context():
        with transaction() as session:
            world.build(session, before=30, after=30)
        loan = f"A-1,STN-R01,1,CHORALE,{MEMBER},2026-12-01T09:00,2026-12-01T10:00,approved,"
        after = f"A-2,STN-R01,1,CHORALE,{MEMBER},2026-12-01T10:20,2026-12-01T11:00,approved,"
        closed = "A-3,STN-R01,1,STN,staff.stn@example.org,2026-12-01T10:30,2026-12-01T11:00,approved,"
        assert problems("reservations", loans(loan, after)) == [(3, "starts_at", "buffer")]
        take("reservations", loans(f"{loan},", f"{closed},closure", heading=f"{HEADING},kind"))
        db.session.remove()
        db.engine.dispose()


def test_a_pool_does_not_shrink_below_what_is_booked(app: Flask) -> None:
    take("reservations", loans(MANY))
    plates = (
        "code,house,kind,category,name,quantity,rules\nSTN-K03,STN,equipment,Vaisselle,Assiettes plates,{},simple\n"
    )
    assert problems("resources", plates.format(39)) == [(2, "quantity", "fewer_than_promised")]
    take("resources", plates.format(40))
    assert the(Resource, "STN-K03").quantity == 40


def test_what_a_file_does_not_say_stays(app: Flask) -> None:
    heading = "code,house,kind,category,name,quantity,rules"
    take(
        "resources",
        f"{heading},attributes\nMCNG-R01,MCNG,room,Salle,Salle,1,simple,status=inactive; reason=eau; boue\n",
    )
    room = the(Resource, "MCNG-R01")
    assert (room.in_service, room.out_of_service_reason, room.capacity) == (False, "eau; boue", 150)
    take("resources", give("resources"))
    take("resources", f"{heading}\nMCNG-R01,MCNG,room,Salle,Autre nom,1,simple\n")
    room = the(Resource, "MCNG-R01")
    assert (room.in_service, room.out_of_service_reason, room.name) == (False, "eau; boue", "Autre nom")


USERS = "email,first_name,last_name,organisation,role,phone"
PEOPLE: list[tuple[str, list[str], Found]] = [
    ("unknown organisation", ["a@b.org,A,B,NOWHERE,member,"], [(2, "organisation", "unknown_organisation")]),
    ("no role", ["a@b.org,A,B,CHORALE,,"], [(2, "role", "missing")]),
    ("no organisation", ["a@b.org,A,B,,member,"], [(2, "organisation", "missing")]),
    ("no phone", ["a@b.org,A,B,CHORALE,member,12a"], [(2, "phone", "bad_phone")]),
    (
        "an unknown structure in a row with another fault, and beside one",
        ["a@b.org,A,B,NOWHERE,boss,12a", "c@b.org,A,B,ELSEWHERE,member,"],
        [
            (2, "role", "not_a_choice"),
            (2, "phone", "bad_phone"),
            (2, "organisation", "unknown_organisation"),
            (3, "organisation", "unknown_organisation"),
        ],
    ),
    ("unknown role", ["a@b.org,A,B,CHORALE,boss,"], [(2, "role", "not_a_choice")]),
    (
        "one person, two names",
        ["a@b.org,A,B,CHORALE,member,", "A@B.org,A,C,ECHECS,member,"],
        [(3, "last_name", "differs")],
    ),
    (
        "one membership twice",
        ["a@b.org,A,B,CHORALE,member,", "a@b.org,A,B,CHORALE,staff,"],
        [(3, "email", "duplicate_row")],
    ),
]


@pytest.mark.parametrize(("rows", "expected"), [pytest.param(*row[1:], id=row[0]) for row in PEOPLE])
def test_people_refused(app: Flask, rows: list[str], expected: Found) -> None:
    assert problems("users", "\n".join([USERS, *rows])) == expected


def test_people(app: Flask) -> None:
    with transaction() as session:
        session.scalars(select(User).where(User.email == MEMBER)).one().password_hash = "kept"
    rows = [
        "new@example.org,Linh,Nguyễn-Vialonge,CHORALE,member,'+33 6 39 98 00 00",
        "new@example.org,Linh,Nguyễn-Vialonge,ECHECS,staff,'+33 6 39 98 00 00",
        "alone@example.org,Nobody,Nowhere,,,",
        f"{MEMBER},Member,Test,CHORALE,manager,",
    ]
    take("users", "\n".join([USERS, *rows]))
    text, whole = give("users"), counts()
    assert "new@example.org,Linh,Nguyễn-Vialonge,ECHECS,staff,fr,'+33 6 39 98 00 00" in text
    assert "alone@example.org,Nobody,Nowhere,,,fr," in text
    take("users", text)
    assert (give("users"), counts()) == (text, whole)
    by_email = {user.email: user for user in db.session.scalars(select(User))}
    assert by_email["new@example.org"].password_hash is None
    assert by_email["new@example.org"].phone == "+33 6 39 98 00 00"
    assert by_email[MEMBER].password_hash == "kept"
    assert [own.role for own in by_email[MEMBER].memberships] == ["manager"]
    assert db.session.scalar(select(func.count()).select_from(Membership)) == whole["membership"]


def test_who_is_administrator_of_an_association_is_of_everything(app: Flask) -> None:
    report = take("users", f"{USERS}\na@b.org,A,B,CHORALE,admin,\nc@b.org,C,D,MCNG,admin,\n")
    assert [(one.line, one.column, one.refusal.code) for one in report.warnings] == [(2, "role", "runs_everything")]


BODIES = "code,name,kind,house"
BODY_ROWS: list[tuple[str, str, str, Found]] = [
    ("unknown house", "organisations", f"{BODIES}\nX,X,association,MCN\n", [(2, "house", "unknown_house")]),
    ("attached to no house", "organisations", f"{BODIES}\nX,X,association,CHORALE\n", [(2, "house", "unknown_house")]),
    ("a house elsewhere", "organisations", f"{BODIES}\nX,X,house,STN\n", [(2, "house", "own_house")]),
    ("a house made association", "organisations", f"{BODIES}\nSTN,S,partner,STN\n", [(2, "kind", "not_a_house")]),
    ("an association made house", "houses", "code,name\nCHORALE,C\n", [(2, "code", "not_a_house")]),
    ("no name", "houses", "code,name\nNEW,\n", [(2, "name", "missing")]),
    (
        "an unknown house in a row with another fault",
        "organisations",
        f"{BODIES},email\nX,X,association,NOWHERE,x\nY,Y,association,STN,y\n",
        [(2, "email", "bad_email"), (2, "house", "unknown_house"), (3, "email", "bad_email")],
    ),
    (
        "nor is a thing's",
        "resources",
        "code,house,kind,category,name,quantity,rules\nX,NOWHERE,room,Salle,X,x,nothing\n",
        [(2, "quantity", "not_whole"), (2, "house", "unknown_house"), (2, "rules", "unknown_rule_set")],
    ),
    ("bad colour", "houses", "code,name,colour\nNEW,N,red\n", [(2, "colour", "bad_colour")]),
]


@pytest.mark.parametrize(("kind", "text", "expected"), [pytest.param(*row[1:], id=row[0]) for row in BODY_ROWS])
def test_organisations_refused(app: Flask, kind: str, text: str, expected: Found) -> None:
    assert problems(kind, text) == expected


def test_a_house_and_its_association_come_in_one_file(app: Flask) -> None:
    take("organisations", f"{BODIES}\nCLUB,Club,association,NEW\nNEW,Nouvelle maison,house,NEW\n")
    found = db.session.scalars(select(Organisation).where(Organisation.code.in_(["CLUB", "NEW"])))
    assert {body.house.code for body in found if body.house} == {"NEW"}


def test_the_database_guards_an_import_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were our own look at the calendar blind, the database would still refuse, and nothing would be stored."""
    from sharebank.core.errors import DatabaseRefused
    from sharebank.exchange import calendars

    monkeypatch.setattr(calendars.Calendars, "take", lambda *_: None)
    before = counts()
    with pytest.raises(DatabaseRefused):
        take("reservations", loans(MANY, MANY.replace("A-1", "A-2")))
    assert counts() == before
