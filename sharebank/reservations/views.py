"""Need first: what is free, across the houses."""

from __future__ import annotations

from typing import Any

from flask import render_template, request

from sharebank.accounts import directory
from sharebank.accounts.web import me
from sharebank.catalog import service as catalog
from sharebank.catalog.service import Wish
from sharebank.core import clock, web
from sharebank.core.db import db
from sharebank.core.errors import Refused
from sharebank.core.overrule import Overridable
from sharebank.core.period import Period, local_period, to_local
from sharebank.reservations import searching
from sharebank.reservations.blueprint import Page, bp, today
from sharebank.reservations.forms import MOST_LINES, SearchForm, coming_saturday
from sharebank.reservations.searching import SHOWN


@bp.get("/")
def search() -> Page:
    """I need … from … to …: what is free, across the houses."""
    session, actor = db.session(), me()
    form = SearchForm(request.args)
    form.offer(directory.houses(session), catalog.categories(session))
    chosen = picks()
    if "day" not in request.args:
        first, last = coming_saturday(today())
        form.put(first, last)
        when = when_args(local_period(first, last, web.tz()))
        return render_template("reservations/search.html", form=form, offers=None, picks=_basket(chosen), when=when)
    period = form.period(web.tz()) if form.validate() else None
    if period is None:
        return render_template("reservations/search.html", form=form, offers=None, picks=_basket(chosen), when={}), 422
    wish = Wish(form.q.data or "", form.kind.data or "", form.house.data or "", form.category.data or "")
    offers = searching.search(session, actor, wish, form.n.data, period, clock.now(), web.tz())
    return render_template(
        "reservations/search.html",
        form=form,
        period=period,
        offers=offers[:SHOWN],
        more=max(0, len(offers) - SHOWN),
        picks=_basket(chosen),
        when=when_args(period),
        say=web.say,
    )


def when_args(period: Period) -> dict[str, Any]:
    """A period as the query of a link."""
    first, last = to_local(period.start, web.tz()), to_local(period.end, web.tz())
    found = {"day": first.date().isoformat(), "start": f"{first:%H:%M}", "end": f"{last:%H:%M}"}
    return found | ({"last_day": last.date().isoformat()} if last.date() != first.date() else {})


def picks() -> dict[str, int]:
    """What the address says was chosen: `pick=CODE` or `pick=CODE:60`, or `pick=CODE` with `quantity=60`."""
    chosen: dict[str, int] = {}
    typed = request.args.get("quantity", "")
    for pick in request.args.getlist("pick")[:MOST_LINES]:
        code, _colon, number = pick.partition(":")
        number = number or typed
        if code:
            chosen[code] = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    return chosen


def _basket(picks: dict[str, int]) -> list[tuple[Any, int]]:
    things = catalog.things_by_code(db.session(), picks) if picks else {}
    return [(things[code], quantity) for code, quantity in picks.items() if code in things]


def may_override(refused: Refused | None) -> bool:
    """Is this a refusal that the reader may overrule with a reason?"""
    return isinstance(refused, Overridable) and refused.overridable
