"""The people of the organisations one manages."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sharebank.accounts import directory
from sharebank.accounts import people as desk
from sharebank.accounts.forms import ROLE_HELP, ROLE_WORDS, NewcomerForm, RoleForm, attach, options
from sharebank.accounts.permissions import may_body, may_rules, may_seat
from sharebank.accounts.views import bp
from sharebank.accounts.web import me
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.core.texts import gettext as _

__all__ = ["bp"]
MOST_PAGES = 1000
SEAT = "/admin/people/<int(max=2147483647):seat_id>"


def _roles() -> list[Any]:
    return options({role: _(ROLE_WORDS[role]) for role in desk.roles_to_give(me())})


@bp.get("/admin/people")
def people() -> str:
    """Who is there, by name, found by word or organisation."""
    session, actor = db.session(), me()
    words, chosen = request.args.get("q", "")[:100].strip(), request.args.get("organisation", "")[:20]
    page = min(max(request.args.get("page", 1, type=int), 1), MOST_PAGES)
    found = desk.seats(session, actor, words, chosen, page)
    more = len(found) > desk.PAGE
    bodies = desk.bodies(session, actor)
    body = directory.organisation(session, bodies[0].code if len(bodies) == 1 else chosen)
    return render_template(
        "accounts/people.html",
        seats=found[: desk.PAGE],
        bodies=bodies,
        signed_for=body.organisation if body and may_body(actor, "edit_papers", body) else None,
        may_see_rules=may_rules(actor, "see_rules_desk"),
        words=words,
        chosen=chosen,
        next_url=url_for("accounts.people", q=words, organisation=chosen, page=page + 1) if more else None,
    )


@bp.route("/admin/people/new", methods=["GET", "POST"])
def new_person() -> Any:
    """Somebody new, or somebody known in one more organisation."""
    bodies = desk.bodies(db.session(), me())
    form = NewcomerForm(organisation=request.args.get("organisation", ""))
    # Where there are several, none is proposed: the first of them would be the wrong one too easily.
    blank = {"": _("Choose…")} if len(bodies) > 1 else {}
    form.organisation.choices = options(blank | {body.code: body.name for body in bodies})
    form.role.choices = _roles()
    if not form.validate_on_submit():
        return _new_page(form, 422 if form.is_submitted() else 200)
    newcomer = desk.Newcomer(
        first_name=form.first_name.data or "",
        last_name=form.last_name.data or "",
        email=form.email.data or "",
        organisation=form.organisation.data,
        role=form.role.data,
        locale=form.locale.data,
    )
    try:
        with transaction() as rows:
            desk.add(rows, me(), newcomer, clock.now())
    except Refused as refused:
        return _new_page(form, attach(form, refused))
    flash(_("%(name)s is added, and told by e-mail.", name=f"{newcomer.first_name} {newcomer.last_name}"), "success")
    return redirect(url_for("accounts.people", organisation=newcomer.organisation), 303)


def _new_page(form: NewcomerForm, status: int) -> tuple[str, int]:
    return render_template("accounts/new_person.html", form=form, role_help=ROLE_HELP), status


@bp.route(SEAT, methods=["GET", "POST"])
def seat(seat_id: int) -> Any:
    """One person's role in one organisation."""
    found = desk.seat(db.session(), me(), seat_id)
    form = RoleForm(role=found.role)
    form.role.choices = _roles()
    if not form.validate_on_submit():
        return _seat_page(form, found, 422 if form.is_submitted() else 200)
    try:
        with transaction() as rows:
            desk.change_role(rows, me(), seat_id, form.role.data)
    except Refused as refused:
        return _seat_page(form, found, attach(form, refused))
    flash(_("%(name)s now has another role.", name=found.name), "success")
    return redirect(url_for("accounts.people", organisation=found.body.organisation), 303)


@bp.post(f"{SEAT}/remove")
def remove_seat(seat_id: int) -> Any:
    """Out of this organisation, at once."""
    found = desk.seat(db.session(), me(), seat_id)
    form = RoleForm(formdata=None, role=found.role)
    form.role.choices = _roles()
    try:
        with transaction() as rows:
            desk.remove(rows, me(), seat_id)
    except Refused as refused:
        return _seat_page(form, found, attach(form, refused))
    flash(_("%(name)s no longer belongs to %(place)s.", name=found.name, place=found.body.name), "success")
    return redirect(url_for("accounts.people"), 303)


@bp.post(f"{SEAT}/invite")
def invite_again(seat_id: int) -> Response:
    """For who lost the letter, or read it too late."""
    with transaction() as rows:
        found = desk.invite_again(rows, me(), seat_id, clock.now())
    flash(_("A new invitation is on its way to %(name)s.", name=found.name), "success")
    return redirect(url_for("accounts.seat", seat_id=seat_id), 303)


def _seat_page(form: RoleForm, found: desk.Seat, status: int) -> tuple[str, int]:
    page = render_template(
        "accounts/seat.html",
        form=form,
        seat=found,
        changeable=may_seat(me(), "give_role", found.body, found.role),
        role_help=ROLE_HELP,
    )
    return page, status
