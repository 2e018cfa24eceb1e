"""What waits for a decision: the list, answering otherwise than yes or no, and deciding from a letter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import abort, flash, make_response, redirect, render_template, request, url_for

from sharebank.accounts.permissions import may_anywhere, may_loan, require
from sharebank.accounts.web import me
from sharebank.core import clock, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotAllowed, NotFound, Refused
from sharebank.core.period import Period, to_local
from sharebank.core.texts import gettext as _
from sharebank.core.web import public
from sharebank.reservations import lifecycle
from sharebank.reservations.blueprint import Page, bp
from sharebank.reservations.deciding import decisions, links
from sharebank.reservations.deciding.deciding_forms import InsteadForm
from sharebank.reservations.deciding.decisions import Slot
from sharebank.reservations.deciding.requests_reading import (
    PRESSING,
    Place,
    Request,
    facts_about,
    offers_to,
    to_decide,
)
from sharebank.reservations.forms import DecideForm
from sharebank.reservations.reading import LoanRow, loan_of_ref, loans_of_ids
from sharebank.reservations.states import LIFECYCLE, WaitsForBorrower, WrongState, fits
from sharebank.reservations.views import may_override

PAGE = 20
INSTANT = "%Y%m%dT%H%M%S"


@bp.get("/requests")
def requests() -> Page:
    """What waits for me: requests to my houses, what presses and then oldest first; and what is offered to me."""
    session, actor, now, place = db.session(), me(), clock.now(), _place()
    decides = may_anywhere(actor, "see_desks")
    found = to_decide(session, actor, web.tz(), now, PAGE + 1, place) if decides else []
    soon = place.soon if place else now + PRESSING
    return render_template(
        "reservations/requests.html",
        requests=found[:PAGE],
        more=len(found) > PAGE,
        soon=soon,
        offers=offers_to(session, actor, now),
        following=_after(found[PAGE - 1], soon) if len(found) > PAGE else None,
        form=DecideForm(formdata=None),
        say=web.say,
    )


def _after(last: Request, soon: datetime) -> str:
    """How an address names the end of a page."""
    presses = last.ends_at <= soon
    at = last.ends_at if presses else last.loan.created_at
    return f"{soon:{INSTANT}}-{'p' if presses else 'o'}{at:{INSTANT}}-{last.loan.id}"


def _place() -> Place | None:
    """Where the page before ended; a place that cannot be read is no place."""
    try:
        soon, at, last = request.args.get("after", "").split("-")
        until, ended = (datetime.strptime(text, INSTANT).replace(tzinfo=UTC) for text in (soon, at[1:]))
        return Place(until, at.startswith("p"), ended, int(last[:9]))
    except ValueError:
        return None


# -- less, or otherwise ------------------------------------------------------------------------------


@bp.get("/reservations/<ref>/instead")
def instead(ref: str) -> Page:
    """What else the house can lend: begins with what was asked for."""
    loan = loan_of_ref(db.session(), me(), ref)
    require(may_loan(me(), "approve", loan))
    if not fits(LIFECYCLE["propose"], loan.status, loan.offered):
        raise WaitsForBorrower if loan.offered else WrongState(state=loan.status)
    form = InsteadForm(formdata=None)
    form.put(to_local(loan.starts_at, web.tz()), to_local(loan.ends_at, web.tz()))
    for line in loan.lines:
        form.lines.append_entry({"code": line.resource, "quantity": line.quantity})
    return _instead_page(loan, form, 200)


@bp.post("/reservations/<ref>/instead/<any(approve_less, propose):act>")
def answer_instead(ref: str, act: str) -> Page:
    """Approve that much, or propose it and wait for the borrower's word."""
    actor, form = me(), InsteadForm()
    loan = loan_of_ref(db.session(), actor, ref)
    require(may_loan(actor, LIFECYCLE[act].who, loan))
    period = form.period(web.tz()) if form.validate() else None
    if period is None:
        return _instead_page(loan, form, 422)
    slot, why = Slot(period, form.wants()), form.why.data or ""
    try:
        with transaction() as session:
            if act == "propose":
                decisions.propose(session, actor, ref, slot, why, clock.now(), web.tz())
            else:
                override = form.override.data or ""
                decisions.approve_less(session, actor, ref, slot, why, clock.now(), web.tz(), override)
    except (NotFound, NotAllowed):
        raise
    except Refused as refused:
        _put(form, refused)
        return _instead_page(loan, form, refused.status)
    said = _("Done: the borrower is asked.") if act == "propose" else _("Done: the borrower is told what changed.")
    flash(said, "success")
    return redirect(url_for("reservations.show", ref=ref), 303)


def _put(form: InsteadForm, refused: Refused) -> None:
    """The refusal beside its field."""
    fields: dict[str, Any] = {"starts_at": form.start, "ends_at": form.end, "why": form.why}
    field = form.override if may_override(refused) else fields.get(refused.field or "")
    if field is not None:
        field.errors = [*field.errors, web.say(refused)]
    else:
        form.form_errors.append(web.say(refused))


def _instead_page(loan: LoanRow, form: InsteadForm, status: int) -> Page:
    names = {line.resource: line for line in loan.lines}
    period = Period(loan.starts_at, loan.ends_at)
    page = render_template("reservations/instead.html", loan=loan, period=period, form=form, names=names)
    return page, status


# -- from the letter ---------------------------------------------------------------------------------


@bp.route("/decide/<token>", methods=["GET", "POST"])
@public
def decide_by_link(token: str) -> Any:
    """The letter's two buttons, for its reader alone; looking at it changes nothing."""
    form = DecideForm()
    link = links.read(db.session(), token, clock.now())
    act = request.form.get("act", "") if request.method == "POST" else None
    if act is None:
        return _link_page(link, form, 200)
    if act not in ("approve", "decline"):
        abort(400)
    if not form.validate():
        return _link_page(link, form, 422)
    try:
        with transaction() as session:
            # Asked again under the lock: the role may have gone, the link may have been used a moment ago.
            link = links.read(session, token, clock.now())
            if link.reader is None:
                raise NotAllowed
            links.spend(session, link, clock.now())
            why, override = form.why.data or "", form.override.data or ""
            lifecycle.change(session, link.reader, link.ref, act, why, clock.now(), web.tz(), override)
    except Refused as refused:
        # What was decided meanwhile is read on the page; the link is as unused as before.
        link = links.read(db.session(), token, clock.now())
        field = form.override if may_override(refused) else form.why
        field.errors = [web.say(refused)]
        return _link_page(link, form, refused.status, refused)
    return redirect(url_for("reservations.decide_by_link", token=token), 303)


def _link_page(link: links.Link, form: DecideForm, status: int, refused: Refused | None = None) -> Any:
    """The facts and the buttons; or what was decided, and by whom; or that the reader may not any more."""
    session, now = db.session(), clock.now()
    [loan] = loans_of_ids(session, [link.reservation_id])
    reader = link.reader
    allowed = reader is not None and may_loan(reader, "approve", loan)
    page = make_response(
        render_template(
            "reservations/decide.html",
            loan=loan if allowed else None,
            reader=reader,
            open=allowed and not link.used and fits(LIFECYCLE["approve"], loan.status, loan.offered),
            one=facts_about(session, [loan], web.tz(), now)[0] if allowed else None,
            used=link.used,
            form=form,
            refused=refused,
            say=web.say,
        ),
        status if allowed else 403,
    )
    page.headers["Cache-Control"] = "no-store"
    return page
