"""Follow a reservation, decide on it, and close things for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from sharebank.accounts.permissions import may_loan
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import Period
from sharebank.reservations import desk, hooks
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.booking import Ask
from sharebank.reservations.forms import ClosureForm, DecideForm, MonthForm, coming_saturday
from sharebank.reservations.planning import month_bounds, step
from sharebank.reservations.reading import loan_of_ref, loans_together, visible_loans
from sharebank.reservations.states import LIFECYCLE, reached
from sharebank.reservations.views import may_override
from sharebank.reservations.words import act_words, next_step

PAGE = 40
MONTH_LIMIT = 500


# -- follow and decide ---------------------------------------------------------------------------


@bp.get("/reservations")
def index() -> Page:
    """Mine, or my house's: what comes and what is late; or a past month."""
    session, actor, now = db.session(), me(), clock.now()
    scope = "house" if request.args.get("scope") == "house" and actor.staff_ids else "mine"
    find = partial(visible_loans, session, actor, mine=scope == "mine", houses=scope == "house")
    form = MonthForm(request.args)
    month = (form.month.data if form.validate() else None) or today()
    if request.args.get("when") == "past":
        first, until = month_bounds(month, web.tz())
        loans = find(since=first, until=min(until, now), limit=MONTH_LIMIT)[::-1]
        late = following = None
    else:
        late = find(status="collected", until=now, limit=PAGE)
        late = [loan for loan in late if loan.ends_at <= now]
        loans = find(since=now, after=_place(), limit=PAGE + 1)
        following = f"{loans[PAGE - 1].starts_at:%Y%m%dT%H%M%S}-{loans[PAGE - 1].id}" if len(loans) > PAGE else None
    page = render_template(
        "reservations/index.html",
        loans=loans[:PAGE] if late is not None else loans,
        late=late or [],
        scope=scope,
        past=late is None,
        month=month,
        before=step("month", month, -1),
        after=step("month", month, 1) if month < today().replace(day=1) else None,
        following=following,
    )
    return page, 422 if form.errors else 200


def _place() -> tuple[datetime, int] | None:
    """Where the page before ended; a place that cannot be read is no place."""
    at, _dash, last = request.args.get("after", "").partition("-")
    try:
        return datetime.strptime(at, "%Y%m%dT%H%M%S").replace(tzinfo=UTC), int(last[:12])
    except ValueError:
        return None


@bp.get("/reservations/<ref>")
def show(ref: str) -> Page:
    """One reservation: what, when, where it stands, what happened, what one may do."""
    return _loan_page(ref, DecideForm(formdata=None), 200)


@bp.post("/reservations/<ref>/<any(approve, decline, cancel, collect, return):act>")
def decide(ref: str, act: str) -> Page:
    """Move it on."""
    form = DecideForm()
    if not form.validate():
        return _loan_page(ref, form, 422)
    try:
        loan = desk.change(me(), ref, act, form.why.data or "", form.override.data or "")
    except NotFound:
        raise
    except Refused as refused:
        field = form.override if may_override(refused) else form.why
        field.errors = [web.say(refused)]
        return _loan_page(ref, form, refused.status)
    flash(_("Done: %(state)s.", state=web.state_word(loan.status)), "success")
    return redirect(url_for("reservations.show", ref=ref), 303)


def _loan_page(ref: str, form: DecideForm, status: int) -> Page:
    actor = me()
    loan = loan_of_ref(db.session(), actor, ref)
    acts = [act for act, rule in LIFECYCLE.items() if loan.status in rule.sources and may_loan(actor, act, loan)]
    page = render_template(
        "reservations/show.html",
        loan=loan,
        period=Period(loan.starts_at, loan.ends_at),
        together=loans_together(db.session(), actor, loan),
        reached=reached(loan.status, [event.to for event in loan.events]),
        next_step=next_step(loan, lends=may_loan(actor, "approve", loan)),
        acts={act: act_words(act) for act in acts},
        form=form,
        panels=[panel for show in hooks.panels if (panel := show(db.session(), actor, loan, clock.now()))],
    )
    return page, status


# -- closures ------------------------------------------------------------------------------------


@bp.route("/closures/new", methods=["GET", "POST"])
def closure() -> Page:
    """Take things out of the calendar: works, maintenance, holidays."""
    actor, form = me(), ClosureForm()
    if not actor.staff_ids and not actor.admin:
        raise NotFound
    if request.method == "GET":
        form.codes.data = request.args.get("code", "")[:500]
        form.put(*coming_saturday(today()))
        return render_template("reservations/closure.html", form=form, refused=None)
    period = form.period(web.tz()) if form.validate() else None
    if period is None:
        return render_template("reservations/closure.html", form=form, refused=None), 422
    codes = (form.codes.data or "").replace(",", " ").upper().split()
    things = catalog.things_by_code(db.session(), codes)
    wants = {code: things[code].quantity if code in things else 1 for code in codes}
    try:
        booked = desk.close(actor, Ask("", (form.purpose.data or "").strip(), period, wants))
    except Refused as refused:
        form.codes.errors = [web.say(refused)]
        return render_template("reservations/closure.html", form=form, refused=refused), refused.status
    flash(_("It is closed for that time."), "success")
    return redirect(url_for("reservations.show", ref=booked[0].ref), 303)
