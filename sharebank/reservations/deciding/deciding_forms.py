"""What people type to answer a request otherwise than by yes or no."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import FieldList, FormField, StringField, TextAreaField
from wtforms.validators import Length, Optional

from sharebank.core.texts import lazy_gettext as _
from sharebank.reservations.forms import MOST_LINES, LineForm, PeriodFields


class InsteadForm(FlaskForm, PeriodFields):  # type: ignore[misc]
    """Fewer units, other hours, another day: what the house can lend."""

    lines = FieldList(FormField(LineForm), max_entries=MOST_LINES)
    why = TextAreaField(_("A word of explanation"), [Optional(), Length(max=1000)])
    override = StringField(_("Lend it all the same, because"), [Optional(), Length(max=300)])

    def wants(self) -> dict[str, int]:
        """Code and quantity; 0 leaves a thing out."""
        return {line["code"]: line["quantity"] for line in self.lines.data}
