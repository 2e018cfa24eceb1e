"""The managers' screens: who is there, who comes, who leaves."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from sharebank.accounts import people
from sharebank.accounts.models import Membership, Organisation, User
from sharebank.core.db import transaction
from sharebank.notifications.models import Letter
from tests.web.signing_in import MEMBER, SignedIn, cheap, is_in, passwords, post, rows, seat_id

__all__ = ["cheap", "passwords"]  # fixtures


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


def test_the_organisation_of_a_newcomer_is_chosen(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = signed_in("admin@example.org")
    page = admin.get("/admin/people/new").text
    (choices,) = re.findall(r'<select[^>]*id="organisation"[^>]*required[^>]*>(.*?)</select>', page, re.DOTALL)
    assert re.findall(r'<option (?:selected )?value="([^"]*)"', choices)[0] == ""
    assert 'selected value="' not in choices.replace('selected value=""', "")
    again = post(admin, "/admin/people/new", **{**NEWCOMER, "organisation": ""})
    assert again.status_code == 422
    assert "Choisissez la structure" in again.text
    assert 'value="Zoë"' in again.text
    assert 'selected value="MCNG"' in admin.get("/admin/people/new?organisation=MCNG").text
    monkeypatch.setattr(people, "bodies", lambda _session, _actor: [people.Body(1, "MCNG", "Maison")])
    assert '<option value="">' not in admin.get("/admin/people/new").text


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


def give(email: str, body: str, role: str) -> None:
    """One seat more for somebody of the town."""
    with transaction() as session:
        person = session.scalars(select(User).where(User.email == email)).one()
        house = session.scalars(select(Organisation).where(Organisation.code == body)).one()
        person.memberships.append(Membership(organisation=house, role=role))


@pytest.mark.parametrize(
    ("email", "seats", "offered"),
    [
        ("manager@example.org", [], {"/admin/rule-sets", "/admin/organisations/CHORALE"}),
        (MEMBER, [("ECHECS", "manager"), ("MCNG", "staff")], set()),
        ("staff.stn@example.org", [("ECHECS", "manager")], set()),
        (MEMBER, [("ECHECS", "manager")], set()),
    ],
)
def test_the_page_of_people_leads_nowhere_its_reader_may_not_go(
    signed_in: SignedIn, email: str, seats: list[tuple[str, str]], offered: set[str]
) -> None:
    for body, role in seats:
        give(email, body, role)
    browser = signed_in(email)
    chosen = "ECHECS" if seats else "CHORALE"
    page = browser.get(f"/admin/people?organisation={chosen}").text
    links = set(re.findall(r'<a [^>]*href="(/[^"#]*)"', page.partition("<main")[2].partition("</main>")[0]))
    assert links & {"/admin/rule-sets", f"/admin/organisations/{chosen}"} == offered
    assert {link: browser.get(link).status_code for link in links} == dict.fromkeys(links, 200)
