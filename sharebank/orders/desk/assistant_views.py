"""The close assistant: what is not full and what each choice would change, before anything is applied; the steps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts import directory
from sharebank.accounts.forms import attach
from sharebank.accounts.web import me
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import N_, NotAllowed, NotFound, Refused
from sharebank.core.texts import gettext as _
from sharebank.orders import lifecycle
from sharebank.orders.blueprint import Page, bp, run_by_me
from sharebank.orders.desk import closing, corrections, preparing
from sharebank.orders.desk.desk_forms import RULES, SHORT, Moment, StepForm
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import calling_off
from sharebank.orders.reading import Standing, standing, terms_of
from sharebank.orders.rules.packs import SHARINGS
from sharebank.orders.rules.states import ACTS, REOPENED, transition

PAGE = 15
ADVICE = 12


def rule_word(rule: str) -> str:
    """A rule of sharing, as screens say it."""
    return str(_(RULES[rule]))


def rule_short(rule: str) -> str:
    """The same where there is no room."""
    return str(_(SHORT[rule]))


bp.add_app_template_filter(rule_word, "sharing_rule")
bp.add_app_template_filter(rule_short, "sharing_short")


@bp.route("/orders/<order_code>/assistant")
def assistant(order_code: str) -> Page:
    """What is to be done next: for a draft a list to tick off, later what is not full and who goes without."""
    session, order = db.session(), run_by_me(order_code)
    stands = standing(session, order)
    names = {body.organisation: body.name for body in directory.organisations(session)}
    found = closing.uneven(stands, order.first) if order.state in ("open", "closed") else []
    short = [one for one in found if one.lost]
    number = request.args.get("page", "1")
    page = max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 5 else 1
    return render_template(
        "orders/assistant.html",
        order=order,
        items={item.sku: item for item in order.items},
        stands=stands,
        reach=closing.reach(stands, terms_of(order)),
        names=names,
        short=short[(page - 1) * PAGE : page * PAGE],
        many=len(short),
        page=page,
        pages=-(-len(short) // PAGE),
        cuts=closing.cuts(stands, short),
        more=[one for one in found if one.more],
        advice=_advice(stands),
        rules=SHARINGS,
        corrections=corrections.kept(session, order),
        correctable=order.state == "closed" and not order.leaving,
        newer=preparing.newer_prices(session, order),
        steps=_steps(order),
        now=clock.now(),
        **calling_off.of_cancelled(session, order),
    )


def _advice(stands: Standing) -> list[Any]:
    """Where a few units more would be cheaper, the most saved first."""
    worth = [one for one in stands.fillings.values() if one.to_break and one.units and one.saves_cents > 0]
    return sorted(worth, key=lambda one: (not one.costs_less, -one.saves_cents, one.sku))[:ADVICE]


# -- the steps -------------------------------------------------------------------------------------

_TITLES = {
    "open": N_("Open it for pledges"),
    "extend": N_("Give more time"),
    "close": N_("Close it now"),
    "reopen": N_("Go one step back"),
    "cancel": N_("Cancel the order"),
}
_DONE = {
    "open": N_("The order is open: everyone it is for may pledge."),
    "extend": N_("There is more time: those who pledged are told."),
    "close": N_("Pledging is closed: those who pledged are told."),
    "reopen": N_("The order went one step back. What it was is kept."),
    "cancel": N_("The order is cancelled: those who pledged are told why."),
}


def _steps(order: GroupOrder) -> list[tuple[str, str]]:
    """What may be done with an order from here: the act and its words."""
    if order.leaving:
        return []
    return [(act, str(_(words))) for act, words in _TITLES.items() if _possible(order, act)]


def _possible(order: GroupOrder, act: str) -> bool:
    # "Extend" opens what is closed, too: one word for one thing.
    if act == "reopen":
        return order.state in REOPENED and order.state != "closed"
    return order.state in ACTS[act].sources


def _to_open(order: GroupOrder, act: str) -> bool:
    """Does the step lead where a closing time is needed?"""
    return act == "extend" or (act == "reopen" and REOPENED.get(order.state) == "open")


@bp.route("/orders/<order_code>/step", methods=["GET", "POST"])
def step(order_code: str) -> Page:
    """One step of an order: looked at with what it means, then made."""
    order, asked = run_by_me(order_code), request.values.get("act", "")
    if asked not in _TITLES:
        raise NotFound
    form, now = StepForm(), clock.now()
    timed = _to_open(order, asked)
    if not timed:
        del form.closes_day, form.closes_hour
    if not form.is_submitted():
        transition(asked, order.state, "-")
        if timed:
            form.put(order, now, web.tz())
        return _step_page(order, asked, form, 200)
    closes_at: datetime | None = None
    if not form.validate() or (
        timed and (closes_at := Moment.read(form.closes_day, form.closes_hour, web.tz())) is None
    ):
        return _step_page(order, asked, form, 422)
    try:
        with transaction() as session:
            lifecycle.change(session, me(), order_code, asked, now, form.why.data or "", closes_at)
    except (NotFound, NotAllowed):
        raise
    except Refused as refused:
        refused.field = "closes_day" if refused.field == "closes_at" and timed else refused.field
        return _step_page(run_by_me(order_code), asked, form, attach(form, refused))
    flash(_(_DONE[asked]), "success")
    return redirect(url_for("orders.assistant", order_code=order_code), 303)


def _step_page(order: GroupOrder, act: str, form: StepForm, status: int) -> Page:
    return render_template(
        "orders/step.html",
        order=order,
        act=act,
        title=str(_(_TITLES[act])),
        form=form,
        told=len(lifecycle.pledgers(db.session(), order)) if act != "open" else 0,
        reason=act in ACTS and ACTS[act].needs_reason,
        known=calling_off.known(db.session(), order) if act == "cancel" else None,
    ), status
