"""The waiting list on screen: stand in line, see one's place, leave."""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.web import me
from sharebank.catalog.service import Thing
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused, Said
from sharebank.core.period import Period
from sharebank.core.texts import gettext as _
from sharebank.lending.kinds import UNDERTAKINGS
from sharebank.reservations.asking import Ask
from sharebank.reservations.blueprint import Page, bp
from sharebank.reservations.deciding.requests_reading import offers_to
from sharebank.reservations.forms import AskForm
from sharebank.reservations.views import asked_form, carried, fit, when_args
from sharebank.reservations.waiting import waiting as lines

LARGEST = 2**31 - 1


@bp.get("/waiting")
def waiting() -> Page:
    """What I wait for, my place in each line, and what is held for me."""
    session, actor, now = db.session(), me(), clock.now()
    mine = lines.lines_of(session, actor, now)
    return render_template("reservations/waiting.html", entries=mine, offers=offers_to(session, actor, now))


@bp.route("/waiting/new", methods=["GET", "POST"])
def wait() -> Page:
    """Tell me when it frees."""
    form = AskForm() if request.method == "POST" else asked_form()
    del form.override  # nothing is lent yet
    things, _borrower = fit(form)
    if request.method == "GET" or "drop" in request.form:
        return _wait_page(form, things, 200)
    period = form.period(web.tz()) if form.validate() else None
    details = form.details(web.tz()) if period else None
    if period is None or details is None:
        return _wait_page(form, things, 422)
    purpose = (form.purpose.data or "").strip()
    ask = Ask(form.organisation.data, purpose, period, form.wants(), form.public.data, details=details)
    try:
        with transaction() as session:
            lines.wait(session, me(), ask, clock.now(), web.tz())
    except Refused as refused:
        form.tell(refused)
        return _wait_page(form, things, refused.status, period if isinstance(refused, lines.FreeNow) else None)
    flash(_("You are on the waiting list: we write to you when it frees."), "success")
    return redirect(url_for("reservations.waiting"), 303)


def _wait_page(form: AskForm, things: Mapping[str, Thing], status: int, free: Period | None = None) -> Page:
    """The form; with a link to book what is `free` at its time."""
    book_url = None
    if free is not None:
        chosen = [f"{code}:{quantity}" for code, quantity in form.wants().items()]
        book_url = url_for("reservations.new", pick=chosen, **carried(form, hours=True), **when_args(free))
    promised = [web.say(Said(UNDERTAKINGS[key])) for key in form.promised]
    page = render_template("reservations/wait.html", form=form, things=things, book_url=book_url, promised=promised)
    return page, status


@bp.post(f"/waiting/<int(max={LARGEST}):entry_id>/leave")
def leave(entry_id: int) -> Page:
    """Give one's place up."""
    with transaction() as session:
        lines.leave(session, me(), entry_id)
    flash(_("You are no longer on this waiting list."), "success")
    return redirect(url_for("reservations.waiting"), 303)
