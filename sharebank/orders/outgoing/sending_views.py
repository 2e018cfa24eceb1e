"""The order on its way to the supplier: its documents, the letter that carries them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as Answer

from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.core.texts import gettext as _
from sharebank.orders import reading
from sharebank.orders.blueprint import Page, bp, run_by_me
from sharebank.orders.life_models import OrderSending
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import calling_off, dispatch, documents, papers
from sharebank.orders.outgoing import sending as service
from sharebank.orders.outgoing.sending_forms import SendForm

_WENT = {
    "waiting": N_("Waits to leave"),
    "taken": N_("Has left"),
    "dead": N_("Not sent"),
    "withdrawn": N_("Held back"),
}
_SHAPES = {"waiting": "requested", "taken": "approved", "dead": "declined", "withdrawn": "cancelled"}
_WITH_PAPER = ("sent", "received", "settled")


@bp.app_template_global()
def sending_word(one: OrderSending) -> str:
    """What became of a try, in words."""
    return str(_("Ordered by hand")) if one.how == "hand" else str(_(_WENT[one.state]))


@bp.app_template_global()
def sending_shape(one: OrderSending) -> str:
    """The class of its mark."""
    return _SHAPES[one.state]


@bp.get("/orders/<order_code>/sending")
def sending(order_code: str) -> Page:
    """What goes to the supplier, how, and what became of it."""
    order = run_by_me(order_code)
    known = order.supplier.email
    return _page(order, SendForm(formdata=None, how="email" if known else "hand", to=known))


@bp.post("/orders/<order_code>/sending")
def send_order(order_code: str) -> Page:
    """Send it, send it once more, or let its letter be tried at once."""
    order, form = run_by_me(order_code), SendForm()
    if not form.validate():
        return _page(order, form, 422)
    how, to, words = form.how.data, form.to.data or "", form.words.data or ""
    act = service.resend if request.form.get("act") == "resend" else service.send
    try:
        with transaction() as session:
            act(session, me(), order_code, clock.now(), how, to, words)
    except NotFound:
        raise
    except Refused as refused:
        status = blame(form, refused)
        return _page(run_by_me(order_code), form, status)
    return _went(order_code)


@bp.post("/orders/<order_code>/sending/try")
def try_sending(order_code: str) -> Answer:
    """The letter that waits, at once."""
    with transaction() as session:
        service.hurry(session, me(), order_code, clock.now())
    return _went(order_code)


@bp.post("/orders/<order_code>/sending/take-back")
def take_back_order(order_code: str) -> Answer:
    """The letter that waits is not to leave."""
    with transaction() as session:
        service.take_back(session, me(), order_code, clock.now())
    flash(_("The letter will not leave."), "success")
    return redirect(url_for("orders.sending", order_code=order_code), 303)


def _went(order_code: str) -> Answer:
    """Try the letter while the reader waits, and say what became of it."""
    dispatch.at_once(order_code, clock.now())
    last = service.sendings(db.session(), run_by_me(order_code))[0]
    if last.how == "hand":
        flash(_("The order counts as sent: hand its documents to the supplier."), "success")
    elif last.state == "taken":
        flash(_("The order is sent to %(address)s.", address=last.address), "success")
    elif last.state == "waiting":
        flash(_("The mail server did not take the letter yet. We go on trying: nothing for you to do."), "info")
    return redirect(url_for("orders.sending", order_code=order_code), 303)


def _page(order: GroupOrder, form: SendForm, status: int = 200) -> Page:
    session = db.session()
    standing = reading.standing(session, order)
    tries = service.sendings(session, order)
    waiting = service.waiting_try(session, order)
    kept = papers.latest_paper(session, order) if order.leaving or order.state in _WITH_PAPER else None
    facts: dict[str, Any] = {
        "order": order,
        "form": form,
        "standing": standing,
        "terms": reading.terms_of(order),
        "content": kept.content if kept else papers.next_content(session, order, standing, clock.now())[1],
        "tries": tries,
        "failed": bool(tries) and tries[0].state == "dead",
        "waiting": waiting,
        "letter": service.letter_of(session, order, waiting) if waiting else None,
        "kept": kept,
        "forms": documents.MEDIA,
        **calling_off.of_cancelled(session, order),
    }
    return render_template("orders/sending.html", **facts), status


# -- papers ------------------------------------------------------------------------------------------


@bp.get("/orders/<order_code>/order.<form>")
def document(order_code: str, form: str) -> Answer:
    """A version's file as it was sent, by default the latest; before, how it would look."""
    order = run_by_me(order_code)
    if form not in documents.MEDIA:
        raise NotFound
    wanted = request.args.get("version", "")
    if wanted and not (wanted.isdecimal() and wanted.isascii() and len(wanted) < 6):
        raise NotFound
    session, found = db.session(), None
    if wanted:
        found = papers.paper(session, order, int(wanted))
    elif order.leaving or order.state in _WITH_PAPER:
        found = papers.latest_paper(session, order)
    elif order.state != "cancelled":
        content = papers.next_content(session, order, reading.standing(session, order), clock.now())[1]
        return _file(documents.made(content, form, web.tz(), draft=True), f"apercu-{order.code}.{form}", form)
    if found is None:
        raise NotFound
    name = documents.file_name(found.content, form)
    return _file(dispatch.kept(found.id, form), name, form)


def _file(content: bytes, name: str, form: str) -> Answer:
    return send_file(
        BytesIO(content), mimetype=documents.MEDIA[form], as_attachment=form != "pdf", download_name=name, max_age=0
    )
