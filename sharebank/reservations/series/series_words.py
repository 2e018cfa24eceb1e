"""A series in the reader's words: how it repeats, how each date stands, what is done with it."""

from __future__ import annotations

from datetime import date, datetime

from sharebank.core import web
from sharebank.core.days import written
from sharebank.core.errors import N_
from sharebank.core.period import Period, to_local
from sharebank.core.texts import gettext, ngettext
from sharebank.lending.windows import WEEKDAYS as DAYS
from sharebank.reservations.series.series_rules import WEEKDAYS, Rule, read_rule

STATES = {
    "free": N_("Free"),
    "outside_hours": N_("Free, outside opening hours"),
    "conflict": N_("Taken"),
    "closed": N_("Not lent"),
    "holiday": N_("Holidays: left out"),
    "skipped": N_("Left out"),
    "no_such_time": N_("This hour does not exist"),
    "booked": N_("Booked"),
}
_NTH = {
    "1": N_("first"),
    "2": N_("second"),
    "3": N_("third"),
    "4": N_("fourth"),
    "5": N_("fifth"),
    "-1": N_("last"),
}
SKIPPED = {
    "none": "",
    "school_holidays": N_("not in school holidays"),
    "public_holidays": N_("not on public holidays"),
    "both": N_("neither in school holidays nor on public holidays"),
}
SCOPES = {
    "one": N_("this date only"),
    "from": N_("from this date on"),
    "all": N_("all dates to come"),
}


def state_words(state: str) -> str:
    """How a date stands."""
    return str(gettext(STATES[state])) if state in STATES else web.state_word(state)


def skip_words(skip: str) -> str:
    """What is left out."""
    return str(gettext(SKIPPED[skip])) if SKIPPED[skip] else ""


def scope_words(scope: str) -> str:
    """How far an act reaches."""
    return str(gettext(SCOPES[scope]))


def hours_words(period: Period) -> str:
    """`18:30 – 20:30`."""
    return f"{web.clock_words(period.start)} – {web.clock_words(period.end)}"


def day_in_month(day: date) -> str:
    """`mar. 5`, below the name of its month."""
    return written(day, "EEE d", web.locale_code())


def rule_words(text: str, first: date | datetime) -> str:
    """`Un mercredi sur deux`, `Le premier samedi du mois`; a rule nobody says in words is shown as it is written."""
    day = to_local(first, web.tz()).date() if isinstance(first, datetime) and first.tzinfo else first
    said = _words(read_rule(text), day)
    return said or str(gettext("By the rule %(rule)s", rule=text))


def _words(rule: Rule, first: date) -> str | None:
    names = {name for name, _ in rule.parts} - {"WKST"}
    every = int(rule.get("INTERVAL", "1"))
    days = rule.get("BYDAY") or WEEKDAYS[first.weekday()]
    match rule.get("FREQ"):
        case "DAILY" if names <= {"FREQ", "INTERVAL"}:
            return str(ngettext("Every day", "Every %(num)s days", every))
        case "WEEKLY" if names <= {"FREQ", "INTERVAL", "BYDAY"}:
            return _weekly(every, days.split(","))
        case "MONTHLY" if names == {"FREQ", "BYDAY"} and "," not in days and days[:-2] in _NTH:
            nth, day = str(gettext(_NTH[days[:-2]])), _weekday(days)
            return str(gettext("The %(nth)s %(day)s of the month", nth=nth, day=day))
        case "MONTHLY" if names <= {"FREQ", "BYMONTHDAY"}:
            number = rule.get("BYMONTHDAY") or str(first.day)
            if number == "-1":
                return str(gettext("The last day of the month"))
            return str(gettext("On the %(number)s of the month", number=number)) if number.isdigit() else None
    return None


def _weekly(every: int, days: list[str]) -> str:
    names = [_weekday(day) for day in days]
    said = (
        names[0]
        if len(names) == 1
        else str(gettext("%(days)s and %(last)s", days=", ".join(names[:-1]), last=names[-1]))
    )
    if every == 1:
        return str(gettext("Every %(days)s", days=said))
    if every == 2:
        return str(gettext("Every other week: %(days)s", days=said))
    return str(gettext("Every %(weeks)s weeks: %(days)s", weeks=every, days=said))


def _weekday(code: str) -> str:
    key = list(DAYS)[WEEKDAYS.index(code[-2:])]
    said = str(gettext(DAYS[key]))
    return said.lower() if web.locale_code() == "fr" else said
