"""Handing over and taking back, on a phone: from the label on the thing or from the day's list."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for

from sharebank.accounts.permissions import may_loan, require
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
    handover_photos,
    handover_words,
)
from sharebank.reservations.handover.handover import Sheet
from sharebank.reservations.handover.handover_damage import Repair
from sharebank.reservations.handover.handover_forms import (
    ChargeForm,
    CorrectionForm,
    HandoverForm,
    PhotosForm,
    RepairForm,
    folded,
    handover_form,
    shown,
    trouble,
)
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
bp.add_app_template_global(handover_words.thing_now, "thing_now")
bp.add_app_template_global(handover_words.photo_url, "handover_photo_url")


# -- the day ---------------------------------------------------------------------------------------


@bp.get("/handover")
def handovers() -> Page:
    """What leaves and what comes back today in my houses; what is late comes first."""
    actor = me()
    if not actor.staff_ids and not actor.admin:
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
        with transaction() as session:
            if sheet.act == "collect":
                override = form.override.data or ""
                handover.collect(session, actor, ref, meeting, pictures, clock.now(), web.tz(), override)
            else:
                record = handover.take_back(session, actor, ref, meeting, pictures, clock.now(), web.tz())
                waiting = handover_damage.keep_in_at_once(session, actor, record, clock.now(), web.tz())
    except NotFound:
        raise
    except Refused as refused:
        if may_override(refused):
            refused.field = "override"
        status = form.blame(refused, sheet.to_fill)
        return _sheet_page(sheet, form, may_override(refused)), status
    flash(handover_words.done(handover.sheet(db.session(), actor, ref), sheet.act), "success")
    if waiting:
        return redirect(url_for("reservations.keep_in", ref=ref, code=waiting[0]), 303)
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


@bp.route("/handover/<ref>/out/<code>", methods=["GET", "POST"])
def keep_in(ref: str, code: str) -> Page:
    """Take a damaged thing out of service; loans in its way are listed first, and confirmed."""
    actor, form = me(), RepairForm()
    sheet = handover.sheet(db.session(), actor, ref)
    require(may_loan(actor, "return", sheet.loan))
    line = next((line for line in sheet.lines if line.code == code), None)
    if line is None:
        raise NotFound
    if not form.is_submitted():
        asked = handover_damage.asked_for(db.session(), sheet.loan.id, code)
        form.units.data, form.until.data, form.why.data = asked.units, asked.until, asked.why
    status = 200 if not form.is_submitted() else 422
    if form.is_submitted() and form.validate():
        repair = Repair(code, form.units.data, form.until.data, form.why.data or "")
        try:
            with transaction() as session:
                confirmed = request.form.getlist("confirmed")
                handover_damage.keep_in(session, actor, repair, confirmed, clock.now(), web.tz())
        except NotFound:
            raise
        except Refused as refused:
            status = blame(form, refused)
        else:
            flash(_("%(thing)s is out of service.", thing=line.name), "success")
            return redirect(url_for("reservations.show", ref=ref), 303)
    page = render_template(
        "reservations/handover_out.html", sheet=sheet, line=line, form=form, hits=_hits(code, form), now=clock.now()
    )
    return page, status


def _hits(code: str, form: RepairForm) -> list[Any]:
    """The loans in the way of what the form says, as far as it says something."""
    if form.units.data is None or form.until.errors:
        return []
    repair = Repair(code, form.units.data, form.until.data, "")
    try:
        return handover_damage.hits(db.session(), repair, clock.now(), web.tz())
    except Refused:
        return []


# -- charges ---------------------------------------------------------------------------------------


@bp.route("/handover/<ref>/charges", methods=["GET", "POST"])
def add_charge(ref: str) -> Page:
    """Charge a fault that was noticed after the return."""
    actor, form = me(), ChargeForm()
    sheet = handover.sheet(db.session(), actor, ref)
    require(may_loan(actor, "return", sheet.loan))
    status = 200
    if form.is_submitted():
        status = 422
        if form.validate():
            try:
                with transaction() as session:
                    charges.add(session, actor, ref, form.cents.data, form.words.data or "", clock.now())
            except Refused as refused:
                status = blame(form, refused)
            else:
                return redirect(url_for("reservations.show", ref=ref, _anchor="charges"), 303)
    return render_template("reservations/handover_charge.html", form=form, loan=sheet.loan, charge=None), status


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
