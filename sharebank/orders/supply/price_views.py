"""Price lists on screen: searched, compared with the version before, taken in after a look at what they change."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for

from sharebank.accounts.permissions import may_suppliers, require
from sharebank.accounts.web import me
from sharebank.catalog.fields import one_line
from sharebank.catalog.forms import blame
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.texts import gettext as _
from sharebank.core.texts import ngettext
from sharebank.orders.blueprint import Page, bp
from sharebank.orders.rules.prices import KINDS, Change, Listed, compare, count
from sharebank.orders.supply import prices as lists
from sharebank.orders.supply import suppliers as desk
from sharebank.orders.supply.prices import PAGE, PricesChanged, PricesRefused, Wish
from sharebank.orders.supply.supplier_forms import FallbackForm, ListFilters, PricesForm
from sharebank.orders.supply.supplier_models import PriceDraft, Supplier

LAST_PAGE = 10_000
MOST_SHOWN = 200
"""Changes or mistakes on one page: enough to see what a file is like."""


@bp.route("/orders/suppliers/<supplier_code>/prices")
def prices(supplier_code: str) -> Page:
    """A version of a price list, by default the newest, searched."""
    session, actor = db.session(), me()
    supplier = desk.supplier_of_code(session, actor, supplier_code)
    found = lists.version(session, supplier, _number("version"))
    if found is None:
        return redirect(url_for("orders.new_prices", supplier_code=supplier_code), 303)
    form = ListFilters.of(request.args, found)
    wish = Wish(form.q.data or "", form.label.data or "", form.category.data or "", _number("page") or 1)
    shown = lists.find(session, found, wish) if form.validate() else lists.Found([], 0)
    return render_template(
        "orders/prices.html",
        supplier=supplier,
        prices=found,
        newest=lists.version(session, supplier) == found,
        form=form,
        wish=wish,
        found=shown,
        more=shown.total > wish.page * PAGE,
        may_edit=may_suppliers(actor, "edit"),
    ), 422 if form.errors else 200


@bp.route("/orders/suppliers/<supplier_code>/prices/changes")
def price_changes(supplier_code: str) -> Page:
    """What a version changed since the one before."""
    session, actor = db.session(), me()
    supplier = desk.supplier_of_code(session, actor, supplier_code)
    found = lists.version(session, supplier, _number("version"))
    if found is None or found.version == 1:
        raise NotFound
    return render_template(
        "orders/price_changes.html", supplier=supplier, prices=found, **_shown(lists.changes(session, found))
    )


def _shown(changes: list[Change]) -> dict[str, Any]:
    """The changes of the kind that is asked for, and how many there are of each."""
    kind = request.args.get("kind", "")
    of_kind = [change for change in changes if kind in change.kinds] if kind in KINDS else changes
    return {
        "counts": count(changes),
        "kind": kind,
        "changes": of_kind[:MOST_SHOWN],
        "left": max(0, len(of_kind) - MOST_SHOWN),
    }


@bp.route("/orders/suppliers/<supplier_code>/prices/new", methods=["GET", "POST"])
def new_prices(supplier_code: str) -> Page:
    """Give a file of prices: with mistakes it is refused, without it is looked at before it is kept."""
    session, actor, form = db.session(), me(), PricesForm()
    supplier = desk.supplier_of_code(session, actor, supplier_code)
    require(may_suppliers(actor, "edit"))
    status, mistakes = 200, []
    if form.is_submitted():
        status = 422
        if form.validate():
            raw, name = form.file.data.read(), one_line(form.file.data.filename)[:200]
            try:
                _read(supplier, name, raw)
                with transaction() as writing:
                    draft = lists.put_draft(writing, actor, supplier_code, name, raw, clock.now())
            except PricesRefused as refused:
                status, mistakes = blame(form, refused), list(refused.problems)
            else:
                here = url_for("orders.check_prices", supplier_code=supplier_code, draft_id=draft.id)
                return redirect(here, 303)
    page = render_template(
        "orders/new_prices.html",
        supplier=supplier,
        form=form,
        mistakes=mistakes[:MOST_SHOWN],
        left=max(0, len(mistakes) - MOST_SHOWN),
        known=lists.version(session, supplier),
    )
    return page, status


@bp.route("/orders/suppliers/<supplier_code>/prices/check/<int(max=2147483647):draft_id>")
def check_prices(supplier_code: str, draft_id: int) -> Page:
    """What a file would change, before it is kept."""
    session, actor = db.session(), me()
    supplier = desk.supplier_of_code(session, actor, supplier_code)
    draft = lists.draft_of(session, actor, supplier_code, draft_id)
    return _check_page(supplier, draft)


@bp.route("/orders/suppliers/<supplier_code>/prices/check/<int(max=2147483647):draft_id>", methods=["POST"])
def keep_prices(supplier_code: str, draft_id: int) -> Page:
    """Keep a file as the next version, or throw it away."""
    session, actor, now = db.session(), me(), clock.now()
    supplier = desk.supplier_of_code(session, actor, supplier_code)
    draft = lists.draft_of(session, actor, supplier_code, draft_id)
    if request.form.get("act") == "drop":
        with transaction() as writing:
            lists.drop_draft(writing, actor, supplier_code, draft_id)
        flash(_("The file was thrown away; the prices stay as they were."), "info")
        return redirect(url_for("orders.supplier", supplier_code=supplier_code), 303)
    items, _warnings = _read(supplier, draft.name, draft.content)  # outside the transaction: it takes a while
    try:
        with transaction() as writing:
            kept = lists.keep_draft(writing, actor, supplier_code, draft_id, items, now)
    except NotFound:
        raise
    except PricesChanged as refused:
        with transaction() as writing:
            lists.renew_draft(writing, actor, supplier_code, draft_id)
        return _check_page(supplier, draft, web.say(refused)), refused.status
    except Refused as refused:
        return _check_page(supplier, draft, web.say(refused)), refused.status
    said = ngettext(
        "Version %(version)s is kept: %(num)s article. New orders use it.",
        "Version %(version)s is kept: %(num)s articles. New orders use it.",
        len(items),
        version=kept.version,
    )
    flash(said, "success")
    return redirect(url_for("orders.prices", supplier_code=supplier_code), 303)


def _read(supplier: Supplier, name: str, raw: bytes) -> tuple[list[Listed], tuple[str, ...]]:
    """The articles of a file; how files are read is no affair of this room, so the application brings the reader."""
    read = current_app.extensions["price_list_reader"]
    found: tuple[list[Listed], tuple[str, ...]] = read(db.session(), supplier.code, name, raw, clock.now(), web.tz())
    return found


def _check_page(supplier: Supplier, draft: PriceDraft, refused: str = "") -> str:
    session = db.session()
    items, warnings = _read(supplier, draft.name, draft.content)
    before = lists.version(session, supplier)
    changes = compare(lists.items_of(session, before), items)
    return render_template(
        "orders/check_prices.html",
        supplier=supplier,
        draft=draft,
        refused=refused,
        warnings=warnings,
        articles=len(items),
        before=before,
        same=not changes,
        **_shown(changes),
    )


# -- one article -------------------------------------------------------------------------------------


@bp.route("/orders/suppliers/<supplier_code>/articles/<sku>", methods=["GET", "POST"])
def article(supplier_code: str, sku: str) -> Page:
    """An article over all versions, and what is taken instead of it."""
    session, actor, form, status = db.session(), me(), FallbackForm(), 200
    supplier = desk.supplier_of_code(session, actor, supplier_code)
    found = lists.article(session, supplier, sku)
    if not form.is_submitted():
        form.fallback.data = found.now.fallback_sku
    else:
        status = 422
        require(may_suppliers(actor, "edit"))
        if form.validate():
            try:
                with transaction() as writing:
                    lists.name_fallback(writing, actor, supplier_code, sku, form.fallback.data or "")
            except NotFound:
                raise
            except Refused as refused:
                status = blame(form, refused)
            else:
                flash(_("Stored, for orders that are made from now on."), "success")
                return redirect(url_for("orders.article", supplier_code=supplier_code, sku=sku), 303)
    newest = lists.version(session, supplier)
    return render_template(
        "orders/listed.html",
        supplier=supplier,
        article=found,
        form=form,
        sold=newest is not None and found.history[0][0].id == newest.id,
        may_edit=may_suppliers(actor, "edit"),
    ), status


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return min(max(int(text), 1), LAST_PAGE) if text.isdecimal() and len(text) < 9 else None
