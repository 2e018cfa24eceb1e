"""Suppliers: their terms, their orders."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.permissions import may_suppliers, require
from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core import web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.texts import gettext as _
from sharebank.orders.blueprint import Page, bp
from sharebank.orders.reading import visible_orders
from sharebank.orders.supply import prices as lists
from sharebank.orders.supply import supplier_words
from sharebank.orders.supply import suppliers as desk
from sharebank.orders.supply.supplier_forms import SupplierForm

bp.add_app_template_filter(supplier_words.kind_word, "supplier_kind")
bp.add_app_template_filter(supplier_words.change_word, "price_change")
bp.add_app_template_filter(supplier_words.changes_words, "price_changes")
bp.add_app_template_filter(supplier_words.percent_words, "percent")
bp.add_app_template_filter(supplier_words.minimum_words, "minimum_terms")
bp.add_app_template_filter(supplier_words.delivery_words, "delivery_terms")
bp.add_app_template_filter(supplier_words.break_price, "break_price")
bp.add_app_template_filter(web.say, "refusal_words")
bp.add_app_template_global(supplier_words.columns, "price_columns")


@bp.route("/orders/suppliers")
def suppliers() -> Page:
    """Every supplier, with its newest prices."""
    return render_template("orders/suppliers.html", found=desk.all_suppliers(db.session(), me()))


@bp.route("/orders/suppliers/new", methods=["GET", "POST"])
def new_supplier() -> Page:
    """Add a supplier."""
    actor, form, status = me(), SupplierForm.of(_sent()), 200
    if not may_suppliers(actor, "see"):
        raise NotFound
    if form.is_submitted():
        status = 422
        if form.validate():
            try:
                with transaction() as session:
                    supplier = desk.add(session, actor, form.code.data or "", form.values())
            except Refused as refused:
                status = blame(form, refused)
            else:
                flash(_("%(name)s is there. Next: its price list.", name=supplier.name), "success")
                return redirect(url_for("orders.supplier", supplier_code=supplier.code), 303)
    return render_template("orders/edit_supplier.html", form=form, supplier=None), status


@bp.route("/orders/suppliers/<supplier_code>")
def supplier(supplier_code: str) -> Page:
    """One supplier: terms, versions of its prices, orders."""
    session, actor = db.session(), me()
    found = desk.supplier_of_code(session, actor, supplier_code)
    return render_template(
        "orders/supplier.html",
        supplier=found,
        versions=lists.versions(session, found),
        orders=visible_orders(session, actor, found),
        may_edit=may_suppliers(actor, "edit"),
    )


@bp.route("/orders/suppliers/<supplier_code>/edit", methods=["GET", "POST"])
def edit_supplier(supplier_code: str) -> Page:
    """Change a supplier's terms, for orders that open from now on."""
    actor, status = me(), 200
    found = desk.supplier_of_code(db.session(), actor, supplier_code)
    require(may_suppliers(actor, "edit"))
    form = SupplierForm.of(_sent(), found)
    if form.is_submitted():
        status = 422
        if form.validate():
            try:
                with transaction() as session:
                    desk.change(session, actor, supplier_code, form.values(), form.seen.data or "")
            except NotFound:
                raise
            except Refused as refused:
                status = blame(form, refused)
            else:
                flash(_("Stored. Orders that are open already keep the terms they opened with."), "success")
                return redirect(url_for("orders.supplier", supplier_code=supplier_code), 303)
    return render_template("orders/edit_supplier.html", form=form, supplier=found), status


def _sent() -> Any:
    return request.form if request.method == "POST" else None
