"""The body of the planning's table, written in one go.

Cell by cell in the template it costs five times the query; here a row is a handful of joined strings. All that
people typed goes through `escape`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from operator import attrgetter
from urllib.parse import quote

from markupsafe import Markup, escape

from sharebank.accounts.hours import Week
from sharebank.core import web
from sharebank.core.texts import gettext, in_one_piece
from sharebank.reservations.planning.planning import Bar, Plan, Shelf, Strip, lanes

QUARTER = 15
"""Minutes of the day view's finest column."""
FIRST_HOUR, LAST_HOUR = 7, 24
OUT = ' class="out"'
BEYOND = "…"
"""Stands for a start or an end on another day."""


def table_body(plan: Plan, today: date, link: Callable[[Shelf], str], day_link: Callable[[Shelf, date], str]) -> Markup:
    """The rows of the planning; `link` leads to booking a thing, `day_link` to a day of its house, both escaped."""
    rows = {"day": _day_rows, "week": _week_rows, "month": _month_rows}[plan.view]
    page = _Page(plan, today)
    # Every piece was escaped where it was made.
    return Markup("".join(rows(plan, shelf, page, link(shelf), day_link) for shelf in plan.shelves))  # noqa: S704


class _Page:
    """Looked up once a page, not once a cell."""

    def __init__(self, plan: Plan, today: date) -> None:
        self.states = {state: escape(web.state_word(state)) for state in _MONTH_ORDER}
        self.book = escape(gettext("Book it"))
        self.out = escape(gettext("Out of service"))
        self.all_day = escape(gettext("all day"))
        self.opens = first_hour(plan) * 60
        self.midnight = datetime.combine(plan.first, time())
        self.dates = plan.dates
        houses = {shelf.opening_hours: shelf.hours for shelf in plan.shelves}
        self.cells = {text: [_cell(hours, day, today) for day in self.dates] for text, hours in houses.items()}


def _cell(hours: Week, day: date, today: date) -> str:
    """How a day's cell begins."""
    if day == today:
        return '<td class="today">'
    return "<td>" if hours[day.weekday()] else f"<td{OUT}>"


_TAIL = re.compile("((?:«\u202f)?[^\\s-]{1,10}\u202f»)")
"""The closing one with its word: in the narrow first column a long name breaks anywhere, but not between these."""


def _head(shelf: Shelf, page: _Page, link: str, rows: int = 1) -> str:
    span = f' rowspan="{rows}"' if rows > 1 else ""
    name, named = _named(shelf.code, shelf.name, shelf.quantity)
    act = (
        f'<a class="book" href="{link}">{page.book}<span class="visually-hidden"> {name}</span></a>'
        if shelf.in_service
        else f"<small>{page.out}</small>"
    )
    return f'<th scope="row"{span}>{named} {act}</th>'


@lru_cache(maxsize=1024)
def _named(code: str, name: str, quantity: int) -> tuple[str, str]:
    """A thing's name, and the name as a link to the thing, with how many of it there are."""
    said = in_one_piece(name)
    parts = [
        f'<span class="nowrap">{escape(part)}</span>' if number % 2 else escape(part)
        for number, part in enumerate(_TAIL.split(said))
    ]
    units = f" <small>× {quantity}</small>" if quantity > 1 else ""
    return escape(said), f'<a class="name" href="/resources/{quote(code)}">{"".join(parts)}</a>{units}'


def _label(bar: Bar, start: str, end: str, page: _Page, many: bool) -> str:
    count = f"{bar.quantity} × " if many else ""
    hours = _hours(start, end, page)
    if not bar.label:
        return f"{hours} <small>{count}{page.states[bar.state]}</small>"
    return f"{hours} {count}{escape(bar.label)} <small>{page.states[bar.state]}</small>"


def _hours(start: str, end: str, page: _Page) -> str:
    """`14:00–18:00`; an arrow where it goes on beyond the day."""
    if start == end == BEYOND:
        return page.all_day
    return f"→ {end}" if start == BEYOND else f"{start} →" if end == BEYOND else f"{start}–{end}"


def _clock(at: datetime) -> str:
    return f"{at.hour}:{at.minute:02}"


def _bar(bar: Bar, text: str) -> str:
    if bar.ref:
        return f'<a class="bar {bar.state}" href="/reservations/{quote(bar.ref)}">{text}</a>'
    return f'<span class="bar {bar.state}">{text}</span>'


# -- a day, by the quarter of an hour ----------------------------------------------------------


def first_hour(plan: Plan) -> int:
    """The first hour of the day view: the usual one, earlier when somebody starts or leaves before it."""
    bars = [bar for bars in plan.bars.values() for bar in bars]
    if any(bar.end.date() == plan.first > bar.start.date() and bar.end.hour < FIRST_HOUR for bar in bars):
        return 0
    return min([FIRST_HOUR, *(bar.start.hour for bar in bars if bar.start.date() == plan.first)])


def _day_rows(plan: Plan, shelf: Shelf, page: _Page, link: str, _day_link: object) -> str:
    opens, ranges = page.opens, shelf.hours[plan.first.weekday()]
    bars = plan.bars.get(shelf.id)
    if not bars:
        whole = _free(ranges, opens, LAST_HOUR * 60)
        return f'<tr class="house-{shelf.house}">{_head(shelf, page, link)}{whole}</tr>'
    strips = (_strip(bar, page.midnight, opens) for bar in bars)
    stacked = lanes(sorted((strip for strip in strips if strip[0] < strip[1]), key=lambda strip: strip[0])) or [[]]
    rows = []
    for number, lane in enumerate(stacked):
        cells, at = [], opens
        for start, end, bar in lane:
            text = _label(bar, _from(bar, plan.first), _until(bar, plan.first), page, shelf.quantity > 1)
            cells += [_free(ranges, at, start), f'<td colspan="{(end - start) // QUARTER}">{_bar(bar, text)}</td>']
            at = end
        cells.append(_free(ranges, at, LAST_HOUR * 60))
        head = _head(shelf, page, link, len(stacked)) if number == 0 else ""
        rows.append(f'<tr class="house-{shelf.house}">{head}{"".join(cells)}</tr>')
    return "".join(rows)


def _strip(bar: Bar, midnight: datetime, opens: int) -> Strip:
    """The quarters of an hour a bar touches on this day."""
    start = int((bar.start - midnight).total_seconds() // 60) // QUARTER * QUARTER
    end = -(int((bar.end - midnight).total_seconds() // 60) // -QUARTER) * QUARTER
    return max(start, opens), min(end, LAST_HOUR * 60), bar


@lru_cache(maxsize=4096)
def _free(ranges: tuple[tuple[int, int], ...], at: int, until: int) -> str:
    """Empty cells cut at the hours, tinted outside opening hours."""
    cells = []
    while at < until:
        end = min(until, (at // 60 + 1) * 60)
        inside = any(opens < end and at < closes for opens, closes in ranges)
        cells.append(f'<td colspan="{(end - at) // QUARTER}"{"" if inside else OUT}></td>')
        at = end
    return "".join(cells)


# -- a week, a cell a day ----------------------------------------------------------------------


def _from(bar: Bar, day: date) -> str:
    return _clock(bar.start) if bar.start.date() == day else BEYOND


def _until(bar: Bar, day: date) -> str:
    """The end of a bar on one day; midnight belongs to the day it ends."""
    if bar.end.date() == day:
        return _clock(bar.end)
    return "24:00" if bar.end == datetime.combine(day + timedelta(days=1), time()) else BEYOND


def _by_day(plan: Plan, shelf: Shelf) -> list[list[Bar]]:
    """The bars of each day of the plan."""
    found: list[list[Bar]] = [[] for _ in range(plan.days)]
    for bar in plan.bars.get(shelf.id, ()):
        first = (bar.start.date() - plan.first).days
        last = ((bar.end - _INSTANT).date() - plan.first).days
        for n in range(max(first, 0), min(last, plan.days - 1) + 1):
            found[n].append(bar)
    return found


_INSTANT = timedelta(seconds=1)


def _week_rows(plan: Plan, shelf: Shelf, page: _Page, link: str, _day_link: object) -> str:
    cells = []
    many = shelf.quantity > 1
    for day, cell, bars in zip(page.dates, page.cells[shelf.opening_hours], _by_day(plan, shelf), strict=True):
        cells.append(cell)
        if bars:
            bars.sort(key=_start)
            cells += [_bar(bar, _label(bar, _from(bar, day), _until(bar, day), page, many)) for bar in bars]
        cells.append("</td>")
    return f'<tr class="house-{shelf.house}">{_head(shelf, page, link)}{"".join(cells)}</tr>'


_start = attrgetter("start")


# -- a month, a count a day --------------------------------------------------------------------


def _month_rows(plan: Plan, shelf: Shelf, page: _Page, link: str, day_link: Callable[[Shelf, date], str]) -> str:
    cells = []
    for day, cell, bars in zip(page.dates, page.cells[shelf.opening_hours], _by_day(plan, shelf), strict=True):
        cells.append(cell)
        if bars:
            # What is still to be decided shows first: a month is read to see what waits.
            state = min((bar.state for bar in bars), key=_MONTH_ORDER.index)
            cells.append(f'<a class="bar {state}" href="{day_link(shelf, day)}">{len(bars)}</a>')
        cells.append("</td>")
    return f'<tr class="house-{shelf.house}">{_head(shelf, page, link)}{"".join(cells)}</tr>'


_MONTH_ORDER = ("requested", "closure", "collected", "approved", "busy", "returned")
