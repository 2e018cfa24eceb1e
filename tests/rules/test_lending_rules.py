"""What the rules of a set say together: who is bound, who decides, what is asked, how they read."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from sharebank.lending.approval import (
    Agreement,
    Approval,
    agreement,
    approval,
    lapses_at,
    recall_until,
    silence,
    undertakings,
)
from sharebank.lending.facts import EFFECTS, Asked
from sharebank.lending.kinds import FORM_FIELDS, GATHERED, KINDS, breaches, needs, sentence, words
from sharebank.lending.when import last_before
from tests.lending_facts import ASSOCIATION, HOUSE, NOW, OWN, asked, at, judged, plain, terms

ONCE = replace(ASSOCIATION, loans_this_year=1)


def test_what_is_said_names_the_thing_the_day_and_the_rule_set() -> None:
    (breach,) = breaches(terms(notice={"days": 15}), asked("12-01 09:00 / 12-01 12:00"))
    assert plain(breach.said) == ("Minibus Oslo must be asked for 15 days ahead: from 2026-12-06 on (rules “minibus”).")


def test_staff_is_bound_by_what_the_thing_cannot_do_not_by_what_the_house_wishes() -> None:
    rules = terms(
        notice={"days": 60}, length={"hours": 2}, headcount={}, quota={"loans": 1}, borrowers={"own_only": True}
    )
    wish = asked(headcount=12, borrower=ONCE)
    assert {kind for kind, _, _ in judged(rules, wish)} == {"notice", "length", "headcount", "quota", "borrowers"}
    assert {kind for kind, _, _ in judged(rules, wish, staff=True)} == {"length", "headcount"}
    assert {name for name, kind in KINDS.items() if kind.binds_staff} == {"length", "headcount"}


NEEDS = [
    ({"notice": {"days": 3}, "length": {"hours": 4}}, set()),
    ({"notice": {"days": 3, "again_days": 0}}, {"history"}),
    ({"quota": {"loans": 2}}, {"history"}),
    ({"headcount": {}}, {"headcount"}),
    ({"radius": {"km": 9}}, {"distance_km"}),
    ({"collection": {}}, {"collect_at", "return_at"}),
    ({"drivers": {"named": False}}, set()),
    ({"drivers": {}}, {"drivers"}),
    ({"documents": {"papers": [{"paper": "liability_certificate"}]}}, set()),
    ({"documents": {"papers": [{"paper": "statutes"}]}}, {"papers"}),
    ({"prices": {"grid": [{"audience": ["everyone"], "unit": "km", "cents": 30}]}}, {"distance_km"}),
    ({"prices": {"grid": [{"audience": ["everyone"], "unit": "person", "cents": 30}]}}, {"headcount"}),
    ({"prices": {"options": [{"name": "Ménage", "cents": 3000}]}}, {"options"}),
    ({"purpose": {}}, {"purpose"}),
]


@pytest.mark.parametrize(("rules", "expected"), NEEDS)
def test_the_form_asks_only_what_some_rule_wants(rules: dict[str, Any], expected: set[str]) -> None:
    assert needs(terms(**rules)) == expected
    assert expected <= FORM_FIELDS | GATHERED


ALWAYS, FREE = {"mode": "always"}, {"mode": "own_house_free"}
APPROVALS = [
    ("no rule", {}, asked(), Approval(False)),
    ("none", {"approval": {"mode": "none"}}, asked(), Approval(False)),
    ("always, its own too", {"approval": ALWAYS}, asked(borrower=OWN), Approval(True)),
    ("its own are free", {"approval": FREE}, asked(borrower=OWN), Approval(False)),
    ("another house is not its own", {"approval": FREE}, asked(borrower=HOUSE), Approval(True)),
    ("a rule not kept asks for it", {"approval": FREE, "notice": {"days": 99, "effect": "approve"}},
     asked(borrower=OWN), Approval(True)),
    ("a rule that makes it dearer does not", {"quota": {"loans": 1, "effect": "dearer"}}, asked(borrower=ONCE),
     Approval(False)),
    ("two above 8 hours", {"approval": {**ALWAYS, "second_above_hours": 8}}, asked(), Approval(True, True)),
    ("one for 9 hours", {"approval": {**ALWAYS, "second_above_hours": 9}}, asked(), Approval(True)),
    ("two above 30 people", {"approval": {**FREE, "second_above_headcount": 30}}, asked(headcount=31, borrower=OWN),
     Approval(True, True)),
    ("one for 30", {"approval": {**ALWAYS, "second_above_headcount": 30}}, asked(headcount=30), Approval(True)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "wish", "expected"), [row[1:] for row in APPROVALS], ids=[row[0] for row in APPROVALS]
)
def test_who_has_to_say_yes(rules: dict[str, Any], wish: Asked, expected: Approval) -> None:
    found = terms(**rules)
    assert approval(found, wish, breaches(found, wish)) == expected


@pytest.mark.parametrize("effect", ["expire", "approve", "decline", "remind"])
def test_silence(effect: str) -> None:
    rules = terms(approval={**ALWAYS, "silence_days": 5, "silence": effect})
    assert silence(rules) == effect
    assert lapses_at(rules, NOW, at("12-12 09:00")) == at("11-26 09:00")
    assert lapses_at(rules, NOW, at("11-24 09:00")) == at("11-24 09:00"), "never after the loan would begin"


def test_no_silence_without_days() -> None:
    for rules in (terms(), terms(approval=ALWAYS)):
        assert silence(rules) is None
        assert lapses_at(rules, NOW, at("12-12 09:00")) is None


def test_agreement_recall_and_undertakings() -> None:
    rules = terms(
        agreement={"mode": "annual", "short_form": True, "firm": "signed"},
        recall={"days": 3},
        undertakings={"which": ["kitchen_training", "charter"]},
    )
    assert agreement(rules) == Agreement("annual", True, "signed")
    assert agreement(terms()) == Agreement("none", False, "approval")
    assert recall_until(rules, at("12-12 09:00")) == at("12-09 09:00")
    assert recall_until(terms(), at("12-12 09:00")) is None
    assert undertakings(rules) == ("charter", "kitchen_training")
    assert undertakings(terms()) == ()


def test_a_rule_set_is_read_back_in_words() -> None:
    rules = terms(
        notice={"days": 15},
        length={"hours": 72},
        drivers={"licence": "B", "years": 3},
        deposits={"rows": [{"cents": 50000}]},
        approval=ALWAYS,
    )
    assert plain(sentence(rules)) == (
        "minibus: 15 days before, 3 days at most, driving licence B held for 3 years, drivers named, approval, "
        "deposit 500.00 €"
    )
    assert [label for label, _ in words(rules)] == ["Notice", "Longest loan", "Drivers", "Approval", "Deposits"]
    assert plain(sentence(terms())) == "minibus: nothing is asked"


WORDS = [
    ({"use": {"windows": [{"days": ["mon", "tue", "wed", "thu", "fri"], "first": "09:00", "last": "12:00"}]}},
     "used Monday to Friday from 09:00 to 12:00"),
    ({"use": {"windows": [{"days": ["sun", "mon", "sat"]}]}}, "used Saturday to Monday"),
    ({"use": {"windows": [{"days": ["sat", "sun"]}]}}, "used Saturday and Sunday"),
    ({"use": {"windows": [{"days": ["mon", "wed", "fri"]}]}}, "used Monday, Wednesday and Friday"),
    ({"use": {"windows": [{"first": "18:00"}], "start_only": True}}, "beginning every day from 18:00 on"),
    ({"seasons": {"closed": [{"first": "08-01", "last": "08-21"}], "closed_days": ["sun"], "public_holidays": True}},
     "closed between 01/08 and 21/08, on Sunday and on public holidays"),
    ({"priority": {"windows": [
        {"days": ["fri"], "last": "12:00", "groups": ["own"]},
        {"school": "holidays", "since": "02-01", "until": "03-31", "groups": ["houses"], "until_days": 1},
    ]}}, ("kept for those attached to the house (Friday until 12:00), "
           "kept for the houses until 1 day before (school holidays, between 01/02 and 31/03)")),
    ({"priority": {"windows": [{"days": ["wed"], "groups": ["houses"]}]}}, "kept for the houses (Wednesday)"),
    ({"priority": {"windows": [{"first": "18:00", "groups": ["houses"]}]}},
     "kept for the houses (every day from 18:00 on)"),
    ({"collection": {"collect": [{"days": ["fri"]}], "days_before": 1}},
     "collected Friday, at most 1 day before and 0 days after the use"),
    ({"notice": {"days": 10, "working": True, "again_days": 1}},
     "10 working days before, 1 working day for those who have borrowed already this year"),
    ({"length": {"hours": 36}}, "36 hours at most"),
    ({"notice": {"days": 2, "effect": "approve"}}, "2 days before (otherwise the house decides)"),
    ({"documents": {"papers": [{"paper": "statutes", "valid": "once"}, {"paper": "crockery_list", "days_before": 10}]}},
     "the statutes (shown once), the list of crockery wanted (10 days before)"),
    ({"prices": {"grid": [{"audience": ["everyone"], "unit": "loan", "cents": 30000, "name": "Forfait ménage"}],
                 "options": [{"name": "Tri", "cents": 0, "free": True}], "further_percent": 50}},
     "Forfait ménage 300.00 € a loan for everyone, free with “Tri”, further units at 50 %"),
    ({"charges": {"late_cents": 100, "late_most_cents": 500, "pieces": [{"name": "Verre", "loss_cents": 200}],
                  "km_included": 50, "report_days": 8}},
     "late: 1.00 € an hour begun, 5.00 € at most, 50 km included, Verre lost: 2.00 €, damage reported within 8 days"),
    ({"drivers": {"named": False}}, "a driving licence"),
    ({"prices": {"grid": [{"audience": ["houses", "own"], "unit": "day", "cents": 0},
                          {"audience": ["everyone"], "unit": "day", "cents": 50000, "season": "hiver"}],
                 "advance_percent": 30}},
     "free for the houses and those attached to the house, 500.00 € a day for everyone (hiver), 30 % in advance"),
    ({"deposits": {"rows": [{}, {"label": "Caution ménage", "cents": 100, "waived": ["houses"]}]}},
     "deposit of the thing’s own amount, Caution ménage 1.00 €, not for the houses"),
    ({"cancellation": {"tiers": [{"days": 30, "percent": 50, "week_end": True}]}},
     "a week-end cancelled less than 30 days before: 50 %"),
    ({"charges": {"late_cents": 1000, "loss_percent": 100}}, "late: 10.00 € an hour begun, lost: 100 % of the value"),
    ({"agreement": {"mode": "annual", "short_form": True, "firm": "signed"}},
     "an agreement a year and a short form a loan, firm once it is signed"),
    ({"approval": {"mode": "always", "second_above_hours": 72, "silence_days": 7, "silence": "expire"}},
     "approval, a second one above 3 days, without an answer after 7 days the request lapses"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), WORDS, ids=[next(iter(rules)) for rules, _ in WORDS])
def test_a_rule_in_words(rules: dict[str, Any], expected: str) -> None:
    assert plain(sentence(terms(**rules))) == f"minibus: {expected}"


@pytest.mark.parametrize(
    ("day", "before", "found"),
    [
        ("05-15", "2027-05-16", "2027-05-15"),
        ("05-15", "2027-05-15", "2026-05-15"),
        ("12-31", "2027-01-01", "2026-12-31"),
        ("02-29", "2027-03-01", "2027-02-28"),
        ("02-29", "2028-03-01", "2028-02-29"),
    ],
)
def test_the_last_time_a_day_of_the_year_came(day: str, before: str, found: str) -> None:
    assert str(last_before(day, date.fromisoformat(before))) == found


@pytest.mark.parametrize("name", list(KINDS))
def test_every_kind_says_itself_in_words_whatever_its_settings(name: str) -> None:
    everything = {setting.name: _some(setting) for setting in KINDS[name].fields}
    for settings in (everything, {s.name: _some(s) for s in KINDS[name].fields if s.required}):
        rules = terms(**{name: settings})
        said = KINDS[name].words(rules[name])
        assert said is None or plain(said)
    assert plain(KINDS[name].words(terms(**{name: everything})[name]))


def _some(setting: Any) -> Any:
    """A value each type takes."""
    match setting.type:
        case "table":
            return [{column.name: _some(column) for column in setting.fields}]
        case "choices":
            return list(setting.choices)[:2]
        case "choice":
            return list(setting.choices)[-1]
        case "flag":
            return True
        case "time":
            return "17:00"
        case "month_day":
            return "08-31"
        case "text":
            return "Été"
    return max(setting.least, 2)


def test_labels_and_effects_are_texts_and_names_are_plain() -> None:
    for name, kind in KINDS.items():
        assert kind.name == name == name.lower()
        assert kind.label
        for setting in kind.fields:
            assert setting.label
            assert set(setting.choices) <= set(EFFECTS) or setting.name != "effect"


def test_checking_the_plain_rules_takes_few_steps() -> None:
    """Search asks 120 things (benchmarks/ says how long it takes): nothing is read, sorted or made anew for each."""
    legacy = {
        "notice": {"days": 3}, "advance": {"days": 300}, "length": {"hours": 216}, "approval": ALWAYS,
        "documents": {"papers": [{"paper": "liability_certificate"}]}, "drivers": {"named": False},
        "undertakings": {"which": ["charter"]},
        "priority": {"effect": "approve", "windows": [
            {"days": ["wed"], "groups": ["houses"], "until_days": 30},
            {"school": "holidays", "groups": ["houses"], "until_days": 30},
        ]},
        "prices": {"grid": [{"audience": ["everyone"], "unit": "km", "cents": 22}]},
    }  # fmt: skip
    rules, wish = terms(**json.loads(json.dumps(legacy))), asked("02-06 09:00 / 02-08 18:00")
    assert breaches(rules, wish) == []
    assert _calls(breaches, rules, wish) <= 50


def _calls(function: Any, *values: Any) -> int:
    """How many functions, of Python or built in, it takes to answer."""
    seen: list[str] = []
    sys.setprofile(lambda frame, event, arg: seen.append(event))
    function(*values)
    sys.setprofile(None)
    return sum(event in ("call", "c_call") for event in seen)
