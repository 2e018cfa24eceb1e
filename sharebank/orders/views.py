"""Group orders as those see them who pledge: the list, the articles, what they take, who changed what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.actor import Role
from sharebank.accounts.permissions import may_order
from sharebank.accounts.web import me
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.texts import gettext as _
from sharebank.core.texts import ngettext
from sharebank.orders import articles, filling_words, pledging, words
from sharebank.orders.articles import CHANGES, PAGE, Wish
from sharebank.orders.blueprint import Page, bp
from sharebank.orders.desk import closing
from sharebank.orders.models import GroupOrder
from sharebank.orders.pledge_forms import PledgeSheet, box, seen_text, shown
from sharebank.orders.pledging import PledgedMeanwhile
from sharebank.orders.reading import order_of_code, standing, terms_of, visible_orders

bp.add_app_template_filter(words.state_word, "order_state")
bp.add_app_template_filter(words.shape, "order_shape")
bp.add_app_template_filter(words.next_words, "order_next")
bp.add_app_template_filter(words.left_words, "order_left")
bp.add_app_template_filter(words.act_word, "order_act")
bp.add_app_template_filter(words.moment, "moment")
bp.add_app_template_filter(words.price_words, "unit_price")
bp.add_app_template_filter(filling_words.label_word, "supply_label")
bp.add_app_template_filter(filling_words.unit_word, "supply_unit")
bp.add_app_template_filter(filling_words.category_word, "supply_category")
bp.add_app_template_filter(shown, "pledge_shown")
bp.add_app_template_global(words.tabs, "order_tabs")
bp.add_app_template_global(box, "pledge_box")
bp.add_app_template_global(filling_words.bar, "filling_bar")
bp.add_app_template_global(filling_words.advice, "filling_advice")

DONE = ("settled", "cancelled")
SHOW = ("all", "mine", "fill")
LAST_PAGE = 10_000


@bp.route("/orders")
def index() -> Page:
    """What is under way, what is open first; then what is done."""
    session, actor = db.session(), me()
    orders = visible_orders(session, actor)
    done = sorted((order for order in orders if order.state in DONE), key=lambda order: order.closes_at, reverse=True)
    return render_template(
        "orders/index.html",
        groups=by_campaign([order for order in orders if order.state not in DONE]),
        done=by_campaign(done),
        many_done=len(done),
        pledged=articles.pledged_by(session, orders, actor),
        joins=lambda order: any(pledging.joins(order, role) for role in actor.roles),
        runs=actor.admin or bool(actor.staff_ids),
    )


def by_campaign(orders: Sequence[GroupOrder]) -> list[tuple[str, list[GroupOrder]]]:
    """The orders that go together under the name of their campaign, those that stand alone under none.

    The groups come in the order of their first orders.
    """
    many = Counter(order.campaign for order in orders)
    found: dict[str, list[GroupOrder]] = {}
    for order in orders:
        found.setdefault(order.campaign if many[order.campaign] > 1 else "", []).append(order)
    return list(found.items())


# -- the articles ----------------------------------------------------------------------------------


@bp.route("/orders/<order_code>")
def show(order_code: str) -> Page:
    """The articles, how full each is, what one takes of it."""
    return _articles_page(order_code)


@bp.route("/orders/<order_code>/pledges", methods=["POST"])
def pledge(order_code: str) -> Page:
    """Store what was changed on a page of articles, all or nothing."""
    actor = me()
    order_of_code(db.session(), actor, order_code)
    sheet = PledgeSheet(request.form)
    if sheet.errors:
        return _articles_page(order_code, sheet), 422
    try:
        with transaction() as session:
            changed = pledging.pledge(
                session, actor, order_code, sheet.structure, sheet.wanted, clock.now(), sheet.seen
            )
    except NotFound:
        raise
    except Refused as refused:
        return _articles_page(order_code, sheet, refused), refused.status
    if changed:
        flash(ngettext("Stored: %(num)s article changed.", "Stored: %(num)s articles changed.", changed), "success")
    else:
        flash(_("Nothing was changed."), "info")
    page = _number("page", 1) + (request.form.get("go") == "next")
    kept = _query(_wish("open"), sheet.structure) | {"page": page if page > 1 else None}
    return redirect(url_for("orders.show", order_code=order_code, **kept), 303)


def _articles_page(order_code: str, sheet: PledgeSheet | None = None, refused: Refused | None = None) -> str:
    """A page of articles; with what was typed when it could not be stored."""
    session, actor, now = db.session(), me(), clock.now()
    order = order_of_code(session, actor, order_code)
    bodies = articles.structures(session, actor, order)
    code = sheet.structure if sheet else request.args.get("structure", "")
    body = next((role for role in bodies if role.organisation == code), bodies[0] if bodies else None)
    wish, stands = _wish(order.state), standing(session, order)
    typed = sheet.typed if sheet else {}
    account = articles.account(session, order, stands, body) if body else None
    lacking = [sku for sku, filling in stands.fillings.items() if filling.missing and filling.firm]
    found = articles.find(session, order, body, wish, lacking, typed)
    if wish.page > 1 and not found.items:  # what was filled on the page before has left the list
        wish = replace(wish, page=1)
        found = articles.find(session, order, body, wish, lacking, typed)
    there = refused.facts["there"] if isinstance(refused, PledgedMeanwhile) else {}
    labels, categories = articles.choices(session, order)
    kept = _query(wish, body.organisation if body and len(bodies) > 1 else "")
    open_ = order.state == "open" and order.opens_at <= now < order.closes_at
    return render_template(
        "orders/show.html",
        order=order,
        stands=stands,
        terms=terms_of(order),
        reach=closing.reach(stands, terms_of(order)),
        body=body,
        bodies=bodies,
        account=account,
        wish=wish,
        kept=kept,
        labels=labels,
        categories=categories,
        items=found.items,
        total=found.total,
        fallbacks=found.fallbacks,
        lacking=len(lacking),
        more=found.total > wish.page * PAGE and not typed,
        may_pledge=open_ and body is not None,
        typed=typed,
        errors=(sheet.errors if sheet else {}) | (_meanwhile(order, body, there) if body else {}),
        refused=web.say(refused) if refused else "",
        seen=seen_text(_seen(account, found.items, sheet, there)),
    )


def _wish(state: str) -> Wish:
    """What the address asks for; once nothing can be pledged, one's own articles come first."""
    asked = request.args
    return Wish(
        q=asked.get("q", "")[:100].strip(),
        labels=tuple(dict.fromkeys(label[:60] for label in asked.getlist("label")[:8])),
        category=asked.get("category", "")[:60],
        show=asked["show"] if asked.get("show") in SHOW else "all" if state in ("draft", "open") else "mine",
        page=_number("page", 1),
    )


def _number(name: str, otherwise: int, most: int = LAST_PAGE) -> int:
    text = request.args.get(name, "")
    return min(max(int(text), 1), most) if text.isascii() and text.isdecimal() and len(text) < 12 else otherwise


def _query(wish: Wish, structure: str) -> dict[str, Any]:
    """The same wish as an address."""
    return {
        "structure": structure or None,
        "q": wish.q or None,
        "label": list(wish.labels) or None,
        "category": wish.category or None,
        "show": request.args.get("show") or None,
        "page": wish.page if wish.page > 1 else None,
    }


def _seen(
    account: articles.Account | None, items: Sequence[Any], sheet: PledgeSheet | None, there: Mapping[str, Any]
) -> dict[str, tuple[int, int]]:
    """What this page shows as pledged: as it stands, or as the page before showed it, but for what it now points at."""
    if sheet:
        return sheet.seen | dict(there)
    own = account.own if account else {}
    return {item.sku: own[item.sku].asked for item in items if item.sku in own}


def _meanwhile(order: GroupOrder, body: Role, there: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """By article: what a colleague stored meanwhile, and when."""
    if not there:
        return {}
    by = articles.last_changes(db.session(), order, body, there)
    said = {}
    for sku, (quantity, most) in there.items():
        facts = {"quantity": web.number_words(quantity), "most": web.number_words(most)}
        if sku in by:
            facts |= {"who": by[sku].who, "when": words.moment(by[sku].at)}
            said[sku] = _("%(who)s stored %(quantity)s, up to %(most)s, on %(when)s.", **facts)
        else:
            said[sku] = _("Now stored: %(quantity)s, up to %(most)s.", **facts)
    return said


# -- the history -----------------------------------------------------------------------------------


@bp.route("/orders/<order_code>/history")
def history(order_code: str) -> Page:
    """The steps of the order, and who changed which pledge from what to what."""
    session, actor = db.session(), me()
    order = order_of_code(session, actor, order_code)
    before = _number("before", 0, 2**31 - 1) or None
    organisation = request.args.get("structure", "")[:60]
    found = articles.changes(session, actor, order, before, organisation)
    return render_template(
        "orders/history.html",
        order=order,
        changes=found[:CHANGES],
        following=found[CHANGES - 1].id if len(found) > CHANGES else None,
        structure=organisation or None,
        first=before is None,
        all=may_order(actor, "see_all", order),
    )
