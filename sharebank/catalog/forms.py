"""What people type to look for a thing, describe it, photograph it and label it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from wtforms import DateField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from sharebank.accounts.directory import House
from sharebank.catalog import editing, labels
from sharebank.catalog import photos as darkroom
from sharebank.catalog.fields import AttributesField, EurosField, HundredthsField, NumberField, lines, one_line
from sharebank.catalog.models import Photo, Resource, RuleSet
from sharebank.catalog.rules import FAMILIES, NoPhoto
from sharebank.catalog.service import Wish
from sharebank.core import web
from sharebank.core.errors import Refused
from sharebank.core.texts import gettext, name_words
from sharebank.core.texts import lazy_gettext as _

MANY = 1_000_000
MOST_EUROS = 20_000_000
"""In cents it is an integer of any database."""
ANY = SelectChoice("", _("Any"))
KINDS = [ANY, *map(SelectChoice, ("room", "vehicle", "equipment"), (_("Rooms"), _("Vehicles"), _("Equipment")))]


# -- looking for a thing -------------------------------------------------------------------------


class Filters(FlaskForm):  # type: ignore[misc]
    """What is looked for in the catalogue; every part may stay empty."""

    class Meta:
        """It changes nothing: no token in the address."""

        csrf = False

    q = StringField(_("I am looking for"), [Length(max=100)], render_kw={"type": "search", "maxlength": 100})
    kind = SelectField(_("Kind"), choices=KINDS, default="")
    house = SelectField(_("House"), default="")
    category = SelectField(_("Category"), default="")
    capacity = NumberField(_("For how many people"), 1, MANY, render_kw={"size": 4})

    @classmethod
    def of(cls, args: Any, houses: Iterable[House], categories: Iterable[str]) -> Filters:
        """The form with its choices, filled from the address."""
        form = cls(args)
        form.house.choices = [ANY, *(SelectChoice(house.code, house.name) for house in houses)]
        form.category.choices = [ANY, *(SelectChoice(category) for category in categories)]
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
    kind = SelectField(_("Kind"), choices=KINDS, default="")
    start = NumberField(_("First free label of the sheet (1 to 24)"), 1, labels.A_SHEET)

    @classmethod
    def of(cls, args: Any, houses: Iterable[House]) -> LabelForm:
        """The form with its choices, filled from the address."""
        form = cls(args)
        form.house.choices = [ANY, *(SelectChoice(house.code, house.name) for house in houses)]
        return form

    def wish(self) -> Wish:
        """What is to be labelled."""
        return Wish(house=self.house.data or "", kind=self.kind.data or "")


# -- describing it -------------------------------------------------------------------------------


class ResourceForm(FlaskForm):  # type: ignore[misc]
    """A resource; `of` takes away what its kind does not have."""

    seen = HiddenField()
    code = StringField(_("Code"), [DataRequired(), Length(max=20)], filters=[one_line])
    name = StringField(_("Name"), [DataRequired(), Length(max=200)], filters=[one_line])
    category = StringField(
        _("Category"), [DataRequired(), Length(max=60)], filters=[one_line], render_kw={"list": "categories"}
    )
    description = TextAreaField(_("Description"), [Length(max=20_000)], filters=[lines])
    location = StringField(_("Place"), [Length(max=200)], filters=[one_line])
    capacity = NumberField(_("Capacity (people)"), 1, MANY, required=True)
    area_m2 = HundredthsField(_("Area (m²)"), 1, MANY - 1, required=True)
    seats = NumberField(_("Seats, the driver’s included"), 1, 100)
    plate = StringField(_("Number plate"), [Length(max=20)], filters=[one_line], render_kw={"size": 12})
    quantity = NumberField(_("How many there are"), 1, MANY, required=True)
    rule_set_id = SelectField(_("Rules"), [InputRequired()], coerce=int)
    replacement_value_cents = EurosField(_("Replacement value of one (€)"), 0, MOST_EUROS)
    rental_value_cents = EurosField(_("What renting one for a day would cost (€)"), 0, MOST_EUROS)
    deposit_cents = EurosField(_("Deposit (€)"), 0, MOST_EUROS)
    purchased_on = DateField(_("Bought on"), [Optional()])
    warranty_until = DateField(_("Under warranty until"), [Optional()])
    attributes = AttributesField(_("Other facts"))

    # What only one kind has; a cargo bicycle or a trailer has no plate, so nothing of a vehicle is required.
    OF_KIND: ClassVar[dict[str, str]] = {"capacity": "room", "area_m2": "room", "seats": "vehicle", "plate": "vehicle"}

    @classmethod
    def of(cls, sent: Any, kind: str, rule_sets: Sequence[RuleSet], resource: Resource | None = None) -> ResourceForm:
        """The form for a new thing of a kind, or for one that there is, whose code stays; `sent` is what was typed."""
        form = cls(sent, obj=resource)
        for name, owner in cls.OF_KIND.items():
            if owner != kind:
                del form[name]
        if resource is None:
            del form.seen
        else:
            del form.code
            if sent is None:
                form.seen.data = editing.mark(resource)
        form.rule_set_id.choices = [SelectChoice(str(rules.id), name_words(rules.name)) for rules in rule_sets]
        return form

    def values(self) -> dict[str, Any]:
        """What is to be stored; empty text is stored empty, an empty number as none."""
        return {name: value for name, value in self.data.items() if name not in ("seen", "code", "csrf_token")}


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
        form.house.choices = [SelectChoice(house.code, house.name) for house in houses]
        form.family.choices = [SelectChoice(letter, gettext(family.name)) for letter, family in FAMILIES.items()]
        return form


class ServiceForm(FlaskForm):  # type: ignore[misc]
    """Why a thing is not lent for now."""

    reason = StringField(_("Why it cannot be lent"), [DataRequired(), Length(max=200)], filters=[one_line])


# -- its photos ----------------------------------------------------------------------------------


class PhotosForm(FlaskForm):  # type: ignore[misc]
    """Photos to add, several at a time."""

    photos = MultipleFileField(_("Photos to add"), render_kw={"accept": "image/jpeg,image/png,image/webp"})

    def pictures(self) -> list[darkroom.Picture]:
        """The photos, made anew; raises NoPhoto, BadPhoto."""
        sent = [file for file in self.photos.data or [] if file and file.filename]
        if not sent:
            raise NoPhoto("photos")
        # One byte more than allowed is enough to know.
        return [darkroom.read(file.read(darkroom.MOST_BYTES + 1), one_line(file.filename)[:80]) for file in sent]


class PhotoForm(FlaskForm):  # type: ignore[misc]
    """What one photo shows."""

    photo_id: int
    caption = StringField(_("What it shows"), [Length(max=200)], filters=[one_line])

    @classmethod
    def of(cls, sent: Any, photo: Photo) -> PhotoForm:
        """The form of one photo among several on a page."""
        form = cls(sent, obj=photo, prefix=f"p{photo.id}-")
        form.photo_id = photo.id
        return form


def blame(form: FlaskForm, refused: Refused) -> int:
    """Put a refusal beside the field it is about, or at the top; returns its HTTP status."""
    if refused.field and refused.field in form:
        field = form[refused.field]
        field.errors = [*field.errors, web.say(refused)]
    else:
        form.form_errors = [*form.form_errors, web.say(refused)]
    return refused.status
