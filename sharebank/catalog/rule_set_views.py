"""Rule sets: every one in words, and each on one screen to those who manage a house that lends by it."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_rules, require
from sharebank.accounts.web import me
from sharebank.catalog import forms, rule_sets, wording
from sharebank.catalog.models import RuleSet
from sharebank.catalog.rule_set_forms import RuleSetForm, unused
from sharebank.catalog.rule_sets import Use
from sharebank.catalog.views import Page, bp
from sharebank.core.db import db, transaction
from sharebank.core.errors import ChangedMeanwhile, Refused
from sharebank.core.texts import gettext as _
from sharebank.core.texts import name_words
from sharebank.lending.kinds import KINDS
from sharebank.lending.terms import write_terms

__all__ = ["bp"]
RULE_SET = "/admin/rule-sets/<rules>"
FRESH = ("notice", "advance", "length", "approval")
"""What a new rule set is asked first."""


@bp.get("/admin/rule-sets")
def rule_set_list() -> Page:
    """Every rule set in words, and how many things are lent by it."""
    actor = me()
    require(may_rules(actor, "see_rules_desk"))
    found = rule_sets.uses(db.session())
    rows = [(use, wording.sentence(rule_sets.terms_of(use.rule_set)), _mine(actor, use)) for use in found]
    return render_template("catalog/rule_set_list.html", rows=rows)


def _mine(actor: Actor, use: Use) -> bool:
    return may_rules(actor, "edit_rules", use.houses)


@bp.route("/admin/rule-sets/new", methods=["GET", "POST"])
def new_rule_set() -> Page:
    """New rules, or some like those that there are."""
    require(may_rules(me(), "see_rules_desk"))
    like = rule_sets.use(db.session(), request.args["copy"]).rule_set if request.args.get("copy") else None
    form = _form(like)
    if request.method == "GET":
        form.name.data = ""
        if like is None:
            form.buffer_before_min.data = form.buffer_after_min.data = 0
    status, kept = _worked(form, _create)
    if kept:
        said = _("The rules “%(name)s” are there. Give them to a resource on its page.", name=name_words(kept))
        flash(said, "success")
        return redirect(url_for("catalog.rule_set", rules=kept), 303)
    return _page(form, None, status)


def _create(values: dict[str, Any]) -> str:
    with transaction() as session:
        return rule_sets.create(session, me(), values).name


@bp.route(RULE_SET, methods=["GET", "POST"])
def rule_set(rules: str) -> Page:
    """One rule set on one screen."""
    use = rule_sets.editable(db.session(), me(), rules)
    form = _form(use.rule_set)
    if request.method == "GET":
        form.seen.data = rule_sets.mark(use.rule_set)
    status, kept = _worked(form, partial(_change, rules, form.seen.data or ""))
    if kept:
        flash(_("Your changes are kept. They count from now on; what is booked stays booked."), "success")
        return redirect(url_for("catalog.rule_set", rules=kept), 303)
    if status == ChangedMeanwhile.status:
        use = rule_sets.editable(db.session(), me(), rules)
        form.seen.data = rule_sets.mark(use.rule_set)  # whoever sends it once more has been told, and means it
    return _page(form, use, status)


def _change(name: str, seen: str, values: dict[str, Any]) -> str:
    with transaction() as session:
        return rule_sets.change(session, me(), name, seen, values).name


@bp.post(f"{RULE_SET}/delete")
def delete_rule_set(rules: str) -> Page:
    """Forget a rule set nothing is lent by."""
    with transaction() as session:
        rule_sets.delete(session, me(), rules)
    flash(_("The rules “%(name)s” are gone.", name=name_words(rules)), "success")
    return redirect(url_for("catalog.rule_set_list"), 303)


def _form(stored: RuleSet | None) -> RuleSetForm:
    """The form with the rules that stand on the page: those stored, or those sent, one added or taken away."""
    if request.method == "GET":
        if stored:
            terms = rule_sets.terms_of(stored)
            return RuleSetForm.of(None, terms, stored, terms)
        form = RuleSetForm.of(None, FRESH)
        form.begin(FRESH)
        return form
    sent = request.form
    added = {sent.get("kind", "")} & KINDS.keys() - set(sent.getlist("rule")) if sent.get("act") == "add" else set()
    form = RuleSetForm.of(sent, {*sent.getlist("rule"), *added} - {sent.get("remove", "")})
    form.begin(added)
    return form


def _worked(form: RuleSetForm, keep: Any) -> tuple[int, str]:
    """What came of the button that was pressed: a status to show the page again with, or the name kept."""
    pressed = request.form.get("act") or ("rows" if {"more", "remove"} & request.form.keys() else "keep")
    if request.method == "GET" or pressed in ("add", "rows"):
        return 200, ""
    terms = form.terms() if form.validate() else None
    if terms is None:
        return 422, ""
    values = {name: form[name].data for name in ("name", "buffer_before_min", "buffer_after_min")}
    if pressed == "preview":
        form.read_back = wording.rules(terms, values["buffer_before_min"], values["buffer_after_min"])
        return 200, ""
    try:
        return 303, keep(values | {"terms": write_terms(terms)})
    except Refused as refused:
        return forms.blame(form, refused), ""


def _page(form: RuleSetForm, use: Use | None, status: int) -> Page:
    more = request.form.get("more", "")
    form.more_rows(more)
    page = render_template(
        "catalog/rule_set.html",
        form=form,
        use=use,
        opened={request.form.get("kind") if request.form.get("act") == "add" else "", more.partition(".")[0]},
        kinds=KINDS,
        unused=unused(form.kinds),
    )
    return page, status
