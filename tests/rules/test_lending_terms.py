"""Rules as text: what is read is written back in one form; what cannot be read is said with its place."""

from __future__ import annotations

import csv
import json
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharebank.core.errors import Cents, Count, Said, Word, ngettext
from sharebank.lending import legacy
from sharebank.lending.kinds import KINDS, words
from sharebank.lending.saying import pack, unpack
from sharebank.lending.schema import (
    ROWS,
    BadChoice,
    BadNumber,
    BadTable,
    BadTerms,
    BadText,
    BadTime,
    Setting,
    SettingMissing,
    UnknownRule,
)
from sharebank.lending.terms import parse_terms, read_terms, write_terms
from tests.lending_facts import FIELD, NOW, terms
from tests.lending_facts import plain as plain_words

WINDOW = {"windows": [{"days": ["sat", "mon"], "first": "09:00"}]}
BAD: list[tuple[str, Any, type[BadTerms], str]] = [
    ("a list", [], BadTerms, "terms"),
    ("a kind nobody knows", {"horoscope": {}}, UnknownRule, "horoscope"),
    ("a setting nobody knows", {"notice": {"days": 1, "weeks": 2}}, UnknownRule, "notice.weeks"),
    ("no settings", {"notice": 3}, BadTerms, "notice"),
    ("what it cannot do without", {"notice": {}}, SettingMissing, "notice.days"),
    ("an empty field", {"notice": {"days": ""}}, SettingMissing, "notice.days"),
    ("an empty table", {"use": {"windows": []}}, SettingMissing, "use.windows"),
    ("a text for a number", {"notice": {"days": "3"}}, BadNumber, "notice.days"),
    ("yes for a number", {"notice": {"days": True}}, BadNumber, "notice.days"),
    ("half a day", {"notice": {"days": 1.5}}, BadNumber, "notice.days"),
    ("less than nothing", {"notice": {"days": -1}}, BadNumber, "notice.days"),
    ("beyond a year", {"notice": {"days": 366}}, BadNumber, "notice.days"),
    ("more than a database holds", {"charges": {"late_cents": 2**31}}, BadNumber, "charges.late_cents"),
    ("a word for yes", {"notice": {"days": 1, "working": "yes"}}, BadChoice, "notice.working"),
    ("another mode", {"approval": {"mode": "maybe"}}, BadChoice, "approval.mode"),
    ("a list for a choice", {"approval": {"mode": ["always"]}}, BadChoice, "approval.mode"),
    ("a day of another week", {"use": {"windows": [{"days": ["lun"]}]}}, BadChoice, "use.windows.0.days"),
    ("25 o’clock", {"use": {"windows": [{}, {"first": "25:00"}]}}, BadTime, "use.windows.1.first"),
    ("the 31st of June", {"seasons": {"open": [{"first": "06-31", "last": "07-01"}]}}, BadTime, "seasons.open.0.first"),
    ("a table that is none", {"use": {"windows": {}}}, BadTable, "use.windows"),
    ("too many rows", {"use": {"windows": [{}] * 41}}, BadTable, "use.windows"),
    ("too long a text", {"purpose": {"ask": "é" * 201}}, BadText, "purpose.ask"),
    ("a text on two lines", {"purpose": {"ask": "a\nb"}}, BadText, "purpose.ask"),
]


@pytest.mark.parametrize(("plain", "refusal", "field"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_cannot_be_read_is_said_with_its_place(plain: Any, refusal: type[BadTerms], field: str) -> None:
    with pytest.raises(BadTerms) as caught:
        read_terms("x", json.dumps(plain))
    assert (type(caught.value), caught.value.field) == (refusal, field)
    assert str(caught.value), "the sentence has all its facts"


@pytest.mark.parametrize("text", ["", "{", "null", "3", '{"notice": {"days": NaN}}', "[" * 100_000, "\x00"])
def test_a_text_that_is_no_object(text: str) -> None:
    with pytest.raises(BadTerms):
        read_terms("x", text)


def test_one_canonical_text() -> None:
    text = write_terms({"use": WINDOW, "notice": {"working": False, "days": 3, "again_days": None}})
    assert text == '{"notice":{"days":3},"use":{"windows":[{"days":["mon","sat"],"first":"09:00"}]}}'
    assert write_terms(read_terms("x", text)) == text
    assert read_terms("x", text) is read_terms("x", text), "read once"
    assert read_terms("x", text)["use"]["windows"][0]["first"] == time(9)


def test_a_text_may_be_as_long_as_it_may() -> None:
    assert terms(purpose={"ask": f" {'é' * 200} "})["purpose"]["ask"] == "é" * 200


def test_a_table_may_have_as_many_rows_as_it_may() -> None:
    assert len(terms(use={"windows": [{}] * ROWS})["use"]["windows"]) == ROWS


def test_rules_come_in_the_order_in_which_people_read_them() -> None:
    assert list(terms(charges={}, notice={"days": 1}, length={"hours": 1})) == ["notice", "length", "charges"]


def value_of(setting: Setting) -> st.SearchStrategy[Any]:
    match setting.type:
        case "table":
            return st.lists(settings_of(setting.fields), min_size=int(setting.required), max_size=3)
        case "choices":
            return st.lists(st.sampled_from(sorted(setting.choices)), min_size=int(setting.required), unique=True)
        case "choice":
            return st.sampled_from(sorted(setting.choices))
        case "flag":
            return st.booleans()
        case "time":
            return st.times().map(lambda at: f"{at:%H:%M}")
        case "month_day":
            return st.dates().map(lambda day: f"{day:%m-%d}")
        case "text":
            words = st.text("abcé’% €", min_size=1, max_size=20).map(str.strip)
            return words.filter(bool) if setting.required else words
    return st.integers(setting.least, setting.most)


def settings_of(fields: tuple[Setting, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {setting.name: value_of(setting) for setting in fields if setting.required},
        optional={setting.name: value_of(setting) for setting in fields if not setting.required},
    )


@given(st.fixed_dictionaries({}, optional={name: settings_of(kind.fields) for name, kind in KINDS.items()}))
def test_whatever_the_settings_allow_is_written_and_read_again_unchanged(plain: dict[str, Any]) -> None:
    read = parse_terms("x", plain)
    text = write_terms(read)
    again = read_terms("x", text)
    assert dict(again) == dict(read)
    assert write_terms(again) == text
    assert all(plain_words(said) for _, said in words(again))


# -- the plain columns -----------------------------------------------------------------------------


ROW = {
    "name": "minibus", "min_notice_days": "3", "max_advance_days": "300", "max_duration_hours": "216",
    "buffer_before_min": "15", "buffer_after_min": "30", "approval": "always",
    "requires": "driver_licence;liability_certificate;charter",
    "priority": "wed;school_holidays: houses first until 30 days before",
    "fee_member_eur": "0.22", "fee_association_eur": "0.32", "fee_external_eur": "0.55", "fee_unit": "km",
}  # fmt: skip
CELLS = [
    {},
    {"min_notice_days": "0", "approval": "none", "requires": "", "priority": "none", "fee_unit": "none",
     "fee_member_eur": "0.00", "fee_association_eur": "0.00", "fee_external_eur": "0.00"},
    {"approval": "own_house_free", "requires": "kitchen_training;deposit;charter"},
    {"requires": "charter;deposit;liability_certificate;kitchen_training;driver_licence"},
    {"priority": "mon-fri: houses first until 2 days before"},
    {"priority": "sat;sun: houses first until 60 days before"},
    {"priority": "sat-sun;school_holidays: houses first until 60 days before"},
    {"priority": "fri-mon: houses first until 0 days before"},
    {"priority": "mon-sun: houses first until 365 days before"},
    *({"fee_unit": unit} for unit in legacy.FEE_UNITS),
]  # fmt: skip


@pytest.mark.parametrize("cells", CELLS)
def test_plain_columns_mean_rules_and_come_back_byte_for_byte(cells: dict[str, str]) -> None:
    row = {**ROW, **cells}
    text = write_terms(legacy.from_columns(row))
    back = legacy.to_columns(read_terms(row["name"], text), row["requires"].split(";"))
    assert back == {name: row[name] for name in row if name not in ("name", "buffer_before_min", "buffer_after_min")}
    assert write_terms(legacy.from_columns({**row, **back})) == text


def test_the_demonstration_s_rule_sets_come_back_byte_for_byte() -> None:
    with FIELD.with_name("rule_sets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 9
    for row in rows:
        back = legacy.to_columns(legacy.from_columns(row), row["requires"].split(";"))
        assert {name: row[name] for name in back} == back


@pytest.mark.parametrize(
    "cells",
    [
        {"min_notice_days": "deux"}, {"approval": "maybe"}, {"requires": "horoscope"}, {"fee_unit": "week"},
        {"priority": "wed: houses last"}, {"priority": ""}, {"fee_member_eur": "1e3"},
    ],
)  # fmt: skip
def test_a_bad_cell_is_refused(cells: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".*"):
        legacy.from_columns({**ROW, **cells})


BEYOND = [
    ({"windows": [{"days": ["wed"], "first": "08:00", "last": "12:00", "groups": ["houses"]}]}, "none"),
    ({"windows": [{"days": ["wed"], "groups": ["own"]}]}, "none"),
    ({"windows": [{"days": ["wed"], "groups": ["houses"], "since": "09-01", "until": "06-30"}]}, "none"),
    ({"windows": [{"days": ["wed"], "groups": ["houses"], "school": "term"}]}, "none"),
    ({"windows": [{"days": ["wed", "sat"], "groups": ["houses"]}]}, "none"),
    ({"windows": [{"days": ["wed"], "groups": ["houses"]}, {"days": ["sat"], "groups": ["houses"], "until_days": 2}]},
     "none"),
]  # fmt: skip


@pytest.mark.parametrize(("priority", "cell"), BEYOND)
def test_what_columns_cannot_say_they_do_not_say_wrongly(priority: dict[str, Any], cell: str) -> None:
    assert legacy.to_columns({"priority": priority})["priority"] == cell


# -- kept sentences --------------------------------------------------------------------------------


def test_a_sentence_is_kept_with_its_facts() -> None:
    said = Said(
        "%(a)s",
        {
            "a": Cents(1250), "b": Word("Hire"), "c": ngettext("%(n)s day", "%(n)s days", 3), "d": NOW.date(),
            "e": NOW, "f": (Said("x"), 3, "word"), "g": time(9), "h": None,
        },
    )  # fmt: skip
    again = unpack(json.loads(json.dumps(pack(said))))
    assert again == said
    assert [type(again.facts[name]) for name in "abc"] == [Cents, Word, Count]
