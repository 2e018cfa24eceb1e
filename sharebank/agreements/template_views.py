"""The templates of agreements on screen: the list, one with its preview and its versions."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from sharebank.accounts.web import me
from sharebank.agreements import templates
from sharebank.agreements.drafting import document
from sharebank.agreements.forms import TemplateForm
from sharebank.agreements.markup import BLOCKS, TEXTS, Json
from sharebank.agreements.rules import KINDS
from sharebank.agreements.views import Page, bp
from sharebank.catalog.fields import lines
from sharebank.catalog.forms import blame
from sharebank.core import clock, press, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import to_local
from sharebank.core.texts import gettext as _

ALL = "/admin/agreement-templates"
KIND = f"{ALL}/<string(maxlength=20):kind>"


@bp.get(ALL)
def template_list() -> Page:
    """Every kind with the version in force."""
    templates.editor(me())
    return render_template("agreements/templates.html", kinds=KINDS, versions=templates.in_force(db.session()))


@bp.get(KIND)
def template(kind: str) -> Page:
    """One to edit: the version in force, or an earlier one taken up again."""
    templates.editor(me())
    wanted = request.args.get("version", "")
    version = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else None
    form = TemplateForm(formdata=None, body=templates.body_of(db.session(), kind, version))
    return _edit(kind, form, 200)


@bp.post(KIND)
def save_template(kind: str) -> Page:
    """Keep it as a new version, or look at it first."""
    actor, form = me(), TemplateForm()
    templates.editor(actor)
    if kind not in KINDS:
        raise NotFound
    if not form.validate():
        return _edit(kind, form, 422)
    body = lines(form.body.data)
    try:
        if "preview" in request.form:
            return _edit(kind, form, 200, _sample(kind, body))
        if "pdf" in request.form:
            return _preview(kind, body)
        with transaction() as session:
            version = templates.save(session, actor, kind, body, clock.now())
    except NotFound:
        raise
    except Refused as refused:
        return _edit(kind, form, blame(form, refused))
    flash(_("Version %(version)s is in force from now on.", version=version), "success")
    return redirect(url_for("agreements.template_list"), 303)


def _sample(kind: str, body: str) -> Json:
    return templates.sample(db.session(), kind, body, to_local(clock.now(), web.tz()).date())


def _preview(kind: str, body: str) -> Answer:
    made = press.pdf(document(_sample(kind, body), "0" * 64, draft=_("Preview: nothing here is real")), clock.now())
    answer = Answer(made, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="{kind}.pdf"'
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _edit(kind: str, form: TemplateForm, status: int, preview: Json | None = None) -> Page:
    page = render_template(
        "agreements/template.html",
        kind=kind,
        form=form,
        preview=preview,
        texts=TEXTS,
        blocks=BLOCKS,
        versions=templates.versions(db.session(), kind),
    )
    return page, status
