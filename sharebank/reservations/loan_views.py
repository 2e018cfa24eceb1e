"""Follow a reservation, decide on it, and close things for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.permissions import may_anywhere, may_loan
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import Period
from sharebank.core.texts import gettext as _
from sharebank.reservations import cancelling, desk, hooks
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.booking import Ask
from sharebank.reservations.deciding.judging import may_recall, silence
from sharebank.reservations.deciding.requests_reading import offers_to
from sharebank.reservations.forms import ClosureForm, DecideForm, MonthForm, coming_saturday
from sharebank.reservations.gate import to_sign_for
from sharebank.reservations.lifecycle import possible
from sharebank.reservations.planning.planning import month_bounds, step
from sharebank.reservations.reading import LoanRow, loan_of_ref, loans_together, visible_loans
from sharebank.reservations.states import reached
from sharebank.reservations.views import may_override
from sharebank.reservations.words import act_words, done_words, next_step

PAGE = 40
MONTH_LIMIT = 500
_AT_THE_COUNTER = ("collect", "return")
"""Acts that have a page of their own."""


# -- follow and decide ---------------------------------------------------------------------------


@bp.get("/reservations")
def index() -> Page:
    """Mine, or my house's: what comes and what is late; or a past month."""
    session, actor, now = db.session(), me(), clock.now()
    scope = "house" if request.args.get("scope") == "house" and may_anywhere(actor, "see_desks") else "mine"
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
        offers=offers_to(session, actor, now) if scope == "mine" and late is not None else [],
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
        return datetime.strptime(at, "%Y%m%dT%H%M%S").replace(tzinfo=UTC), int(last[:9])
    except ValueError:
        return None


@bp.get("/reservations/<ref>")
def show(ref: str) -> Page:
    """One reservation: what, when, where it stands, what happened, what one may do."""
    return _loan_page(ref, DecideForm(formdata=None), 200)


@bp.post("/reservations/<ref>/<any(approve, decline, cancel, collect, return, accept, refuse_offer, recall):act>")
def decide(ref: str, act: str) -> Page:
    """Move it on."""
    form = DecideForm()
    if not form.validate():
        return _loan_page(ref, form, 422, act)
    try:
        loan = desk.change(me(), ref, act, form.why.data or "", form.override.data or "")
    except NotFound:
        raise
    except Refused as refused:
        field = form.override if may_override(refused) else form.why
        field.errors = [web.say(refused)]
        return _loan_page(ref, form, refused.status, act)
    flash(done_words(act, loan.status), "success")
    return redirect(url_for("reservations.show", ref=ref), 303)


def _loan_page(ref: str, form: DecideForm, status: int, tried: str = "") -> Page:
    actor, now = me(), clock.now()
    loan = loan_of_ref(db.session(), actor, ref)
    things = list(catalog.things_by_code(db.session(), [line.resource for line in loan.lines]).values())
    acts = _acts(loan, things)
    hand = next((act for act in acts if act in _AT_THE_COUNTER and loan.kind == "loan"), None)
    if hand and hand != tried:
        acts.remove(hand)
    page = render_template(
        "reservations/show.html",
        loan=loan,
        asked=_asked(loan),
        lapses_at=loan.lapses_at if loan.status == "requested" and (loan.lapses_at or now) > now else None,
        silence=silence(things) if not loan.offered else None,
        otherwise=loan.status == "requested" and not loan.offered and may_loan(actor, "propose", loan),
        period=Period(loan.starts_at, loan.ends_at),
        together=loans_together(db.session(), actor, loan),
        reached=reached(loan.status, [event.to for event in loan.events]),
        next_step=next_step(
            loan, lends=may_loan(actor, "approve", loan), to_sign=to_sign_for(loan, things) is not None
        ),
        hand_words=act_words(hand) if hand else None,
        fee=_fee(loan, things) if "cancel" in acts and loan.status == "approved" else None,
        acts={act: act_words(act) for act in acts},
        form=form,
        tried=tried,
        panels=[panel for show in hooks.panels if (panel := show(db.session(), actor, loan, now))],
    )
    return page, status


def _acts(loan: LoanRow, things: list[Thing]) -> list[str]:
    """The buttons of this reader; those who lend decline a request rather than cancel it, and recall by the rules."""
    actor = me()
    acts = [act for act in possible(loan, actor) if act not in ("approve_less", "propose")]
    if "decline" in acts and not may_loan(actor, "accept", loan):
        acts.remove("cancel")
    if "refuse_offer" in acts:
        acts.remove("cancel")
    recallable = loan.kind == "loan" and may_recall(things, loan.starts_at, clock.now(), web.tz())
    if "recall" in acts and not recallable:
        acts.remove("recall")
    return acts


def _fee(loan: LoanRow, things: list[Thing]) -> dict[str, Any] | None:
    """What calling it off now would cost the borrower, and why; nothing when it is free."""
    found = cancelling.fees(loan, [(thing.name, thing.terms) for thing in things], clock.now(), web.tz())
    return {"cents": sum(cents for cents, _ in found), "whys": [web.say(why) for _, why in found]} if found else None


def _asked(loan: LoanRow) -> dict[str, Any] | None:
    """What was asked for, when less or something else was granted."""
    kept = loan.details.get("asked")
    if kept is None:
        return None
    first, last = (datetime.fromisoformat(kept[name]) for name in ("starts_at", "ends_at"))
    return {"period": Period(first, last), "things": kept["things"]}


# -- closures ------------------------------------------------------------------------------------


@bp.route("/closures/new", methods=["GET", "POST"])
def closure() -> Page:
    """Take things out of the calendar: works, maintenance, holidays."""
    actor, form = me(), ClosureForm()
    if not may_anywhere(actor, "see_desks"):
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
