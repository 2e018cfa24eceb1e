"""What is typed at a hand-over: filled in for the ordinary case, a part for each thing, from the table of items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, MultipleFileField
from wtforms import (
    BooleanField,
    DateField,
    Field,
    Form,
    FormField,
    HiddenField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from sharebank.catalog import photos as darkroom
from sharebank.catalog.fields import EurosField, NumberField, one_line
from sharebank.core import web
from sharebank.core.errors import Refused
from sharebank.core.forms import Plain
from sharebank.core.texts import lazy_gettext as _
from sharebank.reservations.forms import PeriodFields
from sharebank.reservations.handover.charges import MOST_WORDS
from sharebank.reservations.handover.handover import Meeting, SheetLine
from sharebank.reservations.handover.handover_damage import MOST_WHY
from sharebank.reservations.handover.handover_items import CHOICES, LOST, MOST, MOST_KM, Item, items
from sharebank.reservations.handover.handover_rules import Found

MOST_EUROS = 100_000
PIECE = "lost-"
"""How the fields of pieces with a name of their own begin."""
OTHER = "driver_other"
PICTURES = {"accept": "image/jpeg,image/png,image/webp"}


def _field(item: Item) -> Any:
    """The field that asks for an item."""
    label = _(item.label)
    match item.type:
        case "yes":
            return BooleanField(label)
        case "count":
            return NumberField(label, 0, MOST)
        case "km":
            return NumberField(label, 0, MOST_KM)
        case "words":
            return StringField(label, [Optional(), Length(max=200)], filters=[one_line])
    choices = [SelectChoice(key, _(words)) for key, words in CHOICES[item.type].items()]
    return SelectField(label, choices=choices, default="")


def _driver(names: Sequence[str]) -> dict[str, Any]:
    """Whom the loan names, to choose from; or somebody else, typed."""
    choices = [*(SelectChoice(name, name) for name in names), SelectChoice("", _("Somebody else"))]
    other = StringField(_("Another driver"), [Optional(), Length(max=200)], filters=[one_line])
    return {"driver": SelectField(_("Driver"), choices=choices, default=""), OTHER: other}


class LineForm(Plain):
    """One thing: how many change hands, and what may be wrong with it."""

    quantity = NumberField(_("How many"), 0, MOST, required=True)
    note = StringField(_("Remark"), [Optional(), Length(max=500)], filters=[one_line])

    def found(self) -> Found:
        """What was written down."""
        own = {"quantity", "note", "missing", "broken", "dirty", "out", "out_until", "gone", OTHER}
        facts = {
            name: field.data for name, field in self._fields.items() if name not in own and not name.startswith(PIECE)
        }
        lost = {str(field.label.text): field.data for name, field in self._fields.items() if name.startswith(PIECE)}
        if gone := {name: n for name, n in lost.items() if n}:
            facts[LOST] = gone
        if OTHER in self and self[OTHER].data:
            facts["driver"] = self[OTHER].data
        wrong = {name: self[name].data or 0 for name in ("missing", "broken", "dirty", "gone") if name in self}
        out = bool("out" in self and self["out"].data)
        return Found(
            self.quantity.data or 0,
            note=self.note.data or "",
            facts=facts,
            out=out,
            out_until=self["out_until"].data if out else None,
            **wrong,
        )


class Trouble(Plain):
    """What is asked of a thing that comes back, beside the table."""

    missing = NumberField(_("Missing or lost"), 0, MOST)
    broken = NumberField(_("Broken or damaged"), 0, MOST)
    out = BooleanField(_("Take it out of service"))
    out_until = DateField(
        _("Out of service until"), [Optional()], description=_("That day included. Empty: until further notice.")
    )
    validate_out_until = PeriodFields.validate_day

    def validate_out(self, field: BooleanField) -> None:
        """Whoever would have borrowed it reads why."""
        if field.data and not self["note"].data:
            raise ValidationError(_("Say in the remark what is wrong with it."))

    validate_gone = validate_out


class PhotosForm(FlaskForm):  # type: ignore[misc]
    """Photos: one from the camera at once, or several that the phone has."""

    photo = FileField(_("Take a photo"), render_kw=PICTURES | {"capture": "environment"})
    photos = MultipleFileField(_("Photos from the phone"), render_kw=PICTURES)

    def pictures(self) -> list[darkroom.Picture]:
        """The photos, made anew; raises BadPhoto."""
        sent = [file for file in (self.photo.data, *(self.photos.data or ())) if file and file.filename]
        # One byte more than allowed is enough to know.
        return [darkroom.read(file.read(darkroom.MOST_BYTES + 1), one_line(file.filename)[:80]) for file in sent]


class HandoverForm(PhotosForm):
    """Two names, photos, a word; and a part for each thing, named `l0`, `l1`…"""

    borrower_name = StringField(
        _("Name of the borrower’s representative"),
        [DataRequired(_("Type the name: it stands for a signature.")), Length(max=200)], filters=[one_line],
    )  # fmt: skip
    staff_name = StringField(
        _("Name for the house"),
        [DataRequired(_("Type the name: it stands for a signature.")), Length(max=200)], filters=[one_line],
    )  # fmt: skip
    notes = TextAreaField(_("A word about it all"), [Optional(), Length(max=2000)])
    override = StringField(_("Lend it all the same, because"), [Optional(), Length(max=300)], filters=[one_line])

    def parts(self) -> list[FormField[Any]]:
        """The parts of the things, in the order of the loan."""
        return [field for name, field in self._fields.items() if isinstance(field, FormField)]

    def meeting(self, lines: Sequence[SheetLine]) -> Meeting:
        """What was typed, by the code of each thing."""
        found = {line.code: part.form.found() for line, part in zip(lines, self.parts(), strict=True)}
        return Meeting(self.borrower_name.data or "", self.staff_name.data or "", self.notes.data or "", found)

    def blame(self, refused: Refused, lines: Sequence[SheetLine]) -> int:
        """Put a refusal beside the field it is about, or at the top; returns its status."""
        code, _dash, name = (refused.field or "").rpartition("-")
        parts = {line.code: part.form for line, part in zip(lines, self.parts(), strict=True)}
        where: Any = parts.get(code, self)
        if name in where:
            where[name].errors = [*where[name].errors, web.say(refused)]
        else:
            self.form_errors: list[str] = [*(self.form_errors or ()), web.say(refused)]
        return refused.status


@lru_cache(maxsize=64)
def _part(kind: str, act: str, pieces: tuple[str, ...], drivers: tuple[str, ...]) -> type[LineForm]:
    asked = {item.key: _field(item) for item in items(kind, act)}
    if drivers:
        asked |= _driver(drivers)
    if act == "return":
        if kind == "equipment":
            asked["dirty"] = NumberField(_("Left dirty"), 0, MOST)
            # Of a room or a vehicle there is one: it goes out of service.
            asked["gone"] = NumberField(
                _("To take off the stock"), 0, MOST, description=_("Gone for good: the house has so many fewer.")
            )
        asked |= {f"{PIECE}{number}": NumberField(name, 0, MOST) for number, name in enumerate(pieces)}
    bases = (LineForm, Trouble) if act == "return" else (LineForm,)
    return type(f"{kind.title()}{act.title()}", bases, asked)


def handover_form(act: str, lines: Sequence[SheetLine], filled: Mapping[str, Any]) -> HandoverForm:
    """The form of a loan: as sent by this request, or filled in as if all were there and all fine."""
    parts = {
        f"l{number}": FormField(_part(line.kind, act, line.pieces, line.drivers)) for number, line in enumerate(lines)
    }
    made = type("LoanHandoverForm", (HandoverForm,), parts)
    fine = {f"l{number}": _fine(line, act) for number, line in enumerate(lines)}
    return made(data={**filled, **fine})  # type: ignore[no-any-return]


def _fine(line: SheetLine, act: str) -> dict[str, Any]:
    values: dict[str, Any] = {"quantity": line.quantity}
    if len(line.drivers) == 1:
        values["driver"] = line.drivers[0]
    for item in items(line.kind, act):
        if item.type == "yes":
            values[item.key] = item.fine
        elif item.carried and act == "return" and item.key in line.before:
            values[item.key] = line.before[item.key]
    return values


def folded(part: Form, kind: str, act: str) -> list[Field]:
    """The fields of a thing that only matter when something is out of the ordinary."""
    return [part[item.key] for item in items(kind, act) if not item.first]


def trouble(part: Form) -> list[Field]:
    """The counts of what is missing, broken or dirty, and of the pieces with a price of their own that are lost."""
    counts = ("missing", "broken", "dirty")
    return [field for name, field in part._fields.items() if name in counts or name.startswith(PIECE)]


def spoken(fields: Iterable[Field]) -> bool:
    """Does one of them say something that was not there before it was sent, or is something wrong with it?"""
    return any(field.errors or (field.data or None) != (field.object_data or None) for field in fields)


def shown(part: Form, kind: str, act: str) -> list[Field]:
    """The fields of a thing that stand open."""
    keys = [item.key for item in items(kind, act) if item.first]
    if OTHER in part:
        keys.insert(keys.index("driver") + 1, OTHER)
    return [part[key] for key in keys]


class StockForm(FlaskForm):  # type: ignore[misc]
    """How many are gone for good, or were found again, and why."""

    seen = HiddenField()
    units = NumberField(_("How many"), 1, MOST, required=True)
    why = StringField(
        _("Why?"), [DataRequired(_("Say why, in a few words.")), Length(max=MOST_WHY)], filters=[one_line]
    )


class RepairForm(StockForm):
    """What stays in, until when, and why."""

    until = DateField(
        _("Out of service until"), [Optional()], description=_("That day included. Empty: until further notice.")
    )
    validate_until = PeriodFields.validate_day


class ChargeForm(FlaskForm):  # type: ignore[misc]
    """A fault noticed after the return."""

    words = StringField(
        _("What was noticed"),
        [DataRequired(_("Say what, in a few words.")), Length(max=MOST_WORDS)],
        filters=[one_line],
    )
    cents = EurosField(_("Amount in euros"), 0, MOST_EUROS, required=True)


class CorrectionForm(FlaskForm):  # type: ignore[misc]
    """Another amount, 0 to waive it, and why."""

    cents = EurosField(_("Owed after all, in euros (0: waived)"), 0, MOST_EUROS, required=True)
    why = StringField(_("Why?"), [DataRequired(_("Say why, in a few words.")), Length(max=300)], filters=[one_line])
