"""What people type to find, ask for and decide on a reservation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    FieldList,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from sharebank.accounts.forms import options
from sharebank.catalog.forms import ANY, KINDS
from sharebank.core import web
from sharebank.core.errors import Refused, Said
from sharebank.core.forms import Between, Plain
from sharebank.core.period import FIRST, LAST, OutsideCalendar, Period, local_period, to_utc
from sharebank.core.texts import gettext
from sharebank.core.texts import lazy_gettext as _
from sharebank.insurance.drivers import KnownDriver
from sharebank.lending.kinds import UNDERTAKINGS
from sharebank.lending.money import UNITS
from sharebank.reservations.asking import Details
from sharebank.reservations.previewing import Needs
from sharebank.reservations.rules import RuleBroken

LARGEST = 100_000
MOST_LINES = 40
FURTHEST = 20_000
"""Kilometres: half-way round the earth."""
WALL = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)


class PeriodFields(Plain):
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
    n = IntegerField(_("For how many"), [Optional(), Between(1, LARGEST)])
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


def _instant(wall: datetime, tz: ZoneInfo) -> datetime:
    """Raises NonexistentTime, OutsideCalendar."""
    if not FIRST.year <= wall.year < LAST.year:
        raise OutsideCalendar
    return to_utc(wall, tz)


def driver_words(one: KnownDriver) -> str:
    """`Samir Belkhadour, permis B, vu le 3 mars 2026`: what the house knows is not asked again."""
    facts = {"name": one.name, "licence": one.licence_class, "day": web.day_month_year(one.seen_on)}
    return str(gettext("%(name)s, licence %(licence)s, seen on %(day)s", **facts))


def option_words(name: str, cents: int, unit: str) -> str:
    """`Vidéoprojecteur, 10,00 € le prêt`."""
    if not cents:
        return str(gettext("%(name)s, free of charge", name=name))
    return str(
        gettext("%(name)s, %(amount)s %(unit)s", name=name, amount=web.euros_words(cents), unit=gettext(UNITS[unit]))
    )


_SPOKEN_OF = {"starts_at": "start", "ends_at": "end"}
"""Fields of a refusal that bear another name on the form."""


class LineForm(Plain):
    """One thing chosen, and how many."""

    code = HiddenField(validators=[DataRequired(), Length(max=20)])
    quantity = IntegerField(_("How many"), [InputRequired(_("How many?")), Between(0, LARGEST)])


class ManyField(SelectMultipleField):
    """Boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class WishForm(PeriodFields):
    """Who asks for what, and why; what only some rules ask for is taken out where none does."""

    organisation = SelectField(_("For"), [DataRequired()])
    purpose = StringField(_("What for?"), [DataRequired(_("Say in a few words what it is for.")), Length(max=300)])
    public = BooleanField(_("Open to the public: show it on the house's programme"))
    lines = FieldList(FormField(LineForm), max_entries=MOST_LINES)
    headcount = IntegerField(_("How many people?"), [Optional(), Between(1, LARGEST)])
    distance_km = IntegerField(_("How far, one way, in kilometres?"), [Optional(), Between(0, FURTHEST)])
    drivers = ManyField(_("Who drives?"), [Optional()])
    other_drivers = StringField(
        _("Somebody else who drives"), [Optional(), Length(max=300)],
        description=_("Names separated by commas. The house has to see their licence first."),
    )  # fmt: skip
    collect_at = DateTimeLocalField(
        _("Collected on"), [Optional()], format=WALL, description=_("Leave empty for the beginning.")
    )
    return_at = DateTimeLocalField(
        _("Brought back on"), [Optional()], format=WALL, description=_("Leave empty for the end.")
    )
    options = ManyField(_("Options"), [Optional()])
    accepts = ManyField(_("We promise"), [Optional()])
    letter = BooleanField(_("We bring a letter of the employer instead of the deposit"))
    override = StringField(_("Lend it all the same, because"), [Optional(), Length(max=300)])

    promised: tuple[str, ...] = ()

    def fit(self, needs: Needs) -> None:
        """Keep what the rules of the chosen things need, with what may be chosen."""
        self.promised = needs.promised
        for name in ("headcount", "distance_km", "drivers", "collect_at", "return_at", "options"):
            if name not in needs.fields:
                del self[name]
        if "drivers" in needs.fields:
            self.drivers.choices = [(one.name, driver_words(one)) for one in needs.drivers]
            if not needs.drivers:
                self.other_drivers.label.text = self.drivers.label.text
        else:
            del self.other_drivers
        if "options" in needs.fields:
            self.options.choices = [(name, option_words(name, *price)) for name, price in (needs.options or {}).items()]
        if needs.undertakings:
            self.accepts.choices = [(key, web.say(Said(UNDERTAKINGS[key]))) for key in needs.undertakings]
        else:
            del self.accepts
        if not needs.letter:
            del self.letter

    def details(self, tz: ZoneInfo) -> Details | None:
        """What was said besides, or nothing, with the reason at its field."""
        said: dict[str, Any] = {
            name: self[name].data
            for name in ("headcount", "distance_km")
            if name in self and self[name].data is not None
        }
        for name in ("drivers", "options"):
            if name in self:
                said[name] = tuple(self[name].data or ())
        if "other_drivers" in self:
            others = (" ".join(name.split()) for name in (self.other_drivers.data or "").split(","))
            said["drivers"] = tuple(dict.fromkeys((*said["drivers"], *filter(None, others))))
        for name in ("collect_at", "return_at"):
            if name in self and self[name].data:
                try:
                    said[name] = _instant(self[name].data, tz)
                except Refused as refused:
                    self[name].errors = [*self[name].errors, web.say(refused)]
        accepts = (*self.promised, *((self.accepts.data or ()) if "accepts" in self else ()))
        if any(self[name].errors for name in ("collect_at", "return_at") if name in self):
            return None
        return Details(**said, accepts=accepts, letter="letter" in self and self.letter.data)

    def wants(self) -> dict[str, int]:
        """Code and quantity of what is left after zeros are taken out; the same code twice adds up."""
        found: dict[str, int] = {}
        for line in self.lines.data:
            if line["quantity"]:
                found[line["code"]] = found.get(line["code"], 0) + line["quantity"]
        return found

    def drop(self, code: str) -> None:
        """Take a thing out."""
        self.lines.entries = [entry for entry in self.lines.entries if entry.form.code.data != code]

    def tell(self, refused: Refused) -> None:
        """Say what was refused where it was typed, or at the top; of rules not kept all of them."""
        found: list[tuple[str, Refused | Said]] = [(refused.field or "", refused)]
        if isinstance(refused, RuleBroken):
            found = [(one.field, one.said) for one in refused.breaches]
        for name, said in found:
            field = _SPOKEN_OF.get(name, name)
            if field == "drivers" and field in self and not self.drivers.choices:
                field = "other_drivers"
            if field in self and field != "lines":
                self[field].errors = [*self[field].errors, web.say(said)]
            else:
                self.form_errors.append(web.say(said))


class AskForm(FlaskForm, WishForm):  # type: ignore[misc]
    """One page for a whole request."""


class ClosureForm(FlaskForm, PeriodFields):  # type: ignore[misc]
    """Take things out of the calendar for a while."""

    codes = StringField(
        _("What is closed"), [DataRequired(_("Choose at least one thing.")), Length(max=500)],
        description=_("Codes separated by spaces, as on the labels: MCNG-R01 MCNG-R02"),
    )  # fmt: skip
    purpose = StringField(_("Why?"), [DataRequired(_("Say why, in a few words.")), Length(max=300)])


class MonthForm(Plain):
    """A month of the past, by one of its days."""

    month = DateField(_("Month"), [Optional()])
    validate_month = PeriodFields.validate_day


class DecideForm(FlaskForm):  # type: ignore[misc]
    """Move a reservation on, with a word to the borrower."""

    why = TextAreaField(_("A word of explanation"), [Optional(), Length(max=1000)])
    override = StringField(_("Lend it all the same, because"), [Optional(), Length(max=300)])
