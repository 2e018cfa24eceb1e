"""Who may do what, as a truth table, and what passwords and attempts are borne."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from sharebank.accounts.actor import Actor, Role
from sharebank.accounts.permissions import (
    ANYWHERE,
    BODY,
    HOUSE,
    LOAN,
    ORDER,
    ROLES,
    RULES,
    SEAT,
    SUPPLIERS,
    may_agreement,
    may_anywhere,
    may_body,
    may_house,
    may_loan,
    may_order,
    may_rules,
    may_seat,
)
from sharebank.accounts.rules import (
    LETTERS,
    PASSWORDS,
    PasswordIsAddress,
    TooManyAttempts,
    WeakPassword,
    check_attempts,
    check_password,
)

MCNG = Role(1, "MCNG", "Noël Guichard", "house", "", 1, "MCNG")
STN = Role(2, "STN", "Saint-Nicolas", "house", "", 2, "STN")
CHORALE = Role(3, "CHORALE", "Chorale", "association", "", 1, "MCNG")
ECHECS = Role(4, "ECHECS", "Échecs", "association", "", 2, "STN")
ORPHAN = Role(5, "SEULE", "Sans maison", "association", "", None, "")


def person(user_id: int, body: Role, role: str) -> Actor:
    mine = Role(body.organisation_id, body.organisation, body.name, body.kind, role, body.house_id, body.house)
    return Actor(user_id, f"{user_id}@example.org", "Somebody", "fr", (mine,))


PEOPLE = {
    "admin": person(1, MCNG, "admin"),
    "manager": person(2, MCNG, "manager"),
    "staff": person(3, MCNG, "staff"),
    "house member": person(4, MCNG, "member"),
    "other manager": person(5, STN, "manager"),
    "other staff": person(6, STN, "staff"),
    "singer": person(7, CHORALE, "member"),
    "choir manager": person(8, CHORALE, "manager"),
    "choir staff": person(9, CHORALE, "staff"),
    "player": person(10, ECHECS, "member"),
    "nobody": Actor(11, "11@example.org", "Nobody", "fr"),
}


@dataclass(frozen=True)
class Loan:
    """MCNG lends to the choir; the singer asked."""

    lender_id: int = 1
    borrower_id: int = 3
    user_id: int = 7


LENDERS = {"admin", "manager", "staff"}
BORROWERS = {"singer", "choir manager", "choir staff"}


@pytest.mark.parametrize(
    ("act", "may"),
    [
        ("see", LENDERS | BORROWERS),
        ("approve", LENDERS),
        ("approve_second", {"admin", "manager"}),
        ("approve_less", LENDERS),
        ("propose", LENDERS),
        ("decline", LENDERS),
        ("accept", BORROWERS),
        ("refuse_offer", BORROWERS),
        ("recall", {"admin", "manager"}),
        ("cancel", LENDERS | BORROWERS),
        ("collect", LENDERS),
        ("return", LENDERS),
    ],
)
def test_a_loan_of_mcng_to_the_choir(act: str, may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_loan(actor, act, Loan())} == may


@pytest.mark.parametrize(("act", "may"), [("see", LENDERS | BORROWERS), ("sign", BORROWERS), ("record", LENDERS)])
def test_an_agreement_of_mcng_with_the_choir(act: str, may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_agreement(actor, act, Loan())} == may


def test_who_signs_for_whom() -> None:
    assert not may_agreement(PEOPLE["staff"], "sign", Loan(user_id=3))  # typed in for the choir by the lender's staff
    assert may_agreement(PEOPLE["player"], "sign", Loan(user_id=10))
    assert may_agreement(PEOPLE["other staff"], "sign", Loan(borrower_id=2, user_id=5))
    assert not may_agreement(PEOPLE["house member"], "sign", Loan(lender_id=2, borrower_id=1, user_id=2))


def test_whoever_asked_sees_their_loan_after_leaving() -> None:
    assert may_loan(PEOPLE["player"], "see", Loan(user_id=10))


@pytest.mark.parametrize(
    ("act", "may"),
    [
        ("edit_catalogue", LENDERS),
        ("book_at_once", LENDERS),
        ("close", LENDERS),
        ("run_orders", LENDERS),
        ("note_payments", LENDERS),
    ],
)
def test_in_the_house_mcng(act: str, may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_house(actor, act, 1)} == may


@pytest.mark.parametrize(
    ("act", "may"),
    [
        ("edit_catalogue", {"admin", "other manager", "other staff"}),
        # The administrator runs everything, and still asks the house that owns it.
        ("book_at_once", {"other manager", "other staff"}),
        ("close", {"admin", "other manager", "other staff"}),
        # Whoever lends a thing past its insurance answers for it: its own house.
        ("overrule", {"other manager", "other staff"}),
        ("follow", {"admin", "other manager", "other staff"}),
        ("post_on_door", {"admin", "other manager", "other staff"}),
        ("run_orders", {"admin", "other manager", "other staff"}),
        ("note_payments", {"admin", "other manager", "other staff"}),
    ],
)
def test_in_another_house(act: str, may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_house(actor, act, 2)} == may


@pytest.mark.parametrize(
    ("act", "body", "may"),
    [
        ("borrow_for", CHORALE, LENDERS | BORROWERS),
        ("borrow_for", MCNG, LENDERS | {"house member"}),
        ("borrow_for", ECHECS, {"admin", "other manager", "other staff", "player"}),
        ("borrow_for", ORPHAN, {"admin"}),
        ("manage_members", CHORALE, {"admin", "manager", "choir manager"}),
        ("manage_members", MCNG, {"admin", "manager"}),
        ("manage_members", STN, {"admin", "other manager"}),
        ("manage_members", ORPHAN, {"admin"}),
        ("edit_papers", CHORALE, {"admin", "manager"}),
        ("edit_papers", MCNG, {"admin", "manager"}),
        ("edit_papers", ECHECS, {"admin", "other manager"}),
        ("edit_papers", ORPHAN, {"admin"}),
        ("see_coverage", CHORALE, LENDERS | BORROWERS),
        ("see_coverage", MCNG, LENDERS),
        ("see_coverage", ECHECS, {"admin", "other manager", "other staff", "player"}),
        ("edit_coverage", CHORALE, LENDERS),
        ("edit_coverage", MCNG, LENDERS),
        ("edit_coverage", STN, {"admin", "other manager", "other staff"}),
    ],
)
def test_for_an_organisation(act: str, body: Role, may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_body(actor, act, body)} == may


@pytest.mark.parametrize(
    ("act", "houses", "may"),
    [
        ("edit_rules", {1}, {"admin", "manager"}),
        ("edit_rules", {1, 2}, {"admin", "manager", "other manager"}),
        # What nothing is lent by is any house's to write; an association's manager manages no house.
        ("edit_rules", set(), {"admin", "manager", "other manager"}),
        ("see_rules_desk", {1}, {"admin", "manager", "other manager"}),
    ],
)
def test_rules_of_lending(act: str, houses: set[int], may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_rules(actor, act, frozenset(houses))} == may


@dataclass(frozen=True)
class Order:
    """Delivered to MCNG; a player of the other house's chess club coordinates it."""

    state: str = "open"
    house_id: int = 1
    coordinator_id: int = 10


@pytest.mark.parametrize(
    ("act", "state", "may"),
    [
        ("see", "draft", {*LENDERS, "player"}),
        ("see", "open", set(PEOPLE)),
        ("see", "settled", set(PEOPLE)),
        ("see_all", "open", {*LENDERS, "other manager", "other staff", "player"}),
        ("run", "draft", {*LENDERS, "player"}),
        ("run", "settled", {*LENDERS, "player"}),
    ],
)
def test_a_group_order(act: str, state: str, may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_order(actor, act, Order(state))} == may


@pytest.mark.parametrize(
    ("act", "may"),
    [
        ("see_desks", {*LENDERS, "other manager", "other staff"}),
        ("edit_agreement_templates", {"admin", "manager", "other manager"}),
    ],
)
def test_in_no_house_in_particular(act: str, may: set[str]) -> None:
    assert {name for name, actor in PEOPLE.items() if may_anywhere(actor, act)} == may


def test_who_runs_the_whole_cooperation_needs_no_house_for_that() -> None:
    everywhere = person(12, CHORALE, "admin")
    assert all(may_anywhere(everywhere, act) for act in ANYWHERE)


def test_suppliers_are_the_staffs_of_any_house() -> None:
    staff = {*LENDERS, "other manager", "other staff"}
    for may in SUPPLIERS.values():
        assert {name for name, actor in PEOPLE.items() if may(actor)} == staff


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("body", [MCNG, CHORALE, STN])
def test_nobody_gives_a_role_above_their_own(body: Role, role: str) -> None:
    may = {name for name, actor in PEOPLE.items() if may_seat(actor, "give_role", body, role)}
    if role == "admin":
        assert may == {"admin"}
    else:
        assert may == {name for name, actor in PEOPLE.items() if may_body(actor, "manage_members", body)}


def test_every_row_of_the_table_is_in_these_tests() -> None:
    decided = {"approve", "approve_second", "approve_less", "propose", "decline", "recall"}
    assert set(LOAN) == {"see", *decided, "accept", "refuse_offer", "cancel", "collect", "return"}
    lends = {"edit_catalogue", "book_at_once", "close", "overrule", "follow", "post_on_door"}
    assert set(HOUSE) == {*lends, "run_orders", "note_payments"}
    assert set(ORDER) == {"see", "see_all", "run"}
    assert set(ANYWHERE) == {"see_desks", "edit_agreement_templates"}
    assert set(SUPPLIERS) == {"see", "edit"}
    assert set(BODY) == {"borrow_for", "manage_members", "edit_papers", "see_coverage", "edit_coverage"}
    assert set(RULES) == {"edit_rules", "see_rules_desk"}
    assert set(SEAT) == {"give_role"}


# -- passwords and attempts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "refusal"),
    [
        ("a" * 9, WeakPassword),
        ("a" * 10, None),
        ("é" * 200, None),
        ("a" * 201, WeakPassword),
        ("Member@Example.org", PasswordIsAddress),
        (" member@example.org ", PasswordIsAddress),
        ("member@example.org!", None),
    ],
)
def test_passwords(password: str, refusal: type[Exception] | None) -> None:
    if refusal is None:
        check_password(password, "member@example.org")
    else:
        with pytest.raises(refusal):
            check_password(password, "member@example.org")


NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limit", "minutes_ago", "wait"),
    [
        (PASSWORDS, [14] * 9, None),
        (PASSWORDS, [14] * 10, 1),
        (PASSWORDS, [10, *[1] * 9], 5),
        (PASSWORDS, [0] * 10, 15),
        (LETTERS, [3] * 4, None),
        (LETTERS, [3] * 5, 12),
        (LETTERS, [9, 8, 3, 3, 3, 3], 7),
    ],
)
def test_attempts(limit: object, minutes_ago: list[int], wait: int | None) -> None:
    earlier = [NOW - timedelta(minutes=minutes) for minutes in minutes_ago]
    if wait is None:
        check_attempts(limit, earlier, NOW)  # type: ignore[arg-type]
        return
    with pytest.raises(TooManyAttempts) as refused:
        check_attempts(limit, earlier, NOW)  # type: ignore[arg-type]
    assert refused.value.facts == {"minutes": wait}
