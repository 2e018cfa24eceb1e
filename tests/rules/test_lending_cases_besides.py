"""What the field's cases say besides: approval, agreement, prices, charges, with the same rule sets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sharebank.lending.approval import agreement, approval, lapses_at, recall_until, silence
from sharebank.lending.facts import Record
from sharebank.lending.kinds import breaches
from sharebank.lending.prices import cancellation_fee, charges, quote
from tests.lending_facts import NOW, OWN, PARTNER, at, field_set, gear, room, trip

SATURDAY = "12-12 09:00 / 12-12 18:00"


def test_an_elected_person_approves_and_two_do_a_long_loan() -> None:
    terms = field_set("minibus_jours_reserves")
    assert approval(terms, trip(SATURDAY, borrower=OWN)).needed
    assert not approval(terms, trip(SATURDAY)).second
    assert approval(terms, trip("2027-01-08 09:00 / 2027-01-11 10:00")).second


def test_the_owner_may_recall_the_vehicle_and_silence_is_no() -> None:
    terms = field_set("minibus_adherents_deux_ans")
    assert recall_until(terms, at("12-12 09:00")) == at("12-09 09:00")
    assert silence(terms) == "decline"
    assert lapses_at(terms, NOW, at("12-12 09:00")) == NOW + timedelta(days=7)
    assert recall_until(field_set("salle_jours_de_fermeture"), at("12-12 09:00")) == at("12-12 09:00")


def test_a_yearly_agreement_with_a_form_each_loan_or_one_a_loan() -> None:
    yearly, each = agreement(field_set("minibus_convention_annuelle")), agreement(field_set("salle_associations"))
    assert (yearly.mode, yearly.short_form, yearly.firm) == ("annual", True, "signed")
    assert (each.mode, each.firm) == ("per_loan", "signed")


def test_the_committee_decides_twice_above_four_hours() -> None:
    terms = field_set("salle_planning_annuel")
    assert approval(terms, room("2027-03-08 18:00 / 2027-03-08 22:00")).needed
    assert not approval(terms, room("2027-03-08 18:00 / 2027-03-08 22:00")).second
    assert approval(terms, room("2027-03-08 18:00 / 2027-03-08 22:30")).second


def test_half_a_week_end_is_owed_less_than_a_month_before() -> None:
    terms, wish = field_set("salle_annulation_moitie"), room("12-11 17:00 / 12-13 18:00")
    told = quote(terms, wish)
    assert told.total_cents == 6000
    assert cancellation_fee(terms, told, at("11-21 09:00"), wish.start, wish.end)[0] == 3000
    assert cancellation_fee(terms, told, at("2026-11-11 09:00"), wish.start, wish.end) == (0, None)


def test_one_day_runs_from_the_eve_to_the_morrow_with_cleaning_and_an_advance() -> None:
    terms, wish = field_set("salle_polyvalente"), room("12-18 17:00 / 12-20 10:00", borrower=PARTNER)
    told = quote(terms, wish)
    assert [(line.label, line.cents) for line in told.lines] == [("Hire", 50000), ("Forfait ménage", 30000)]
    assert told.advance_cents == 24000
    assert [one.kind for one in told.deposits] == ["money", "money"]
    assert quote(terms, replace(wish, borrower=OWN)).total_cents == 0
    assert quote(terms, replace(wish, end=at("12-20 10:30"))).lines[0].cents == 100000


def test_crockery_is_counted_at_the_return() -> None:
    terms = field_set("salle_attestation_datee")
    assert [one.cents for one in quote(terms, room(SATURDAY)).deposits] == [70000]
    owed = charges(terms, Record("Salle Lumière", named_pieces={"Verre": 4, "Assiette": 2}))
    assert [(one.kind, one.cents) for one in owed] == [("loss", 800), ("loss", 900)]


@pytest.mark.parametrize(
    ("people", "options", "cents"),
    [(20, (), 2000), (30, (), 4500), (80, (), 9000), (80, ("Activité d’intérêt général",), 0)],
)
def test_free_when_of_general_interest_else_by_size(people: int, options: tuple[str, ...], cents: int) -> None:
    wish = room("12-12 09:00 / 12-12 13:00", headcount=people, options=options)
    assert quote(field_set("salle_interet_general"), wish).total_cents == cents


def test_an_opened_crate_is_washed_and_a_lost_piece_has_its_price() -> None:
    terms = field_set("vaisselle_caisses")
    assert quote(terms, gear(SATURDAY, quantity=120)).total_cents == 1200
    owed = charges(terms, Record("Assiettes", pieces_out=120, pieces_back=118, dirty=40, late=timedelta(days=2)))
    assert [(one.kind, one.cents) for one in owed] == [("late", 1000), ("loss", 500), ("cleaning", 600)]


def test_eighty_euros_or_an_employer_s_letter_and_eight_days_to_report() -> None:
    terms = field_set("materiel_adherents_cinq")
    assert [(d.cents, d.kind) for d in quote(terms, gear(SATURDAY, borrower=OWN)).deposits] == [(8000, "letter")]
    assert terms["charges"]["report_days"] == 8


@pytest.mark.parametrize(
    ("name", "record", "owed"),
    [
        ("materiel_casse_dix_pour_cent", Record("Vidéoprojecteur", broken=1, value_cents=45000), [("damage", 4500)]),
        ("materiel_casse_dix_pour_cent", Record("Vidéoprojecteur", missing=1, value_cents=45000), [("loss", 45000)]),
        ("materiel_associations_dabord", Record("Barnum", missing=1, value_cents=60000), [("loss", 60000)]),
        ("minibus_convention_annuelle", Record("Minibus", late=timedelta(minutes=45)), [("late", 1000)]),
        ("minibus_convention_annuelle", Record("Minibus", late=timedelta(days=3)), [("late", 10000)]),
        ("minibus_convention_annuelle", Record("Minibus", unclean=True), [("cleaning", 3000)]),
    ],
)
def test_what_is_owed_after_the_return(name: str, record: Record, owed: list[tuple[str, int]]) -> None:
    assert [(one.kind, one.cents) for one in charges(field_set(name), record)] == owed


def test_deposit_and_kilometres_of_the_minibus() -> None:
    terms = field_set("minibus_convention_annuelle")
    told = quote(terms, trip(SATURDAY, thing="Minibus"))
    assert ([d.cents for d in told.deposits], told.estimate_cents) == ([50000], 240 * 32)
    assert [(one.kind, one.cents) for one in charges(terms, Record("Minibus", km=250), told)] == [("km", 200 * 32)]


def test_a_rule_set_that_asks_nothing_of_a_house_s_own() -> None:
    assert breaches(field_set("materiel_associations_dabord"), gear(SATURDAY, borrower=OWN)) == []
