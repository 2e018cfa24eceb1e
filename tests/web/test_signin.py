"""Coming in and going out as a browser meets it: by password, by letter."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask import session as flask_session
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from markupsafe import escape
from sqlalchemy import delete

from sharebank.accounts import signin
from sharebank.accounts.models import Attempt, Membership, Token, UserSession
from sharebank.core.db import transaction
from sharebank.core.models import Fact
from sharebank.notifications.models import Letter
from tests.web.signing_in import (
    MEMBER,
    PASSWORD,
    WRONG,
    SignedIn,
    cheap,
    csrf,
    is_in,
    issue,
    passwords,
    post,
    rows,
    sign_in,
)

__all__ = ["cheap", "passwords"]  # fixtures


# -- by password ---------------------------------------------------------------------------------


FORM = "/reservations/new?resource=MCNG-R01"


def nobody_s(app: Flask, signed_in: SignedIn, closed: str) -> FlaskClient:
    """A browser whose session has ended: signed out elsewhere, or its row gone while the cookie stayed."""
    if closed == "cookie gone":
        return app.test_client()
    browser = signed_in(MEMBER)
    with browser.session_transaction() as cookie:
        cookie["csrf_token"] = "kept"
    with transaction() as session:
        session.execute(delete(UserSession))
    return browser


@pytest.mark.parametrize("closed", ["cookie gone", "row gone"])
def test_a_form_of_a_closed_session_says_so_and_leads_back(app: Flask, signed_in: SignedIn, closed: str) -> None:
    browser = nobody_s(app, signed_in, closed)
    token = {}
    if closed == "row gone":
        with app.test_request_context():
            flask_session["csrf_token"] = "kept"
            token = {"csrf_token": generate_csrf()}
    sent = browser.post(
        "/reservations/new", data={"purpose": "x", **token}, headers={"Referer": f"http://localhost{FORM}"}
    )
    assert sent.status_code == 401
    assert "Vous êtes déconnecté" in sent.text
    assert f'href="/sign-in?next={quote(FORM, safe="/:?")}"' in unescape(sent.text)
    assert sign_in(browser, next=FORM).location == FORM


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("https://evil.example/reservations/new", "/account"),
        ("http://localhost//evil.example", "/account"),
        ("http://localhost/no/such/page", "/account"),
        ("http://localhost/people", "/account"),
        ("", "/account"),
        ("http://[::1", "/account"),
        ("//localhost/planning", "/account"),
        ("http://localhost/planning", "/planning"),
    ],
)
def test_signing_in_leads_back_to_this_site_only(client: FlaskClient, came_from: str, back: str) -> None:
    sent = client.post("/account", data={"first_name": "x"}, headers={"Referer": came_from})
    assert sent.status_code == 401
    assert re.findall(r'href="/sign-in\?next=([^"]*)"', sent.text) == [back]


def test_what_was_typed_can_be_copied(client: FlaskClient) -> None:
    words = "Répétition <b>générale</b>"
    form = {"purpose": words, "password": "a long secret", "seen": "x y", "list": '["a b"]', "code": "MCNG-R01"}
    for here in (True, False):
        came = "http://localhost/planning" if here else "https://evil.example/"
        text = client.post("/reservations/new", data=form, headers={"Referer": came}).text
        shown = [unescape(one) for one in re.findall(r"<textarea[^>]*>(.*?)</textarea>", text, re.DOTALL)]
        assert shown == ([words] if here else [])
        assert "<b>" not in text


def test_a_form_that_is_out_of_date_says_what_to_do(signed_in: SignedIn, client: FlaskClient) -> None:
    stale = {"csrf_token": "old", "first_name": "x"}
    here = {"Referer": "http://localhost/account"}
    for browser, path in ((signed_in(MEMBER), "/account"), (client, "/sign-in")):
        sent = browser.post(path, data=stale, headers=here if path == "/account" else {})
        assert sent.status_code == 400
        assert "Ce formulaire n’est plus à jour" in sent.text
        assert f'href="{path}">Recharger la page' in sent.text


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
