"""The field's cases, each a rule set of the demonstration data, at work.

Schools are closed from 19 December 2026 to 3 January 2027 and from 13 to 28 February; it is asked on 21 November 2026.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date

import pytest

from sharebank.lending.facts import Asked, Paper
from sharebank.lending.kinds import sentence
from sharebank.lending.legacy import to_columns
from sharebank.lending.terms import read_terms, write_terms
from tests.lending_facts import (
    ADA,
    ASSOCIATION,
    FIELD,
    HOUSE,
    OWN,
    OWN_HOUSE,
    PARTNER,
    at,
    field_set,
    gear,
    judged,
    plain,
    room,
    trip,
)  # fmt: skip

AGAIN = replace(ASSOCIATION, loans_this_year=1)
EVENT = Paper("event_certificate", date(2027, 12, 31))
COPIES = Paper("licence_copies", date(2027, 12, 31))
FORM = Paper("form")
STATUTES, OFFICERS = Paper("statutes", date(2012, 1, 1)), Paper("officers", date(2026, 12, 31))
SATURDAY, WEDNESDAY = "12-12 09:00 / 12-12 18:00", "12-09 13:00 / 12-09 18:00"
CASES: list[tuple[str, str, Asked, dict[str, str]]] = [
    # rule set, what happens, what is asked, what is not kept and what it does
    ("minibus_priorite_services", "others at week-ends", trip(SATURDAY), {}),
    ("minibus_priorite_services", "a weekday, services first",
     trip("12-08 09:00 / 12-08 18:00"), {"priority": "refuse"}),
    ("minibus_priorite_services", "the service itself", trip("12-08 09:00 / 12-08 18:00", borrower=OWN_HOUSE), {}),
    ("minibus_priorite_services", "a weekday left over, two weeks ahead", trip("12-03 09:00 / 12-03 18:00"), {}),
    ("minibus_priorite_services", "a Wednesday two weeks ahead is not yet", trip(WEDNESDAY), {"priority": "refuse"}),
    ("minibus_priorite_services", "Friday morning, even for another house, a week ahead",
     trip("12-04 09:00 / 12-04 11:00", borrower=HOUSE), {"priority": "refuse"}),
    ("minibus_priorite_services", "Friday afternoon", trip("12-04 13:00 / 12-04 18:00"), {}),
    ("minibus_priorite_services", "school holidays", trip("02-20 09:00 / 02-20 18:00"), {"priority": "refuse"}),
    ("minibus_priorite_services", "301 km away", trip(SATURDAY, distance_km=301), {"radius": "refuse"}),
    ("minibus_priorite_services", "no driver is supplied", trip(SATURDAY, drivers=()), {"drivers": "refuse"}),
    ("minibus_priorite_services", "nine seats", trip(SATURDAY, headcount=10), {"headcount": "refuse"}),
    ("minibus_jours_reserves", "a week-end, papers shown",
     trip("2027-01-09 09:00 / 2027-01-09 18:00", papers=(COPIES,)), {}),
    ("minibus_jours_reserves", "not for partners",
     trip("2027-01-09 09:00 / 2027-01-09 18:00", papers=(COPIES,), borrower=PARTNER),
     {"borrowers": "refuse"}),
    ("minibus_jours_reserves", "weekdays are reserved, always",
     trip("2027-01-05 09:00 / 2027-01-05 18:00", papers=(COPIES,)),
     {"priority": "refuse"}),
    ("minibus_jours_reserves", "three weeks’ notice is not a month",
     trip(SATURDAY, papers=(COPIES,)), {"notice": "refuse"}),
    ("minibus_jours_reserves", "without copies of the licences",
     trip("2027-01-09 09:00 / 2027-01-09 18:00"), {"documents": "approve"}),
    ("minibus_adherents_deux_ans", "a member of six years", trip(SATURDAY, borrower=OWN), {}),
    ("minibus_adherents_deux_ans", "a member since last year",
     trip(SATURDAY, borrower=replace(OWN, member_since=date(2025, 9, 1))),
     {"borrowers": "refuse"}),
    ("minibus_adherents_deux_ans", "a member of another house", trip(SATURDAY), {"borrowers": "refuse"}),
    ("minibus_convention_annuelle", "the form is there, a driver of ten years", trip(SATURDAY, papers=(FORM,)), {}),
    ("minibus_convention_annuelle", "a driver of two years",
     trip(SATURDAY, papers=(FORM,), drivers=(replace(ADA, licence_since=date(2024, 12, 1)),)), {"drivers": "refuse"}),
    ("minibus_convention_annuelle", "a driver who is no member",
     trip(SATURDAY, papers=(FORM,), drivers=(replace(ADA, member=False),)), {"drivers": "refuse"}),
    ("minibus_convention_annuelle", "nothing said of the luggage", trip(SATURDAY, papers=(FORM,), purpose="Ski"),
     {"purpose": "refuse"}),
    ("minibus_deux_semaines_un_mois", "three weeks ahead", trip(SATURDAY, papers=(FORM,), quantity=4), {}),
    ("minibus_deux_semaines_un_mois", "ten days ahead",
     trip("12-01 09:00 / 12-01 18:00", papers=(FORM,)), {"notice": "refuse"}),
    ("minibus_deux_semaines_un_mois", "five weeks ahead",
     trip("12-26 09:00 / 12-26 18:00", papers=(FORM,)), {"advance": "refuse"}),
    ("minibus_deux_semaines_un_mois", "five vehicles",
     trip(SATURDAY, papers=(FORM,), together=5), {"quantity": "refuse"}),
    ("minibus_deux_semaines_un_mois", "served already this year",
     trip(SATURDAY, papers=(FORM,), borrower=AGAIN), {"quota": "approve"}),
    ("minibus_deux_semaines_un_mois", "the file is not complete", trip(SATURDAY), {"documents": "approve"}),
    ("salle_associations", "all papers, keys the day before",
     room(SATURDAY, papers=(STATUTES, OFFICERS), collect_at=at("12-11 17:00"),
     return_at=at("12-13 09:00")), {}),
    ("salle_associations", "keys two days before",
     room(SATURDAY, papers=(STATUTES, OFFICERS), collect_at=at("12-10 17:00")),
     {"collection": "refuse"}),
    ("salle_associations", "the first time, without statutes",
     room(SATURDAY, papers=(OFFICERS,)), {"documents": "approve"}),
    ("salle_associations", "fourteen days ahead",
     room("12-05 09:00 / 12-05 18:00", papers=(STATUTES, OFFICERS)), {"notice": "refuse"}),
    ("salle_associations", "associations only",
     room(SATURDAY, papers=(STATUTES, OFFICERS), borrower=PARTNER), {"borrowers": "refuse"}),
    ("salle_jours_de_fermeture", "begins in a window", room("12-12 09:30 / 12-12 13:00"), {}),
    ("salle_jours_de_fermeture", "begins between windows", room("12-12 11:00 / 12-12 13:00"), {"use": "refuse"}),
    ("salle_jours_de_fermeture", "a Sunday has neither window nor opening", room("12-13 09:30 / 12-13 11:00"),
     {"use": "refuse", "seasons": "refuse"}),
    ("salle_jours_de_fermeture", "three weeks in August",
     room("2027-08-20 09:30 / 2027-08-20 11:00"), {"seasons": "refuse"}),
    ("salle_jours_de_fermeture", "Easter Monday", room("2027-03-29 09:30 / 2027-03-29 11:00"), {"seasons": "refuse"}),
    ("salle_planning_annuel", "wished for by June",
     room("2027-10-04 18:00 / 2027-10-04 20:00", asked_at=at("2027-06-15 10:00")), {}),
    ("salle_planning_annuel", "a slot left over", room("2027-03-08 18:00 / 2027-03-08 20:00"), {"deadline": "approve"}),
    ("salle_planning_annuel", "nothing in school holidays",
     room("2027-10-25 18:00 / 2027-10-25 20:00", asked_at=at("2027-06-01")),
     {"seasons": "refuse"}),
    ("salle_creneaux_hebdomadaires", "asked by 15 May",
     room("2027-09-13 18:00 / 2027-09-13 20:00", asked_at=at("2027-05-15 12:00")), {}),
    ("salle_creneaux_hebdomadaires", "asked on 16 May",
     room("2027-09-13 18:00 / 2027-09-13 20:00", asked_at=at("2027-05-16 12:00")),
     {"deadline": "approve"}),
    ("salle_creneaux_hebdomadaires", "school holidays are asked for separately",
     room("2027-10-25 18:00 / 2027-10-25 20:00", asked_at=at("2027-05-01")), {"priority": "approve"}),
    ("salle_creneaux_hebdomadaires", "closed in summer",
     room("2027-08-10 18:00 / 2027-08-10 20:00", asked_at=at("2027-05-01"), borrower=HOUSE),
     {"seasons": "refuse"}),
    ("salle_annulation_moitie", "a week-end", room("12-11 17:00 / 12-13 18:00"), {}),
    ("salle_polyvalente", "from the eve to the morrow", room("12-18 17:00 / 12-20 10:00"), {}),
    ("salle_attestation_datee", "the list is not due yet", room(SATURDAY, papers=(EVENT,)), {}),
    ("salle_attestation_datee", "a certificate that names neither room nor dates",
     room(SATURDAY), {"documents": "approve"}),
    ("salle_attestation_datee", "nine days before, without the list",
     room(SATURDAY, papers=(EVENT,), asked_at=at("12-03 08:00")), {"notice": "refuse", "documents": "approve"}),
    ("salle_interet_general", "the first of the year, nine working days ahead",
     room("12-03 09:00 / 12-03 12:00"), {"notice": "refuse"}),
    ("salle_interet_general", "ten", room("12-04 09:00 / 12-04 12:00"), {}),
    ("salle_interet_general", "a later one, two", room("11-24 09:00 / 11-24 12:00", borrower=AGAIN), {}),
    ("salle_interet_general", "a later one, one",
     room("11-23 09:00 / 11-23 12:00", borrower=AGAIN), {"notice": "refuse"}),
    ("materiel_associations_dabord", "associations, far ahead", gear("2027-06-12 09:00 / 2027-06-12 18:00"), {}),
    ("materiel_associations_dabord", "others wait until three months before",
     gear("2027-06-12 09:00 / 2027-06-12 18:00", borrower=PARTNER), {"priority": "refuse"}),
    ("materiel_associations_dabord", "then they may", gear("02-06 09:00 / 02-06 18:00", borrower=PARTNER), {}),
    ("materiel_associations_dabord", "a second loan by agreement",
     gear("02-06 09:00 / 02-06 18:00", borrower=AGAIN), {"quota": "approve"}),
    ("materiel_six_semaines", "six weeks, one delivery",
     gear("01-09 09:00 / 01-10 18:00", collect_at=at("01-08 10:00"), return_at=at("01-11 10:00")),
     {}),
    ("materiel_six_semaines", "five",
     gear("12-26 09:00 / 12-27 18:00", collect_at=at("12-25 10:00"), return_at=at("12-28 10:00")),
     {"notice": "refuse"}),
    ("materiel_six_semaines", "not delivered on Saturdays",
     gear("01-09 11:00 / 01-10 18:00", collect_at=at("01-09 10:00"),
     return_at=at("01-11 10:00")), {"collection": "refuse"}),
    ("vaisselle_caisses", "as many as wanted", gear(SATURDAY, quantity=120), {}),
    ("materiel_adherents_cinq", "five things", gear(SATURDAY, borrower=OWN, together=5), {}),
    ("materiel_adherents_cinq", "six", gear(SATURDAY, borrower=OWN, together=6), {"quantity": "refuse"}),
    ("materiel_adherents_cinq", "members only", gear(SATURDAY), {"borrowers": "refuse"}),
    ("materiel_casse_dix_pour_cent", "three months ahead", gear("02-20 09:00 / 02-20 18:00"), {}),
    ("materiel_casse_dix_pour_cent", "less", gear("02-18 09:00 / 02-18 18:00"), {"notice": "refuse"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wish", "expected"), [(c[0], *c[2:]) for c in CASES], ids=[": ".join(c[:2]) for c in CASES]
)
def test_a_case_of_the_field(name: str, wish: Asked, expected: dict[str, str]) -> None:
    found = judged(field_set(name), replace(wish, rules=name))
    assert {kind: effect for kind, effect, _ in found} == expected


def rows() -> list[dict[str, str]]:
    with FIELD.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_rule_set_of_the_field_stands_in_the_table() -> None:
    assert {case[0] for case in CASES} == {row["name"] for row in rows()}
    assert len(rows()) == 18, "as many as the field has cases"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["name"])
def test_their_file_is_canonical_and_reads_back_in_words(row: dict[str, str]) -> None:
    terms = read_terms(row["name"], row["terms"])
    assert write_terms(terms) == row["terms"]
    cells = to_columns(terms)
    assert {name: row[name] for name in cells} == cells
    assert plain(sentence(terms)).startswith(f"{row['name']}: ")
