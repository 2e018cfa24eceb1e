"""Deadlines on screen: what is lapsed, due and fine; keeping one; the marks that other rooms' pages carry."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from babel.dates import format_date
from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from sharebank.accounts import directory
from sharebank.accounts.permissions import may_anywhere, may_body
from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import to_local
from sharebank.core.texts import gettext as _
from sharebank.insurance import board, editing, service
from sharebank.insurance.forms import CoverageForm, DocumentForm, HolderForm, SilenceForm, SureForm
from sharebank.insurance.models import Coverage
from sharebank.insurance.rules import KINDS, month_cell, standing

bp = Blueprint("insurance", __name__)
Page = str | Answer | tuple[str, int]
ONE = "/insurance/<int(max=2147483647):coverage_id>"
PAPER = "/insurance/documents/<int(max=2147483647):document_id>"
YEARS = range(2000, 2100)


def today() -> date:
    """The day it is in town."""
    return to_local(clock.now(), web.tz()).date()


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"deadline_marks": lambda ids=None: service.marks(db.session(), today(), ids)}


@bp.app_template_filter("coverage_kind")
def kind_word(kind: str) -> str:
    """What it is: a vehicle's insurance, an inspection…"""
    return str(_(KINDS[kind]))


@bp.app_template_filter("month_name")
def month_name(day: date) -> str:
    """`janv.`, the head of a column."""
    return str(format_date(day, "MMM", locale=web.locale_code()))


@bp.app_template_filter("iso_words")
def iso_words(day: str) -> str:
    """A day that came as JSON, in words; the year belongs to it."""
    return web.day_words(date.fromisoformat(day))


# -- what stands where ----------------------------------------------------------------------------


@bp.get("/insurance")
def index() -> Page:
    """What is lapsed, what is due within 60 days, what is fine; house by house."""
    session, actor = db.session(), me()
    house = request.args.get("house", "")[:20]
    found = service.deadlines(session, actor, house=house)
    return render_template(
        "insurance/index.html",
        shelves=board.shelves(found, actor.house, today()),
        houses=_houses(session),
        chosen=house,
        today=today(),
        keeps=may_anywhere(actor, "see_desks"),
    )


def _houses(session: Session) -> list[directory.House]:
    """The houses to choose among: only for whoever looks after several."""
    actor = me()
    seen = [house for house in directory.houses(session) if actor.admin or house.id in actor.staff_ids]
    return seen if len(seen) > 1 else []


@bp.get("/insurance/timeline")
def timeline() -> Page:
    """A year, month by month, one line a thing that must not lapse."""
    session, actor = db.session(), me()
    year = request.args.get("year", today().year, type=int)
    if year not in YEARS:
        raise NotFound
    house = request.args.get("house", "")[:20]
    months = [date(year, month, 1) for month in range(1, 13)]
    lasts = [(first + timedelta(days=31)).replace(day=1) - timedelta(days=1) for first in months]
    keeps = may_anywhere(actor, "see_desks")
    rows = [
        (head, [month_cell(spans, *month) for month in zip(months, lasts, strict=True)])
        for head, spans in service.series(service.deadlines(session, actor, house=house, past_too=True))
        if head.ends_on is not None and (head.holder.kind == "house" or not keeps)
    ]
    return render_template(
        "insurance/timeline.html", rows=rows, months=months, year=year, houses=_houses(session), chosen=house
    )


@bp.get("/insurance.csv")
def export() -> Response:
    """Everything the reader sees, as a file for a spreadsheet."""
    found = service.deadlines(db.session(), me(), house=request.args.get("house", "")[:20], past_too=True)
    answer = Response(board.as_csv(found, today()), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=f"insurance-{today().isoformat()}.csv")
    return answer


# -- one of them ------------------------------------------------------------------------------------


@bp.get(ONE)
def coverage(coverage_id: int) -> Page:
    """One contract or check: what it covers, until when, its documents."""
    return _page(coverage_id, 200)


def _page(coverage_id: int, status: int, **forms: Any) -> Page:
    session, actor = db.session(), me()
    found = service.visible(session, actor, coverage_id)
    blank = {"silence": SilenceForm, "paper": DocumentForm, "sure": SureForm}
    page = render_template(
        "insurance/coverage.html",
        coverage=found,
        standing=standing(found.ends_on, today()),
        former=service.former(session, found),
        may_edit=may_body(actor, "edit_coverage", service.body_of(found.holder)),
        today=today(),
        **{name: forms.get(name) or form(formdata=None) for name, form in blank.items()},
    )
    return page, status


@bp.route("/insurance/new", methods=["GET", "POST"])
def new() -> Page:
    """Write one down: first whose, then what."""
    session, actor = db.session(), me()
    holders = service.holders(session, actor)
    if not holders:
        raise NotFound
    if "holder" not in request.args:
        return render_template("insurance/choose_holder.html", form=HolderForm.of(None, holders))
    code = request.args["holder"][:20]
    form = _form(editing.holder_of(session, actor, code))
    if request.method == "GET" and "codes" in form:
        form.kind.data = request.args.get("kind", form.kind.data)
        form.codes.data = request.args.getlist("covers")
    return _keep(
        form, lambda rows: editing.create(rows, actor, code, form.terms(), clock.now()), title=_("Add a deadline")
    )


@bp.route(f"{ONE}/edit", methods=["GET", "POST"])
def edit(coverage_id: int) -> Page:
    """Correct what is written."""
    actor = me()
    found = service.editable(db.session(), actor, coverage_id)
    form = _form(found.holder, found)
    return _keep(
        form, lambda rows: editing.change(rows, actor, coverage_id, form.terms()), title=_("Edit"), coverage=found
    )


@bp.route(f"{ONE}/renew", methods=["GET", "POST"])
def renew(coverage_id: int) -> Page:
    """Here is the new date: the next one is written down, this one's reminders are over."""
    actor = me()
    found = service.editable(db.session(), actor, coverage_id)
    form = _form(found.holder, found)
    if request.method == "GET":
        form.starts_on.data, form.ends_on.data = editing.next_days(found.starts_on, found.ends_on)
        form.notes.data = ""
    return _keep(
        form,
        lambda rows: editing.renew(rows, actor, coverage_id, form.terms(), clock.now()),
        title=_("Renewed: the new dates"),
        coverage=found,
        renewing=True,
    )


def _form(holder: Any, found: Coverage | None = None) -> CoverageForm:
    session = db.session()
    sent = request.form if request.method == "POST" else None
    return CoverageForm.of(sent, holder, editing.things_of(session, holder), editing.staff_of(session, holder), found)


def _keep(form: CoverageForm, write: Callable[[Session], Coverage], **facts: Any) -> Page:
    """Show the form, or store what was typed and show what became of it."""
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction() as session:
                    kept = write(session).id
            except NotFound:
                raise
            except Refused as refused:
                status = blame(form, refused)
            else:
                flash(_("It is written down."), "success")
                return redirect(url_for("insurance.coverage", coverage_id=kept), 303)
    return render_template("insurance/edit.html", form=form, **facts), status


@bp.post(f"{ONE}/delete")
def delete(coverage_id: int) -> Page:
    """Take away what was written by mistake."""
    service.editable(db.session(), me(), coverage_id)
    form = SureForm()
    if not form.validate():
        return _page(coverage_id, 422, sure=form)
    with transaction() as session:
        editing.delete(session, me(), coverage_id)
    flash(_("It is deleted."), "success")
    return redirect(url_for("insurance.index"), 303)


@bp.post(f"{ONE}/acknowledge")
def acknowledge(coverage_id: int) -> Page:
    """Silence it for a while, and say why."""
    service.editable(db.session(), me(), coverage_id)
    form = SilenceForm()
    if not form.validate() or form.until.data is None:
        return _page(coverage_id, 422, silence=form)
    try:
        with transaction() as session:
            editing.acknowledge(session, me(), coverage_id, form.until.data, form.why.data or "", today())
    except NotFound:
        raise
    except Refused as refused:
        return _page(coverage_id, blame(form, refused), silence=form)
    flash(_("No reminder before that day."), "success")
    return redirect(url_for("insurance.coverage", coverage_id=coverage_id), 303)


@bp.post(f"{ONE}/resume")
def resume(coverage_id: int) -> Answer:
    """Let the reminders come again."""
    with transaction() as session:
        editing.resume(session, me(), coverage_id)
    flash(_("Reminders come again."), "success")
    return redirect(url_for("insurance.coverage", coverage_id=coverage_id), 303)


# -- documents --------------------------------------------------------------------------------------


@bp.post(f"{ONE}/documents")
def attach(coverage_id: int) -> Page:
    """Keep the contract itself."""
    service.editable(db.session(), me(), coverage_id)
    form = DocumentForm()
    if not form.validate():
        return _page(coverage_id, 422, paper=form)
    try:
        paper = form.paper()
        with transaction() as session:
            editing.attach(session, me(), coverage_id, paper, clock.now())
    except NotFound:
        raise
    except Refused as refused:
        return _page(coverage_id, blame(form, refused), paper=form)
    flash(_("The document is kept."), "success")
    return redirect(url_for("insurance.coverage", coverage_id=coverage_id, _anchor="documents"), 303)


@bp.get(PAPER)
def document(document_id: int) -> Answer:
    """A document, always as a download: it never runs as a page of ours."""
    found = editing.document(db.session(), me(), document_id)
    answer: Answer = send_file(
        io.BytesIO(found.content), found.media_type, as_attachment=True, download_name=found.name, etag=False
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@bp.post(f"{PAPER}/delete")
def detach(document_id: int) -> Page:
    """Delete a document for good."""
    coverage_id = editing.paper_of(db.session(), me(), document_id)
    form = SureForm()
    if not form.validate():
        return _page(coverage_id, 422, sure=form)
    with transaction() as session:
        editing.detach(session, me(), document_id)
    flash(_("It is deleted."), "success")
    return redirect(url_for("insurance.coverage", coverage_id=coverage_id, _anchor="documents"), 303)
