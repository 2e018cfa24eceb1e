"""Book again and again: choose among the dates, then follow them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.permissions import may_anywhere, may_loan
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.overrule import Overridable
from sharebank.core.texts import gettext as _
from sharebank.core.texts import ngettext
from sharebank.lending.windows import WEEKDAYS as DAYS
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.forms import coming_saturday
from sharebank.reservations.rules import Collision, RuleBroken
from sharebank.reservations.series import series, series_booking, series_deciding, series_reading, series_words
from sharebank.reservations.series.series import SeriesAsk
from sharebank.reservations.series.series_forms import SeriesForm
from sharebank.reservations.series.series_judging import Preview
from sharebank.reservations.views import carried, fit, may_override, picks, when_args

bp.add_app_template_filter(series_words.rule_words, "repeats")
bp.add_app_template_filter(series_words.state_words, "date_state")
bp.add_app_template_filter(series_words.skip_words, "skips")
bp.add_app_template_filter(series_words.hours_words, "hours")
bp.add_app_template_filter(series_words.day_in_month, "day_in_month")


# -- a new one -----------------------------------------------------------------------------------


@bp.get("/series/new")
def new_series() -> Page:
    """What repeats; then, with `show`, every date with its state."""
    shown = "show" in request.args
    form = SeriesForm(request.args if "day" in request.args else None)
    if not shown:
        _fill(form)
    _fit(form)
    return _look(form, None) if shown and "drop" not in request.args else _series_page(form, None, None, 200)


@bp.post("/series/new")
def create_series() -> Page:
    """Book the dates chosen, all or none."""
    form = _fit(SeriesForm(request.form))
    ask = _ask(form)
    if ask is None:
        return _series_page(form, None, None, 422)
    chosen = request.form.getlist("chosen")
    try:
        with transaction() as session:
            made = series_booking.book(session, me(), ask, chosen, clock.now(), web.tz())
    except Refused as refused:
        return _look(form, refused, chosen)
    number = len(made.refs)
    if made.status == "approved":
        flash(ngettext("%(num)s date is booked.", "%(num)s dates are booked.", number), "success")
    else:
        said = ngettext(
            "%(num)s date is asked for and held for you.", "%(num)s dates are asked for and held for you.", number
        )
        flash(said, "success")
    return redirect(url_for("reservations.series", ref=made.ref), 303)


def _fit(form: SeriesForm) -> SeriesForm:
    fit(form)
    form.name_days([_(name) for name in DAYS.values()])
    return form


def _fill(form: SeriesForm) -> None:
    """What the page one comes from says, or an afternoon of next week; the most usual answers."""
    if "day" not in request.args:
        form.put(*coming_saturday(today()))
        form.organisation.data = request.args.get("organisation", "")
        form.purpose.data = request.args.get("purpose", "")[:300]
    for code, quantity in picks().items():
        form.lines.append_entry({"code": code, "quantity": quantity})
    form.school_holidays.data = form.public_holidays.data = True
    form.freq.data = form.freq.data or "weekly"


def _ask(form: SeriesForm) -> SeriesAsk | None:
    plan = form.plan(web.tz()) if form.validate() else None
    details = form.details(web.tz()) if plan else None
    if plan is None or details is None:
        return None
    purpose, override = (form.purpose.data or "").strip(), (form.override.data or "").strip()
    return SeriesAsk(form.organisation.data, purpose, form.wants(), plan, form.public.data, override, details)


def _look(form: SeriesForm, refused: Refused | None, chosen: Collection[str] | None = None) -> Page:
    """Every date as it stands now; what was ticked stays so where it still can be."""
    ask = _ask(form)
    if ask is None:
        return _series_page(form, None, None, 422)
    try:
        found = series.preview(db.session(), me(), ask, clock.now(), web.tz())
    except Refused as wrong:
        if isinstance(wrong, Overridable) and wrong.overridable:
            form.override.errors = [web.say(wrong)]
        else:
            form.tell(wrong)
        return _series_page(form, None, None, wrong.status)
    told = refused or _of_all(found)
    if told is not None and (told.field or "") in form and told.field != "lines":
        form.tell(told)
    ticked = {one.key for one in found.dates if one.bookable and one.state in ("free", "outside_hours")}
    if chosen is not None:
        ticked = {one.key for one in found.dates if one.bookable} & set(chosen)
    return _series_page(form, found, ticked, refused.status if refused else 200, refused, ask.plan.rule.text)


def _of_all(found: Preview) -> RuleBroken | None:
    """The rule that no date keeps, if it is so."""
    whys = [one.why for one in found.dates if not one.bookable]
    return next((why for why in whys if isinstance(why, RuleBroken)), None) if len(whys) == len(found.dates) else None


def _series_page(
    form: SeriesForm,
    found: Any,
    ticked: Collection[str] | None,
    status: int,
    refused: Refused | None = None,
    rule: str = "",
) -> Page:
    codes = [line["code"] for line in form.lines.data if line["code"]]
    things = catalog.things_by_code(db.session(), codes)
    states = [one.state for one in found.dates] if found else []
    page = render_template(
        "reservations/series_new.html",
        form=form,
        things=things,
        found=found,
        ticked=ticked or (),
        counts={state: states.count(state) for state in dict.fromkeys(states)},
        kept=[(name, value) for name, values in request.values.lists() for value in values if name not in NOT_KEPT],
        wish=carried(form),
        may_override=bool(form.override.data or form.override.errors)
        or (found is not None and any(isinstance(one.why, Overridable) and one.why.overridable for one in found.dates)),
        sentence=sentence_of(refused) if not form.errors else "",
        say=web.say,
        when_args=when_args,
        rule=rule,
    )
    return page, status


NOT_KEPT = ("chosen", "csrf_token", "show", "override", "accepts", "letter")
"""Fields that stand in the form of the dates, or belong to one answer alone."""


def sentence_of(refused: Refused | None) -> str:
    """What went wrong, with the days it is about when several are gone."""
    if isinstance(refused, Collision):
        days = ", ".join(dict.fromkeys(web.day_short(conflict.period.start) for conflict in refused.conflicts[:12]))
        return str(_("Taken meanwhile: %(days)s. Nothing was booked; look at the dates again.", days=days))
    return web.say(refused) if refused else ""


# -- those that are ------------------------------------------------------------------------------


@bp.get("/series")
def series_index() -> Page:
    """Mine, or my house's."""
    session, actor = db.session(), me()
    scope = "house" if request.args.get("scope") == "house" and may_anywhere(actor, "see_desks") else "mine"
    listed = series_reading.visible_series(session, actor, clock.now(), houses=scope == "house")
    return render_template("reservations/series_index.html", listed=listed, scope=scope)


@bp.get("/series/<ref>", endpoint="series")
def show_series(ref: str) -> Page:
    """One series: every date, where it stands, what one may do."""
    return show_page(ref, 200)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed in one of the forms of a series' page, and is shown there again."""

    why: str = ""
    chosen: Collection[str] = ()
    override: str = ""
    may_override: bool = False
    """It was refused for what a reason overrules: one is asked for."""


def show_page(ref: str, status: int, sentence: str = "", *, decided: Typed = Typed(), retried: Typed = Typed()) -> Page:
    """A series' page; with a sentence about what could not be done, and what was typed for it."""
    session, actor, now = db.session(), me(), clock.now()
    found = series_reading.series_of_ref(session, actor, ref)
    dates = series_reading.dates_of_series(session, found)
    waiting = [one for one in dates if one.state == "requested"]
    page = render_template(
        "reservations/series.html",
        series=found,
        wants=", ".join(_amounts(found.wants, catalog.things_by_code(session, found.wants))),
        past=[one for one in dates if one.period.end <= now],
        ahead=[one for one in dates if one.period.end > now],
        held=sum(one.held for one in dates),
        coming=[one for one in dates if one.open and one.period.start > now],
        waiting=waiting,
        may_decide=bool(waiting) and may_loan(actor, "approve", found),
        may_change=may_loan(actor, "cancel", found),
        retryable={one.id for one in dates if not one.held and one.state != "no_such_time" and one.period.start > now},
        sentence=sentence,
        decided=decided,
        retried=retried,
        after=series_reading.that_follows(session, found),
        first=datetime.fromisoformat(found.first_start).date(),
    )
    return page, status


def _amounts(wants: Mapping[str, int], things: Mapping[str, Thing]) -> Iterator[str]:
    for code, quantity in wants.items():
        name = things[code].name if code in things else code
        yield f"{web.number_words(quantity)} × {name}" if quantity > 1 else name


@bp.post("/series/<ref>/retry")
def retry_series(ref: str) -> Page:
    """Try dates again that were left out."""
    sent = request.form.getlist("chosen")[:500]
    chosen = [int(each) for each in sent if each.isascii() and each.isdigit() and len(each) < 10]
    override = request.form.get("override", "")[:300]
    try:
        with transaction() as session:
            refs = series_booking.retry(session, me(), ref, chosen, clock.now(), web.tz(), override)
    except NotFound:
        raise
    except Refused as refused:
        typed = Typed("", sent, override, may_override(refused))
        return show_page(ref, refused.status, sentence_of(refused), retried=typed)
    flash(ngettext("%(num)s date is booked.", "%(num)s dates are booked.", len(refs)), "success")
    return redirect(url_for("reservations.series", ref=ref), 303)


@bp.post("/series/<ref>/<any(approve, decline):act>")
def decide_series(ref: str, act: str) -> Page:
    """Approve or decline all that waits."""
    why, override = request.form.get("why", "")[:1000], request.form.get("override", "")[:300]
    try:
        with transaction() as session:
            series_deciding.decide(session, me(), ref, act, why, clock.now(), web.tz(), override)
    except NotFound:
        raise
    except Refused as refused:
        typed = Typed(why, (), override, may_override(refused))
        return show_page(ref, refused.status, web.say(refused), decided=typed)
    flash(_("Done."), "success")
    return redirect(url_for("reservations.series", ref=ref), 303)
