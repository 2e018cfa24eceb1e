"""The ladder of reminders and the gate, as truth tables."""

from __future__ import annotations

from datetime import date

import pytest

from sharebank.core.overrule import overrule
from sharebank.insurance.rules import (
    KINDS,
    LADDER,
    CertificateLapses,
    CertificateMissing,
    Gap,
    InsuranceLapses,
    InsuranceNotBegun,
    Lapse,
    Reader,
    Span,
    Term,
    gap,
    hindrances,
    month_cell,
    readers_of,
    stage,
    standing,
    successor,
    years_between,
)

TODAY = date(2026, 11, 21)
STAGES = [
    # days left, stage
    (400, None), (61, None),
    (60, 60), (59, 60), (45, 60), (31, 60),
    (30, 30), (25, 30), (15, 30),
    (14, 14), (8, 14),
    (7, 7), (2, 7),
    (1, 1),
    (0, 0), (-1, 0), (-3, 0), (-6, 0),
    (-7, -7), (-9, -7), (-13, -7),
    (-14, -14), (-20, -14), (-21, -21), (-365, -364),
]  # fmt: skip


@pytest.mark.parametrize(("left", "expected"), STAGES)
def test_the_present_rung_of_the_ladder(left: int, expected: int | None) -> None:
    assert stage(date.fromordinal(TODAY.toordinal() + left), TODAY) == expected


def test_the_ladder_as_it_was_agreed() -> None:
    assert LADDER == (60, 30, 14, 7, 1, 0)
    assert set(KINDS) == {
        "vehicle", "premises", "liability", "equipment", "inspection", "fire_safety", "extinguishers",
    }  # fmt: skip


AROUND = [Reader(1, "admin"), Reader(2, "manager"), Reader(3, "member"), Reader(4, "member")]
WHO = [
    ("a house's, early: who is responsible and the managers", 60, 9, True, AROUND, [2, 9]),
    ("a house's, nobody in particular", 30, None, True, AROUND, [2]),
    ("eight days before", 14, 9, True, AROUND, [2, 9]),
    ("from seven days on the administrators too", 7, 9, True, AROUND, [1, 2, 9]),
    ("the day itself", 0, None, True, AROUND, [1, 2]),
    ("lapsed", -14, None, True, AROUND, [1, 2]),
    ("an association's: its people and the managers of its house", 60, None, False, AROUND, [2, 3, 4]),
    ("an association's, near the end", 1, None, False, AROUND, [1, 2, 3, 4]),
    ("nobody looks after it: the administrators", 60, None, True, [Reader(1, "admin")], [1]),
    ("responsible and manager at once: told once", 60, 2, True, AROUND, [2]),
]


@pytest.mark.parametrize(
    ("rung", "responsible", "house", "around", "told"), [pytest.param(*r[1:], id=r[0]) for r in WHO]
)
def test_who_is_told(rung: int, responsible: int | None, house: bool, around: list[Reader], told: list[int]) -> None:
    assert readers_of(rung, responsible, house, around) == told


def day(text: str | None) -> date | None:
    return date.fromisoformat(f"2026-{text}") if text else None


def span(starts: str | None, ends: str, contract: str = "C") -> Span:
    until = day(ends)
    assert until
    return Span("Body", contract, day(starts), until)


GAPS = [
    ("covered", [span("01-01", "12-31")], "06-01", "06-03", None),
    ("no start means since ever", [span(None, "12-31")], "06-01", "06-03", None),
    ("its last day counts", [span("01-01", "06-03")], "06-01", "06-03", None),
    ("its first day counts", [span("06-01", "12-31")], "06-01", "06-03", None),
    ("ends a day early", [span("01-01", "06-02")], "06-01", "06-03", ("06-03", "06-02")),
    ("over before", [span("01-01", "05-02")], "06-01", "06-03", ("06-01", "05-02")),
    ("two that follow each other", [span("06-02", "12-31"), span("01-01", "06-01")], "06-01", "06-03", None),
    ("a day between two", [span("06-03", "12-31"), span("01-01", "06-01")], "06-01", "06-03", ("06-02", "06-01")),
    ("overlapping", [span("01-01", "06-02"), span("05-01", "06-03"), span("06-03", "07-01")], "06-01", "06-09", None),
    ("begins later only", [span("06-02", "12-31")], "06-01", "06-03", ("06-01", "12-31")),
    ("nothing at all", [], "06-01", "06-03", ("06-01", None)),
]  # fmt: skip


@pytest.mark.parametrize(("spans", "first", "last", "expected"), [pytest.param(*r[1:], id=r[0]) for r in GAPS])
def test_the_first_day_without_cover(
    spans: list[Span], first: str, last: str, expected: tuple[str, str | None] | None
) -> None:
    since, until = day(first), day(last)
    assert since
    assert until
    hole = gap(spans, since, until)
    if expected is None:
        assert hole is None
        return
    assert hole
    assert (hole.day, hole.span and hole.span.ends_on) == (day(expected[0]), day(expected[1]))
    assert hole.begins_late == (expected[1] is not None and expected[1] >= expected[0])


def lapse(kind: str = "vehicle", house: int = 1, hole: Gap | None = None) -> Lapse:
    return Lapse("MCNG-V01", "Minibus", house, kind, hole or Gap(date(2026, 12, 1), span("01-01", "11-30", "PB-417")))


LATE = Gap(date(2026, 12, 1), Span("Body", "PB-417", date(2026, 12, 5), date(2027, 12, 4)))
GATE = [
    ("nothing lapses", [], {1}, "", {}),
    ("a thing's lapse", [lapse()], {1}, "", (InsuranceLapses, True)),
    ("a reason of the owner's staff", [lapse()], {1}, "Avenant reçu", {1: "Avenant reçu (PB-417 → 2026-11-30)"}),
    ("blanks are no reason", [lapse()], {1}, "  ", (InsuranceLapses, True)),
    ("a reason of somebody else", [lapse()], {2}, "Allez", (InsuranceLapses, False)),
    ("of one house out of two", [lapse(), lapse(house=2)], {1}, "Bon", (InsuranceLapses, False)),
    ("two checks at once, one reason", [lapse(), lapse("inspection")], {1}, "Bon", {1: "Bon (PB-417 → 2026-11-30)"}),
    ("it begins later", [lapse(hole=LATE)], {1}, "", (InsuranceNotBegun, True)),
    ("no certificate", [lapse("liability", hole=Gap(TODAY, None))], {1}, "", (CertificateMissing, None)),
    ("no reason makes up for a certificate", [lapse("liability")], {1}, "Promis", (CertificateLapses, None)),
    ("a certificate that begins later", [lapse("liability", hole=LATE)], {1}, "", (CertificateMissing, None)),
]


@pytest.mark.parametrize(("lapses", "own", "reason", "expected"), [pytest.param(*r[1:], id=r[0]) for r in GATE])
def test_what_passes_the_gate(lapses: list[Lapse], own: set[int], reason: str, expected: object) -> None:
    if isinstance(expected, dict):
        assert overrule(hindrances(lapses, "Chorale"), own, reason) == expected
        return
    assert isinstance(expected, tuple)
    with pytest.raises(expected[0]) as refused:
        overrule(hindrances(lapses, "Chorale"), own, reason)
    assert type(refused.value) is expected[0]
    assert refused.value.status == 422
    assert getattr(refused.value, "overridable", None) is expected[1]


def test_a_refusal_names_the_contract_and_the_day() -> None:
    assert str(InsuranceLapses(lapse())) == (
        "Minibus: Vehicle insurance (PB-417), good until 2026-11-30. It cannot be lent beyond that day."
    )
    assert "good from 2026-12-05 on" in str(InsuranceNotBegun(lapse(hole=LATE)))
    with pytest.raises(CertificateLapses, match=r"^Chorale: the liability certificate \(PB-417\) .* 2026-11-30"):
        overrule(hindrances([lapse("liability")], "Chorale"), {1}, "")


HEAD = Term(1, "vehicle", frozenset({7}), "Peuplier", date(2025, 1, 1), date(2025, 12, 31))


def after(**changed: object) -> Term:
    facts = {
        "holder_id": 1, "kind": "vehicle", "things": frozenset({7}), "body": "Other",
        "starts_on": date(2026, 1, 1), "ends_on": date(2026, 12, 31),
    }  # fmt: skip
    return Term(**{**facts, **changed})  # type: ignore[arg-type]


HEIRS = [
    ("the next year's", after(), True),
    ("of more things", after(things=frozenset({7, 8})), True),
    ("after a gap", after(starts_on=date(2026, 2, 1)), True),
    ("beside it", after(starts_on=date(2025, 6, 1)), False),
    ("of other things", after(things=frozenset({8})), False),
    ("of another kind", after(kind="inspection"), False),
    ("of another house", after(holder_id=2), False),
    ("nobody knows since when", after(starts_on=None), False),
]


@pytest.mark.parametrize(("other", "expected"), [pytest.param(*r[1:], id=r[0]) for r in HEIRS])
def test_what_takes_over(other: Term, expected: bool) -> None:
    assert (successor(HEAD, [HEAD, other]) == 1) is expected


def test_liability_is_taken_over_by_the_same_insurer_only() -> None:
    old = after(kind="liability", things=frozenset(), starts_on=None, ends_on=date(2025, 12, 31), body="A")
    same = after(kind="liability", things=frozenset(), body="A")
    assert successor(old, [after(kind="liability", things=frozenset(), body="B"), same]) == 1


CELLS = [
    ("covered all along", [span("01-01", "12-31")], ("covered", None)),
    ("ends in it", [span("01-01", "06-14")], ("until", "06-14")),
    ("ends on its last day", [span("01-01", "06-30")], ("covered", None)),
    ("begins in it", [span("06-10", "12-31")], ("from", "06-10")),
    ("over", [span("01-01", "05-31")], ("over", None)),
    ("not yet", [span("07-01", "12-31")], ("before", None)),
    ("renewed in it without a gap", [span("01-01", "06-14"), span("06-15", "12-31")], ("covered", None)),
    ("renewed in it after a gap", [span("01-01", "06-14"), span("06-20", "12-31")], ("until", "06-14")),
    ("over, renewed in it", [span("01-01", "05-14"), span("06-20", "12-31")], ("from", "06-20")),
]


@pytest.mark.parametrize(("spans", "expected"), [pytest.param(*r[1:], id=r[0]) for r in CELLS])
def test_a_month_of_the_year(spans: list[Span], expected: tuple[str, str | None]) -> None:
    assert month_cell(spans, date(2026, 6, 1), date(2026, 6, 30)) == (expected[0], day(expected[1]))


def test_how_it_stands_and_how_long_it_was_held() -> None:
    ends = (None, date(2026, 11, 20), TODAY, date(2027, 1, 20), date(2027, 1, 21))
    assert [standing(end, TODAY) for end in ends] == ["unknown", "lapsed", "due", "due", "fine"]
    held = [years_between(date(2023, 11, 22), TODAY), years_between(date(2023, 11, 21), TODAY)]
    assert held == [2, 3]
    assert years_between(date(2024, 2, 29), date(2027, 2, 28)) == 2
