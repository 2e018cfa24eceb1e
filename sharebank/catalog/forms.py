"""What people type to look for a thing, describe it, photograph it and label it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from wtforms import DateField, Field, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import TextInput

from sharebank.accounts.directory import House
from sharebank.catalog import attributes, labels, photos
from sharebank.catalog.models import Resource, RuleSet
from sharebank.catalog.rules import FAMILIES
from sharebank.catalog.service import Wish
from sharebank.core import money, web
from sharebank.core.errors import Refused
from sharebank.core.values import parse_decimal, parse_int

MANY = 100_000
MOST_CENTS = 100_000_000
ANY = ("", _("Any"))
KINDS = [("room", _("Rooms")), ("vehicle", _("Vehicles")), ("equipment", _("Equipment"))]


def one_line(text: str | None) -> str:
    """What was typed, without line breaks and doubled spaces."""
    return " ".join((text or "").split())


def lines(text: str | None) -> str:
    """What was typed, its lines ended alike whatever the browser sent."""
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).strip()


class NumberField(Field):
    """A number as people type it; what was typed is shown again when it is wrong."""

    widget = TextInput()
    sentence = _("Write a whole number between %(low)s and %(high)s.")

    def __init__(
        self,
        label: Any,
        low: int,
        high: int,
        required: bool = False,
        render_kw: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        checks = [InputRequired()] if required else [Optional()]
        super().__init__(label, checks, render_kw={"inputmode": "numeric", "size": 8, **(render_kw or {})}, **options)
        self.low, self.high = low, high

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else "" if self.data is None else self.write(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Text to number; raises ValueError in the reader's words."""
        self.data = None
        if not valuelist or not valuelist[0].strip():
            return
        try:
            number = self.read(valuelist[0])
        except ValueError:
            number = None
        if number is None or not self.low <= number <= self.high:
            bounds = {"low": web.number_words(self.low), "high": web.number_words(self.high)}
            raise ValueError(self.sentence % bounds)
        self.data = self.store(number)

    def read(self, text: str) -> int | Decimal | None:
        """The number typed, or nothing; raises ValueError."""
        return parse_int(text)

    def store(self, number: Any) -> Any:
        """What the database holds of it."""
        return number

    def write(self, data: Any) -> str:
        """As it is typed again."""
        return str(data)


class HundredthsField(NumberField):
    """A number of at most two decimals."""

    sentence = _("Write a number between %(low)s and %(high)s, with two decimals at most.")

    def read(self, text: str) -> Decimal | None:
        """As NumberField's."""
        number = parse_decimal(text)
        return number if number == round(number, 2) else None

    def write(self, data: Any) -> str:
        """Without thousands separators: it must read the same way back in every language."""
        return str(format_decimal(data, "0.##", locale=web.locale_code()))


class EurosField(HundredthsField):
    """An amount; its data is cents."""

    sentence = _("Write an amount between %(low)s and %(high)s euros, such as 1250 or 12.50.")

    def store(self, number: Any) -> int:
        """As NumberField's."""
        return money.cents(number)

    def write(self, data: Any) -> str:
        """As NumberField's."""
        return str(format_decimal(money.euros(data), "0.00", locale=web.locale_code()))


class AttributesField(TextAreaField):
    """Free facts, one a line; its data is the dictionary that is stored."""

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else attributes.to_text(self.data or {}, gettext)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Lines to facts; raises ValueError in the reader's words."""
        self.data = {}
        try:
            self.data = attributes.from_text(valuelist[0] if valuelist else "", gettext)
        except ValueError as wrong:
            said = gettext("Write each fact once, on its own line, as “Power: 1650”, without “;” or “=”. Not: %(line)s")
            raise ValueError(said % {"line": str(wrong)[:60]}) from None


# -- looking for a thing -------------------------------------------------------------------------


class Filters(FlaskForm):  # type: ignore[misc]
    """What is looked for in the catalogue; every part may stay empty."""

    class Meta:
        """It changes nothing: no token in the address."""

        csrf = False

    q = StringField(_("Word"), [Length(max=100)], render_kw={"type": "search", "maxlength": 100})
    kind = SelectField(_("Kind"), choices=[ANY, *KINDS], default="")
    house = SelectField(_("House"), default="")
    category = SelectField(_("Category"), default="")
    capacity = NumberField(_("For how many people"), 1, MANY, render_kw={"size": 4})

    @classmethod
    def of(cls, args: Any, houses: Iterable[House], categories: Iterable[str]) -> Filters:
        """The form with its choices, filled from the address."""
        form = cls(args)
        form.house.choices = [ANY, *((house.code, house.name) for house in houses)]
        form.category.choices = [ANY, *((category, category) for category in categories)]
        return form

    def wish(self) -> Wish:
        """What was asked for."""
        return Wish(
            self.q.data or "",
            self.kind.data or "",
            self.house.data or "",
            self.category.data or "",
            self.capacity.data,
        )


class LabelForm(FlaskForm):  # type: ignore[misc]
    """Which labels, and where on the first sheet they begin."""

    class Meta:
        """It changes nothing: no token in the address."""

        csrf = False

    house = SelectField(_("House"), default="")
    kind = SelectField(_("Kind"), choices=[ANY, *KINDS], default="")
    start = NumberField(_("First free label of the sheet (1 to 24)"), 1, labels.A_SHEET)

    @classmethod
    def of(cls, args: Any, houses: Iterable[House]) -> LabelForm:
        """The form with its choices, filled from the address."""
        form = cls(args)
        form.house.choices = [ANY, *((house.code, house.name) for house in houses)]
        return form


# -- describing it -------------------------------------------------------------------------------


class ResourceForm(FlaskForm):  # type: ignore[misc]
    """A resource; `of` takes away what its kind does not have."""

    code = StringField(_("Code"), [InputRequired(), Length(max=20)], filters=[one_line])
    name = StringField(_("Name"), [InputRequired(), Length(max=200)], filters=[one_line])
    category = StringField(
        _("Category"), [InputRequired(), Length(max=60)], filters=[one_line], render_kw={"list": "categories"}
    )
    description = TextAreaField(_("Description"), [Length(max=5000)], filters=[lines])
    location = StringField(_("Place"), [Length(max=200)], filters=[one_line])
    capacity = NumberField(_("Capacity (people)"), 1, MANY, required=True)
    area_m2 = HundredthsField(_("Area (m²)"), 1, MANY, required=True)
    seats = NumberField(_("Seats, the driver’s included"), 1, 100)
    plate = StringField(_("Number plate"), [Length(max=20)], filters=[one_line], render_kw={"size": 12})
    quantity = NumberField(_("How many there are"), 1, MANY, required=True)
    rule_set_id = SelectField(_("Rules"), coerce=int)
    replacement_value_cents = EurosField(_("Replacement value of one (€)"), 0, MOST_CENTS // 100)
    rental_value_cents = EurosField(_("What renting one for a day would cost (€)"), 0, MOST_CENTS // 100)
    deposit_cents = EurosField(_("Deposit (€)"), 0, MOST_CENTS // 100)
    purchased_on = DateField(_("Bought on"), [Optional()])
    warranty_until = DateField(_("Under warranty until"), [Optional()])
    attributes = AttributesField(_("Other facts"))

    # What only one kind has; a cargo bicycle or a trailer has no plate, so nothing of a vehicle is required.
    OF_KIND = {"capacity": "room", "area_m2": "room", "seats": "vehicle", "plate": "vehicle"}

    @classmethod
    def of(cls, kind: str, rule_sets: Sequence[RuleSet], resource: Resource | None = None) -> ResourceForm:
        """The form for a new thing of a kind, or for one that there is, whose code stays."""
        form = cls(obj=resource)
        for name, owner in cls.OF_KIND.items():
            if owner != kind:
                del form[name]
        if resource is not None:
            del form.code
        form.rule_set_id.choices = [(rules.id, rule_set_name(rules.name)) for rules in rule_sets]
        return form

    def values(self) -> dict[str, Any]:
        """What is to be stored; empty text is stored empty, an empty number as none."""
        return {name: value for name, value in self.data.items() if name not in ("code", "csrf_token")}


def rule_set_name(name: str) -> str:
    """`salle_standard` as people read it: Salle standard."""
    return name.replace("_", " ").capitalize()


class FamilyForm(FlaskForm):  # type: ignore[misc]
    """What is to be added, and where: the first step, by address."""

    class Meta:
        """It changes nothing: no token in the address."""

        csrf = False

    house = SelectField(_("House"), default="")
    family = SelectField(_("What do you add?"))

    @classmethod
    def of(cls, args: Any, houses: Iterable[House]) -> FamilyForm:
        """The form with its choices, filled from the address."""
        form = cls(args)
        form.house.choices = [(house.code, house.name) for house in houses]
        form.family.choices = [(letter, gettext(family.name)) for letter, family in FAMILIES.items()]
        return form


class ServiceForm(FlaskForm):  # type: ignore[misc]
    """Why a thing is not lent for now."""

    reason = StringField(_("Why it cannot be lent"), [InputRequired(), Length(max=200)], filters=[one_line])


# -- its photos ----------------------------------------------------------------------------------


class PhotosForm(FlaskForm):  # type: ignore[misc]
    """Photos to add, several at a time."""

    photos = MultipleFileField(_("Photos to add"), render_kw={"accept": "image/jpeg,image/png,image/webp"})

    def pictures(self) -> list[photos.Picture]:
        """The photos, made anew; raises BadPhoto."""
        sent = [file for file in self.photos.data or [] if file and file.filename]
        # One byte more than allowed is enough to know.
        return [photos.read(file.read(photos.MOST_BYTES + 1), one_line(file.filename)[:80]) for file in sent]


class PhotoForm(FlaskForm):  # type: ignore[misc]
    """One photo: what it shows, its place, its end."""

    caption = StringField(_("What it shows"), [Length(max=200)], filters=[one_line])
    act = HiddenField()


def blame(form: FlaskForm, refused: Refused, say: Callable[[Refused], str] = web.say) -> int:
    """Put a refusal beside the field it is about, or at the top; returns its HTTP status."""
    if refused.field and refused.field in form:
        field = form[refused.field]
        field.errors = [*field.errors, say(refused)]
    else:
        form.form_errors = [*form.form_errors, say(refused)]
    return refused.status
