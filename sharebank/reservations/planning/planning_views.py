"""The planning: by day, week and month, of one house or all, as a table and as a list."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from flask import render_template, request, url_for
from wtforms import SelectField
from wtforms.fields import DateField
from wtforms.validators import Optional, ValidationError

from sharebank.accounts import directory
from sharebank.accounts.forms import options
from sharebank.accounts.web import me
from sharebank.catalog.forms import ANY, KINDS
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.forms import Plain
from sharebank.core.period import to_local
from sharebank.core.texts import gettext as _
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.forms import FIRST_DAY, LAST_DAY
from sharebank.reservations.planning.planning import VIEWS, Plan, Shelf, plan, step
from sharebank.reservations.planning.planning_table import LAST_HOUR, first_hour, table_body

AFTERNOON = time(14)
"""When what is booked from the planning begins, until somebody says otherwise."""


class PlanningForm(Plain):
    """Which planning."""

    view = SelectField(choices=options({view: view for view in VIEWS}), default="week")
    date = DateField(validators=[Optional()])
    house = SelectField(default="")
    kind = SelectField(choices=KINDS, default="")

    def validate_date(self, field: DateField) -> None:
        """Far from any calendar, the arithmetic of days ends."""
        if field.data and not FIRST_DAY <= field.data <= LAST_DAY:
            raise ValidationError(_("Check the year."))


@bp.get("/planning")
def planning() -> Page:
    """Who has what when."""
    houses = directory.houses(db.session())
    form = PlanningForm(request.args)
    form.house.choices = [ANY, *options({house.code: house.name for house in houses})]
    # Everything has its usual value; `house=` empty means all, no `house` means one's own.
    for field, usual in ((form.view, "week"), (form.house, me().house), (form.kind, "")):
        if field.name not in request.args:
            field.data = usual
    day = (form.date.data if form.validate() else None) or today()
    view = form.view.data if form.view.data in VIEWS else "week"
    now = to_local(clock.now(), web.tz())
    found = plan(db.session(), me(), view, day, web.tz(), house=form.house.data, kind=form.kind.data)
    listed = "list" in request.args
    # A week's page has fourteen such links: quoted once, for a reader may have put anything in the address.
    args = {"view": view, "date": day.isoformat(), "house": quote(form.house.data), "kind": quote(form.kind.data)}
    stem = f"{request.path}?"
    page = render_template(
        "reservations/planning.html",
        form=form,
        plan=found,
        title=title(found),
        today=today(),
        hours=range(first_hour(found), LAST_HOUR) if view == "day" else (),
        body="" if listed else table_body(found, today(), _booking_link(found, day, now), _day_link(form.kind.data)),
        listed=listed,
        entries=list_entries(found) if listed else (),
        address=lambda **change: stem + "&".join(f"{name}={value}" for name, value in (args | change).items()),
        before=step(view, day, -1).isoformat(),
        after=step(view, day, 1).isoformat(),
        day_list=_day_list(day, form.house.data),
    )
    return page, 422 if form.errors else 200


def _day_list(day: date, house: str) -> str:
    """The paper of the day shown; of one's own house when the planning shows another, or all."""
    own = house if house in me().staff_of else None
    return url_for("reservations.day_list", date=day.isoformat(), house=own)


def title(found: Plan) -> str:
    """`Semaine du 16 au 22 novembre 2026` and its like."""
    if found.view == "day":
        return web.day_words(found.first)
    if found.view == "month":
        return web.month_words(found.first)
    return web.week_words(found.first)


def _booking_link(found: Plan, day: date, now: datetime) -> Any:
    """An afternoon; of today what is left of it, from the next full hour on."""
    first = datetime.combine(max(found.first, day) if found.view != "day" else found.first, AFTERNOON)
    if first.date() == now.date():
        first = max(first, now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
    last = first + timedelta(hours=4)
    until = f"&amp;last_day={last.date().isoformat()}" if last.date() != first.date() else ""
    when = f"day={first.date().isoformat()}&amp;start={first:%H:%M}&amp;end={last:%H:%M}{until}"
    stem = f"/reservations/new?{when}&amp;pick="
    return lambda shelf: stem + quoted(shelf.code)


def _day_link(kind: str) -> Any:
    stem = f"/planning?view=day{f'&amp;kind={quoted(kind)}' if kind else ''}&amp;house="
    return lambda shelf, day: f"{stem}{quoted(shelf.house)}&amp;date={day.isoformat()}"


quoted = lru_cache(maxsize=1024)(quote)


def list_entries(found: Plan) -> list[tuple[date, list[tuple[Shelf, Any]]]]:
    """The same as sentences: for each day, what begins or goes on, by time."""
    shelves = {shelf.id: shelf for shelf in found.shelves}
    everything = sorted(
        ((bar, shelves[resource_id]) for resource_id, bars in found.bars.items() for bar in bars),
        key=lambda pair: pair[0].start,
    )
    listed = []
    for day in found.dates:
        own = [
            (shelf, bar)
            for bar, shelf in everything
            if bar.start.date() <= day <= (bar.end - timedelta(seconds=1)).date()
        ]
        if own:
            listed.append((day, own))
    return listed
