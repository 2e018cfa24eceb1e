"""One page a request: it asks what the rules of the chosen things need, and says what it would cost and wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from sharebank.accounts import directory
from sharebank.accounts.actor import Role
from sharebank.accounts.forms import options
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Thing
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import Refused, Said
from sharebank.core.overrule import Overridable
from sharebank.core.period import Period
from sharebank.core.texts import gettext as _
from sharebank.lending.kinds import UNDERTAKINGS
from sharebank.reservations import costs, desk
from sharebank.reservations.asking import NO_DETAILS, Details
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.booking import Ask, Booked
from sharebank.reservations.forms import LARGEST, AskForm, coming_saturday
from sharebank.reservations.previewing import needs_of, preview
from sharebank.reservations.rules import Collision, RuleBroken
from sharebank.reservations.views import may_override, picks, when_args

_SPOKEN_OF = {"starts_at": "start", "ends_at": "end"}
"""Fields of a refusal that bear another name on the form."""
CARRIED = ("organisation", "headcount", "distance_km", "drivers", "other_drivers", "options", "accepts", "letter")
"""What a link to the same page with something else carries along, besides the purpose and the time."""


@bp.get("/reservations/new")
def new() -> Page:
    """The request, filled in as far as we know."""
    form = AskForm(request.args if "day" in request.args else None)
    form.purpose.data = request.args.get("purpose", "")[:300]
    if "day" not in request.args:
        form.put(*coming_saturday(today()))
    for code, quantity in picks().items():
        form.lines.append_entry({"code": code, "quantity": quantity})
    form.lines.errors = ()
    things, borrower = _fit(form)
    return _ask_page(form, things, borrower, 200)


@bp.post("/reservations/new")
def create() -> Page:
    """Book everything asked for, or say why not and what else there is; or only say what it would cost."""
    form = AskForm()
    things, borrower = _fit(form)
    if "look" in request.form:
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
        _tell(form, refused)
        return _ask_page(form, things, borrower, refused.status, refused, details)
    flash(_said(booked), "success")
    return redirect(url_for("reservations.show", ref=booked[0].ref), 303)


def _said(booked: list[Booked]) -> str:
    waiting = [done.lender for done in booked if done.status == "requested"]
    if not waiting:
        return str(_("It is booked."))
    return str(
        _("Your request is sent and the slot is held for you. Waiting for: %(houses)s.", houses=", ".join(waiting))
    )


def _fit(form: AskForm) -> tuple[dict[str, Thing], Role]:
    """The form as the chosen things and the chosen borrower need it."""
    session, actor = db.session(), me()
    bodies = directory.borrowable_for(session, actor)
    form.organisation.choices = options({body.organisation: body.name for body in bodies})
    borrower = next((body for body in bodies if body.organisation == form.organisation.data), bodies[0])
    things = catalog.things_by_code(session, [line["code"] for line in form.lines.data if line["code"]])
    form.fit(needs_of(session, actor, list(things.values()), borrower, clock.now()))
    return things, borrower


def _tell(form: AskForm, refused: Refused) -> None:
    """Say what was refused where it was typed, or at the top; of rules not kept all of them."""
    if isinstance(refused, Collision):
        return  # told with who has it, and what else there is
    found: list[tuple[str, Refused | Said]] = [(refused.field or "", refused)]
    if isinstance(refused, RuleBroken):
        found = [(one.field, one.said) for one in refused.breaches]
    for name, said in found:
        field = _SPOKEN_OF.get(name, name)
        if field == "drivers" and field in form and not form.drivers.choices:
            field = "other_drivers"
        if field in form and field != "lines":
            form[field].errors = [*form[field].errors, web.say(said)]
        else:
            form.form_errors.append(web.say(said))


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
    known = None
    if period is not None and things:
        details = details or (form.details(tz) if status == 200 else None) or NO_DETAILS
        asked, purpose = list(things.values()), form.purpose.data or ""
        known = preview(session, actor, asked, wants, borrower, period, purpose, details, clock.now(), tz)
    page = render_template(
        "reservations/new.html",
        form=form,
        things=things,
        preview=known,
        promised=[web.say(Said(UNDERTAKINGS[key])) for key in form.promised],
        costs=[(part, costs.words(part.quote)) for part in known.parts if part.quote] if known else [],
        collision=refused if isinstance(refused, Collision) else None,
        ways_out=_links_out(form, refused),
        may_override=may_override(refused) or bool(form.override.data),
        period=period,
        when=when_args(period) if period else {},
        say=web.say,
        picks=[f"{code}:{quantity or 1}" for code, quantity in wants.items()],
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


def _links_out(form: AskForm, refused: Refused | None) -> list[tuple[Any, str]]:
    """Each way out as a link to this page with that one thing changed; nothing is swapped silently."""
    match refused:
        case Collision():
            barred = [conflict.resource for conflict in refused.conflicts]
        case Overridable():
            barred = [refused.barred]
        case _:
            return []
    wants, carried = form.wants(), {name: form[name].data for name in CARRIED if name in form and form[name].data}
    links = []
    for way in refused.ways_out:
        replaced = barred if way.kind == "elsewhere" else []
        kept = {code: quantity for code, quantity in wants.items() if code not in replaced[:1]}
        chosen = [f"{code}:{quantity}" for code, quantity in {**kept, way.resource: way.quantity}.items()]
        args: dict[str, Any] = {"pick": chosen, "purpose": form.purpose.data, **carried}
        links.append((way, url_for("reservations.new", **args, **when_args(way.period))))
    return links
