"""Agreements on screen: mine and my house's, one with its text, the PDF, and how it is signed."""

from __future__ import annotations

import io
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_agreement, may_anywhere, may_loan, require
from sharebank.accounts.web import me
from sharebank.agreements import desk, general, reading, signing
from sharebank.agreements.forms import AcceptForm, NewForm, SignedCopyForm
from sharebank.agreements.models import Agreement
from sharebank.agreements.rules import KINDS, SHORT, STATUS, UNDER_WAY, WAYS
from sharebank.catalog.forms import blame
from sharebank.core import clock, press, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import to_local
from sharebank.core.press import NotPrinted
from sharebank.core.texts import gettext as _
from sharebank.reservations.hooks import Panel
from sharebank.reservations.reading import LoanRow, loan_of_ref

bp = Blueprint("agreements", __name__)
Page = str | Answer | tuple[str, int]
ONE = "/agreements/<string(maxlength=40):number>"
PAGE = 40


@bp.app_template_filter("agreement_kind")
def kind_word(kind: str) -> str:
    """Which kind it is, in words."""
    return str(_(KINDS[kind]))


@bp.app_template_filter("agreement_status")
def status_word(status: str) -> str:
    """Where it stands, in words."""
    return str(_(STATUS[status]))


@bp.app_template_filter("signature_way")
def way_word(way: str) -> str:
    """How it was signed, in words."""
    return str(_(WAYS[way]))


# -- lists and one ---------------------------------------------------------------------------------


@bp.get("/agreements")
def index() -> Page:
    """Those that wait for a signature first, then the others, the last made first."""
    session, actor = db.session(), me()
    place = request.args.get("before", "")
    before = int(place) if place.isdecimal() and len(place) < 10 else None
    found = reading.visible(session, actor, waiting=False, before=before, limit=PAGE + 1)
    return render_template(
        "agreements/index.html",
        waiting=[] if before else reading.visible(session, actor, waiting=True, limit=200),
        others=found[:PAGE],
        following=found[PAGE - 1].id if len(found) > PAGE else None,
        may_make=bool(actor.staff_ids),
        may_edit_templates=may_anywhere(actor, "edit_agreement_templates"),
    )


@bp.get(ONE)
def show(number: str) -> Page:
    """What it covers, its text, who signed, and what to do."""
    return _page(number, 200)


def _page(number: str, status: int, **forms: Any) -> Page:
    session, actor = db.session(), me()
    found = reading.of_number(session, actor, number)
    whole = reading.content_of(session, found.id)
    waits = found.status == "issued" and found.kind not in SHORT
    read = AcceptForm(formdata=None, read=found.text_sha256, name=actor.name)
    page = render_template(
        "agreements/show.html",
        agreement=found,
        content=whole.content,
        family=reading.family(session, found),
        loans=[loan for loan in whole.loans if may_loan(actor, "see", loan)],
        may_sign=waits and may_agreement(actor, "sign", found),
        may_record=waits and may_agreement(actor, "record", found),
        accept=forms.get("accept") or read,
        copy=forms.get("copy") or SignedCopyForm(formdata=None, name=actor.name),
        paper=forms.get("paper") or SignedCopyForm(formdata=None, prefix="paper"),
    )
    return page, status


def panel(session: Session, actor: Actor, loan: LoanRow, _now: Any) -> Panel | None:
    """The section on a reservation's page."""
    if loan.kind != "loan" or loan.lender_id == loan.borrower_id:
        return None
    found = reading.of_loan(session, loan.id)
    may_make = not found and loan.status in UNDER_WAY and may_agreement(actor, "record", loan)
    if not found and not may_make:
        return None
    return Panel("agreements/_panel.html", {"agreements": found, "may_make": may_make, "ref": loan.ref})


# -- papers ----------------------------------------------------------------------------------------


@bp.get(f"{ONE}.pdf")
def pdf(number: str) -> Answer:
    """The agreement itself."""
    found = reading.of_number(db.session(), me(), number)
    return _paper(desk.printed(found.id), "application/pdf", f"{found.number}.pdf")


@bp.get(f"{ONE}/certificate.pdf")
def certificate(number: str) -> Answer:
    """Who accepted what, when, and the hashes: printed from what was kept."""
    session = db.session()
    found = reading.of_number(session, me(), number)
    if found.signed_at is None or not found.signatures:
        raise NotFound
    made = press.pdf(desk.certificate(found, web.tz()), found.signed_at)
    return _paper(made, "application/pdf", f"{found.number}-acceptation.pdf")


@bp.get(f"{ONE}/signed-copy")
def signed_copy(number: str) -> Answer:
    """What was sent in, always as a download: it never runs as a page of ours."""
    found = signing.document(db.session(), me(), number)
    return _paper(found.document or b"", found.media_type, found.document_name, download=True)


def _paper(content: bytes, media_type: str, name: str, *, download: bool = False) -> Answer:
    answer: Answer = send_file(io.BytesIO(content), media_type, as_attachment=download, download_name=name, etag=False)
    if not download:
        answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


# -- making and signing ----------------------------------------------------------------------------


@bp.post("/reservations/<ref>/agreement")
def make(ref: str) -> Page:
    """The house wants an agreement for this loan, whatever its rules say."""
    actor = me()
    row = loan_of_ref(db.session(), actor, ref)
    require(may_agreement(actor, "record", row))
    with transaction() as session:
        found = general.of_loan(session, actor, row.id, clock.now(), web.tz())
    _print(found)
    flash(_("The agreement is ready: %(number)s.", number=found.number), "success")
    return redirect(url_for("agreements.show", number=found.number), 303)


@bp.route("/agreements/new", methods=["GET", "POST"])
def new() -> Page:
    """A year's agreement, or one between houses."""
    session, actor = db.session(), me()
    houses = [role for role in actor.roles if role.organisation_id in actor.staff_ids]
    if not houses:
        raise NotFound
    form = NewForm().offer(houses, directory.organisations(session))
    if request.method == "GET":
        form.year.data = to_local(clock.now(), web.tz()).year
        return render_template("agreements/new.html", form=form)
    if not form.validate():
        return render_template("agreements/new.html", form=form), 422
    asked = (form.kind.data, form.house.data, form.other.data, form.year.data or 0, form.years.data or 0)
    try:
        with transaction() as writing:
            found = general.of_bodies(writing, actor, *asked, clock.now(), web.tz())
    except NotFound:
        raise
    except Refused as refused:
        return render_template("agreements/new.html", form=form), blame(form, refused)
    _print(found)
    return redirect(url_for("agreements.show", number=found.number), 303)


def _print(agreement: Agreement) -> None:
    """At once rather than at the next tick; should the press be down, later."""
    try:
        desk.printed(agreement.id)
    except NotPrinted:
        flash(_("The PDF will be there in a few minutes."), "info")


@bp.post(f"{ONE}/accept")
def accept(number: str) -> Page:
    """Yes, on screen."""
    actor, form = me(), AcceptForm()
    found = reading.of_number(db.session(), actor, number)
    require(may_agreement(actor, "sign", found))
    if not form.validate():
        return _page(number, 422, accept=form)
    desk.printed(found.id)  # what is accepted has its hash
    try:
        with transaction() as session:
            signing.accept(session, actor, number, form.name.data or "", form.read.data or "", clock.now())
    except NotFound:
        raise
    except Refused as refused:
        form.read.data = found.text_sha256
        return _page(number, blame(form, refused), accept=form)
    return _thanked(number)


@bp.post(f"{ONE}/signed-copy")
def send_in(number: str) -> Page:
    """The signed copy, from the borrower."""
    actor, form = me(), SignedCopyForm()
    found = reading.of_number(db.session(), actor, number)
    require(may_agreement(actor, "sign", found))
    if not form.validate():
        return _page(number, 422, copy=form)
    desk.printed(found.id)
    try:
        paper = form.paper()
        assert paper is not None
        with transaction() as session:
            signing.send_in(session, actor, number, form.name.data or "", paper, clock.now())
    except NotFound:
        raise
    except Refused as refused:
        return _page(number, blame(form, refused), copy=form)
    return _thanked(number)


@bp.post(f"{ONE}/record")
def record(number: str) -> Page:
    """The house holds the signed paper."""
    actor, form = me(), SignedCopyForm(prefix="paper")
    found = reading.of_number(db.session(), actor, number)
    require(may_agreement(actor, "record", found))
    if not form.validate():
        return _page(number, 422, paper=form)
    desk.printed(found.id)
    try:
        with transaction() as session:
            kept = form.paper(needed=False)
            signing.record(session, actor, number, form.name.data or "", kept, clock.now())
    except NotFound:
        raise
    except Refused as refused:
        return _page(number, blame(form, refused), paper=form)
    return _thanked(number)


def _thanked(number: str) -> Answer:
    flash(_("The agreement is signed. Thank you."), "success")
    return redirect(url_for("agreements.show", number=number), 303)
