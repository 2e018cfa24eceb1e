"""Reading reservations: whose they are to see, and what a list leaves out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_loan
from sharebank.core import clock
from sharebank.core.db import db
from sharebank.core.errors import NotFound
from sharebank.reservations import desk
from sharebank.reservations.booking import Ask
from sharebank.reservations.reading import loan_of_ref, visible_loans
from tests import world

Find = Callable[[str], Actor]


@pytest.fixture
def town(app: Flask, actor: Find) -> dict[str, str]:
    """Four reservations by name: their references."""
    asks = {
        "choir here": ("member@example.org", "CHORALE", "MCNG-R01", 28),
        "choir there": ("member@example.org", "CHORALE", "STN-R01", 29),
        "chess": ("other@example.org", "ECHECS", "STN-K03", 27),
        "house": ("staff@example.org", "MCNG", "STN-K03", 30),
    }
    refs = {}
    for name, (email, body, code, day) in asks.items():
        ask = Ask(body, name, world.at(day, "10:00", "12:00"), {code: 1})
        refs[name] = desk.reserve(actor(email), ask)[0].ref
    ask = Ask("", "works", world.at(26, "10:00", "12:00"), {"MCNG-R01": 1})
    refs["works"] = desk.close(actor("staff@example.org"), ask)[0].ref
    return refs


SEEN = {
    # who: (all they may see, mine, what my houses lend)
    "member@example.org": (["choir here", "choir there"], ["choir here", "choir there"], []),
    "other@example.org": (["chess"], ["chess"], []),
    "staff@example.org": (["works", "choir here", "house"], ["works", "house"], ["works", "choir here"]),
    "staff.stn@example.org": (["chess", "choir there", "house"], [], ["chess", "choir there", "house"]),
    "admin@example.org": (
        ["works", "chess", "choir here", "choir there", "house"],
        ["works", "house"],
        ["works", "chess", "choir here", "choir there", "house"],
    ),
}


def test_everybody_sees_what_permissions_say(town: dict[str, str], actor: Find) -> None:
    session = db.session()
    for email, (everything, mine, houses) in SEEN.items():
        who = actor(email)
        assert [loan.purpose for loan in visible_loans(session, who)] == everything
        assert [loan.purpose for loan in visible_loans(session, who, mine=True)] == mine
        assert [loan.purpose for loan in visible_loans(session, who, houses=True)] == houses
        for name, ref in town.items():
            if name in everything:
                assert may_loan(who, "see", loan_of_ref(session, who, ref))
            else:
                with pytest.raises(NotFound):
                    loan_of_ref(session, who, ref)


def test_a_list_by_kind_status_and_page(town: dict[str, str], actor: Find) -> None:
    session, admin = db.session(), actor("admin@example.org")
    assert [loan.purpose for loan in visible_loans(session, admin, kind="closure")] == ["works"]
    decided = visible_loans(session, admin, kind="loan", status=("declined", "cancelled"))
    assert decided == []
    first = visible_loans(session, admin, limit=2)
    rest = visible_loans(session, admin, after=first[-1].place)
    assert [loan.purpose for loan in [*first, *rest]] == SEEN["admin@example.org"][0]
    assert [loan.purpose for loan in visible_loans(session, admin, since=world.at(29, "12:00", "13:00").start)] == [
        "house"
    ]


def test_a_list_comes_whole_in_few_queries(town: dict[str, str], actor: Find) -> None:
    from sqlalchemy import event

    admin, statements = actor("admin@example.org"), []
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    loans = visible_loans(db.session(), admin, since=clock.now())
    assert len(loans) == 5
    assert len(statements) <= 6, "houses, longest, ids, reservations, lines, events: whatever their number"
    assert all(loan.lines and loan.events[0].by for loan in loans)
