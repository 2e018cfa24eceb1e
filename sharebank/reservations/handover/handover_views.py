"""Handing over and taking back, on a phone: from the label on the thing or from the day's list."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for

from sharebank.accounts.permissions import may_anywhere, may_loan, require
from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import to_utc
from sharebank.core.server import LARGEST_BODY
from sharebank.core.texts import gettext as _
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.handover import (
    charges,
    handover,
    handover_damage,
    handover_day,
    handover_desk,
    handover_photos,
    handover_stock,
    handover_words,
)
from sharebank.reservations.handover.handover import Sheet
from sharebank.reservations.handover.handover_forms import (
    ChargeForm,
    CorrectionForm,
    HandoverForm,
    PhotosForm,
    RepairForm,
    StockForm,
    folded,
    handover_form,
    shown,
    spoken,
    trouble,
)
from sharebank.reservations.handover.handover_hits import Repair
from sharebank.reservations.states import WrongState
from sharebank.reservations.views import may_override

FOR_EVER = "private, max-age=31536000, immutable"


@bp.url_value_preprocessor
def _room_for_photos(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    # Before the CSRF check, which is the first to read the body.
    if endpoint in ("reservations.hand_over", "reservations.add_handover_photos"):
        request.max_content_length = LARGEST_BODY


bp.add_app_template_filter(handover_words.said, "said")
bp.add_app_template_filter(shown, "items_shown")
bp.add_app_template_filter(folded, "items_folded")
bp.add_app_template_filter(trouble, "items_trouble")
bp.add_app_template_filter(spoken, "spoken")
bp.add_app_template_global(handover_words.thing_now, "thing_now")
bp.add_app_template_global(handover_words.stock_of, "stock_of")
bp.add_app_template_global(handover_words.photo_url, "handover_photo_url")


# -- the day ---------------------------------------------------------------------------------------


@bp.get("/handover")
def handovers() -> Page:
    """What leaves and what comes back today in my houses; what is late comes first."""
    actor = me()
    if not may_anywhere(actor, "see_desks"):
        raise NotFound
    until = to_utc(datetime.combine(today() + timedelta(days=1), time()), web.tz())
    day = handover_day.of(db.session(), actor, clock.now(), until)
    return render_template("reservations/handover_day.html", day=day, date=today())


# -- one loan --------------------------------------------------------------------------------------


@bp.get("/handover/<ref>", endpoint="handover")
def one_handover(ref: str) -> Page:
    """What comes next: to hand over, to take back, or to read what was written down."""
    sheet = handover.sheet(db.session(), me(), ref)
    if sheet.act is None or request.args.get("record"):
        return _record_page(sheet, PhotosForm(formdata=None))
    return _sheet_page(sheet, _form(sheet))


@bp.post("/handover/<ref>")
def hand_over(ref: str) -> Page:
    """Write down what changes hands, and move the loan on."""
    actor = me()
    sheet = handover.sheet(db.session(), actor, ref)
    require(may_loan(actor, "collect", sheet.loan))
    if sheet.act is None or request.form.get("act", sheet.act) != sheet.act:
        raise WrongState(state=sheet.loan.status)
    form = _form(sheet)
    if not form.validate():
        return _sheet_page(sheet, form), 422
    meeting, waiting = form.meeting(sheet.to_fill), []
    try:
        pictures = form.pictures()  # outside the transaction: decoding is slow, and others wait to write
        if sheet.act == "collect":
            with transaction() as session:
                override = form.override.data or ""
                handover.collect(session, actor, ref, meeting, pictures, clock.now(), web.tz(), override)
        else:
            waiting = handover_desk.take_back(actor, ref, meeting, pictures)
    except NotFound:
        raise
    except Refused as refused:
        if may_override(refused):
            refused.field = "override"
        status = form.blame(refused, sheet.to_fill)
        return _sheet_page(sheet, form, may_override(refused)), status
    flash(handover_words.done(handover.sheet(db.session(), actor, ref), sheet.act), "success")
    if waiting:
        return redirect(handover_words.repair_url(ref, waiting[0]), 303)
    return redirect(url_for("reservations.show", ref=ref), 303)


@bp.post("/handover/<ref>/photos")
def add_handover_photos(ref: str) -> Page:
    """Add photos to what was written down last."""
    actor, form = me(), PhotosForm()
    sheet = handover.sheet(db.session(), actor, ref)
    require(may_loan(actor, "return", sheet.loan))
    try:
        pictures = form.pictures()
        with transaction() as session:
            handover_photos.add_photos(session, actor, ref, pictures, clock.now())
    except NotFound:
        raise
    except Refused as refused:
        form.photos.errors = [web.say(refused)]
        return _record_page(sheet, form), refused.status
    return redirect(url_for("reservations.handover", ref=ref, record=1), 303)


@bp.get("/handover/photos/<int(max=2147483647):shot_id>-<string(length=8):mark>.jpg", defaults={"small": False})
@bp.get("/handover/photos/<int(max=2147483647):shot_id>-<string(length=8):mark>-s.jpg", defaults={"small": True})
def handover_photo(shot_id: int, mark: str, small: bool) -> Page:
    """A photo or its thumbnail; its address names its content, so a browser never asks twice."""
    image = handover_photos.picture(db.session(), me(), shot_id, mark, small=small)
    answer = Response(image, mimetype="image/jpeg")
    answer.headers["Cache-Control"] = FOR_EVER
    return answer


def _form(sheet: Sheet) -> HandoverForm:
    return handover_form(sheet.act or "", sheet.to_fill, handover_words.filled(me()))


def _sheet_page(sheet: Sheet, form: HandoverForm, overridable: bool = False) -> str:
    parts = [part.form for part in form.parts()]
    return render_template(
        "reservations/handover.html",
        sheet=sheet,
        form=form,
        parts=list(zip(sheet.to_fill, parts, strict=True)),
        overridable=overridable or bool(form.override.data),
        now=clock.now(),
    )


def _record_page(sheet: Sheet, form: PhotosForm) -> str:
    return render_template(
        "reservations/handover_record.html",
        sheet=sheet,
        form=form,
        meetings=[(meeting, handover_words.rows(meeting)) for meeting in sheet.meetings],
        may_add=bool(sheet.meetings) and may_loan(me(), "return", sheet.loan),
    )


# -- what must stay in ------------------------------------------------------------------------------


@bp.route("/handover/<ref>/out/<code>", methods=["GET", "POST"], defaults={"gone": False})
@bp.route("/handover/<ref>/gone/<code>", methods=["GET", "POST"], defaults={"gone": True}, endpoint="write_off")
def keep_in(ref: str, code: str, gone: bool) -> Page:
    """Take a thing out of service, or pieces off the stock; loans in the way are listed first, and confirmed."""
    actor, form = me(), StockForm() if gone else RepairForm()
    sheet = handover.sheet(db.session(), actor, ref)
    require(may_loan(actor, "return", sheet.loan))
    line = next((line for line in sheet.lines if line.code == code), None)
    if line is None:
        raise NotFound
    if not form.is_submitted():
        asked = handover_damage.asked_for(db.session(), sheet.loan.id, code, gone)
        seen = handover_stock.mark(db.session(), code)
        form.process(data={"units": asked.units, "until": asked.until, "why": asked.why, "seen": seen})
    status = 200 if not form.is_submitted() else 422
    if form.is_submitted() and form.validate():
        repair = _repair(form, code, sheet.loan.id, gone)
        try:
            with transaction() as session:
                confirmed = request.form.getlist("confirmed")
                kept = handover_damage.keep_in(session, actor, repair, confirmed, clock.now(), web.tz(), form.seen.data)
        except NotFound:
            raise
        except Refused as refused:
            status = _blame(form, code, refused)
        else:
            flash(handover_words.kept_in(kept, line.name), "success")
            return redirect(url_for("reservations.show", ref=ref), 303)
    facts = {"sheet": sheet, "line": line, "gone": gone, "form": form, "now": clock.now()}
    hits = _hits(form, code, sheet.loan.id, gone)
    return render_template("reservations/handover_out.html", hits=hits, **facts), status


def _blame(form: StockForm, code: str, refused: Refused) -> int:
    if isinstance(refused, handover_stock.StockChanged):
        form.seen.data = handover_stock.mark(db.session(), code)  # whoever sends it once more has been told
    return blame(form, refused)


def _repair(form: StockForm, code: str, loan_id: int, gone: bool) -> Repair:
    until = None if gone else form.until.data
    return Repair(code, form.units.data, until, form.why.data or "", gone, loan_id)


def _hits(form: StockForm, code: str, loan_id: int, gone: bool) -> list[Any]:
    """The loans in the way of what the form says, as far as it says something."""
    if form.units.data is None or (not gone and form.until.errors):
        return []
    try:
        return handover_damage.hits(db.session(), _repair(form, code, loan_id, gone), clock.now(), web.tz())
    except Refused:
        return []


@bp.route("/resources/<code>/found", methods=["GET", "POST"])
def found_again(code: str) -> Page:
    """Put back into the stock what was gone and turned up."""
    actor, form, status = me(), StockForm(), 200
    thing = handover_stock.editable(db.session(), actor, code)
    if not form.is_submitted():
        form.seen.data = handover_stock.mark(db.session(), code)
    else:
        status = 422
        if form.validate():
            try:
                with transaction() as session:
                    handover_stock.found_again(
                        session, actor, code, form.units.data, form.why.data or "", clock.now(), form.seen.data
                    )
            except Refused as refused:
                status = _blame(form, code, refused)
            else:
                flash(
                    _("%(thing)s: %(n)s more from now on.", thing=thing.name, n=web.number_words(form.units.data)),
                    "success",
                )
                return redirect(url_for("catalog.resource", code=code), 303)
    gone = handover_stock.gone(db.session(), thing.id)
    return render_template("reservations/handover_found.html", thing=thing, form=form, gone=gone), status


# -- charges ---------------------------------------------------------------------------------------


@bp.route("/handover/<ref>/charges", methods=["GET", "POST"])
def add_charge(ref: str) -> Page:
    """Charge a fault that was noticed after the return, or what one line of a return tells."""
    actor, form = me(), ChargeForm()
    sheet = handover.sheet(db.session(), actor, ref)
    require(may_loan(actor, "return", sheet.loan))
    line, status = handover_words.line_back(sheet, request.args.get("line")), 200
    if line and not form.is_submitted():
        form.words.data = handover_words.noticed(sheet, line)
    if form.is_submitted():
        status = 422
        if form.validate():
            try:
                with transaction() as session:
                    charges.add(session, actor, ref, form.cents.data, form.words.data or "", clock.now(), line)
            except Refused as refused:
                status = blame(form, refused)
            else:
                return redirect(url_for("reservations.show", ref=ref, _anchor="charges"), 303)
    facts = {"form": form, "loan": sheet.loan, "charge": None, "line": line}
    return render_template("reservations/handover_charge.html", **facts), status


@bp.route("/handover/charges/<int(max=2147483647):charge_id>", methods=["GET", "POST"])
def correct_charge(charge_id: int) -> Page:
    """Correct or waive a charge, with a reason."""
    actor, form = me(), CorrectionForm()
    charge = charges.of_id(db.session(), actor, charge_id)
    loan = charge.reservation
    status = 200
    if not form.is_submitted():
        form.cents.data, form.why.data = None if charge.unsaid else charge.due_cents, charge.why
    else:
        status = 422
        if form.validate():
            with transaction() as session:
                charges.correct(session, actor, charge_id, form.cents.data, form.why.data or "", clock.now())
            return redirect(url_for("reservations.show", ref=loan.ref, _anchor="charges"), 303)
    return render_template("reservations/handover_charge.html", form=form, loan=loan, charge=charge), status
