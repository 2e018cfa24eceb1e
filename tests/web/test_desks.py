"""The lists staff work from: the staff of any house see them, and the menu leads there; others do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from sharebank.accounts.models import Membership, User
from sharebank.core.db import transaction
from tests import world
from tests.counter import MEMBER, ROOM, Book, book

__all__ = ["book"]  # the fixture
DESKS = ("/requests", "/handover", "/closures/new", "/insurance", "/admin/agreement-templates")


@pytest.mark.parametrize(
    ("email", "role", "closed"),
    [
        # Who runs the whole cooperation need not belong to a house.
        ("other@example.org", "admin", set()),
        ("staff.stn@example.org", "staff", {"/admin/agreement-templates"}),
        ("other@example.org", "manager", {"/handover", "/closures/new", "/admin/agreement-templates"}),
    ],
)
def test_the_desks_open_to_the_staff_of_any_house(
    app: Flask, signed_in: Callable[[str], FlaskClient], book: Book, email: str, role: str, closed: set[str]
) -> None:
    with transaction() as session:
        person = session.scalars(select(User.id).where(User.email == email)).one()
        session.execute(update(Membership).where(Membership.user_id == person).values(role=role))
    book(MEMBER, world.at(28, "14:00", "18:00"), {ROOM: 1}, purpose="Répétition")
    browser = signed_in(email)
    answers: dict[str, Any] = {path: browser.get(path) for path in DESKS}
    assert {path: answer.status_code for path, answer in answers.items()} == {
        path: 404 if path in closed else 200 for path in DESKS
    }
    menu = answers["/insurance"].text.partition("</nav>")[0]
    staff = "/handover" not in closed
    assert [f'href="{path}"' in menu for path in ("/requests", "/handover", "/insurance")] == [staff] * 3
    assert ('href="/reservations?scope=house' in browser.get("/reservations").text) == staff
    assert ('href="/series?scope=house' in browser.get("/series").text) == staff
    assert ("Répétition" in browser.get("/reservations?scope=house").text) == (role == "admin")
    assert ('href="/resources/new"' in browser.get("/resources").text) == staff
