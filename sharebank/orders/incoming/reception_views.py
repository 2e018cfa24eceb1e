"""What came: counted on a phone, the delivery note photographed, the invoice reconciled."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for

from sharebank.accounts import directory
from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.server import LARGEST_BODY
from sharebank.core.texts import gettext as _
from sharebank.orders import reading
from sharebank.orders.blueprint import Page, bp, run_by_me
from sharebank.orders.incoming import invoicing, note_photos, receiving
from sharebank.orders.incoming.reception_forms import (
    InvoiceForm,
    NotePhotosForm,
    ReceptionForm,
    invoice_form,
    name_errors,
    part_of,
    reception_form,
)
from sharebank.orders.life_models import OrderPhoto
from sharebank.orders.models import GroupOrder
from sharebank.orders.rules.invoices import line_key, open_ones

LONGEST = 10
"""Digits of a number this page wrote itself."""
FOR_EVER = "private, max-age=31536000, immutable"
_PHOTO = "/orders/<order_code>/photos/<int(max=2147483647):snap_id>-<string(length=8):mark>"


@bp.url_value_preprocessor
def _room_for_photos(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    # Before the CSRF check, which is the first to read the body.
    if endpoint == "orders.add_note_photos":
        request.max_content_length = LARGEST_BODY


@bp.app_template_global()
def note_photo_url(order: GroupOrder, photo: OrderPhoto, *, small: bool) -> str:
    """Where a photo of the delivery note is; its address names its content."""
    mark = photo.sha256[:8]
    return url_for("orders.note_photo", order_code=order.code, snap_id=photo.id, mark=mark, small=small)


# -- counting ----------------------------------------------------------------------------------------


@bp.get("/orders/<order_code>/reception")
def reception(order_code: str) -> Page:
    """What is expected, what came, who gets how many of it."""
    order = run_by_me(order_code)
    return _reception_page(order, _count_form(order, _part_id(), as_sent=False))


@bp.post("/orders/<order_code>/reception")
def receive(order_code: str) -> Page:
    """A part of it, the rest of it, or all as ordered; or a part counted anew."""
    order, act, part_id = run_by_me(order_code), request.form.get("act", "part"), _part_id()
    if act not in ("part", "finish", "all") or (act == "all" and part_id is not None):
        raise NotFound
    form = _count_form(order, part_id, as_sent=act != "all")
    if act != "all" and not form.validate():
        return _reception_page(order, form, 422)
    counts = None if act == "all" else form.counts(_rows(order))
    facts: dict[str, Any] = {"note": form.note.data or "", "seen": _whole(request.form.get("seen", ""))}
    try:
        with transaction() as session:
            if part_id is not None:
                receiving.correct(session, me(), order_code, part_id, counts or {}, **facts)
            elif act == "part":
                receiving.count(session, me(), order_code, counts or {}, clock.now(), **facts)
            else:
                receiving.receive(session, me(), order_code, counts, clock.now(), **facts)
    except NotFound:
        raise
    except Refused as refused:
        # Sent once more, it is sent by somebody who sees what the other one counted.
        order = run_by_me(order_code)
        form.seen.data = str(receiving.mark(receiving.arrivals(db.session(), order)))
        return _reception_page(order, form, blame(form, refused))
    received = act in ("all", "finish") and part_id is None
    flash(_("The order is received: those who pledged are told.") if received else _("Counted."), "success")
    return redirect(url_for("orders.reception", order_code=order_code), 303)


@bp.post("/orders/<order_code>/photos")
def add_note_photos(order_code: str) -> Page:
    """Keep photos of the delivery note."""
    order, form = run_by_me(order_code), NotePhotosForm()
    try:
        pictures = form.pictures()  # outside the transaction: decoding is slow, and others wait to write
        with transaction() as session:
            note_photos.add_photos(session, me(), order_code, pictures, clock.now())
    except NotFound:
        raise
    except Refused as refused:
        form.photo.errors = [web.say(refused)]
        return _reception_page(order, _count_form(order, None, as_sent=False), refused.status, form)
    return redirect(url_for("orders.reception", order_code=order_code, _anchor="note"), 303)


@bp.get(f"{_PHOTO}.jpg", defaults={"small": False})
@bp.get(f"{_PHOTO}-s.jpg", defaults={"small": True})
def note_photo(order_code: str, snap_id: int, mark: str, small: bool) -> Page:
    """A photo or its thumbnail; its address names its content, so a browser never asks twice."""
    image = note_photos.picture(db.session(), me(), order_code, snap_id, mark, small=small)
    answer = Response(image, mimetype="image/jpeg")
    answer.headers["Cache-Control"] = FOR_EVER
    return answer


@bp.post("/orders/<order_code>/photos/<int(max=2147483647):snap_id>/remove")
def remove_note_photo(order_code: str, snap_id: int) -> Page:
    """Delete a photo taken by mistake."""
    with transaction() as session:
        note_photos.remove_photo(session, me(), order_code, snap_id)
    return redirect(url_for("orders.reception", order_code=order_code, _anchor="note"), 303)


def _whole(text: str | None) -> int:
    """A number this page wrote itself; whatever else it is now, no part has it."""
    return int(text) if text and len(text) <= LONGEST and text.isascii() and text.isdecimal() else -1


def _part_id() -> int | None:
    """The part that is counted anew, if one is."""
    return _whole(request.values["part"]) if "part" in request.values else None


def _rows(order: GroupOrder) -> list[receiving.Row]:
    return receiving.rows(order, receiving.arrivals(db.session(), order))


def _count_form(order: GroupOrder, part_id: int | None, *, as_sent: bool) -> ReceptionForm:
    parts = receiving.arrivals(db.session(), order)
    rows, correcting, part = receiving.rows(order, parts), None, None
    if part_id is not None:
        part = next((one for one in parts if one.id == part_id), None)
        if part is None or order.state != "sent":
            raise NotFound
        correcting = receiving.counts_of(part)
    mark = receiving.mark(parts)
    form = reception_form(rows, receiving.others(order, rows), mark, correcting, as_sent=as_sent)
    if part and not as_sent:
        form.note.data = part.note
    return form


def _reception_page(
    order: GroupOrder, form: ReceptionForm, status: int = 200, photos_form: NotePhotosForm | None = None
) -> Page:
    session, items = db.session(), {item.id: item for item in order.items}
    parts = receiving.arrivals(session, order)
    rows = [row for row in receiving.rows(order, parts) if f"l{row.item.id}" in form]
    name_errors((row.item for row in rows), form)
    page = render_template(
        "orders/reception.html",
        order=order,
        form=form,
        rows=[(row, part_of(form, row.item)) for row in rows],
        photos_form=photos_form or NotePhotosForm(formdata=None),
        photos=note_photos.photos(session, order),
        parts=parts,
        part_id=_part_id(),
        items={item.sku: item for item in items.values()},
        changes=receiving.changes(session, order, rows) if parts or order.state != "sent" else [],
        names={one.organisation: one.name for one in directory.organisations(session)},
    )
    return page, status


# -- the invoice -------------------------------------------------------------------------------------


@bp.get("/orders/<order_code>/invoice")
def invoice(order_code: str) -> Page:
    """The supplier's amounts beside ours, each difference on its line."""
    order = run_by_me(order_code)
    return _invoice_page(order, _invoice_form(order))


@bp.post("/orders/<order_code>/invoice")
def enter_invoice(order_code: str) -> Page:
    """Keep it as typed; what is taken over stands, the rest is shown until it is cleared."""
    order = run_by_me(order_code)
    form = _invoice_form(order)
    if not form.validate():
        return _invoice_page(order, form, 422)
    typed = form.invoice(invoicing.billed(order), invoicing.rates(order), invoicing.delivery_vat(order))
    try:
        with transaction() as session:
            kept = invoicing.enter(session, me(), order_code, typed, clock.now())
            done = invoicing.reconciled(kept)
    except NotFound:
        raise
    except Refused as refused:
        return _invoice_page(run_by_me(order_code), form, blame(form, refused))
    if done:
        flash(_("The invoice agrees with the order, to the cent."), "success")
    return redirect(url_for("orders.invoice", order_code=order_code), 303)


@bp.post("/orders/<order_code>/invoice/remove")
def remove_invoice(order_code: str) -> Page:
    """Start again: without an invoice, the order as it came is the invoice."""
    with transaction() as session:
        invoicing.remove(session, me(), order_code, clock.now())
    return redirect(url_for("orders.invoice", order_code=order_code), 303)


def _invoice_form(order: GroupOrder) -> InvoiceForm:
    lines = {item.id: invoicing.line_of_item(item) for item in invoicing.billed(order)}
    delivery = (invoicing.fee_cents(order), invoicing.delivery_vat(order))
    return invoice_form(lines, invoicing.rates(order), delivery, invoicing.of(order))


def _invoice_page(order: GroupOrder, form: InvoiceForm, status: int = 200) -> Page:
    billed, found = invoicing.billed(order), invoicing.differences(order)
    by_key = {one.key: one for one in found}
    name_errors(billed, form)
    lines = [
        (item, invoicing.line_of_item(item), part_of(form, item), by_key.get(line_key(item.sku))) for item in billed
    ]
    page = render_template(
        "orders/invoice.html",
        order=order,
        form=form,
        known=invoicing.of(order),
        lines=lines,
        differences=found,
        still=open_ones(found),
        items={item.sku: item for item in billed},
        ours=reading.standing(db.session(), order).bill.invoice,
    )
    return page, status
