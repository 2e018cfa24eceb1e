"""Corrections by hand: what each would change, then done, with its reason."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts import directory
from sharebank.accounts.forms import attach
from sharebank.accounts.web import me
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import N_, NotAllowed, NotFound, Refused, Word
from sharebank.core.texts import gettext as _
from sharebank.orders import pledging
from sharebank.orders.blueprint import Page, bp, run_by_me
from sharebank.orders.desk import closing, corrections
from sharebank.orders.desk.correction_words import correction_words
from sharebank.orders.desk.desk_forms import CorrectForm, RuleForm
from sharebank.orders.models import GroupOrder
from sharebank.orders.reading import Standing, standing, terms_of
from sharebank.orders.rules.corrections import ACTS
from sharebank.orders.rules.packs import SHARINGS
from sharebank.orders.rules.states import WORDS, WrongOrderState

bp.add_app_template_filter(correction_words, "correction_words")

_CORRECT = {
    "more": N_("Top up on somebody’s account"),
    "less": N_("Take off somebody’s account"),
    "drop": N_("Leave the article out"),
    "replace": N_("Take the other article instead"),
    "share": N_("Share by another rule"),
    "take_back": N_("Take a correction back"),
}


@bp.route("/orders/<order_code>/adjust", methods=["GET", "POST"])
def adjust(order_code: str) -> Page:
    """A correction by hand: what it would change, then done, with its reason."""
    order, act = run_by_me(order_code), request.values.get("act", "")
    if act not in _CORRECT:
        raise NotFound
    if order.state not in ACTS[act]:
        raise WrongOrderState(state=Word(WORDS[order.state]))
    form = _form(order, act)
    if request.method == "GET":
        if "units" in form and "units" in request.args:
            form.organisation.validate(form)
            form.units.validate(form)
        return _adjust_page(order, act, form, 422 if form.errors else 200)
    if not form.validate():
        return _adjust_page(order, act, form, 422)
    actor, why, now = me(), form.why.data or "", clock.now()
    try:
        with transaction() as session:
            if act == "share":
                first = form.first.data or ()
                corrections.share(session, actor, order_code, form.sharing.data, first, now, why, _seen())
            elif act == "take_back":
                corrections.take_back(session, actor, order_code, _event(), now, why)
            else:
                corrections.correct(session, actor, order_code, act, now, why, seen=_seen(), **_what(form))
    except (NotFound, NotAllowed):
        raise
    except Refused as refused:
        return _adjust_page(run_by_me(order_code), act, form, attach(form, refused))
    flash(_("Done, and kept with its reason."), "success")
    return redirect(url_for("orders.assistant", order_code=order_code), 303)


def _seen() -> int | None:
    """How the order stood when the page was made that is answered."""
    text = request.form.get("seen", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _event() -> int:
    text = request.values.get("event", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound
    return int(text)


def _form(order: GroupOrder, act: str) -> Any:
    """The form of a correction, with what the address already says."""
    session, asked = db.session(), request.args
    bodies = directory.organisations(session)
    if act == "share":
        rule = RuleForm() if request.method == "POST" else RuleForm(asked, meta={"csrf": False})
        rule.offer_first(bodies)
        if request.method == "GET" and asked.get("sharing") not in SHARINGS:
            rule.sharing.data, rule.first.data = order.sharing, order.first
        return rule
    form = CorrectForm() if request.method == "POST" else CorrectForm(request.args, meta={"csrf": False})
    if act not in ("more", "less"):
        del form.organisation, form.units
        return form
    near = [body for body in bodies if pledging.joins(order, body) or body.organisation_id == order.house_id]
    if act == "less":
        own = standing(session, order).pledges.get(request.values.get("sku", ""), ())
        has = {pledge.organisation: pledge.quantity for pledge in own if pledge.quantity}
        form.offer(
            (body.organisation, f"{body.name} ({has[body.organisation]})")
            for body in bodies
            if body.organisation in has
        )
    else:
        here = sorted(near, key=lambda body: body.organisation_id != order.house_id)
        form.offer((body.organisation, body.name) for body in here)
    return form


def _what(form: Any) -> dict[str, Any]:
    """What a correction is about."""
    what: dict[str, Any] = {"sku": request.values.get("sku", "")}
    if "units" in form:
        what |= {"organisation": form.organisation.data or "", "units": form.units.data}
    return what


def _adjust_page(order: GroupOrder, act: str, form: Any, status: int) -> Page:
    session = db.session()
    stands, event = standing(session, order), None
    items = {item.sku: item for item in order.items}
    item = items.get(request.values.get("sku", ""))
    if act == "take_back":
        event = next((one for one in corrections.kept(session, order) if one.event.id == _event()), None)
    if (act == "take_back" and event is None) or (act not in ("share", "take_back") and item is None):
        raise NotFound
    later = None if act in ("share", "take_back") else _later(order, act, form, stands)
    first = (form.first.data or ()) if act == "share" else order.first
    found = [one for one in closing.uneven(stands, first) if one.lost] if act == "share" else []
    asked = request.method == "POST" or request.args.get("sharing") in SHARINGS
    page = render_template(
        "orders/adjust.html",
        order=order,
        act=act,
        title=str(_(_CORRECT[act])),
        form=form,
        item=item,
        event=event,
        items=items,
        other=items.get(item.fallback_sku) if item and item.fallback_sku else None,
        stands=stands,
        later=later,
        ready=later is not None or act == "take_back" or (act == "share" and asked),
        names={body.organisation: body.name for body in directory.organisations(session)},
        reach_later=closing.reach(later, terms_of(order)) if later else None,
        cuts=closing.cuts(stands, found),
        rules=SHARINGS,
    )
    return page, status


def _later(order: GroupOrder, act: str, form: Any, stands: Standing) -> Standing | None:
    """How the order would stand with the correction; nothing while it is not said in full, or cannot be done."""
    session, what = db.session(), _what(form)
    if "units" in form and (not what["units"] or form.organisation.errors):
        return None
    try:
        trial = corrections.try_out(session, order, act, **what)
    except Refused as refused:
        if request.method == "GET":
            attach(form, refused)
        return None
    return corrections.after(session, order, stands, trial)
