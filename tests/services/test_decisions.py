"""Deciding: less, otherwise, twice, by silence, from the letter; and two people at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from sharebank.accounts.models import Membership, Organisation, User
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, Refused
from sharebank.core.period import Period
from sharebank.notifications import outbox
from sharebank.notifications.models import Letter
from sharebank.notifications.service import withdraw
from sharebank.notifications.writing import write_out
from sharebank.reservations import desk, lifecycle
from sharebank.reservations.deciding import decisions, links
from sharebank.reservations.deciding.decisions import MoreThanAsked, NothingLess, NotLess, Slot
from sharebank.reservations.deciding.judging import NoRecall, TooLateToRecall
from sharebank.reservations.deciding.links import LinkGone, LinkUsed
from sharebank.reservations.deciding.requests_reading import PRESSING, History, Place, to_decide
from sharebank.reservations.lifecycle import SamePerson
from sharebank.reservations.models import Reservation
from sharebank.reservations.rules import Collision, InThePast
from sharebank.reservations.states import WaitsForBorrower, WrongState
from sharebank.reservations.waiting import offers
from sharebank.reservations.waiting.waiting_models import DecisionLink
from tests.counter import MEMBER, OTHER, PLATES, ROOM, SMALL, STAFF, STN_ROOM, Book, Who, book, free, loan, rules
from tests.world import NOW, PARIS, at

__all__ = ["book"]  # the fixture
MANAGER, ADMIN, MANAGER_STN = "manager@example.org", "admin@example.org", "manager.stn@example.org"
WHEN = at(28, "14:00", "18:00")


def letters(template: str) -> dict[str, Letter]:
    """Letters of a sort by reader."""
    session = db.session()
    session.rollback()
    session.expire_all()
    query = select(Letter).where(Letter.template == template, Letter.state != "withdrawn").order_by(Letter.id)
    return {letter.to_address: letter for letter in session.scalars(query)}


def words(app: Flask, letter: Letter) -> str:
    """A letter's text as its reader has it."""
    body = write_out(app, letter).message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


Less = Callable[..., Reservation]


@pytest.fixture
def answer(app: Flask, actor: Who) -> Less:
    """`answer("propose", ref, at(…), {ROOM: 1})` by staff unless said otherwise."""

    def act(how: str, ref: str, period: Period, wants: dict[str, int] | None = None, **more: Any) -> Reservation:
        who, why, now = actor(more.pop("who", STAFF)), more.pop("why", ""), more.pop("now", NOW)
        with transaction() as session:
            do: Any = getattr(decisions, how)
            done: Reservation = do(session, who, ref, Slot(period, wants or {}), why, now, PARIS, **more)
        return done

    return act


# -- less --------------------------------------------------------------------------------------------


def test_fewer_and_shorter_is_approved_and_the_borrower_reads_what_changed(
    app: Flask, book: Book, answer: Less
) -> None:
    [_, done] = book(MEMBER, WHEN, {ROOM: 1, PLATES: 50})
    shorter = at(28, "15:00", "17:00")
    answer("approve_less", done.ref, shorter, {PLATES: 30}, who="staff.stn@example.org", why="Il en manque vingt")
    now = loan(done.ref)
    assert (now.status, now.starts_at, now.ends_at) == ("approved", shorter.start, shorter.end)
    assert [(line.quantity, line.starts_at) for line in now.lines] == [(30, shorter.start)]
    assert free(PLATES, shorter) == 30
    assert free(PLATES, at(28, "14:00", "15:00")) == 60
    told = words(app, letters("reservation_approved_less")[MEMBER])
    assert "50 × Assiettes plates" in told
    assert "30 × Assiettes plates" in told
    assert "14:00 – 18:00" in told
    assert "15:00 – 17:00" in told
    assert "Il en manque vingt" in told


def test_a_thing_may_be_left_out_and_buffers_go_along(book: Book, answer: Less) -> None:
    rules(buffer_before_min=30, buffer_after_min=15)
    [done] = book(MEMBER, WHEN, {ROOM: 1, SMALL: 1})
    answer("approve_less", done.ref, at(28, "15:00", "17:00"), {SMALL: 0})
    [line] = loan(done.ref).lines
    assert (line.starts_at, line.ends_at) == (at(28, "14:30", "15:00").start, at(28, "17:00", "17:15").end)
    assert free(SMALL, WHEN) == 1


@pytest.mark.parametrize(
    ("how", "period", "wants", "refusal"),
    [
        pytest.param("approve_less", WHEN, {}, NothingLess, id="the same"),
        pytest.param("propose", WHEN, {}, NothingLess, id="the same, proposed"),
        pytest.param("approve_less", at(28, "15:00", "16:00"), {PLATES: 0}, NothingLess, id="nothing at all"),
        pytest.param("approve_less", at(28, "15:00", "16:00"), {PLATES: 51}, MoreThanAsked, id="more"),
        pytest.param("approve_less", at(28, "15:00", "16:00"), {PLATES: -1}, MoreThanAsked, id="less than none"),
        pytest.param("approve_less", at(29, "14:00", "18:00"), {}, NotLess, id="another day is proposed"),
        pytest.param("approve_less", at(28, "13:00", "18:00"), {}, NotLess, id="longer is proposed"),
        pytest.param("propose", at(20, "14:00", "18:00"), {}, InThePast, id="yesterday"),
        pytest.param("propose", at(29, "14:00", "18:00"), {PLATES: 50}, Collision, id="taken then"),
    ],
)
def test_what_is_no_answer(
    book: Book, answer: Less, how: str, period: Period, wants: dict[str, int], refusal: type[Refused]
) -> None:
    book(OTHER, at(29, "10:00", "15:00"), {PLATES: 20})
    [done] = book(MEMBER, WHEN, {PLATES: 50})
    with pytest.raises(refusal):
        answer(how, done.ref, period, wants, who="staff.stn@example.org")
    now = loan(done.ref)
    assert (now.status, now.starts_at, now.lines[0].quantity, now.details) == ("requested", WHEN.start, 50, {})


# -- another slot ------------------------------------------------------------------------------------


def test_a_proposal_moves_the_hold_and_never_stands_in_its_own_way(app: Flask, book: Book, answer: Less) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    later = at(28, "16:00", "20:00")  # it overlaps what it held
    answer("propose", done.ref, later, why="Ménage jusqu’à 16 h")
    now = loan(done.ref)
    assert (now.status, now.offered, now.starts_at) == ("requested", True, later.start)
    assert now.lapses_at == NOW + timedelta(days=3)
    assert (free(ROOM, at(28, "14:00", "16:00")), free(ROOM, later)) == (1, 0)
    told = words(app, letters("reservation_proposed")[MEMBER])
    assert "14:00 – 18:00" in told
    assert "16:00 – 20:00" in told
    assert "24 novembre" in told  # until when it is held


def test_the_borrower_says_yes(book: Book, answer: Less, actor: Who) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    answer("propose", done.ref, at(29, "14:00", "18:00"))
    with pytest.raises(WaitsForBorrower):
        desk.change(actor(MANAGER), done.ref, "approve")
    with pytest.raises(NotAllowed):
        desk.change(actor(STAFF), done.ref, "accept")
    desk.change(actor(MEMBER), done.ref, "accept")
    assert (loan(done.ref).status, loan(done.ref).offered) == ("approved", False)
    assert MANAGER in letters("reservation_approved")
    with pytest.raises(WrongState):
        desk.change(actor(MEMBER), done.ref, "accept")


def test_the_borrower_says_no(book: Book, answer: Less, actor: Who) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    answer("propose", done.ref, at(29, "14:00", "18:00"))
    desk.change(actor(MEMBER), done.ref, "refuse_offer", "Trop tard")
    assert loan(done.ref).status == "cancelled"
    assert free(ROOM, at(29, "14:00", "18:00")) == 1
    assert letters("reservation_offer_refused").keys() == {MANAGER, ADMIN}


def test_a_proposal_nobody_answers_lapses(app: Flask, book: Book, answer: Less) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    answer("propose", done.ref, at(29, "14:00", "18:00"))
    assert offers.look_after(app, NOW + timedelta(days=3, seconds=-1))["offers_lapsed"] == 0
    assert loan(done.ref).status == "requested"
    assert [offers.look_after(app, NOW + timedelta(days=9))["offers_lapsed"] for _ in range(3)] == [1, 0, 0]
    assert loan(done.ref).status == "expired"
    assert MEMBER in letters("reservation_offer_lapsed")


# -- two approvals, silence, recall ------------------------------------------------------------------


def test_two_people_approve_what_is_long(app: Flask, book: Book, actor: Who) -> None:
    rules(approval={"mode": "always", "second_above_hours": 3})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    desk.change(actor(STAFF), done.ref, "approve")
    now = loan(done.ref)
    assert (now.status, now.approved_once_by_id) == ("requested", actor(STAFF).user_id)
    assert "reservation_approved" not in {letter.template for letter in db.session().scalars(select(Letter))}
    assert letters("reservation_to_decide").keys() == {MANAGER, ADMIN}
    with pytest.raises(SamePerson):
        desk.change(actor(STAFF), done.ref, "approve")
    desk.change(actor(MANAGER), done.ref, "approve")
    assert loan(done.ref).status == "approved"
    [short] = book(MEMBER, at(27, "10:00", "12:00"), {ROOM: 1})
    desk.change(actor(STAFF), short.ref, "approve")
    assert loan(short.ref).status == "approved"


def test_the_second_of_two_is_a_manager(book: Book, actor: Who) -> None:
    rules(approval={"mode": "always", "second_above_hours": 3})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    desk.change(actor(MANAGER), done.ref, "approve")
    with pytest.raises(NotAllowed):
        desk.change(actor(STAFF), done.ref, "approve")
    desk.change(actor(ADMIN), done.ref, "approve")
    assert loan(done.ref).status == "approved"


def test_less_is_approved_twice_too(app: Flask, book: Book, answer: Less, actor: Who) -> None:
    rules(approval={"mode": "always", "second_above_hours": 1})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    answer("approve_less", done.ref, at(28, "14:00", "17:00"))
    assert loan(done.ref).status == "requested"
    desk.change(actor(MANAGER), done.ref, "approve")
    assert loan(done.ref).status == "approved"
    assert "14:00 – 18:00" in words(app, letters("reservation_approved_less")[MEMBER])


@pytest.mark.parametrize(
    ("silence", "becomes", "template"),
    [
        ("expire", "expired", "reservation_expired"),
        ("approve", "approved", "reservation_approved"),
        ("decline", "declined", "reservation_declined"),
        ("remind", "requested", None),
    ],
)
def test_silence(app: Flask, book: Book, silence: str, becomes: str, template: str | None) -> None:
    rules(approval={"mode": "always", "silence_days": 2, "silence": silence})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    with transaction() as session:  # as the booking stores it
        session.execute(update(Reservation).values(lapses_at=NOW + timedelta(days=2)))
    offers.look_after(app, NOW + timedelta(days=2, seconds=-1))
    assert loan(done.ref).status == "requested"
    for _ in range(3):
        offers.look_after(app, NOW + timedelta(days=2))
    now = loan(done.ref)
    assert now.status == becomes
    assert len(now.events) == (2 if template else 1)
    if template:
        assert letters(template)[MEMBER].state == "queued"
        assert words(app, letters(template)[MEMBER])


def test_silence_does_not_approve_what_two_people_must(app: Flask, book: Book) -> None:
    rules(approval={"mode": "always", "silence_days": 2, "silence": "approve", "second_above_hours": 1})
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    with transaction() as session:
        session.execute(update(Reservation).values(lapses_at=NOW + timedelta(days=2)))
    offers.look_after(app, NOW + timedelta(days=2))
    assert loan(done.ref).status == "expired"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"borrowers": {"member_years": 1}},
        # The loan that is taken from them was their only one.
        {"quota": {"loans": 1, "effect": "refuse"}},
    ],
    ids=str,
)
def test_recall_where_the_rules_let_it_with_a_reason_and_ways_out(
    app: Flask, book: Book, actor: Who, more: dict[str, Any]
) -> None:
    with transaction() as session:
        session.execute(update(Organisation).values(member_since=NOW.date().replace(year=2000)))
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    desk.change(actor(STAFF), done.ref, "approve")
    with pytest.raises(NoRecall):
        desk.change(actor(MANAGER), done.ref, "recall", "Élections")
    rules(recall={"days": 8})
    with pytest.raises(TooLateToRecall):
        desk.change(actor(MANAGER), done.ref, "recall", "Élections")
    rules(recall={"days": 2}, **more)
    with pytest.raises(NotAllowed):
        desk.change(actor(STAFF), done.ref, "recall", "Élections")
    desk.change(actor(MANAGER), done.ref, "recall", "Élections")
    assert loan(done.ref).status == "cancelled"
    told = words(app, letters("reservation_recalled")[MEMBER])
    assert "Élections" in told
    assert "Salle Jacquemart (STN)" in told  # the like elsewhere
    assert told.count("Grande salle (MCNG)") == 3  # other times


def test_who_wants_only_letters_to_act_on_hears_that_their_loan_is_off(book: Book, actor: Who, app: Flask) -> None:
    with transaction() as session:
        session.execute(update(User).where(User.email == MEMBER).values(letters="acts"))
    rules(recall={"days": 2})
    refs = [book(MEMBER, at(day, "10:00", "12:00"), {ROOM: 1})[0].ref for day in (26, 27, 28)]
    desk.change(actor(STAFF), refs[0], "decline", "Fermé")
    desk.change(actor(STAFF), refs[1], "approve")
    desk.change(actor(MANAGER), refs[1], "recall", "Élections")
    offers.look_after(app, NOW + timedelta(days=10))
    found = db.session().scalars(select(Letter.template).where(Letter.to_address == MEMBER).order_by(Letter.id))
    assert list(found) == ["reservation_declined", "reservation_recalled", "reservation_expired"]


# -- from the letter ---------------------------------------------------------------------------------


def secrets_of(ref: str) -> dict[str, str]:
    """The link of each reader."""
    found = letters("reservation_to_decide")
    return {email: letter.facts["secret"] for email, letter in found.items() if letter.facts["ref"] == ref}


def test_each_reader_has_a_link_of_their_own_and_only_its_hash_is_kept(app: Flask, book: Book) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    found = secrets_of(done.ref)
    assert found.keys() == {MANAGER, ADMIN}
    assert len(set(found.values())) == 2
    rows = {link.token_hash: link for link in db.session().scalars(select(DecisionLink))}
    assert len(rows) == 2
    assert not set(found.values()) & set(rows)
    assert {link.expires_at for link in rows.values()} == {WHEN.start}
    letter = letters("reservation_to_decide")[MANAGER]
    assert f"/decide/{found[MANAGER]}" in words(app, letter)
    kept = write_out(app, letter)
    assert found[MANAGER] not in kept.text + kept.html


def test_a_letter_taken_back_keeps_no_secret(app: Flask, book: Book, actor: Who) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    desk.change(actor(MEMBER), done.ref, "cancel")
    db.session().expire_all()
    back = db.session().scalars(select(Letter).where(Letter.template == "reservation_to_decide")).all()
    assert {letter.state for letter in back} == {"withdrawn"}
    assert not any("secret" in letter.facts for letter in back)
    with transaction() as session:
        assert withdraw(session, f"reservation:{done.ref}:to_decide") == set()


def test_a_dead_letter_goes_again_with_a_plain_link(app: Flask, book: Book) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    letter = letters("reservation_to_decide")[MANAGER]
    with transaction() as session:
        facts = {name: value for name, value in letter.facts.items() if name != "secret"}
        session.execute(update(Letter).where(Letter.id == letter.id).values(state="dead", facts=facts))
        outbox.send_again(session, letter.id, NOW)
    again = words(app, letters("reservation_to_decide")[MANAGER])
    assert f"/reservations/{done.ref}" in again
    assert "/decide/" not in again


def test_a_link_is_spent_once_and_ends_when_the_loan_starts(book: Book) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    token = secrets_of(done.ref)[MANAGER]
    with transaction() as session:
        link = links.read(session, token, NOW)
        assert link.reader is not None
        assert (link.reader.email, link.ref, link.used) == (MANAGER, done.ref, False)
        links.spend(session, link, NOW)
        with pytest.raises(LinkUsed):
            links.spend(session, link, NOW)
        assert links.read(session, token, NOW).used
        for wrong, moment in ((token, WHEN.start), (token[:-1], NOW), ("", NOW), (token.upper(), NOW)):
            with pytest.raises(LinkGone):
                links.read(session, wrong, moment)
        assert links.forget(session, WHEN.start) == 2


def test_a_reader_without_a_role_is_nobody(book: Book) -> None:
    [done] = book(MEMBER, WHEN, {ROOM: 1})
    token = secrets_of(done.ref)[MANAGER]
    with transaction() as session:
        user_id = session.scalars(select(User.id).where(User.email == MANAGER)).one()
        session.execute(delete(Membership).where(Membership.user_id == user_id))
        assert links.read(session, token, NOW).reader is None


# -- two at once -------------------------------------------------------------------------------------


def at_once(app: Flask, *acts: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own, let loose together; what came of each."""
    start, told = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait(30)
            try:
                told[number] = act()
            except Refused as refused:
                told[number] = refused  # type: ignore[call-overload]
            db.session.remove()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return told


def test_of_two_who_decide_at_once_one_wins_and_the_other_reads_what_was_decided(
    app: Flask, book: Book, actor: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The planted pause: whoever has read the state and not yet written waits, for the other to read it too.
    plain = lifecycle.transition
    monkeypatch.setattr(lifecycle, "transition", lambda *facts: (plain(*facts), time.sleep(0.03))[0])
    wins = set()
    for day in range(1, 9):
        [done] = book(MEMBER, at(day, "10:00", "12:00", month=12), {ROOM: 1})
        yes = lambda ref=done.ref: desk.change(actor(MANAGER), ref, "approve").status  # noqa: E731
        no = lambda ref=done.ref: desk.change(actor(STAFF), ref, "decline", "Non").status  # noqa: E731
        told = at_once(app, yes, no)
        [won] = [one for one in told if isinstance(one, str)]
        [lost] = [one for one in told if not isinstance(one, str)]
        assert isinstance(lost, WrongState)
        assert lost.facts == {"state": won}
        now = loan(done.ref)
        assert (now.status, len(now.events)) == (won, 2)
        wins.add(won)
    assert wins <= {"approved", "declined"}


def test_a_link_clicked_twice_at_once_decides_once(app: Flask, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = links.read
    monkeypatch.setattr(links, "read", lambda *facts: (plain(*facts), time.sleep(0.03))[0])

    def click(token: str) -> str:
        with transaction() as session:
            link = links.read(session, token, NOW)
            links.spend(session, link, NOW)
            assert link.reader is not None
            return lifecycle.change(session, link.reader, link.ref, "approve", "", NOW, PARIS).status

    for day in range(1, 5):
        [done] = book(MEMBER, at(day, "10:00", "12:00", month=12), {ROOM: 1})
        token = secrets_of(done.ref)[MANAGER]
        told = at_once(app, lambda token=token: click(token), lambda token=token: click(token))
        assert sorted(str(one) for one in told) == ["You have already answered with this link.", "approved"]
        assert len(loan(done.ref).events) == 2


# -- what one decides by -----------------------------------------------------------------------------


def test_requests_come_oldest_first_with_the_facts(book: Book, actor: Who, answer: Less) -> None:
    [old] = book(OTHER, at(15, "10:00", "12:00", month=12), {ROOM: 1})
    [new] = book(MEMBER, at(5, "10:00", "12:00", month=12), {SMALL: 1})
    with transaction() as session:
        session.execute(
            update(Reservation).where(Reservation.ref == old.ref).values(created_at=NOW - timedelta(days=1))
        )
    book(MEMBER, at(6, "10:00", "12:00", month=12), {STN_ROOM: 1})  # the other house's
    [moved] = book(MEMBER, at(7, "10:00", "12:00", month=12), {ROOM: 1})
    answer("propose", moved.ref, at(8, "10:00", "12:00", month=12))  # the borrower's turn
    found = to_decide(db.session(), actor(STAFF), PARIS, NOW, 10)
    assert [one.loan.ref for one in found] == [old.ref, new.ref]
    assert [one.loan.ref for one in to_decide(db.session(), actor(STAFF), PARIS, NOW, 1)] == [old.ref]
    last = Place(NOW + PRESSING, False, NOW - timedelta(days=1), found[0].loan.id)
    following = to_decide(db.session(), actor(STAFF), PARIS, NOW, 10, last)
    assert [one.loan.ref for one in following] == [new.ref]
    assert to_decide(db.session(), actor(MEMBER), PARIS, NOW, 10) == []
    assert len(to_decide(db.session(), actor(ADMIN), PARIS, NOW, 10)) == 3
    assert found[0].history == History()


def test_history_counts_loans_late_returns_and_cancellations(book: Book, actor: Who) -> None:
    past = []
    for day, acts in ((22, ("approve", "collect", "return")), (23, ("approve", "cancel")), (24, ("approve",))):
        [done] = book(MEMBER, at(day, "10:00", "12:00"), {ROOM: 1})
        for act in acts:
            desk.change(actor(STAFF), done.ref, act)
        past.append(done.ref)
    late = at(22, "10:00", "14:00").end
    with transaction() as session:
        for event in session.scalars(select(Reservation).where(Reservation.ref == past[0])).one().events:
            event.at = late if event.status == "returned" else event.at
    [asked] = book(MEMBER, at(1, "10:00", "12:00", month=12), {ROOM: 1})
    found = {
        one.loan.ref: one for one in to_decide(db.session(), actor(STAFF), PARIS, at(25, "10:00", "11:00").start, 9)
    }
    assert found[asked.ref].history == History(loans=2, late=1, cancelled=1)


def test_who_else_wants_it(book: Book, actor: Who) -> None:
    [mine] = book(MEMBER, WHEN, {PLATES: 30})
    [theirs] = book(OTHER, at(28, "17:00", "19:00"), {PLATES: 20})
    book(OTHER, at(28, "18:00", "19:00"), {PLATES: 1})
    found = {one.loan.ref: one for one in to_decide(db.session(), actor(MANAGER_STN), PARIS, NOW, 9)}
    assert [(one.borrower, one.ref) for one in found[mine.ref].rivals] == [("Échiquier romanais", theirs.ref)]
