"""What people type to book again and again, and to change it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from wtforms import (
    BooleanField,
    DateField,
    IntegerField,
    SelectField,
    TimeField,
)
from wtforms.validators import Optional

from sharebank.accounts.forms import options
from sharebank.core.errors import Refused
from sharebank.core.forms import Between, Plain
from sharebank.core.texts import lazy_gettext as _
from sharebank.lending.windows import WEEKDAYS as DAYS
from sharebank.reservations.forms import ManyField, WishForm
from sharebank.reservations.previewing import Needs
from sharebank.reservations.series.series_rules import MOST, WEEKDAYS, Plan, chosen_skip, simple_rule

FREQUENCIES = {
    "weekly": _("every week"),
    "biweekly": _("every other week"),
    "monthly_weekday": _("every month, on the same weekday"),
    "monthly_day": _("every month, on the same day of the month"),
}
NTH = {
    "": _("as the first date"),
    "1": _("the first one"),
    "2": _("the second one"),
    "3": _("the third one"),
    "4": _("the fourth one"),
    "-1": _("the last one"),
}


class SeriesForm(WishForm):
    """The first date, how it repeats, until when."""

    freq = SelectField(_("Repeat"), choices=options(FREQUENCIES), default="weekly")
    weekdays = ManyField(_("On which days"), choices=options(dict(zip(WEEKDAYS, DAYS, strict=True))))
    nth = SelectField(_("Which one of the month"), choices=options(NTH), default="")
    until = DateField(_("Until"), [Optional()])
    count = IntegerField(_("or: how many times"), [Optional(), Between(1, MOST)])
    school_holidays = BooleanField(_("Leave out the school holidays"))
    public_holidays = BooleanField(_("Leave out the public holidays"))

    def name_days(self, names: Iterable[str]) -> None:
        """The days in the reader's language, in the order of the week."""
        self.weekdays.choices = options(dict(zip(WEEKDAYS, names, strict=True)))

    def fit(self, needs: Needs) -> None:
        """As a single request, but for the moments of one collection and one return."""
        super().fit(replace(needs, fields=needs.fields - {"collect_at", "return_at"}))

    def plan(self, tz: ZoneInfo) -> Plan | None:
        """What was typed, or nothing, with the reason at its field."""
        assert self.day.data
        assert self.start.data is not None
        assert self.end.data is not None
        period = self.period(tz)
        if period is None:
            return None
        first = datetime.combine(self.day.data, self.start.data)
        last = datetime.combine(self.last_day.data or self.day.data, self.end.data)
        monthly = self.freq.data == "monthly_weekday"
        try:
            rule = simple_rule(
                self.freq.data,
                self.day.data,
                weekdays=() if self.freq.data == "monthly_day" else self.weekdays.data or (),
                nth=int(self.nth.data) if monthly and self.nth.data else None,
                count=self.count.data,
            )
        except Refused as refused:
            self.tell(refused)
            return None
        skip = chosen_skip({name: self[name].data for name in ("school_holidays", "public_holidays")})
        return Plan(first, last, rule, self.until.data, skip)


class ChangeForm(Plain):
    """What shall be otherwise, and how far that reaches."""

    scope = SelectField(_("Which dates"))
    start = TimeField(_("at"), [Optional()])
    end = TimeField(_("until"), [Optional()])
    resource = SelectField(_("What"))
    until = DateField(_("Last day"), [Optional()])

    def put(self, first: datetime, last: datetime, until: date | None) -> None:
        """Show how it is now."""
        self.start.data, self.end.data, self.until.data = first.time(), last.time(), until
