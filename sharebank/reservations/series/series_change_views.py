"""Change or end a series, answer whether it is still needed, and its section on a reservation's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.actor import Actor
from sharebank.accounts.forms import options
from sharebank.accounts.permissions import may_loan
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import to_local
from sharebank.core.texts import gettext as _
from sharebank.core.web import public
from sharebank.reservations import cancelling
from sharebank.reservations.blueprint import Page, bp
from sharebank.reservations.hooks import Panel
from sharebank.reservations.reading import LoanRow
from sharebank.reservations.series import series_care, series_changes, series_reading, series_words
from sharebank.reservations.series.series_forms import ChangeForm
from sharebank.reservations.series.series_preparing import Wished
from sharebank.reservations.series.series_views import NOT_KEPT, sentence_of, show_page
from sharebank.reservations.views import when_args


@bp.post("/series/<ref>/cancel")
def cancel_series(ref: str) -> Page:
    """Give up one date, those from one on, or all that are to come."""
    at = request.form.get("at", "")
    try:
        with transaction() as session:
            series_changes.cancel(
                session, me(), ref, request.form.get("scope", ""), _number(at), request.form.get("why", "")[:1000],
                clock.now(),
            )  # fmt: skip
    except NotFound:
        raise
    except Refused as refused:
        return show_page(ref, refused.status, web.say(refused))
    flash(_("The dates are given up. They can be tried again below."), "success")
    return redirect(url_for("reservations.series", ref=ref), 303)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


# -- changing it ---------------------------------------------------------------------------------


@bp.route("/series/<ref>/change", methods=["GET", "POST"])
def change_series(ref: str) -> Page:
    """What shall be otherwise; then what that does to each date; then it is done."""
    session, actor, now = db.session(), me(), clock.now()
    found = series_reading.series_of_ref(session, actor, ref)
    at = _number(request.values.get("at", ""))
    date = next((one for one in series_reading.dates_of_series(session, found) if one.id == at), None)
    form = _change_form(ChangeForm(request.values if "scope" in request.values else None), found, date)
    if "show" not in request.values and request.method == "GET":
        tz = web.tz()
        first, last = (datetime.fromisoformat(wall) for wall in (found.first_start, found.first_end))
        if date:
            first, last = to_local(date.period.start, tz), to_local(date.period.end, tz)
        form.put(first, last, found.until)
        form.resource.data = next(iter(found.wants))
        form.scope.data = request.args.get("reach") or ("from" if date else "all")
        return _change_page(found, form, date, None, 200)
    if not form.validate():
        return _change_page(found, form, date, None, 422)
    wished = _wished(form, found, date)
    try:
        if request.method == "POST":
            chosen = request.form.getlist("chosen")
            with transaction() as writing:
                target = series_changes.change(writing, actor, ref, wished, chosen, now, web.tz())
            flash(_("The series is changed."), "success")
            return redirect(url_for("reservations.series", ref=target.ref), 303)
        _series, change = series_changes.preview_change(session, actor, ref, wished, now, web.tz())
    except NotFound:
        raise
    except Refused as refused:
        return _change_page(found, form, date, None, refused.status, sentence_of(refused))
    return _change_page(found, form, date, change, 200)


def _change_form(form: ChangeForm, found: Any, date: Any) -> ChangeForm:
    scopes = ("one", "from", "all") if date else ("all",)
    form.scope.choices = options({scope: series_words.scope_words(scope) for scope in scopes})
    form.resource.choices = options(_swaps(found))
    return form


def _swaps(found: Any) -> dict[str, str]:
    """What may take its place: the same kind of thing in the same house."""
    own = catalog.things_by_code(db.session(), found.wants)
    kept = ", ".join(own[code].name for code in found.wants if code in own)
    choices = {next(iter(found.wants)): kept}
    if len(own) == 1:
        [thing] = own.values()
        alike = catalog.find_things(
            db.session(), catalog.Wish(kind=thing.kind, house=thing.house, in_service_only=True)
        )
        choices |= {other.code: other.name for other in alike if other.code not in choices}
    return choices


def _wished(form: ChangeForm, found: Any, date: Any) -> Wished:
    """Only what is otherwise than now."""
    tz = web.tz()
    first, last = (datetime.fromisoformat(wall) for wall in (found.first_start, found.first_end))
    if date:
        first, last = to_local(date.period.start, tz), to_local(date.period.end, tz)
    timed = (form.start.data, form.end.data) != (first.time(), last.time())
    return Wished(
        form.scope.data,
        date.id if date else None,
        form.start.data if timed else None,
        form.end.data if timed else None,
        form.resource.data if form.resource.data not in found.wants else None,
        form.until.data if form.until.data != found.until and form.scope.data != "one" else None,
    )


def _change_page(found: Any, form: ChangeForm, date: Any, change: Any, status: int, sentence: str = "") -> Page:
    page = render_template(
        "reservations/series_change.html",
        series=found,
        form=form,
        date=date,
        change=change,
        sentence=sentence,
        say=web.say,
        when_args=when_args,
        charged=cancelling.of_series(db.session(), found.id, clock.now(), web.tz()),
        kept=[(name, value) for name, value in request.values.items() if name not in NOT_KEPT],
    )
    return page, status


# -- still needed? ---------------------------------------------------------------------------------


@bp.route("/series/needed/<token>", methods=["GET", "POST"])
@public
def series_needed(token: str) -> Page:
    """From the letter: yes or no; opening it changes nothing, and it is answered once."""
    found = series_care.asked_by(db.session(), token)
    if request.method == "GET" or request.form.get("answer") not in ("yes", "no"):
        return render_template("reservations/series_needed.html", series=found, answered=found.release_at is None)
    with transaction() as session:
        series_care.answer(session, token, request.form["answer"] == "yes", clock.now())
    done = series_care.asked_by(db.session(), token)
    return render_template("reservations/series_needed.html", series=done, answered=True, thanks=True)


# -- on a reservation's page -----------------------------------------------------------------------


def panel(session: Any, actor: Actor, loan: LoanRow, _now: datetime) -> Panel | None:
    """`Date 5 of 34 of …`, with what one may do to this date, to those from here on, or to all."""
    if loan.series_id is None:
        return None
    place = series_reading.place_of(session, loan)
    if place is None:
        return None
    facts = {"place": place, "may_change": may_loan(actor, "cancel", loan)}
    return Panel("reservations/series_panel.html", facts)
