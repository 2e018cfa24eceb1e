"""Which letters leave, when, for whom, and what their words may not do."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sharebank.notifications import rules
from tests.world import NOW

WANTED = [
    # template, preference, first state
    ("sign_in", "at_once", "queued"),
    ("sign_in", "digest", "queued"),
    ("sign_in", "acts", "queued"),
    ("reservation_to_decide", "digest", "queued"),
    ("reservation_to_decide", "acts", "queued"),
    ("deadlines", "acts", "queued"),
    ("reservation_overdue", "acts", "queued"),
    ("reservation_approved", "at_once", "queued"),
    ("reservation_approved", "digest", "digest"),
    ("reservation_approved", "acts", None),
    ("reservation_booked", "at_once", "digest"),
    ("reservation_booked", "digest", "digest"),
    ("reservation_booked", "acts", None),
]


@pytest.mark.parametrize(("template", "preference", "state"), WANTED)
def test_who_gets_what(template: str, preference: str, state: str | None) -> None:
    assert rules.first_state(template, preference) == state


@pytest.mark.parametrize(
    ("template", "seconds"),
    [
        ("sign_in", 0),
        ("invite", 0),
        ("reservation_requested", 60),
        ("reservation_to_decide", 60),
        # Nobody undoes what the clock did.
        ("reservation_overdue", 0),
        ("deadlines", 0),
        ("digest", 0),
    ],
)
def test_letters_leave_a_minute_after_an_act(template: str, seconds: int) -> None:
    assert rules.leaves_at(template, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(("template", "weight"), [(name, kind.weight) for name, kind in rules.LETTERS.items()])
def test_only_news_is_optional(template: str, weight: str) -> None:
    assert rules.optional(template) == (weight in (rules.NEWS, rules.NOTICE))
    # A dead order to a supplier is sent again from its own page, to an address that is right.
    assert rules.can_go_again(template, "dead") == (weight != rules.ACCOUNT and template != "order_to_supplier")
    assert not rules.can_go_again(template, "sent")


@pytest.mark.parametrize(
    ("wall", "day"),
    [
        ("2026-11-21T06:59:59", None),
        ("2026-11-21T07:00", 21),
        ("2026-11-21T23:59", 21),
        ("2026-11-22T00:00", None),
    ],
)
def test_the_daily_letter_is_of_the_morning(wall: str, day: int | None) -> None:
    found = rules.digest_day(datetime.fromisoformat(wall))
    assert (found and found.day) == day


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        *((code, "never") for code in (500, 501, 550, 551, 552, 553, 554)),
        *((code, "later") for code in (450, 451, 452, 432, 354, 0, -1)),
        *((code, "server") for code in (421, 530, 534, 535, 538)),
    ],
)
def test_what_a_reply_means(code: int, verdict: str) -> None:
    assert rules.verdict(code) == verdict


def test_pauses_grow_for_about_three_days() -> None:
    assert list(rules.PAUSES) == sorted(rules.PAUSES)
    assert timedelta(days=2) < sum(rules.PAUSES, timedelta()) < timedelta(days=4)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("  Fête\r\n\r\ndu quartier ", "Fête du quartier"),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\0h\x7fi", "a b c d e f g h i"),
        ("\u202eenvers\u202c", "envers"),
        ("Prix\u00a0: 3\u202f€", "Prix\u00a0: 3\u202f€"),
        ("Zoë 🎺", "Zoë 🎺"),
        ("\ud83d", "?"),
    ],
)
def test_one_line(typed: str, line: str) -> None:
    assert rules.one_line(typed) == line


def test_no_encoded_word_gets_into_a_header() -> None:
    assert "=?" not in rules.header_text("=?UTF-8?Q?=0A?=Bcc: x@evil.example =?")
    assert rules.header_text("=?UTF-8?Q?=0A?=") == "= ?UTF-8?Q?=0A?="
    assert len(rules.header_text("x" * 1000)) == 300


@pytest.mark.parametrize("good", ["a@b", "o'neil+x@ex-ample.org", "a.b_c@localhost", "A@B.FR"])
def test_plain_addresses(good: str) -> None:
    assert rules.is_address(good)


@pytest.mark.parametrize("bad", ["", "a", "a@", "@b", "a b@c", "a@b,c@d", "a@b\n", "é@b", "a@b>", "a..b@c", "a@b."])
def test_what_is_no_plain_address(bad: str) -> None:
    assert not rules.is_address(bad)
