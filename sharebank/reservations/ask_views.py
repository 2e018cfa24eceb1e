"""One page a request: it asks what the rules of the chosen things need, and says what it would cost and wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts.actor import Role
from sharebank.accounts.web import me
from sharebank.catalog.service import Thing
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import Refused, Said
from sharebank.core.period import Period
from sharebank.core.texts import gettext as _
from sharebank.lending.kinds import UNDERTAKINGS
from sharebank.reservations import costs, desk
from sharebank.reservations.asking import NO_DETAILS, Details
from sharebank.reservations.blueprint import Page, bp
from sharebank.reservations.booking import Ask, Booked
from sharebank.reservations.forms import LARGEST, AskForm
from sharebank.reservations.previewing import preview
from sharebank.reservations.rules import Collision, WayOut
from sharebank.reservations.views import asked_form, carried, fit, may_override, when_args


@bp.get("/reservations/new")
def new() -> Page:
    """The request, filled in as far as we know."""
    form = asked_form()
    things, borrower = fit(form)
    return _ask_page(form, things, borrower, 200)


@bp.post("/reservations/new")
def create() -> Page:
    """Book everything asked for, or say why not and what else there is; or only say what it would cost."""
    form = AskForm()
    things, borrower = fit(form)
    if "look" in request.form or "drop" in request.form:
        return _ask_page(form, things, borrower, 200)
    period = form.period(web.tz()) if form.validate() else None
    details = form.details(web.tz()) if period else None
    if period is None or details is None:
        return _ask_page(form, things, borrower, 422)
    purpose, override = (form.purpose.data or "").strip(), (form.override.data or "").strip()
    ask = Ask(form.organisation.data, purpose, period, form.wants(), form.public.data, override, details)
    try:
        booked = desk.reserve(me(), ask)
    except Refused as refused:
        if not isinstance(refused, Collision):  # told with who has it, and what else there is
            form.tell(refused)
        return _ask_page(form, things, borrower, refused.status, refused, details)
    flash(_said(booked), "success")
    if period.start < clock.now():
        when = web.period_words(period)
        flash(_("It begins in the past: %(when)s. Cancel it if that is not what you meant.", when=when), "warning")
    return redirect(url_for("reservations.show", ref=booked[0].ref), 303)


def _said(booked: list[Booked]) -> str:
    waiting = [done.things[0][0].house_name for done in booked if done.status == "requested"]
    if not waiting:
        return str(_("It is booked."))
    return str(
        _("Your request is sent and the slot is held for you. Waiting for: %(houses)s.", houses=", ".join(waiting))
    )


def _ask_page(
    form: AskForm,
    things: Mapping[str, Thing],
    borrower: Role,
    status: int,
    refused: Refused | None = None,
    details: Details | None = None,
) -> Page:
    session, actor, tz = db.session(), me(), web.tz()
    wants = {line["code"]: min(line["quantity"] or 0, LARGEST) for line in form.lines.data if line["code"]}
    period, status = _period(form, status)
    known, collision, ways = None, refused if isinstance(refused, Collision) else None, getattr(refused, "ways_out", ())
    if period is not None and things:
        details = details or (form.details(tz) if status == 200 else None) or NO_DETAILS
        asked, purpose = list(things.values()), form.purpose.data or ""
        known = preview(session, actor, asked, wants, borrower, period, purpose, details, clock.now(), tz)
        if not ways:
            ask = Ask(borrower.organisation, purpose, period, wants, details=details)
            found, ways = desk.foreseen(actor, ask, known.offers.values())
            collision = collision or found
    whys = [offer.why_not for offer in known.offers.values() if offer.why_not] if known else []
    may_free = collision is not None and any(one.wanted <= one.quantity for one in collision.conflicts)
    to = {
        "pick": [f"{code}:{quantity or 1}" for code, quantity in wants.items()],
        **(when_args(period) if period else {}),
    }
    page = render_template(
        "reservations/new.html",
        form=form,
        things=things,
        preview=known,
        promised=[web.say(Said(UNDERTAKINGS[key])) for key in form.promised],
        costs=[(part, costs.words(part.quote)) for part in known.parts if part.quote] if known else [],
        refused=refused,
        collision=collision,
        ways_out=_links_out(form, ways),
        whys=whys,
        barred=any(not may_override(why) for why in whys),
        may_override=any(map(may_override, (refused, *whys))) or bool(form.override.data),
        period=period,
        search_url=url_for("reservations.search", **to),
        series_url=url_for("reservations.new_series", **to, **carried(form)),
        wait_url=url_for("reservations.wait", **to, **carried(form, hours=True)) if may_free else None,
        say=web.say,
    )
    return page, status


def _period(form: AskForm, status: int) -> tuple[Period | None, int]:
    """The period as far as it was typed; errors that were told already are not told twice."""
    if any(field.data is None for field in (form.day, form.start, form.end)):
        return None, status
    errors = form.start.errors, form.end.errors
    period = form.period(web.tz())
    if status == 200 and period is None:
        return None, 422
    if status != 200:
        form.start.errors, form.end.errors = errors
    return period, status


def _links_out(form: AskForm, ways: Iterable[WayOut]) -> list[tuple[WayOut, str]]:
    """Each way out as a link to this page with that one thing changed; nothing is swapped silently."""
    wants, links = form.wants(), []
    for way in ways:
        kept = {code: quantity for code, quantity in wants.items() if code != way.instead}
        chosen = [f"{code}:{quantity}" for code, quantity in {**kept, way.resource: way.quantity}.items()]
        links.append((way, url_for("reservations.new", pick=chosen, **carried(form), **when_args(way.period))))
    return links
