"""The register of drivers on screen."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.texts import gettext as _
from sharebank.insurance import drivers as desk
from sharebank.insurance import service
from sharebank.insurance.forms import DriverForm, SureForm
from sharebank.insurance.rules import years_between
from sharebank.insurance.views import Page, bp, today

__all__ = ["bp"]
ONE = "/insurance/drivers/<int(max=2147483647):driver_id>"


@bp.route("/insurance/drivers", methods=["GET", "POST"])
def drivers() -> Page:
    """Whose licence was seen, and a form for the next one."""
    session, actor = db.session(), me()
    holders = service.holders(session, actor)
    if not holders:
        raise NotFound
    form = DriverForm.of(request.form if request.method == "POST" else None, holders)
    status = 200
    if request.method == "GET":
        form.seen_on.data = today()
    else:
        status = 422
        if form.validate():
            try:
                with transaction() as rows:
                    desk.note(rows, actor, form.organisation.data, form.licence(), today())
            except NotFound:
                raise
            except Refused as refused:
                status = blame(form, refused)
            else:
                flash(_("The driver is in the register."), "success")
                return redirect(url_for("insurance.drivers"), 303)
    lines = [(line, years_between(line.licence_since, today())) for line in desk.register(db.session(), actor)]
    return render_template("insurance/drivers.html", form=form, lines=lines), status


@bp.route(ONE, methods=["GET", "POST"])
def driver(driver_id: int) -> Page:
    """Correct a line, or note that the licence was seen again."""
    actor = me()
    found = desk.driver(db.session(), actor, driver_id)
    form = DriverForm.of(request.form if request.method == "POST" else None, (), found)
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction() as rows:
                    desk.change(rows, actor, driver_id, form.licence(), today())
            except NotFound:
                raise
            except Refused as refused:
                status = blame(form, refused)
            else:
                flash(_("Your changes are kept."), "success")
                return redirect(url_for("insurance.drivers"), 303)
    return _driver_page(found, form, SureForm(formdata=None), status)


@bp.post(f"{ONE}/delete")
def forget_driver(driver_id: int) -> Page:
    """Take a driver out of the register."""
    actor = me()
    found = desk.driver(db.session(), actor, driver_id)
    sure = SureForm()
    if not sure.validate():
        return _driver_page(found, DriverForm.of(None, (), found), sure, 422)
    with transaction() as rows:
        desk.forget(rows, actor, driver_id)
    flash(_("It is deleted."), "success")
    return redirect(url_for("insurance.drivers"), 303)


def _driver_page(found: Any, form: DriverForm, sure: SureForm, status: int) -> Page:
    return render_template("insurance/driver.html", driver=found, form=form, sure=sure), status
