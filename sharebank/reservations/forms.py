"""What people type to find, ask for and decide on a reservation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, ValidationError

from sharebank.accounts.forms import options
from sharebank.catalog.forms import ANY, KINDS
from sharebank.core import web
from sharebank.core.errors import Refused
from sharebank.core.period import Period, local_period

LARGEST = 100_000
MOST_LINES = 40
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)


class PeriodFields(Form):
    """A day and its hours, and the last day when it is another one."""

    day = DateField(_("From day"), [DataRequired(_("Choose a day."))])
    start = TimeField(_("at"), [InputRequired(_("Choose a time."))])
    last_day = DateField(_("Until day"), [Optional()])
    end = TimeField(_("until"), [InputRequired(_("Choose a time."))])

    def validate_day(self, field: DateField) -> None:
        """A year nobody books in is a slip of the finger."""
        if field.data and not FIRST_DAY <= field.data <= LAST_DAY:
            raise ValidationError(_("Check the year."))

    validate_last_day = validate_day

    def period(self, tz: ZoneInfo) -> Period | None:
        """The period typed, or nothing, with the reason at its field."""
        assert self.day.data
        assert self.start.data is not None
        assert self.end.data is not None
        first = datetime.combine(self.day.data, self.start.data)
        last = datetime.combine(self.last_day.data or self.day.data, self.end.data)
        try:
            return local_period(first, last, tz)
        except Refused as refused:
            field = self.start if refused.field == "starts_at" else self.end
            field.errors = [*field.errors, web.say(refused)]
            return None

    def put(self, first: datetime, last: datetime) -> None:
        """Show these wall times."""
        self.day.data, self.start.data = first.date(), first.time()
        self.last_day.data, self.end.data = last.date() if last.date() != first.date() else None, last.time()


class SearchForm(PeriodFields):
    """I need … for …, from … to …"""

    q = StringField(_("I need"), [Optional(), Length(max=100)])
    n = IntegerField(_("For how many"), [Optional(), NumberRange(1, LARGEST)])
    kind = SelectField(_("Kind"), choices=KINDS, default="")
    house = SelectField(_("House"), default="")
    category = SelectField(_("Category"), default="")

    def offer(self, houses: Sequence[Any], categories: Sequence[str]) -> None:
        """What the lists hold today."""
        self.house.choices = [ANY, *options({house.code: house.name for house in houses})]
        self.category.choices = [ANY, *options({name: name for name in categories})]


def coming_saturday(today: date) -> tuple[datetime, datetime]:
    """The afternoon most people ask for: next Saturday, 14:00 to 18:00."""
    day = today + timedelta(days=(5 - today.weekday()) % 7 or 7)
    return datetime.combine(day, time(14)), datetime.combine(day, time(18))


class LineForm(Form):
    """One thing chosen, and how many."""

    code = HiddenField(validators=[DataRequired(), Length(max=20)])
    quantity = IntegerField(_("How many"), [InputRequired(_("How many?")), NumberRange(0, LARGEST)])


class AskForm(FlaskForm, PeriodFields):  # type: ignore[misc]
    """One page for a whole request."""

    organisation = SelectField(_("For"), [DataRequired()])
    purpose = StringField(_("What for?"), [DataRequired(_("Say in a few words what it is for.")), Length(max=300)])
    public = BooleanField(_("Open to the public: show it on the house's programme"))
    lines = FieldList(FormField(LineForm), max_entries=MOST_LINES)
    override = StringField(_("Lend it all the same, because"), [Optional(), Length(max=300)])

    def wants(self) -> dict[str, int]:
        """Code and quantity of what is left after zeros are taken out; the same code twice adds up."""
        found: dict[str, int] = {}
        for line in self.lines.data:
            if line["quantity"]:
                found[line["code"]] = found.get(line["code"], 0) + line["quantity"]
        return found


class ClosureForm(FlaskForm, PeriodFields):  # type: ignore[misc]
    """Take things out of the calendar for a while."""

    codes = StringField(
        _("What is closed"), [DataRequired(_("Choose at least one thing.")), Length(max=500)],
        description=_("Codes separated by spaces, as on the labels: MCNG-R01 MCNG-R02"),
    )  # fmt: skip
    purpose = StringField(_("Why?"), [DataRequired(_("Say why, in a few words.")), Length(max=300)])


class MonthForm(Form):
    """A month of the past, by one of its days."""

    month = DateField(_("Month"), [Optional()])
    validate_month = PeriodFields.validate_day


class DecideForm(FlaskForm):  # type: ignore[misc]
    """Move a reservation on, with a word to the borrower."""

    why = TextAreaField(_("A word of explanation"), [Optional(), Length(max=1000)])
    override = StringField(_("Lend it all the same, because"), [Optional(), Length(max=300)])
