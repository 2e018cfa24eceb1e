"""Sessions, tokens, attempts and the managers' desk, as services, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import event, func, select, update

from sharebank.accounts import directory, people, service, signin
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Attempt, Membership, Token, User, UserSession
from sharebank.accounts.rules import LETTERS, TooManyAttempts
from sharebank.accounts.service import LinkEnded, UnknownAddress
from sharebank.accounts.web import hash_token, load_visitor
from sharebank.core.db import Base, db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.notifications.models import Letter
from tests.world import NOW

Find = Callable[[str], Actor]
# Argon2 with its real cost is slow on purpose; what is tested here does not depend on it.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "un mot de passe"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "HASHER", CHEAP)
    monkeypatch.setattr(signin, "NOBODY", CHEAP.hash("nobody"))


def count(model: type[Base], *where: Any) -> int:
    found = db.session().scalar(select(func.count()).select_from(model).where(*where))
    db.session().rollback()
    assert found is not None
    return found


def give_password(email: str, password: str = PASSWORD, hasher: PasswordHasher = CHEAP) -> None:
    with transaction() as session:
        session.execute(update(User).where(User.email == email).values(password_hash=hasher.hash(password)))


def password_hash(email: str) -> str:
    found = db.session().scalar(select(User.password_hash).where(User.email == email))
    assert found
    return found


def open_session(actor: Actor) -> str:
    with transaction() as session:
        return service.open_session(session, actor.user_id, NOW)


def at_once(app: Flask, act: Callable[[], Any], times: int) -> list[Any]:
    """Do it in several threads, started together; what each returned or refused with."""
    start = threading.Barrier(times)

    def run(_: int) -> Any:
        with app.app_context():
            start.wait()
            try:
                return act()
            except Refused as refused:
                return refused.code
            finally:
                db.session.remove()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


# -- sessions and tokens -------------------------------------------------------------------------


def test_a_session_is_a_row_that_holds_no_secret(app: Flask, actor: Find) -> None:
    member = actor("member@example.org")
    token = open_session(member)
    assert len(token) == 43
    visitor = load_visitor(token)
    assert visitor is not None
    assert visitor.actor == member
    row = db.session().scalars(select(UserSession)).one()
    assert row.token_hash == hash_token(token) != token
    assert row.expires_at == NOW + timedelta(days=30)
    assert load_visitor(row.token_hash) is None


def test_a_session_ends_with_its_row_or_its_time(app: Flask, actor: Find) -> None:
    member = actor("member@example.org")
    first, second = open_session(member), open_session(member)
    with transaction() as session:
        service.end_session(session, first)
    assert load_visitor(first) is None
    assert load_visitor(second)
    assert directory.actor_of_session(db.session(), hash_token(second), NOW + timedelta(days=30)) is None


@pytest.mark.parametrize(
    ("purpose", "life"),
    [
        ("invite", timedelta(days=7)),
        ("reset", timedelta(hours=1)),
        ("sign_in", timedelta(minutes=15)),
        ("api", timedelta(days=365)),
    ],
)
def test_a_token_lives_so_long_and_for_one_purpose(app: Flask, actor: Find, purpose: str, life: timedelta) -> None:
    member = actor("member@example.org")
    with transaction() as session:
        token = service.issue_token(session, member.user_id, purpose, NOW)
    last = NOW + life - timedelta(seconds=1)
    assert service.token_owner(db.session(), token, (purpose,), last) == member
    for purposes, now in (((purpose,), NOW + life), ((), last), (("reset" if purpose != "reset" else "api",), last)):
        with pytest.raises(LinkEnded):
            service.token_owner(db.session(), token, purposes, now)
    assert count(Token, Token.token_hash == token) == 0
    assert count(Token, Token.token_hash == hash_token(token)) == 1


def test_a_token_is_spent_once_by_two_at_the_same_moment(app: Flask, actor: Find) -> None:
    with transaction() as session:
        token = service.issue_token(session, actor("member@example.org").user_id, "sign_in", NOW)

    def spend() -> str:
        with transaction() as session:
            signin.enter_by_link(session, token, NOW)
        return "in"

    assert sorted(at_once(app, spend, 4)) == ["in", *["link_ended"] * 3]
    assert count(UserSession) == 1


def test_api_tokens(app: Flask, actor: Find) -> None:
    member, other = actor("member@example.org"), actor("other@example.org")
    with transaction() as session:
        token = service.issue_api_token(session, " Member@example.org ", NOW)
    assert directory.actor_of_api_token(db.session(), hash_token(token), NOW) == member
    (row,) = service.api_tokens(db.session(), member, NOW)
    with pytest.raises(NotFound), transaction() as session:
        service.revoke_api_token(session, other, row.id)
    with transaction() as session:
        service.revoke_api_token(session, member, row.id)
    assert directory.actor_of_api_token(db.session(), hash_token(token), NOW) is None
    with pytest.raises(UnknownAddress), transaction() as session:
        service.issue_api_token(session, "nobody@example.org", NOW)


# -- passwords -----------------------------------------------------------------------------------


def test_an_aged_hash_is_renewed_at_sign_in(app: Flask) -> None:
    give_password("member@example.org", hasher=PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    old = password_hash("member@example.org")
    proof = signin.verify(db.session(), "MEMBER@example.org ", PASSWORD)
    with transaction() as session:
        actor, _ = signin.enter(session, proof, NOW)
    assert actor.email == "member@example.org"
    assert password_hash("member@example.org") != old
    assert not CHEAP.check_needs_rehash(password_hash("member@example.org"))
    signin.verify(db.session(), "member@example.org", PASSWORD)


def test_a_password_changed_meanwhile_lets_nobody_in(app: Flask, actor: Find) -> None:
    give_password("member@example.org")
    proof = signin.verify(db.session(), "member@example.org", PASSWORD)
    give_password("member@example.org", "another password")
    with pytest.raises(signin.WrongPassword), transaction() as session:
        signin.enter(session, proof, NOW)
    assert count(UserSession) == 0


def test_a_new_password_ends_every_session_and_link(app: Flask, actor: Find) -> None:
    member, other = actor("member@example.org"), actor("other@example.org")
    sessions = [open_session(member), open_session(member)]
    neighbour = open_session(other)
    with transaction() as session:
        for purpose in ("reset", "sign_in", "invite", "api"):
            service.issue_token(session, member.user_id, purpose, NOW)
    with transaction() as session:
        fresh = signin.set_password(session, member, CHEAP.hash(PASSWORD), NOW)
    assert [load_visitor(token) for token in sessions] == [None, None]
    assert load_visitor(fresh)
    assert load_visitor(neighbour)
    assert list(db.session().scalars(select(Token.purpose))) == ["api"]


# -- attempts and letters ------------------------------------------------------------------------


def attempt(email: str = "member@example.org", now: Any = NOW) -> str:
    with transaction() as session:
        signin.count_attempt(session, email, now)
    return "counted"


@pytest.mark.parametrize("email", ["member@example.org", "nobody@example.org"])
def test_ten_attempts_then_a_pause(app: Flask, email: str) -> None:
    for _ in range(10):
        attempt(email)
    with pytest.raises(TooManyAttempts):
        attempt(f" {email.upper()} ")
    attempt("other@example.org")
    assert count(Attempt) == 11
    attempt(email, NOW + timedelta(minutes=15))


def test_attempts_at_the_same_moment_are_all_counted(app: Flask) -> None:
    for _ in range(7):
        attempt()
    assert sorted(at_once(app, attempt, 8)) == ["counted"] * 3 + ["too_many_attempts"] * 5


def test_coming_in_clears_the_count(app: Flask) -> None:
    give_password("member@example.org")
    for _ in range(10):
        attempt()
    proof = signin.verify(db.session(), "member@example.org", PASSWORD)
    with transaction() as session:
        signin.enter(session, proof, NOW)
    assert count(Attempt) == 0


def send(email: str, purpose: str = "sign_in") -> None:
    with transaction() as session:
        signin.send_link(session, purpose, email, NOW)


@pytest.mark.parametrize("purpose", ["sign_in", "reset"])
def test_a_link_is_sent_to_somebody_only(app: Flask, purpose: str) -> None:
    send("nobody@example.org", purpose)
    assert (count(Token), count(Letter), count(Attempt)) == (0, 0, 1)
    send("Member@example.org", purpose)
    letter = db.session().scalars(select(Letter)).one()
    token = db.session().scalars(select(Token)).one()
    assert (letter.template, letter.to_address, token.purpose) == (purpose, "member@example.org", purpose)
    assert hash_token(letter.facts["secret"]) == token.token_hash


def test_links_do_as_much_for_an_unknown_address(app: Flask) -> None:
    """Told by the statements the database gets, not by a clock."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement.replace("ROLLBACK TO", "RELEASE"))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        send("member@example.org")
        known, seen[:] = list(seen), []
        send("nobody@example.org")
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert seen == known
    assert len([statement for statement in seen if statement.startswith("INSERT")]) == 3


def test_links_are_limited(app: Flask) -> None:
    for email in ("member@example.org", "nobody@example.org"):
        for _ in range(LETTERS.most):
            send(email)
        with pytest.raises(TooManyAttempts):
            send(email)
        attempt(email)  # the password is counted apart: nobody is locked out by letters
    assert count(Letter) == LETTERS.most


# -- people --------------------------------------------------------------------------------------


def newcomer(**changes: str) -> people.Newcomer:
    said = {
        "first_name": "Zoë",
        "last_name": "Nguyễn",
        "email": "Zoe@Example.org",
        "organisation": "CHORALE",
        "role": "member",
        "locale": "fr",
    }
    return people.Newcomer(**{**said, **changes})


def add(actor: Actor, **changes: str) -> None:
    with transaction() as session:
        people.add(session, actor, newcomer(**changes), NOW)


def seat_of(actor: Actor, email: str) -> people.Seat:
    return next(seat for seat in people.seats(db.session(), actor) if seat.email == email)


def test_a_newcomer_is_invited_by_letter(app: Flask, actor: Find) -> None:
    add(actor("manager@example.org"))
    assert directory.actor_of_email(db.session(), "zoe@example.org")
    letter = db.session().scalars(select(Letter)).one()
    assert (letter.template, letter.to_address, letter.to_name) == ("invite", "zoe@example.org", "Zoë Nguyễn")
    service.token_owner(db.session(), letter.facts["secret"], ("invite",), NOW)


def test_somebody_known_keeps_their_name_and_password(app: Flask, actor: Find) -> None:
    give_password("other@example.org")
    add(actor("manager@example.org"), email="other@example.org", role="manager")
    known = actor("other@example.org")
    assert known.name == "Other Test"
    assert {role.organisation: role.role for role in known.roles} == {"ECHECS": "member", "CHORALE": "manager"}
    assert db.session().scalars(select(Letter.template)).one() == "joined"
    assert count(Token) == 0


@pytest.mark.parametrize(
    ("email", "changes", "refusal"),
    [
        ("manager@example.org", {"organisation": "STN"}, NotFound),
        ("manager@example.org", {"organisation": "ECHECS"}, NotFound),
        ("manager@example.org", {"organisation": "NOWHERE"}, NotFound),
        ("manager@example.org", {"role": "admin"}, NotAllowed),
        ("staff@example.org", {}, NotFound),
        ("member@example.org", {}, NotFound),
        ("manager@example.org", {"email": "Member@example.org"}, people.AlreadyThere),
    ],
)
def test_who_may_not_be_added(
    app: Flask, actor: Find, email: str, changes: dict[str, str], refusal: type[Refused]
) -> None:
    with pytest.raises(refusal):
        add(actor(email), **changes)
    assert (count(User, User.email == "zoe@example.org"), count(Letter)) == (0, 0)


def test_two_managers_add_the_same_person_at_once(app: Flask, actor: Find) -> None:
    manager = actor("manager@example.org")
    db.session().rollback()
    done = at_once(app, lambda: add(manager) or "added", 3)  # type: ignore[func-returns-value]
    assert sorted(done) == ["added", "already_there", "already_there"]


@pytest.mark.parametrize(
    ("email", "seen"),
    [
        ("admin@example.org", {"MCNG", "STN", "CHORALE", "ECHECS"}),
        ("manager@example.org", {"MCNG", "CHORALE"}),
        ("manager.stn@example.org", {"STN", "ECHECS"}),
        ("staff@example.org", None),
        ("member@example.org", None),
    ],
)
def test_the_people_somebody_manages(app: Flask, actor: Find, email: str, seen: set[str] | None) -> None:
    if seen is None:
        for look in (people.seats, people.bodies):
            with pytest.raises(NotFound):
                look(db.session(), actor(email))
        return
    assert {seat.body.organisation for seat in people.seats(db.session(), actor(email))} == seen
    assert {body.code for body in people.bodies(db.session(), actor(email))} == seen


def test_an_association_s_manager_manages_it_alone(app: Flask, actor: Find) -> None:
    with transaction() as session:
        session.execute(update(Membership).where(Membership.role == "member").values(role="manager"))
    assert {seat.email for seat in people.seats(db.session(), actor("member@example.org"))} == {"member@example.org"}


def test_people_are_found_by_word(app: Flask, actor: Find) -> None:
    def found(words: str) -> set[str]:
        return {seat.email for seat in people.seats(db.session(), actor("admin@example.org"), words)}

    assert found("staff") == {"staff@example.org", "staff.stn@example.org"}
    assert found("STN staff") == {"staff.stn@example.org"}
    assert found("%") == set()


def test_a_lost_membership_ends_sessions_at_once(app: Flask, actor: Find) -> None:
    manager, member = actor("manager@example.org"), actor("member@example.org")
    add(actor("admin@example.org"), email="member@example.org", organisation="ECHECS")
    token = open_session(member)
    with transaction() as session:
        service.issue_api_token(session, member.email, NOW)
    with transaction() as session:
        people.remove(session, manager, seat_of(manager, member.email).id)
    assert load_visitor(token) is None
    assert actor("member@example.org").roles[0].organisation == "ECHECS"
    assert count(Token, Token.purpose == "api") == 1
    with transaction() as session:
        stn = directory.actor_of_email(session, "manager.stn@example.org")
        assert stn
        people.remove(session, stn, next(s.id for s in people.seats(session, stn) if s.email == member.email))
    assert directory.actor_of_email(db.session(), member.email) is None
    assert count(Token, Token.user_id == member.user_id) == 0


def test_a_manager_cannot_touch_an_administrator(app: Flask, actor: Find) -> None:
    manager = actor("manager@example.org")
    admin = seat_of(manager, "admin@example.org")
    with pytest.raises(NotAllowed), transaction() as session:
        people.remove(session, manager, admin.id)
    with pytest.raises(NotAllowed), transaction() as session:
        people.change_role(session, manager, admin.id, "member")
    with pytest.raises(NotAllowed), transaction() as session:
        people.change_role(session, manager, seat_of(manager, "staff@example.org").id, "admin")
    foreign = seat_of(actor("admin@example.org"), "other@example.org")
    with pytest.raises(NotFound), transaction() as session:
        people.change_role(session, manager, foreign.id, "staff")


def test_the_last_administrator_stays(app: Flask, actor: Find) -> None:
    admin = actor("admin@example.org")
    own = seat_of(admin, "admin@example.org").id
    for act in (people.remove, lambda *values: people.change_role(*values, "member")):
        with pytest.raises(people.LastAdmin), transaction() as session:
            act(session, admin, own)
    with transaction() as session:
        people.change_role(session, admin, seat_of(admin, "manager@example.org").id, "admin")
    with transaction() as session:
        people.remove(session, admin, own)
    assert count(Membership, Membership.role == "admin") == 1


def test_two_administrators_who_remove_each_other(app: Flask, actor: Find) -> None:
    admin = actor("admin@example.org")
    with transaction() as session:
        people.change_role(session, admin, seat_of(admin, "manager@example.org").id, "admin")
    seats = [seat_of(admin, email).id for email in ("admin@example.org", "manager@example.org")]
    db.session().rollback()

    def remove() -> str:
        with transaction() as session:
            people.remove(session, admin, seats.pop())
        return "gone"

    assert sorted(at_once(app, remove, 2)) == ["gone", "last_admin"]
    assert count(Membership, Membership.role == "admin") == 1


def test_an_invitation_sent_again_replaces_the_first(app: Flask, actor: Find) -> None:
    manager = actor("manager@example.org")
    add(manager)
    first = db.session().scalars(select(Letter)).one().facts["secret"]
    with transaction() as session:
        people.invite_again(session, manager, seat_of(manager, "zoe@example.org").id, NOW)
    assert count(Letter) == 2
    with pytest.raises(LinkEnded):
        service.token_owner(db.session(), first, ("invite",), NOW)
