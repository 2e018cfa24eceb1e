"""Who may do what: one table of small predicates over the actor and plain facts about the subject.

Read a row as "may the actor … ?". A reservation's facts are `lender_id`, `borrower_id` and `user_id`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sharebank.accounts.actor import Actor, Role
from sharebank.core.errors import NotAllowed


class Loan(Protocol):
    """What a permission needs to know of a reservation."""

    lender_id: int
    borrower_id: int
    user_id: int


class Order(Protocol):
    """What a permission needs to know of a group order."""

    house_id: int
    coordinator_id: int
    state: str


def _lends(actor: Actor, loan: Loan) -> bool:
    return actor.admin or loan.lender_id in actor.staff_ids


def _borrows(actor: Actor, loan: Loan) -> bool:
    return loan.user_id == actor.user_id or loan.borrower_id in actor.organisation_ids


def _decides(actor: Actor, loan: Loan) -> bool:
    """Is the actor one of the owner's managers?"""
    return actor.admin or loan.lender_id in actor.manager_ids


def _staff_of(actor: Actor, house_id: int) -> bool:
    return actor.admin or house_id in actor.staff_ids


LOAN: dict[str, Callable[[Actor, Loan], bool]] = {
    "see": lambda actor, loan: _lends(actor, loan) or _borrows(actor, loan),
    "approve": _lends,
    "approve_second": _decides,
    "approve_less": _lends,
    "propose": _lends,
    "decline": _lends,
    "accept": _borrows,
    "refuse_offer": _borrows,
    "cancel": lambda actor, loan: _lends(actor, loan) or _borrows(actor, loan),
    "recall": _decides,
    "collect": _lends,
    "return": _lends,
}

HOUSE: dict[str, Callable[[Actor, int], bool]] = {
    "edit_catalogue": _staff_of,
    "book_at_once": lambda actor, house_id: house_id in actor.staff_ids,
    "close": _staff_of,
    # Its whole calendar: who borrows what, and why. What a door says is theirs to choose too.
    "follow": _staff_of,
    "post_on_door": _staff_of,
    "overrule": lambda actor, house_id: house_id in actor.staff_ids,
    # Group orders delivered there, and the suppliers they go to.
    "run_orders": _staff_of,
    # What it paid, and was paid, for them.
    "note_payments": _staff_of,
}


def _belongs(actor: Actor, body: Role) -> bool:
    return body.organisation_id in actor.organisation_ids


def _manages(actor: Actor, body: Role) -> bool:
    return bool({body.organisation_id, body.house_id} & actor.manager_ids)


def _looks_after(actor: Actor, body: Role) -> bool:
    """Is the actor of the staff of this house, or of the house this structure is attached to?"""
    return actor.admin or body.house_id in actor.staff_ids


BODY: dict[str, Callable[[Actor, Role], bool]] = {
    "borrow_for": lambda actor, body: actor.admin or _belongs(actor, body) or body.house_id in actor.staff_ids,
    "manage_members": lambda actor, body: actor.admin or _manages(actor, body),
    # Since when it is a member is its house's to say: some things are lent by that.
    "edit_papers": lambda actor, body: actor.admin or body.house_id in actor.manager_ids,
    # A house's insurances are its staff's; an association's certificate is also its own people's to see.
    "see_coverage": lambda actor, body: _looks_after(actor, body) or (body.kind != "house" and _belongs(actor, body)),
    "edit_coverage": _looks_after,
}


def _manages_a_house(actor: Actor, houses: frozenset[int]) -> bool:
    """Does the actor manage one of these houses? Of none at all, any house."""
    managed = {role.organisation_id for role in actor.roles if role.kind == "house"} & actor.manager_ids
    return bool(managed & houses if houses else managed)


# A rule set belongs to the houses that lend something by it.
RULES: dict[str, Callable[[Actor, frozenset[int]], bool]] = {
    "edit_rules": lambda actor, houses: actor.admin or _manages_a_house(actor, houses),
    "see_rules_desk": lambda actor, _houses: actor.admin or _manages_a_house(actor, frozenset()),
}


ROLES = ("member", "staff", "manager", "admin")
"""Lowest first. Nobody gives, changes or takes away a role above their own: managers name no administrator."""

SEAT: dict[str, Callable[[Actor, Role, str], bool]] = {
    "give_role": lambda actor, body, role: BODY["manage_members"](actor, body) and (actor.admin or role != "admin"),
}


def may_loan(actor: Actor, act: str, loan: Loan) -> bool:
    """May the actor do this to a reservation?"""
    return LOAN[act](actor, loan)


def _signs(actor: Actor, agreement: Loan) -> bool:
    """Does the actor speak for the borrower? Of a house its staff do; staff who typed it for others do not."""
    speaks = any(
        role.organisation_id == agreement.borrower_id and (role.kind != "house" or role.role != "member")
        for role in actor.roles
    )
    return speaks or (agreement.user_id == actor.user_id and agreement.lender_id not in actor.staff_ids)


AGREEMENT: dict[str, Callable[[Actor, Loan], bool]] = {
    "see": LOAN["see"],
    "sign": _signs,
    "record": _lends,
}


def may_agreement(actor: Actor, act: str, agreement: Loan) -> bool:
    """May the actor do this to an agreement?"""
    return AGREEMENT[act](actor, agreement)


def _runs(actor: Actor, order: Order) -> bool:
    return actor.admin or order.coordinator_id == actor.user_id or order.house_id in actor.staff_ids


ORDER: dict[str, Callable[[Actor, Order], bool]] = {
    # What is being prepared is for those who prepare it; afterwards everyone may look, who may join is the order's say.
    "see": lambda actor, order: order.state != "draft" or _runs(actor, order),
    "run": _runs,
    # What each organisation takes and owes, by name: the houses' staff's. Others see their own, and the sums.
    "see_all": lambda actor, order: _runs(actor, order) or bool(actor.staff_ids),
}


def _staff_anywhere(actor: Actor) -> bool:
    return actor.admin or bool(actor.staff_ids)


# What no single house is asked for.
ANYWHERE: dict[str, Callable[[Actor], bool]] = {
    # The lists staff work from (requests, hand-overs, deadlines), each showing what their houses have to do.
    "see_desks": _staff_anywhere,
    # One text of each kind for all houses.
    "edit_agreement_templates": lambda actor: actor.admin or _manages_a_house(actor, frozenset()),
}


# Suppliers are the cooperation's: whoever runs orders anywhere looks after them.
SUPPLIERS: dict[str, Callable[[Actor], bool]] = {
    "see": _staff_anywhere,
    "edit": _staff_anywhere,
}


def may_anywhere(actor: Actor, act: str) -> bool:
    """May the actor do this, whatever the house?"""
    return ANYWHERE[act](actor)


def may_suppliers(actor: Actor, act: str) -> bool:
    """May the actor do this with suppliers and their prices?"""
    return SUPPLIERS[act](actor)


def may_order(actor: Actor, act: str, order: Order) -> bool:
    """May the actor do this with a group order?"""
    return ORDER[act](actor, order)


def may_house(actor: Actor, act: str, house_id: int) -> bool:
    """May the actor do this in a house?"""
    return HOUSE[act](actor, house_id)


def may_body(actor: Actor, act: str, body: Role) -> bool:
    """May the actor do this for an organisation?"""
    return BODY[act](actor, body)


def may_rules(actor: Actor, act: str, houses: frozenset[int] = frozenset()) -> bool:
    """May the actor do this with a rule set that things of these houses are lent by?"""
    return RULES[act](actor, houses)


def may_seat(actor: Actor, act: str, body: Role, role: str) -> bool:
    """May the actor do this with a role in an organisation?"""
    return SEAT[act](actor, body, role)


def require(allowed: bool) -> None:
    """Raise NotAllowed unless it is allowed."""
    if not allowed:
        raise NotAllowed
