"""Each kind of rule at work: settings, what is asked, what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from sharebank.lending.facts import Asked, Driver, Paper
from sharebank.lending.kinds import KINDS
from tests.lending_facts import ASSOCIATION, HOUSE, OWN, PARTNER, asked, at, judged, terms

B_2020 = Driver("Ada", "B", date(2020, 5, 1), member=True)
ONCE = replace(ASSOCIATION, loans_this_year=1)
KEPT = None
HOLIDAYS = {"windows": [{"school": "holidays", "groups": ["houses"], "until_days": 30}]}
FRIDAY = {"windows": [{"days": ["fri"], "first": "08:00", "last": "12:00", "groups": ["houses"]}]}
WINTER = {"windows": [{"since": "12-15", "until": "01-15", "groups": ["own"]}]}
EVENINGS = {"windows": [{"days": ["mon", "tue", "wed", "thu", "fri"], "first": "18:00", "last": "23:00"}]}
NIGHTS = {"windows": [{"days": ["sat"], "first": "18:00", "last": "02:00"}]}
STARTS = {**EVENINGS, "start_only": True}
KEYS = {
    "collect": [{"days": ["fri"], "first": "14:00", "last": "17:00"}],
    "give_back": [{"days": ["mon"], "first": "09:00", "last": "12:00"}],
    "days_before": 1,
    "days_after": 1,
}
SUMMER = {"closed": [{"first": "08-01", "last": "08-21"}]}
XMAS = {"closed": [{"first": "12-24", "last": "01-02"}]}
SCHOOL_YEAR = {"open": [{"first": "09-01", "last": "06-30"}]}
WEEK_END = "12-12 09:00 / 12-13 18:00"
CERTIFICATE = Paper("event_certificate", date(2026, 12, 13))
# 12 December 2026 is a Saturday; schools are closed from 19 December to 3 January and from 13 to 28 February.
TABLE: list[tuple[str, dict[str, Any], Asked, tuple[str, str] | None]] = [
    # -- when
    ("notice: fifteen days ahead on the day", {"notice": {"days": 15}}, asked("12-06 08:00 / 12-06 12:00"), KEPT),
    ("notice: fourteen", {"notice": {"days": 15}}, asked("12-05 23:00 / 12-06 12:00"), ("refuse", "starts_at")),
    ("notice: late, the house decides", {"notice": {"days": 15, "effect": "approve"}},
     asked("12-05 23:00 / 12-06 12:00"), ("approve", "starts_at")),
    ("notice: two working days from a Saturday are Tuesday", {"notice": {"days": 2, "working": True}},
     asked("11-24 08:00 / 11-24 12:00"), KEPT),
    ("notice: Monday is one", {"notice": {"days": 2, "working": True}}, asked("11-23 08:00 / 11-23 12:00"),
     ("refuse", "starts_at")),
    ("notice: Christmas Day does not work, a Friday", {"notice": {"days": 2, "working": True}},
     asked("12-26 08:00 / 12-26 12:00", asked_at=at("2026-12-23 08:00")), ("refuse", "starts_at")),
    ("notice: first loan of the year", {"notice": {"days": 30, "again_days": 2}}, asked("12-12 09:00 / 12-12 12:00"),
     ("refuse", "starts_at")),
    ("notice: a later one", {"notice": {"days": 30, "again_days": 2}},
     asked("12-12 09:00 / 12-12 12:00", borrower=ONCE), KEPT),
    ("advance: the last day", {"advance": {"days": 21}}, asked("12-12 23:00 / 12-13 01:00"), KEPT),
    ("advance: a day beyond", {"advance": {"days": 20}}, asked("12-12 00:00 / 12-12 01:00"), ("refuse", "starts_at")),
    ("length: exactly", {"length": {"hours": 33}}, asked(WEEK_END), KEPT),
    ("length: an hour more", {"length": {"hours": 32}}, asked(WEEK_END), ("refuse", "ends_at")),
    ("deadline: asked in time", {"deadline": {"by": "05-15", "first": "09-01", "last": "06-30"}},
     asked("2027-10-04 18:00 / 2027-10-04 20:00", asked_at=at("2027-05-15 23:00")), KEPT),
    ("deadline: a day late", {"deadline": {"by": "05-15", "first": "09-01", "last": "06-30"}},
     asked("2027-10-04 18:00 / 2027-10-04 20:00", asked_at=at("2027-05-16 00:00")), ("approve", "starts_at")),
    ("deadline: spring belongs to the year before", {"deadline": {"by": "05-15", "first": "09-01", "last": "06-30"}},
     asked("2027-04-05 18:00 / 2027-04-05 20:00"), ("approve", "starts_at")),
    ("deadline: summer is free of it", {"deadline": {"by": "05-15", "first": "09-01", "last": "06-30"}},
     asked("2027-07-05 18:00 / 2027-07-05 20:00"), KEPT),
    # -- hours
    ("use: a Friday evening", {"use": EVENINGS}, asked("12-11 18:00 / 12-11 23:00"), KEPT),
    ("use: too early", {"use": EVENINGS}, asked("12-11 17:30 / 12-11 20:00"), ("refuse", "starts_at")),
    ("use: too late", {"use": EVENINGS}, asked("12-11 20:00 / 12-11 23:30"), ("refuse", "starts_at")),
    ("use: no window that day", {"use": EVENINGS}, asked("12-12 18:00 / 12-12 20:00"), ("refuse", "starts_at")),
    ("use: over midnight within one window", {"use": NIGHTS}, asked("12-12 20:00 / 12-13 02:00"), KEPT),
    ("use: beyond it", {"use": NIGHTS}, asked("12-12 20:00 / 12-13 02:30"), ("refuse", "starts_at")),
    ("use: from one evening to the next", {"use": EVENINGS}, asked("12-10 18:00 / 12-11 22:00"), KEPT),
    ("use: from one window to another of the day", {"use": {"windows": [
        {"first": "09:00", "last": "12:00"}, {"first": "14:00", "last": "18:00"}]}},
     asked("12-11 11:00 / 12-11 15:00"), ("refuse", "starts_at")),
    ("use: a whole day", {"use": {"windows": [{"days": ["sat"]}]}}, asked("12-12 00:00 / 12-13 00:00"), KEPT),
    ("use: 24 hours from nine on", {"use": {"windows": [{"days": ["sat"], "first": "09:00", "last": "09:00"}]}},
     asked("12-12 20:00 / 12-13 09:00"), KEPT),
    ("use: only its beginning counts", {"use": STARTS}, asked("12-11 22:00 / 12-12 03:00"), KEPT),
    ("use: begins in the morning", {"use": STARTS}, asked("12-11 10:00 / 12-11 12:00"), ("refuse", "starts_at")),
    ("collection: the day before, back the next", {"collection": KEYS},
     asked(WEEK_END, collect_at=at("12-11 15:00"), return_at=at("12-14 10:00")), KEPT),
    ("collection: after hours", {"collection": KEYS},
     asked(WEEK_END, collect_at=at("12-11 18:00"), return_at=at("12-14 10:00")), ("refuse", "collect_at")),
    ("collection: two days before", {"collection": KEYS},
     asked(WEEK_END, collect_at=at("12-10 15:00"), return_at=at("12-14 10:00")), ("refuse", "collect_at")),
    ("collection: once the use has begun", {"collection": {**KEYS, "collect": []}},
     asked(WEEK_END, collect_at=at("12-12 10:00"), return_at=at("12-14 10:00")), ("refuse", "collect_at")),
    ("collection: back too late in the day", {"collection": KEYS},
     asked(WEEK_END, collect_at=at("12-11 15:00"), return_at=at("12-14 14:00")), ("refuse", "return_at")),
    ("collection: back two days after", {"collection": KEYS},
     asked(WEEK_END, collect_at=at("12-11 15:00"), return_at=at("12-15 10:00")), ("refuse", "return_at")),
    ("collection: back before the end", {"collection": {**KEYS, "give_back": []}},
     asked(WEEK_END, collect_at=at("12-11 15:00"), return_at=at("12-13 10:00")), ("refuse", "return_at")),
    ("collection: nothing said, the use itself", {"collection": {"days_before": 1}}, asked(WEEK_END), KEPT),
    # -- days of the year
    ("seasons: closed in August", {"seasons": SUMMER}, asked("2027-08-21 18:00 / 2027-08-22 18:00"),
     ("refuse", "starts_at")),
    ("seasons: closed from its first day on", {"seasons": SUMMER}, asked("2027-08-01 00:00 / 2027-08-01 01:00"),
     ("refuse", "starts_at")),
    ("seasons: closed from Christmas Eve on", {"seasons": XMAS}, asked("12-24 00:00 / 12-24 01:00"),
     ("refuse", "starts_at")),
    ("seasons: open again", {"seasons": SUMMER}, asked("2027-08-22 00:00 / 2027-08-22 18:00"), KEPT),
    ("seasons: closed over New Year", {"seasons": XMAS}, asked("2027-01-02 18:00 / 2027-01-02 20:00"),
     ("refuse", "starts_at")),
    ("seasons: ends at midnight before", {"seasons": XMAS}, asked("12-23 18:00 / 12-24 00:00"), KEPT),
    ("seasons: within the school year", {"seasons": SCHOOL_YEAR}, asked("12-12 09:00 / 12-12 10:00"), KEPT),
    ("seasons: beyond it", {"seasons": SCHOOL_YEAR}, asked("2027-07-01 09:00 / 2027-07-01 10:00"),
     ("refuse", "starts_at")),
    ("seasons: a Sunday", {"seasons": {"closed_days": ["sun"]}}, asked(WEEK_END), ("refuse", "starts_at")),
    ("seasons: Saturday until midnight", {"seasons": {"closed_days": ["sun"]}},
     asked("12-12 09:00 / 12-13 00:00"), KEPT),
    ("seasons: Christmas Day", {"seasons": {"public_holidays": True}}, asked("12-25 09:00 / 12-25 10:00"),
     ("refuse", "starts_at")),
    ("seasons: the day after is none", {"seasons": {"public_holidays": True}},
     asked("12-26 09:00 / 12-26 10:00"), KEPT),
    ("seasons: in term only", {"seasons": {"school": "term"}},
     asked("12-19 09:00 / 12-19 10:00"), ("refuse", "starts_at")),
    ("seasons: in term", {"seasons": {"school": "term"}}, asked("12-18 09:00 / 12-18 10:00"), KEPT),
    ("seasons: in school holidays only", {"seasons": {"school": "holidays"}}, asked("12-18 09:00 / 12-18 10:00"),
     ("refuse", "starts_at")),
    # -- priority
    ("priority: kept for houses, far ahead", {"priority": HOLIDAYS}, asked("02-15 09:00 / 02-15 10:00"),
     ("refuse", "starts_at")),
    ("priority: a house may", {"priority": HOLIDAYS}, asked("02-15 09:00 / 02-15 10:00", borrower=HOUSE), KEPT),
    ("priority: thirty days before, everyone", {"priority": HOLIDAYS}, asked("12-21 09:00 / 12-21 10:00"), KEPT),
    ("priority: thirty-one days before", {"priority": HOLIDAYS}, asked("12-22 09:00 / 12-22 10:00"),
     ("refuse", "starts_at")),
    ("priority: the last day of a loan counts", {"priority": {"windows": [{"days": ["sun"], "groups": ["houses"]}]}},
     asked(WEEK_END), ("refuse", "starts_at")),
    ("priority: school goes on", {"priority": HOLIDAYS}, asked("02-10 09:00 / 02-10 10:00"), KEPT),
    ("priority: Friday morning", {"priority": FRIDAY}, asked("12-11 11:00 / 12-11 15:00"), ("refuse", "starts_at")),
    ("priority: Friday from noon on", {"priority": FRIDAY}, asked("12-11 12:00 / 12-11 15:00"), KEPT),
    ("priority: a night that began on Friday", {"priority": {"windows": [
        {"days": ["fri"], "first": "22:00", "last": "06:00", "groups": ["houses"]}]}},
     asked("12-12 05:00 / 12-12 12:00"), ("refuse", "starts_at")),
    ("priority: the night is over", {"priority": {"windows": [
        {"days": ["fri"], "first": "22:00", "last": "06:00", "groups": ["houses"]}]}},
     asked("12-12 06:00 / 12-12 12:00"), KEPT),
    ("priority: 24 hours from nine on", {"priority": {"windows": [
        {"days": ["fri"], "first": "09:00", "last": "09:00", "groups": ["houses"]}]}},
     asked("12-12 08:00 / 12-12 12:00"), ("refuse", "starts_at")),
    ("priority: a span of the year, for the house’s own", {"priority": WINTER}, asked("12-20 09:00 / 12-20 10:00"),
     ("refuse", "starts_at")),
    ("priority: its own association", {"priority": WINTER}, asked("12-20 09:00 / 12-20 10:00", borrower=OWN), KEPT),
    ("priority: the house decides", {"priority": {**FRIDAY, "effect": "approve"}}, asked("12-11 09:00 / 12-11 10:00"),
     ("approve", "starts_at")),
    # -- who
    ("borrowers: one of those", {"borrowers": {"allowed": ["associations"]}}, asked(), KEPT),
    ("borrowers: a partner", {"borrowers": {"allowed": ["associations"]}}, asked(borrower=PARTNER),
     ("refuse", "organisation")),
    ("borrowers: its own members", {"borrowers": {"own_only": True}}, asked(borrower=OWN), KEPT),
    ("borrowers: those of another house", {"borrowers": {"own_only": True}}, asked(), ("refuse", "organisation")),
    ("borrowers: too young a member", {"borrowers": {"member_years": 2}}, asked(), ("refuse", "organisation")),
    ("borrowers: two years on the day", {"borrowers": {"member_years": 2}},
     asked("2027-09-01 09:00 / 2027-09-01 10:00"), KEPT),
    ("borrowers: the day before", {"borrowers": {"member_years": 2}}, asked("2027-08-31 09:00 / 2027-08-31 10:00"),
     ("refuse", "organisation")),
    ("borrowers: nobody knows since when", {"borrowers": {"member_years": 2}},
     asked(borrower=replace(OWN, member_since=None)), ("refuse", "organisation")),
    ("borrowers: a house is no newcomer", {"borrowers": {"member_years": 2}}, asked(borrower=HOUSE), KEPT),
    ("purpose: said", {"purpose": {"least": 10}}, asked(), KEPT),
    ("purpose: ten letters", {"purpose": {"least": 10}}, asked(purpose="Au musée !"), KEPT),
    ("purpose: nine", {"purpose": {"least": 10}}, asked(purpose="Au musée "), ("refuse", "purpose")),
    ("purpose: a word", {"purpose": {"least": 10, "ask": "where to"}},
     asked(purpose="  Sortie  "), ("refuse", "purpose")),
    ("headcount: not said", {"headcount": {}}, asked(), ("refuse", "headcount")),
    ("headcount: as many as seats", {"headcount": {}}, asked(headcount=9), KEPT),
    ("headcount: one more", {"headcount": {}}, asked(headcount=10), ("refuse", "headcount")),
    ("headcount: a room’s capacity", {"headcount": {}}, asked(thing_kind="room", headcount=40), KEPT),
    ("headcount: a crowd", {"headcount": {}}, asked(thing_kind="room", headcount=41), ("refuse", "headcount")),
    ("headcount: too few for a minibus", {"headcount": {"least": 4}}, asked(headcount=3), ("refuse", "headcount")),
    ("headcount: just enough", {"headcount": {"least": 4}}, asked(headcount=4), KEPT),
    ("headcount: beyond, allowed", {"headcount": {"within": False}}, asked(headcount=10), KEPT),
    ("radius: not said", {"radius": {"km": 300}}, asked(), ("refuse", "distance_km")),
    ("radius: as far as that", {"radius": {"km": 300}}, asked(distance_km=300), KEPT),
    ("radius: farther", {"radius": {"km": 300}}, asked(distance_km=301), ("refuse", "distance_km")),
    ("quantity: five", {"quantity": {"most": 5}}, asked(quantity=5), KEPT),
    ("quantity: six", {"quantity": {"most": 5}}, asked(quantity=6), ("refuse", "lines")),
    ("quantity: with the others of the request", {"quantity": {"most": 5}}, asked(quantity=1, together=6),
     ("refuse", "lines")),
    ("quota: the first", {"quota": {"loans": 1}}, asked(), KEPT),
    ("quota: the second", {"quota": {"loans": 1}}, asked(borrower=ONCE), ("refuse", "organisation")),
    ("quota: the second is dearer", {"quota": {"loans": 1, "effect": "dearer"}}, asked(borrower=ONCE),
     ("dearer", "organisation")),
    ("quota: the second is looked at", {"quota": {"loans": 1, "effect": "approve"}}, asked(borrower=ONCE),
     ("approve", "organisation")),
    # -- papers
    ("documents: missing, the house decides", {"documents": {"papers": [{"paper": "event_certificate"}]}}, asked(),
     ("approve", "organisation")),
    ("documents: good for the whole loan", {"documents": {"papers": [{"paper": "event_certificate"}]}},
     asked(WEEK_END, papers=(CERTIFICATE,)), KEPT),
    ("documents: until midnight of its last day", {"documents": {"papers": [{"paper": "event_certificate"}]}},
     asked("12-12 09:00 / 12-14 00:00", papers=(CERTIFICATE,)), KEPT),
    ("documents: a minute more", {"documents": {"papers": [{"paper": "event_certificate"}]}},
     asked("12-12 09:00 / 12-14 00:01", papers=(CERTIFICATE,)), ("approve", "organisation")),
    ("documents: good when asked for is enough",
     {"documents": {"papers": [{"paper": "event_certificate", "valid": "asked"}]}},
     asked("12-12 09:00 / 12-20 00:00", papers=(CERTIFICATE,)), KEPT),
    ("documents: shown once, long ago",
     {"documents": {"papers": [{"paper": "statutes", "valid": "once"}]}},
     asked(papers=(Paper("statutes", date(2019, 1, 1)),)), KEPT),
    ("documents: not due yet", {"documents": {"papers": [{"paper": "crockery_list", "days_before": 10}]}},
     asked(), KEPT),
    ("documents: due after today", {"documents": {"papers": [{"paper": "crockery_list", "days_before": 10}]}},
     asked(asked_at=at("2026-12-02 23:00")), KEPT),
    ("documents: due", {"documents": {"papers": [{"paper": "crockery_list", "days_before": 10}]}},
     asked(asked_at=at("2026-12-03 08:00")), ("approve", "organisation")),
    ("documents: the register of insurances answers for this one",
     {"documents": {"papers": [{"paper": "liability_certificate"}]}}, asked(), KEPT),
    ("drivers: nobody named", {"drivers": {"licence": "B"}}, asked(), ("refuse", "drivers")),
    ("drivers: named at the hand-over", {"drivers": {"named": False, "licence": "B"}}, asked(), KEPT),
    ("drivers: as they should be", {"drivers": {"licence": "B", "years": 3, "member": True}},
     asked(drivers=(B_2020,)), KEPT),
    ("drivers: whoever may drive a coach", {"drivers": {"licence": "B"}},
     asked(drivers=(replace(B_2020, licence_class="D"),)), KEPT),
    ("drivers: a car licence for a lorry", {"drivers": {"licence": "C"}},
     asked(drivers=(B_2020,)), ("refuse", "drivers")),
    ("drivers: three years on the day", {"drivers": {"years": 3}},
     asked(drivers=(replace(B_2020, licence_since=date(2023, 12, 12)),)), KEPT),
    ("drivers: a day short", {"drivers": {"years": 3}},
     asked(drivers=(replace(B_2020, licence_since=date(2023, 12, 13)),)), ("refuse", "drivers")),
    ("drivers: nobody knows since when", {"drivers": {"years": 3}},
     asked(drivers=(replace(B_2020, licence_since=None),)), ("refuse", "drivers")),
    ("drivers: a licence nobody has seen yet", {"drivers": {"licence": "B"}}, asked(drivers=(B_2020, Driver("Bo"))),
     ("approve", "drivers")),
    ("drivers: a name is enough where no licence is asked for", {"drivers": {}}, asked(drivers=(Driver("Bo"),)), KEPT),
    ("drivers: the second one is no member", {"drivers": {"member": True}},
     asked(drivers=(B_2020, replace(B_2020, name="Bo", member=False))), ("refuse", "drivers")),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "wish", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_kind_of_rule(rules: dict[str, Any], wish: Asked, expected: tuple[str, str] | None) -> None:
    kind = next(iter(rules))
    assert judged(terms(**rules), wish) == ([] if expected is None else [(kind, *expected)])


def test_every_kind_that_checks_stands_in_the_table_kept_and_not_kept() -> None:
    checking = {name for name, kind in KINDS.items() if kind.check}
    assert {next(iter(rules)) for _, rules, _, expected in TABLE if expected} == checking
    assert {next(iter(rules)) for _, rules, _, expected in TABLE if not expected} == checking
