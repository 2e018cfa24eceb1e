"""Coming in and going out as a browser meets it, one's account, and the managers' screens."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import select, update

from sharebank.accounts import people, service, signin
from sharebank.accounts.models import Attempt, Membership, Token, User, UserSession
from sharebank.core.db import db, transaction
from sharebank.core.models import Fact
from sharebank.notifications.models import Letter
from tests.world import NOW

SignedIn = Callable[[str], FlaskClient]
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
MEMBER, PASSWORD = "member@example.org", "un mot de passe"
WRONG = "ne vont pas ensemble"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "HASHER", CHEAP)
    monkeypatch.setattr(signin, "NOBODY", CHEAP.hash("nobody"))


@pytest.fixture(autouse=True)
def passwords(app: Flask, cheap: None) -> None:
    with transaction() as session:
        session.execute(update(User).where(User.email == MEMBER).values(password_hash=CHEAP.hash(PASSWORD)))


def csrf(browser: FlaskClient, page: str = "/sign-in") -> str:
    answer = browser.get(page)
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


def post(browser: FlaskClient, path: str, page: str | None = None, **fields: Any) -> Any:
    return browser.post(path, data={"csrf_token": csrf(browser, page or path), **fields})


def sign_in(browser: FlaskClient, email: str = MEMBER, password: str = PASSWORD, **more: str) -> Any:
    return post(browser, "/sign-in", email=email, password=password, **more)


def is_in(browser: FlaskClient) -> bool:
    return bool(browser.get("/account").status_code == 200)


def rows(model: type[Any]) -> list[Any]:
    found = db.session().scalars(select(model).execution_options(populate_existing=True)).all()
    db.session().rollback()
    return list(found)


def issue(purpose: str, email: str = MEMBER) -> str:
    with transaction() as session:
        user_id = session.scalar(select(User.id).where(User.email == email))
        assert user_id
        return service.issue_token(session, user_id, purpose, NOW)


def seat_id(email: str) -> int:
    query = select(Membership.id).join(User).where(User.email == email)
    found = db.session().scalars(query).one()
    db.session().rollback()
    return found


# -- by password ---------------------------------------------------------------------------------


def test_the_page_helps_password_managers(client: FlaskClient) -> None:
    page = client.get("/sign-in").text
    assert re.search(r'<input[^>]* autocomplete="username"[^>]* inputmode="email"', page)
    assert 'autocomplete="current-password"' in page
    assert "Recevoir un lien de connexion par courriel" in page
    assert "Mot de passe oublié" in page
    assert page.count('class="button primary"') == 1


def test_in_and_out(client: FlaskClient) -> None:
    assert not is_in(client)
    answer = sign_in(client, email=f" {MEMBER.upper()} ")
    assert (answer.status_code, answer.location) == (303, "/")
    cookie = next(header for header in answer.headers.getlist("Set-Cookie") if header.startswith("sharebank="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert is_in(client)
    assert client.get("/sign-in").location == "/"
    assert post(client, "/sign-out", "/account").status_code == 303
    assert not is_in(client)
    assert rows(UserSession) == []


def test_a_copied_cookie_ends_with_sign_out(client: FlaskClient, app: Flask) -> None:
    sign_in(client)
    thief = app.test_client()
    with client.session_transaction() as mine, thief.session_transaction() as copy:
        copy.update(mine)
    assert is_in(thief)
    post(client, "/sign-out", "/account")
    assert not is_in(thief)


def test_nothing_of_the_cookie_before_survives_sign_in(client: FlaskClient) -> None:
    with client.session_transaction() as planted:
        planted["_user_id"], planted["planted"] = "chosen-by-somebody-else", "yes"
    sign_in(client)
    with client.session_transaction() as now:
        assert now["_user_id"] != "chosen-by-somebody-else"
        assert "planted" not in now
        assert now.permanent


@pytest.mark.parametrize(
    ("email", "password", "why"),
    [
        pytest.param(MEMBER, "wrong", WRONG, id="wrong password"),
        pytest.param("nobody@example.org", PASSWORD, WRONG, id="unknown"),
        pytest.param("staff@example.org", PASSWORD, WRONG, id="without a password"),
        pytest.param("staff@example.org", "nobody", WRONG, id="the stand-in's own password"),
        pytest.param("", PASSWORD, "email", id="no address"),
        pytest.param(MEMBER, "", "password", id="no password"),
        pytest.param("x" * 255, PASSWORD, "254", id="long address"),
        pytest.param(MEMBER, "x" * 201, "200", id="long password"),
        pytest.param("' OR 1=1 --", PASSWORD, WRONG, id="SQL"),
    ],
)
def test_refused(client: FlaskClient, email: str, password: str, why: str) -> None:
    answer = sign_in(client, email, password)
    assert answer.status_code == 422
    assert "error-summary" in answer.text
    assert why in answer.text
    assert f'value="{escape(email)}"' in answer.text  # nothing typed is lost
    assert rows(UserSession) == []


def test_nobody_signs_in_without_a_membership(client: FlaskClient) -> None:
    with transaction() as session:
        session.execute(Membership.__table__.delete())  # type: ignore[attr-defined]
    answer = sign_in(client)
    assert answer.status_code == 422
    assert WRONG in answer.text
    assert rows(UserSession) == []


@pytest.mark.parametrize("email", [MEMBER, "staff@example.org", "nobody@example.org"])
def test_each_address_costs_one_verification(client: FlaskClient, monkeypatch: pytest.MonkeyPatch, email: str) -> None:
    seen: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002
            seen.append(str(hash)[:10])
            return super().verify(hash, password)

    monkeypatch.setattr(signin, "HASHER", Counting(time_cost=1, memory_cost=8, parallelism=1))
    assert sign_in(client, email, "wrong").status_code == 422
    assert len(seen) == 1


@pytest.mark.parametrize("email", [MEMBER, "nobody@example.org"])
def test_ten_attempts_then_a_pause(client: FlaskClient, email: str) -> None:
    for _ in range(10):
        assert sign_in(client, email, "wrong").status_code == 422
    answer = sign_in(client, email, PASSWORD)
    assert answer.status_code == 429
    assert "Réessayez dans 15 min." in answer.text
    assert len(rows(Attempt)) == 10
    assert not is_in(client)


def test_success_clears_the_count(client: FlaskClient) -> None:
    for _ in range(9):
        sign_in(client, password="wrong")
    assert sign_in(client).status_code == 303
    assert rows(Attempt) == []


HOSTILE = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5Cevil.example/../..",
    "javascript:alert(1)",
    "http:evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "evil.example",
    "/no-such-page",
    "@evil.example",
    "/sign-out",
    "",
]


def test_next_leads_nowhere_else(app: Flask) -> None:
    for target in HOSTILE:
        browser = app.test_client()
        assert sign_in(browser, next=target).location == "/", target
        assert browser.get("/sign-in", query_string={"next": target}).location == "/", target
        assert post(browser, "/locale", "/account", locale="fr", next=target).location == "/", target


def test_next_leads_back_to_where_one_was(client: FlaskClient) -> None:
    sent = client.get("/account?x=1")
    assert sent.location == "/sign-in?next=/account?x%3D1"
    assert 'name="next" value="/account?x=1"' in client.get(sent.location).text
    assert sign_in(client, next="/account?x=1").location == "/account?x=1"


def test_unknown_hosts_are_refused(client: FlaskClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost@evil.example"):
        assert client.get("/sign-in", headers={"Host": host}).status_code == 400
        assert client.post("/password/forgotten", headers={"Host": host}).status_code == 400


PROTECTED = [
    "/sign-in",
    "/sign-in/link",
    "/password/forgotten",
    "/locale",
    "/sign-in/x",
    "/password/x",
    "/sign-out",
    "/account",
    "/account/password",
    "/account/sessions/end",
    "/account/tokens",
    "/account/tokens/1/revoke",
    "/admin/people/new",
    "/admin/people/1",
    "/admin/people/1/remove",
    "/admin/people/1/invite",
]


def test_every_post_wants_its_csrf_token(signed_in: SignedIn) -> None:
    browser = signed_in("admin@example.org")
    for path in PROTECTED:
        answer = browser.post(path, data={"email": MEMBER, "password": PASSWORD, "locale": "en", "role": "staff"})
        assert answer.status_code == 400, path
    assert is_in(browser)


def test_the_demonstration_lists_its_sign_ins(client: FlaskClient) -> None:
    assert PASSWORD not in client.get("/sign-in").text
    people_of = [{"email": MEMBER, "role": "member", "organisation": "Chorale"}]
    with transaction() as session:
        session.add(Fact(name="demo", value=json.dumps({"password": PASSWORD, "people": people_of})))
    page = client.get("/sign-in").text
    assert "Cherche ce qui est libre" in page
    assert f'name="email" value="{MEMBER}"' in page
    assert f'name="password" value="{PASSWORD}"' in page


# -- by letter -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sign-in/link", "/password/forgotten"])
def test_asking_for_a_letter_tells_nothing(client: FlaskClient, path: str) -> None:
    answers, pages = [], []
    for email in (MEMBER, "nobody@example.org"):
        answer = post(client, path, email=email)
        answers.append((answer.status_code, answer.location, sorted(answer.headers.keys())))
        pages.append(re.sub(r'value="[^"]*"', "", client.get(answer.location).text))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (303, "/sign-in")
    assert pages[0] == pages[1]
    assert "un courriel est parti" in pages[0]
    assert [letter.to_address for letter in rows(Letter)] == [MEMBER]


@pytest.mark.parametrize("path", ["/sign-in/link", "/password/forgotten"])
def test_letters_are_limited(client: FlaskClient, path: str) -> None:
    for _ in range(5):
        assert post(client, path, email=MEMBER).status_code == 303
    assert post(client, path, email=MEMBER).status_code == 429
    assert len(rows(Letter)) == 5


def test_opening_a_sign_in_link_changes_nothing(client: FlaskClient) -> None:
    token = issue("sign_in")
    for _ in range(2):
        page = client.get(f"/sign-in/{token}")
        assert page.status_code == 200
        assert re.search(r"<main.*</main>", page.text, re.DOTALL)[0].count("<button") == 1  # type: ignore[index]
    assert rows(Token)[0].used_at is None
    assert rows(UserSession) == []
    assert post(client, f"/sign-in/{token}").location == "/"
    assert is_in(client)


@pytest.mark.parametrize("path", ["/sign-in", "/password"])
def test_a_spent_or_invented_link_is_gone(client: FlaskClient, path: str) -> None:
    token = issue("sign_in" if path == "/sign-in" else "reset")
    assert post(client, f"{path}/{token}", password="une longue phrase").status_code == 303
    for stale in (token, "x" * 43, "é"):
        answer = client.get(f"{path}/{stale}")
        assert answer.status_code == 410
        assert "Ce lien a déjà servi" in answer.text


@pytest.mark.parametrize("path", ["/sign-in", "/password"])
def test_two_browsers_use_a_link_at_the_same_moment(app: Flask, path: str) -> None:
    token = issue("sign_in" if path == "/sign-in" else "invite")
    start = threading.Barrier(2)

    def use(_: int) -> int:
        browser = app.test_client()
        secret = csrf(browser, f"{path}/{token}")
        start.wait()
        fields = {"csrf_token": secret, "password": "une longue phrase"}
        return browser.post(f"{path}/{token}", data=fields).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, range(2))) == [303, 410]
    assert len(rows(UserSession)) == 1


@pytest.mark.parametrize("purpose", ["invite", "reset"])
def test_choosing_a_password(client: FlaskClient, signed_in: SignedIn, purpose: str) -> None:
    elsewhere = signed_in("other@example.org")
    token = issue(purpose, "other@example.org")
    page = client.get(f"/password/{token}").text
    assert 'autocomplete="new-password"' in page
    assert 'value="other@example.org"' in page
    for bad, why in (("short", "entre 10 et 200"), ("other@example.org", "ne peut pas servir"), ("", "password")):
        answer = post(client, f"/password/{token}", password=bad)
        assert answer.status_code == 422
        assert why in answer.text
    assert is_in(elsewhere)
    assert post(client, f"/password/{token}", password="une longue phrase").status_code == 303
    assert is_in(client)
    assert not is_in(elsewhere)
    post(client, "/sign-out", "/account")
    assert sign_in(client, "other@example.org", "une longue phrase").status_code == 303


def test_a_link_serves_its_own_purpose_only(client: FlaskClient) -> None:
    assert client.get(f"/password/{issue('sign_in')}").status_code == 410
    assert client.get(f"/sign-in/{issue('reset')}").status_code == 410
    assert client.get(f"/sign-in/{issue('api')}").status_code == 410


# -- the account ---------------------------------------------------------------------------------


def test_the_locale_of_a_visitor_and_of_a_user(client: FlaskClient, signed_in: SignedIn) -> None:
    assert '<html lang="fr">' in client.get("/sign-in").text
    answer = post(client, "/locale", "/sign-in", locale="en", next="/sign-in")
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert "Forgotten password" in client.get("/sign-in").text
    browser = signed_in(MEMBER)
    post(browser, "/locale", "/account", locale="en", next="/account")
    assert '<html lang="en">' in browser.get("/account").text
    assert next(user.locale for user in rows(User) if user.email == MEMBER) == "en"
    assert post(browser, "/locale", "/account", locale="xx").status_code == 400


def test_details(signed_in: SignedIn) -> None:
    browser = signed_in(MEMBER)
    fields = {"first_name": " Zoë ", "last_name": "Nguyễn-Vialonge", "phone": "06 39 98 20 84", "locale": "fr"}
    assert post(browser, "/account", **fields).status_code == 303
    assert "Zoë Nguyễn-Vialonge" in browser.get("/account").text
    for bad in ({"first_name": ""}, {"last_name": "x" * 101}, {"phone": "call me"}, {"locale": "xx"}):
        answer = post(browser, "/account", **{**fields, "first_name": "Other", **bad})
        assert answer.status_code == 422
        assert "error-summary" in answer.text
    assert next(user.first_name for user in rows(User) if user.email == MEMBER) == "Zoë"


def test_changing_the_password(signed_in: SignedIn) -> None:
    here, elsewhere = signed_in(MEMBER), signed_in(MEMBER)

    def change(present: str, password: str) -> Any:
        return post(here, "/account/password", "/account", present=present, password=password)

    for present, password, why in (
        ("wrong", "une autre phrase", "pas votre mot de passe actuel"),
        (PASSWORD, "short", "entre 10 et 200"),
        (PASSWORD, MEMBER, "ne peut pas servir"),
    ):
        answer = change(present, password)
        assert answer.status_code == 422
        assert why in answer.text
    assert is_in(elsewhere)
    assert change(PASSWORD, "une autre phrase").status_code == 303
    assert is_in(here)
    assert not is_in(elsewhere)


def test_guessing_the_present_password_is_limited(signed_in: SignedIn) -> None:
    browser = signed_in(MEMBER)
    for _ in range(10):
        post(browser, "/account/password", "/account", present="wrong", password="une autre phrase")
    answer = post(browser, "/account/password", "/account", present=PASSWORD, password="une autre phrase")
    assert answer.status_code == 429


def test_signing_out_everywhere(signed_in: SignedIn) -> None:
    here, elsewhere, neighbour = signed_in(MEMBER), signed_in(MEMBER), signed_in("other@example.org")
    assert here.get("/account").text.count("Depuis le") == 2
    assert here.get("/account").text.count("(ici)") == 1
    assert post(here, "/account/sessions/end", "/account").status_code == 303
    assert [is_in(browser) for browser in (here, elsewhere, neighbour)] == [False, False, True]


def test_an_api_token_is_shown_once_and_revoked_by_its_owner(signed_in: SignedIn, client: FlaskClient) -> None:
    browser = signed_in(MEMBER)
    answer = post(browser, "/account/tokens", "/account")
    token = re.search(r'<code id="new-token">([\w-]{43})</code>', answer.text)[1]  # type: ignore[index]
    assert answer.headers["Cache-Control"] == "no-store"
    assert token not in browser.get("/account").text
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/resources", headers=bearer).status_code == 200
    path = f"/account/tokens/{rows(Token)[0].id}/revoke"
    assert post(signed_in("other@example.org"), path, "/account").status_code == 404
    assert post(browser, path, "/account").status_code == 303
    assert client.get("/api/v1/resources", headers=bearer).status_code == 401
    assert post(browser, f"/account/tokens/{2**40}/revoke", "/account").status_code == 404


# -- people --------------------------------------------------------------------------------------

NEWCOMER = {
    "first_name": "Zoë",
    "last_name": "Nguyễn",
    "email": "zoe@example.org",
    "organisation": "CHORALE",
    "role": "member",
    "locale": "fr",
}


@pytest.mark.parametrize(
    ("email", "sees", "not_"),
    [
        ("admin@example.org", {"staff@example.org", "other@example.org"}, set()),
        ("manager@example.org", {"staff@example.org", MEMBER}, {"other@example.org", "staff.stn@example.org"}),
        ("manager.stn@example.org", {"other@example.org"}, {MEMBER, "staff@example.org"}),
    ],
)
def test_a_manager_sees_their_own_people(signed_in: SignedIn, email: str, sees: set[str], not_: set[str]) -> None:
    browser = signed_in(email)
    page = browser.get("/admin/people").text
    assert all(f">{one}<" in page for one in sees)
    assert not [one for one in not_ if one in page]
    assert 'href="/admin/people"' in browser.get("/account").text
    for one in not_:
        for path in ("", "/remove", "/invite"):
            assert post(browser, f"/admin/people/{seat_id(one)}{path}", "/account").status_code == 404
        assert browser.get(f"/admin/people/{seat_id(one)}").status_code == 404


@pytest.mark.parametrize("email", ["staff@example.org", MEMBER])
def test_others_know_nothing_of_these_pages(signed_in: SignedIn, email: str) -> None:
    browser = signed_in(email)
    own = seat_id(email)
    for path in ("/admin/people", "/admin/people/new", f"/admin/people/{own}"):
        assert browser.get(path).status_code == 404
    assert post(browser, "/admin/people/new", "/account", **NEWCOMER).status_code == 404
    assert 'href="/admin/people"' not in browser.get("/account").text


def test_from_invitation_to_first_page(signed_in: SignedIn, client: FlaskClient) -> None:
    manager = signed_in("manager@example.org")
    answer = post(manager, "/admin/people/new", **NEWCOMER)
    assert (answer.status_code, answer.location) == (303, "/admin/people?organisation=CHORALE")
    (letter,) = rows(Letter)
    assert letter.template == "invite"
    assert post(client, f"/password/{letter.facts['secret']}", password="une longue phrase").status_code == 303
    assert "Zoë Nguyễn" in client.get("/account").text


BAD = [
    {"email": "zoe"},
    {"email": "zoé@example.org"},
    {"email": f"{'x' * 250}@example.org"},
    {"email": MEMBER},
    {"first_name": " "},
    {"last_name": "x" * 101},
    {"organisation": "STN"},
    {"organisation": "NOWHERE"},
    {"role": "admin"},
    {"role": "king"},
    {"locale": "xx"},
]


def test_a_bad_newcomer_is_shown_again(signed_in: SignedIn) -> None:
    browser = signed_in("manager@example.org")
    for bad in BAD:
        answer = post(browser, "/admin/people/new", **{**NEWCOMER, **bad})
        assert answer.status_code == 422, bad
        assert "error-summary" in answer.text
        assert 'value="Nguyễn"' in answer.text or "last_name" in bad
    assert rows(Letter) == []


def test_roles_and_leaving(signed_in: SignedIn) -> None:
    manager, staff = signed_in("manager@example.org"), signed_in("staff@example.org")
    path = f"/admin/people/{seat_id('staff@example.org')}"
    assert post(manager, path, role="admin").status_code == 422
    assert post(manager, path, role="member").status_code == 303
    assert "Membre" in staff.get("/account").text
    assert post(manager, f"{path}/invite", path).status_code == 303
    assert post(manager, f"{path}/remove", path).status_code == 303
    assert not is_in(staff)
    assert manager.get(path).status_code == 404


def test_the_last_administrator_stays(signed_in: SignedIn) -> None:
    admin, manager = signed_in("admin@example.org"), signed_in("manager@example.org")
    path = f"/admin/people/{seat_id('admin@example.org')}"
    assert post(manager, path, role="member").status_code == 403
    assert post(manager, f"{path}/remove", path).status_code == 403
    assert "Seule l’administration" in manager.get(path).text
    for answer in (post(admin, path, role="member"), post(admin, f"{path}/remove", path)):
        assert answer.status_code == 409
        assert "nommez-en d’abord une autre" in answer.text


def test_people_come_by_pages(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "PAGE", 3)
    browser = signed_in("admin@example.org")
    seen: list[str] = []
    path: str | None = "/admin/people"
    while path:
        page = browser.get(path).text
        seen += re.findall(r"[\w.]+@example\.org(?=</div>)", page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert len(seen) == len(set(seen)) == 7
    for odd in ("page=0", "page=-1", "page=x", f"page={2**70}", "q=%25", "organisation=NOWHERE"):
        assert browser.get(f"/admin/people?{odd}").status_code == 200
