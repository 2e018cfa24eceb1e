"""One's account as a browser meets it: language, details, password, sessions, tokens."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient

from sharebank.accounts.models import Token, User
from tests.web.signing_in import MEMBER, PASSWORD, SignedIn, cheap, is_in, passwords, post, rows

__all__ = ["cheap", "passwords"]  # fixtures


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
