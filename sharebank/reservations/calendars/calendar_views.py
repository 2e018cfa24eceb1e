"""Calendars to subscribe to, what a house has open to everybody, and the paper that still counts."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Any

from babel.dates import format_time
from flask import Response, current_app, flash, redirect, render_template, request, url_for
from flask_babel import force_locale
from werkzeug.wrappers import Response as Answer
from wtforms import Form, SelectField
from wtforms.fields import DateField
from wtforms.validators import Optional, ValidationError

from sharebank.accounts import directory
from sharebank.accounts.directory import House
from sharebank.accounts.forms import options
from sharebank.accounts.permissions import may_house, require
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.core import clock, web
from sharebank.core.days import written
from sharebank.core.db import db, transaction
from sharebank.core.errors import N_, NotFound
from sharebank.core.forms import Plain
from sharebank.core.period import to_local
from sharebank.core.texts import gettext as _
from sharebank.core.web import public
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.calendars import calendar_paper, feeds, feeds_reading
from sharebank.reservations.calendars.calendar_paper import DOORS, Slot
from sharebank.reservations.calendars.calendar_writing import calendar
from sharebank.reservations.forms import FIRST_DAY, LAST_DAY

PUBLIC_AHEAD = timedelta(weeks=8)
DOOR_WORDS = {
    "public": N_("Only what is open to the public"),
    "bodies": N_("Also for whom it is reserved"),
    "all": N_("Everything: for whom and what for"),
}


# -- addresses ---------------------------------------------------------------------------------------


@bp.get("/calendars")
def calendars() -> Page:
    """The calendars one may follow from a phone: one's own, one's houses', things'."""
    return _calendars_page(200)


@bp.post("/calendars")
def make_calendar() -> Page:
    """A new address, shown in the answer itself, once: a redirect would have to keep it somewhere."""
    kind, code = request.form.get("kind", "")[:20], request.form.get("code", "")[:20]
    with transaction() as session:
        feed, secret = feeds.make(session, me(), kind, code, clock.now())
    return _calendars_page(200, feed=feed, address=web.absolute("reservations.feed", secret=secret))


@bp.post("/calendars/<int(max=2147483647):feed_id>/revoke")
def revoke_calendar(feed_id: int) -> Page:
    """Its address leads nowhere from now on."""
    with transaction() as session:
        feeds.revoke(session, me(), feed_id)
    flash(_("This address no longer works."), "success")
    return redirect(url_for("reservations.calendars"), 303)


def _calendars_page(status: int, feed: feeds.FeedRow | None = None, address: str = "") -> Page:
    session, actor = db.session(), me()
    made = feeds.feeds_of(session, actor)
    houses = [house for house in directory.houses(session) if may_house(actor, "follow", house.id)]
    wanted = catalog.things_by_code(session, [request.args.get("resource", "")[:20].upper()])
    page = render_template(
        "reservations/calendars.html",
        own=next((row for row in made if row.kind == "person"), None),
        houses=[(house, next((row for row in made if row.code == house.code), None)) for house in houses],
        things=[row for row in made if row.kind == "resource"],
        lost=[row for row in made if row.kind == "house" and row.code not in {house.code for house in houses}],
        wanted=next((thing for thing in wanted.values() if thing.code not in {row.code for row in made}), None),
        made=feed,
        address=address,
        webcal="webcal:" + address.partition(":")[2] if address else "",
        programmes=directory.houses(session),
    )
    return page, status


# -- what programs fetch -----------------------------------------------------------------------------


@bp.get("/calendar/<secret>.ics")
@public
def feed(secret: str) -> Any:
    """A calendar by its secret address, in the language of who made it."""
    now, session = clock.now(), db.session()
    opened = feeds.opened(session, secret)
    found, changed_at = feeds_reading.entries(session, opened, _key(), now, web.tz())
    with force_locale(opened.actor.locale if opened.actor else web.locale_code()):
        name = opened.name or _("My loans")
        content = calendar(f"sharebank – {name}", found, web.tz().key, now, whose=opened.kind)
    return _calendar_answer(content, changed_at, "private, no-cache")


@bp.get("/public/<house>.ics")
@public
def public_feed(house: str) -> Any:
    """What a house has open to everybody, to subscribe to."""
    found, now = _house(house), clock.now()
    shown = feeds_reading.public_entries(db.session(), found.id, _key(), now, web.tz())
    content = calendar(found.name, shown, web.tz().key, now, whose="resource")
    return _calendar_answer(content, None, "public, max-age=300")


@bp.get("/public/<house>")
@public
def programme(house: str) -> Page:
    """The next weeks of what a house has open to everybody."""
    found = _house(house)
    shown = feeds_reading.public_entries(db.session(), found.id, _key(), clock.now(), web.tz(), ahead=PUBLIC_AHEAD)
    days: dict[date, list[Any]] = {}
    for entry in shown:
        days.setdefault(max(to_local(entry.starts_at, web.tz()).date(), today()), []).append(entry)
    return render_template(
        "reservations/programme.html",
        house=found,
        days=days,
        until=web.day_month_year(today() + PUBLIC_AHEAD),
        address=web.absolute("reservations.public_feed", house=found.code),
        webcal="webcal:" + web.absolute("reservations.public_feed", house=found.code).partition(":")[2],
    )


def _house(code: str) -> House:
    for house in directory.houses(db.session()):
        if house.code == code.upper():
            return house
    raise NotFound


def _key() -> str:
    return str(current_app.config["SECRET_KEY"])


def _calendar_answer(content: bytes, changed_at: datetime | None, caching: str) -> Answer:
    answer = Response(content, content_type="text/calendar; charset=utf-8")
    answer.set_etag(hashlib.sha256(content).hexdigest()[:32], weak=True)  # weak: it may travel compressed
    answer.last_modified = changed_at
    answer.headers["Cache-Control"] = caching
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer.make_conditional(request)


# -- paper -------------------------------------------------------------------------------------------


def _near(_form: Form, field: DateField) -> None:
    """Far from any calendar, the arithmetic of days ends."""
    if field.data and not FIRST_DAY <= field.data <= LAST_DAY:
        raise ValidationError(_("Check the year."))


class PaperForm(Plain):
    """Which day or week, and what of it."""

    date = DateField(validators=[Optional(), _near])
    house = SelectField()
    door = SelectField(default="public")


@bp.get("/resources/<code>/week")
def door_week(code: str) -> Page:
    """A room's week on A4, for its door; what it says of others is its house's to choose."""
    form = PaperForm(request.args)
    form.house.choices, form.door.choices = [], options({says: _(word) for says, word in DOOR_WORDS.items()})
    day = (form.date.data if form.date.validate(form) else None) or today()
    says = form.door.data if form.door.data in DOORS else "public"
    monday = day - timedelta(days=day.weekday())
    door = calendar_paper.door(db.session(), code, monday, says, web.tz())
    chooses = may_house(me(), "post_on_door", door.house_id)
    require(says == "public" or chooses)
    form.door.data = says
    rows = [(_weekday(day), [(slot.state, _hours(slot), _said(slot)) for slot in slots]) for day, slots in door.days]
    page = render_template(
        "print/door.html",
        form=form,
        door=door,
        chooses=chooses,
        rows=rows,
        week=web.week_words(monday),
        monday=monday,
        before=monday - timedelta(days=7),
        after=monday + timedelta(days=7),
        size=calendar_paper.type_for([[f"{hours} {said}" for _, hours, said in slots] for _, slots in rows]),
        printed_at=web.day_words(today()),
    )
    return page, 422 if form.date.errors else 200


def _weekday(day: date) -> str:
    """`lundi 23 novembre`."""
    return written(day, "EEEE d MMMM", web.locale_code())


def _hours(slot: Slot) -> str:
    """From when to when on that day."""
    first, last = (at and format_time(at, "short", locale=web.locale_code()) for at in (slot.start, slot.end))
    if first and last:
        return f"{first} – {last}"
    if first:
        return str(_("from %(time)s on", time=first))
    return str(_("until %(time)s", time=last) if last else _("all day"))


def _said(slot: Slot) -> str:
    """What the door says of it."""
    if slot.state == "closure":
        return str(_("Closed: %(why)s", why=slot.what) if slot.what else _("Closed"))
    said = " – ".join(filter(None, (slot.what or _("Reserved"), slot.whose)))
    return str(_("%(what)s (to be confirmed)", what=said)) if slot.state == "requested" else said


@bp.get("/day")
def day_list() -> Page:
    """A house's departures and returns of a day, to tick off."""
    actor = me()
    houses = [house for house in directory.houses(db.session()) if may_house(actor, "follow", house.id)]
    if not houses:
        raise NotFound
    form = PaperForm(request.args)
    form.house.choices, form.door.choices = options({house.code: house.name for house in houses}), []
    day = (form.date.data if form.date.validate(form) else None) or today()
    wanted = request.args.get("house") or (
        actor.house if actor.house in [one.code for one in houses] else houses[0].code
    )
    house = _house(wanted)
    require(may_house(actor, "follow", house.id))
    form.house.data, form.date.data = house.code, day
    page = render_template(
        "print/day.html",
        form=form,
        house=house,
        date=day,
        day=calendar_paper.day_of(db.session(), house.id, day, clock.now(), web.tz()),
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        printed_at=f"{web.day_words(today())}, {web.clock_words(clock.now())}",
    )
    return page, 422 if form.date.errors else 200
