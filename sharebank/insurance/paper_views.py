"""The register of documents seen on screen."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from sharebank.accounts.permissions import require
from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core import web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.texts import gettext as _
from sharebank.insurance import papers as desk
from sharebank.insurance import service
from sharebank.insurance.driver_views import bp
from sharebank.insurance.forms import PaperForm, SureForm, paper_words
from sharebank.insurance.views import Page, today

__all__ = ["bp"]


bp.app_template_filter("paper_kind")(paper_words)


@bp.app_template_filter("calendar_day")
def calendar_day(day: date) -> str:
    """`15 septembre 2026`: which weekday it was says nothing of a document."""
    return web.day_month_year(day)


@bp.get("/insurance/papers")
def papers() -> Page:
    """What structures have shown, and for those who look after them a form for the next one."""
    return _page(_form(None), 200)


@bp.post("/insurance/papers")
def note_paper() -> Page:
    """Write down what was seen."""
    form = _form(request.form)
    require(bool(form.organisation.choices))
    status = 422
    if form.validate():
        try:
            with transaction() as session:
                desk.note(session, me(), form.organisation.data, form.shown(), today())
        except NotFound:
            raise
        except Refused as refused:
            status = blame(form, refused)
        else:
            flash(_("The document is in the register."), "success")
            return _back()
    return _page(form, status)


@bp.post("/insurance/papers/<int(max=2147483647):paper_id>/delete")
def remove_paper(paper_id: int) -> Page:
    """Take a document out of the register."""
    desk.paper(db.session(), me(), paper_id)
    sure = SureForm()
    if not sure.validate():
        return _page(_form(None), 422, sure)
    with transaction() as session:
        desk.remove(session, me(), paper_id)
    flash(_("It is deleted."), "success")
    return _back()


def _chosen() -> str:
    """The structure whose documents alone are looked at, if any."""
    return request.args.get("organisation", "")[:20]


def _back() -> Answer:
    return redirect(url_for("insurance.papers", organisation=_chosen() or None), 303)


def _form(sent: Any) -> PaperForm:
    form = PaperForm.of(sent, service.holders(db.session(), me()))
    if sent is None and _chosen():
        form.organisation.data = _chosen()
    return form


def _page(form: PaperForm, status: int, sure: SureForm | None = None) -> Page:
    lines = desk.register(db.session(), me(), _chosen())
    facts = {"form": form, "sure": sure, "lines": lines, "chosen": _chosen(), "today": today()}
    return render_template("insurance/papers.html", **facts), status
