"""What people type to answer a request otherwise than by yes or no, and to stand on the waiting list."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import FieldList, FormField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from sharebank.core.texts import lazy_gettext as _
from sharebank.reservations.forms import LARGEST, MOST_LINES, LineForm, PeriodFields


class InsteadForm(FlaskForm, PeriodFields):  # type: ignore[misc]
    """Fewer units, other hours, another day: what the house can lend."""

    lines = FieldList(FormField(LineForm), max_entries=MOST_LINES)
    why = TextAreaField(_("A word of explanation"), [Optional(), Length(max=1000)])
    override = StringField(_("Lend it all the same, because"), [Optional(), Length(max=300)])

    def wants(self) -> dict[str, int]:
        """Code and quantity; 0 leaves a thing out."""
        return {line["code"]: line["quantity"] for line in self.lines.data}


class WaitForm(FlaskForm, PeriodFields):  # type: ignore[misc]
    """A place on the waiting list."""

    organisation = SelectField(_("For"), [DataRequired()])
    purpose = StringField(_("What for?"), [DataRequired(_("Say in a few words what it is for.")), Length(max=300)])
    headcount = IntegerField(_("How many people?"), [Optional(), NumberRange(1, LARGEST)])
    lines = FieldList(FormField(LineForm), max_entries=MOST_LINES)

    def wants(self) -> dict[str, int]:
        """Code and quantity of what is left after zeros are taken out."""
        return {line["code"]: line["quantity"] for line in self.lines.data if line["quantity"]}
