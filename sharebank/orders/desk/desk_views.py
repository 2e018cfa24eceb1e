"""Preparing a group order: made as a draft, its facts, its articles."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs

from sharebank.accounts import directory
from sharebank.accounts.forms import attach
from sharebank.accounts.permissions import require
from sharebank.accounts.web import me
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused, Word
from sharebank.core.texts import gettext as _
from sharebank.orders.blueprint import Page, bp, run_by_me
from sharebank.orders.desk import editing, making, preparing
from sharebank.orders.desk.desk_forms import ArticlesForm, FactsForm, NewForm, soon
from sharebank.orders.desk.preparing import Wish
from sharebank.orders.filling_words import category_word
from sharebank.orders.models import GroupOrder
from sharebank.orders.reading import order_of_code
from sharebank.orders.rules.states import WORDS, WrongOrderState
from sharebank.orders.supply.supplier_models import Supplier

_FIELDS = {"closes_at": "closes_day", "opens_at": "opens_day", "delivery_house": "house"}
"""Where a refusal about what the service calls so was typed."""


def _blame(form: Any, refused: Refused) -> int:
    """Beside its field, or above the form; returns its status."""
    refused.field = _FIELDS.get(refused.field or "", refused.field)
    return attach(form, refused)


@bp.route("/orders/new", methods=["GET", "POST"])
def new() -> Page:
    """Choose a supplier, then say what the order is; it begins as a draft that nobody else sees."""
    session, actor, now = db.session(), me(), clock.now()
    houses = preparing.houses_of(session, actor)
    require(bool(houses))
    source = making.source(session, request.args.get("supplier", ""))
    if source is None:
        return render_template("orders/new.html", sources=preparing.sources(session), chosen=None, form=None)
    supplier, prices = source
    form = NewForm()
    del form.coordinator
    kinds = preparing.kinds(session, prices.id)
    form.offer(houses, directory.organisations(session))
    form.categories.choices = [
        SelectChoice(name, f"{category_word(name) or _('Others')} ({many})") for name, many in kinds
    ]
    if not form.is_submitted():
        form.closes_day.data, form.closes_hour.data = soon(now, web.tz())
        form.categories.data = [name for name, _many in kinds]
        return _new_page(form, supplier, 200)
    if not form.validate():
        return _new_page(form, supplier, 422)
    chosen = set(form.categories.data or ())
    skus = None if chosen == {name for name, _many in kinds} else preparing.skus_of(session, supplier.code, chosen)
    code = form.code.data or preparing.free_code(session, form.title.data or "", supplier.code)
    draft = form.draft(supplier.code, code, skus, web.tz())
    if draft is None:
        return _new_page(form, supplier, 422)
    try:
        with transaction() as writing:
            making.make_order(writing, actor, draft, now)
    except (NotFound, NotAllowed):
        raise
    except Refused as refused:
        return _new_page(form, supplier, _blame(form, refused))
    flash(_("The draft is there. Nobody else sees it until you open it."), "success")
    return redirect(url_for("orders.assistant", order_code=code), 303)


def _new_page(form: NewForm, supplier: Supplier, status: int) -> Page:
    return render_template("orders/new.html", form=form, chosen=supplier, sources=()), status


@bp.route("/orders/<order_code>/edit", methods=["GET", "POST"])
def edit(order_code: str) -> Page:
    """The facts of an order; once it is open, those that bind nobody."""
    session, actor, now = db.session(), me(), clock.now()
    order = run_by_me(order_code)
    form = FactsForm()
    lost: list[tuple[str, str]] = []
    if order.state == "draft" or "house" in request.form:  # sent by who saw a draft: it was opened meanwhile
        form.offer(preparing.houses_of(session, actor), directory.organisations(session))
    else:
        for name in FactsForm.EARLY:
            del form[name]
    people = editing.coordinators(session, order)
    form.coordinator.choices = [SelectChoice(str(number), name) for number, name in people.items()]
    status = 200
    if not form.is_submitted():
        form.show(editing.stored(order), web.tz())
    else:
        facts = form.facts(web.tz(), now) if form.validate() else None
        status = 422
        if facts is not None:
            try:
                with transaction() as writing:
                    editing.edit(writing, actor, order_code, facts, now, form.shown())
            except (NotFound, NotAllowed):
                raise
            except Refused as refused:
                status = _blame(form, refused)
                if "stands" in refused.facts:  # as it stood then: what changes from now on was not seen either
                    wanted, there, stands = editing.plain(facts), refused.facts["there"], refused.facts["stands"]
                    lost = form.too_late(stands, wanted)
                    form.compare(there, stands, wanted, web.tz())
            else:
                flash(_("Stored."), "success")
                return redirect(url_for("orders.assistant", order_code=order_code), 303)
    order = order_of_code(db.session(), actor, order_code)
    return render_template("orders/edit.html", order=order, form=form, lost=lost), status


# -- the articles ----------------------------------------------------------------------------------


@bp.route("/orders/<order_code>/articles", methods=["GET", "POST"])
def choose(order_code: str) -> Page:
    """Which articles of the price list the order is for; while it is a draft."""
    actor, order = me(), run_by_me(order_code)
    if order.state != "draft":
        raise WrongOrderState(state=Word(WORDS[order.state]))
    if request.method == "GET":
        return _choose_page(order)
    act, wish = request.form.get("act", ""), _wish()
    with transaction() as session:
        if act == "renew":
            preparing.renew(session, actor, order_code)
        elif act in ("all", "none"):
            preparing.choose_all(session, actor, order_code, wish, take=act == "all")
        else:
            shown = request.form.getlist("shown")[: preparing.PAGE]
            preparing.choose(session, actor, order_code, request.form.getlist("taken")[: preparing.PAGE], shown)
    flash(_("The articles of the order are stored."), "success")
    page = wish.page + 1 if act == "next" else wish.page
    kept = _kept(wish) | ({"page": page} if page > 1 else {})
    return redirect(url_for("orders.choose", order_code=order_code, **kept), 303)


def _wish() -> Wish:
    """What the address asks for."""
    asked, number = request.args, request.args.get("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1
    return Wish(
        q=asked.get("q", "")[:100].strip(),
        category=asked.get("category", "")[:60],
        only=asked["only"] if asked.get("only") in ("in", "out") else "",
        page=max(1, page),
    )


def _kept(wish: Wish) -> dict[str, Any]:
    """The same, to be asked again."""
    asked = {"q": wish.q, "category": wish.category, "only": wish.only}
    return {name: value for name, value in asked.items() if value}


def _choose_page(order: GroupOrder) -> str:
    session, wish = db.session(), _wish()
    kinds = preparing.kinds(session, order.price_list_id)
    form = ArticlesForm(request.args)
    form.category.choices = [
        SelectChoice("", _("All categories")),
        *(SelectChoice(name, f"{category_word(name)} ({many})") for name, many in kinds if name),
    ]
    found = preparing.articles(session, order, wish)
    return render_template(
        "orders/choose.html",
        order=order,
        form=form,
        found=found,
        wish=wish,
        pages=-(-found.total // preparing.PAGE),
        kept=_kept(wish),
        newer=preparing.newer_prices(session, order),
    )
