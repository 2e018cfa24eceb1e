"""Who is written to, who wants less, what is taken back, what is stuck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from sharebank.accounts import letters as desk
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import User
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound
from sharebank.notifications import delivery, digest, outbox
from sharebank.notifications.models import Letter
from sharebank.notifications.outbox import CannotGoAgain
from sharebank.notifications.service import Recipient, post, withdraw
from sharebank.reservations import booking, lifecycle
from sharebank.reservations.booking import Ask
from tests import world
from tests.world import NOW, PARIS

MINUTE = timedelta(minutes=1)
READER = Recipient("member@example.org", "Member Test", "fr")
Find = Callable[[str], Actor]


def letters(*wanted: str) -> list[tuple[str, str, str]]:
    """(template, address, state) of every letter, in the order of their writing."""
    rows = db.session().execute(select(Letter.template, Letter.to_address, Letter.state).order_by(Letter.id)).all()
    db.session().rollback()
    return [tuple(row) for row in rows if not wanted or row.state in wanted]  # type: ignore[misc]


def request(actor: Find, day: int = 28) -> str:
    ask = Ask("CHORALE", "Répétition", world.at(day, "14:00", "18:00"), {"MCNG-R01": 1})
    with transaction() as session:
        return booking.book(session, actor("member@example.org"), ask, NOW, PARIS)[0].ref


def change(actor: Find, who: str, ref: str, act: str, now: datetime = NOW) -> None:
    with transaction() as session:
        lifecycle.change(session, actor(who), ref, act, "", now, PARIS)


def prefer(email: str, letters: str) -> None:
    with transaction() as session:
        session.scalars(select(User).where(User.email == email)).one().letters = letters


TO_MANAGERS = [("reservation_to_decide", f"{who}@example.org") for who in ("admin", "manager")]


def test_a_request_undone_within_the_minute_was_never_told(app: Flask, actor: Find) -> None:
    ref = request(actor)
    assert delivery.deliver(app, NOW + MINUTE - timedelta(seconds=1))["letters_sent"] == 0
    change(actor, "member@example.org", ref, "cancel", NOW + timedelta(seconds=30))
    assert {state for *_, state in letters()} == {"withdrawn"}
    assert len(letters()) == 3
    assert delivery.deliver(app, NOW + 9 * MINUTE)["letters_sent"] == 0


def test_a_request_undone_later_is_told(app: Flask, actor: Find) -> None:
    ref = request(actor)
    assert delivery.deliver(app, NOW + MINUTE)["letters_sent"] == 3
    change(actor, "member@example.org", ref, "cancel", NOW + 2 * MINUTE)
    told = [(template, to) for template, to, _ in letters("queued")]
    assert told == [("reservation_cancelled", to) for _, to in TO_MANAGERS]


def test_an_answer_takes_back_what_was_to_be_decided(app: Flask, actor: Find) -> None:
    ref = request(actor)
    change(actor, "manager@example.org", ref, "approve")
    assert letters("queued") == [("reservation_approved", "member@example.org", "queued")]
    assert len(letters("withdrawn")) == 3


def test_only_what_begins_alike_is_taken_back(app: Flask) -> None:
    with transaction() as session:
        for key in ("a:1:x", "a:12:x", "a_1:x", "A:1:x"):
            post(session, key, "joined", [READER], {}, NOW)
        assert withdraw(session, "a:1:") == {("joined", READER.email)}
        assert withdraw(session, "a_1") == {("joined", READER.email)}
    assert [state for *_, state in letters()].count("withdrawn") == 2


def test_who_wants_less_gets_less(app: Flask, actor: Find) -> None:
    prefer("member@example.org", "acts")
    prefer("manager@example.org", "acts")
    change(actor, "manager@example.org", request(actor), "approve")
    assert [template for template, *_ in letters()] == ["reservation_to_decide"] * 2


def test_the_daily_letter(app: Flask, actor: Find) -> None:
    prefer("member@example.org", "digest")
    one, two = request(actor), request(actor, 29)
    change(actor, "manager@example.org", one, "approve")
    assert ("reservation_approved", "member@example.org", "digest") in letters()
    evening, morning = NOW.replace(hour=20), NOW + timedelta(hours=22)  # 07:00 in Paris
    with transaction() as session:  # already written today
        post(session, "digest:2026-11-21", "digest", [READER], {"items": []}, NOW)
    for now, written in ((evening, 0), (morning - MINUTE, 0), (morning, 1), (morning + MINUTE, 0)):
        assert digest.write_digests(app, now) == {"digests": written}, now
    assert not letters("digest")
    kept = db.session().scalars(select(Letter).where(Letter.key == "digest:2026-11-22:member@example.org")).one()
    subjects = [item["subject"] for item in kept.facts["items"]]
    assert [item["of"]["ref"] for item in kept.facts["items"]] == [two, one]
    assert subjects[0].startswith("Demande envoyée")
    assert delivery.deliver(app, morning)["letters_dead"] == 0
    db.session().rollback()
    sent = db.session().scalars(select(Letter).where(Letter.template == "digest", Letter.state == "sent")).all()
    assert all(subject in str(sent[-1].text) and f"/reservations/{one}" in str(sent[-1].html) for subject in subjects)
    inside = outbox.row_of(db.session().scalars(select(Letter).where(Letter.template == "reservation_approved")).one())
    assert inside.in_digest
    db.session().rollback()


def test_late_is_better_than_never(app: Flask, actor: Find) -> None:
    """A whole day without a tick: one letter, not two."""
    prefer("member@example.org", "digest")
    request(actor)
    assert digest.write_digests(app, NOW + timedelta(days=2)) == {"digests": 1}
    assert digest.write_digests(app, NOW + timedelta(days=2, hours=3)) == {"digests": 0}


def test_what_cannot_be_written_does_not_keep_the_daily_letter(app: Flask, actor: Find) -> None:
    prefer("member@example.org", "digest")
    request(actor)
    with transaction() as session:
        post(session, "x", "reservation_approved", [replace(READER, user_id=6, letters="digest")], {}, NOW)
        session.scalars(select(Letter).where(Letter.key.startswith("x"))).one().user_id = actor(READER.email).user_id
    assert digest.write_digests(app, NOW + timedelta(days=1)) == {"digests": 1}
    assert [template for template, *_ in letters("dead")] == ["reservation_approved"]


# -- stuck -------------------------------------------------------------------------------------------


STUCK = [
    # state, due since, tries
    ("queued", timedelta(minutes=59), 0, False),
    ("queued", timedelta(minutes=61), 0, True),
    ("sending", timedelta(minutes=61), 1, True),
    ("queued", timedelta(0), 3, False),
    ("queued", timedelta(0), 4, True),
    ("dead", timedelta(0), 1, True),
    ("sent", timedelta(days=9), 9, False),
    ("digest", timedelta(days=9), 0, False),
    ("withdrawn", timedelta(days=9), 0, False),
]


@pytest.mark.parametrize(("state", "since", "tries", "stuck"), STUCK)
def test_what_is_stuck(app: Flask, state: str, since: timedelta, tries: int, stuck: bool) -> None:
    write(state=state, due_at=NOW - since, attempts=tries)
    assert outbox.stuck(db.session(), NOW) == stuck
    db.session().rollback()


def write(template: str = "joined", **values: Any) -> int:
    with transaction() as session:
        post(session, "k", template, [replace(READER, user_id=7)], {"by": "A", "organisation": "B"}, NOW)
        found = session.scalars(select(Letter)).one()
        for name, value in values.items():
            setattr(found, name, value)
        return found.id


def test_a_dead_letter_goes_again(app: Flask, actor: Find) -> None:
    number = write("reservation_to_decide", state="dead", attempts=9, user_id=actor("member@example.org").user_id)
    manager = actor("manager@example.org")
    with transaction() as session:
        desk.send_again(session, manager, number, NOW)
    row = outbox.row_of(db.session().get_one(Letter, number, populate_existing=True))
    assert (row.state, row.attempts, row.due_at) == ("queued", 0, NOW)
    db.session().rollback()
    with pytest.raises(CannotGoAgain), transaction() as session:  # it lives
        desk.send_again(session, manager, number, NOW)


def test_a_dead_letter_is_put_away(app: Flask, actor: Find) -> None:
    number = write("invite", state="dead", user_id=actor("member@example.org").user_id)
    manager = actor("manager@example.org")
    with pytest.raises(CannotGoAgain), transaction() as session:  # its link is gone
        desk.send_again(session, manager, number, NOW)
    with transaction() as session:
        desk.give_up(session, manager, number, NOW)
    assert outbox.stuck(db.session(), NOW) == 0
    db.session().rollback()


def test_whose_letters_one_sees(app: Flask, actor: Find) -> None:
    number = write(state="dead", user_id=actor("member@example.org").user_id)
    session = db.session()
    sees = {who: len(desk.managed_letters(session, actor(who))) for who in MANAGERS}
    assert sees == {"admin@example.org": 1, "manager@example.org": 1, "manager.stn@example.org": 0}
    for who in ("staff@example.org", "other@example.org", "member@example.org"):
        with pytest.raises(NotFound):
            desk.managed_letters(session, actor(who))
    assert [len(desk.own_letters(session, actor(who))) for who in ("member@example.org", "other@example.org")] == [1, 0]
    assert desk.letter(session, actor("member@example.org"), number)[1] is False
    assert desk.letter(session, actor("manager@example.org"), number)[1] is True
    for who in ("manager.stn@example.org", "staff@example.org", "other@example.org"):
        with pytest.raises(NotFound):
            desk.letter(session, actor(who), number)
    with pytest.raises(NotAllowed):
        desk.send_again(session, actor("member@example.org"), number, NOW)
    session.rollback()


MANAGERS = ("admin@example.org", "manager@example.org", "manager.stn@example.org")


def test_a_page_and_words(app: Flask) -> None:
    with transaction() as session:
        for number in range(5):
            reader = replace(READER, email=f"r{number}@example.org", name=f"Zoé {number}%")
            post(session, "k", "joined", [reader], {}, NOW)
    session = db.session()
    everybody = Letter.id > 0
    first = outbox.letters(session, everybody, limit=3)
    rest = outbox.letters(session, everybody, before=first[-1].id)
    assert [row.to_address[1] for row in first + rest] == list("43210")
    assert [row.to_address[1] for row in outbox.letters(session, everybody, words="zoé 2%")] == ["2"]
    assert outbox.letters(session, everybody, state="dead") == []
    session.rollback()


def test_post_says_how_many_are_new(app: Flask) -> None:
    readers = [Recipient(f"{name}@example.org", name, "fr") for name in ("a", "b")]
    with transaction() as session:
        assert post(session, "k", "reservation_expired", readers, {}, NOW) == 2
        assert (
            post(session, "k", "reservation_expired", [*readers, Recipient("c@example.org", "c", "fr")], {}, NOW) == 1
        )
        assert post(session, "k", "reservation_expired", readers[:1], {}, NOW) == 0
