"""The waiting list on screen: stand in line, see one's place, leave."""

from __future__ import annotations

from collections.abc import Iterator

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts import directory
from sharebank.accounts.forms import options
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.core.texts import gettext as _
from sharebank.reservations.asking import Ask, Details
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.deciding.deciding_forms import WaitForm
from sharebank.reservations.deciding.requests_reading import offers_to
from sharebank.reservations.forms import MOST_LINES, coming_saturday
from sharebank.reservations.views import when_args
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
    form = WaitForm() if request.method == "POST" else WaitForm(request.args if "day" in request.args else None)
    bodies = directory.borrowable_for(db.session(), me())
    form.organisation.choices = options({body.organisation: body.name for body in bodies})
    if request.method == "GET":
        if "day" not in request.args:
            form.put(*coming_saturday(today()))
        form.purpose.data = request.args.get("purpose", "")[:300]
        for code, quantity in _picks():
            form.lines.append_entry({"code": code, "quantity": quantity})
        return _wait_page(form, 200)
    period = form.period(web.tz()) if form.validate() else None
    if period is None:
        return _wait_page(form, 422)
    details = Details(headcount=form.headcount.data)
    ask = Ask(form.organisation.data, (form.purpose.data or "").strip(), period, form.wants(), details=details)
    try:
        with transaction() as session:
            lines.wait(session, me(), ask, clock.now(), web.tz())
    except Refused as refused:
        form.form_errors.append(web.say(refused))
        return _wait_page(form, refused.status, refused)
    flash(_("You are on the waiting list: we write to you when it frees."), "success")
    return redirect(url_for("reservations.waiting"), 303)


def _picks() -> Iterator[tuple[str, int]]:
    """What the address says was wanted: `pick=CODE` or `pick=CODE:60`."""
    for pick in request.args.getlist("pick")[:MOST_LINES]:
        code, _colon, number = pick.partition(":")
        if code:
            yield code, int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1


def _wait_page(form: WaitForm, status: int, refused: Refused | None = None) -> Page:
    codes = [line["code"] for line in form.lines.data if line["code"]]
    things = catalog.things_by_code(db.session(), codes)
    book_url = None
    if isinstance(refused, lines.FreeNow):
        chosen = [f"{code}:{quantity}" for code, quantity in form.wants().items()]
        period = form.period(web.tz())
        facts = {"purpose": form.purpose.data, "organisation": form.organisation.data}
        book_url = url_for("reservations.new", pick=chosen, **facts, **when_args(period)) if period else None
    return render_template("reservations/wait.html", form=form, things=things, book_url=book_url), status


@bp.post(f"/waiting/<int(max={LARGEST}):entry_id>/leave")
def leave(entry_id: int) -> Page:
    """Give one's place up."""
    with transaction() as session:
        lines.leave(session, me(), entry_id)
    flash(_("You are no longer on this waiting list."), "success")
    return redirect(url_for("reservations.waiting"), 303)
