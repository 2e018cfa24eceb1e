"""What people type about agreements: their name under one, a signed copy, a template's text."""

from __future__ import annotations

from collections.abc import Sequence

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, HiddenField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import DataRequired, InputRequired, Length

from sharebank.accounts.actor import Role
from sharebank.agreements.markup import MOST_LETTERS
from sharebank.catalog.fields import one_line
from sharebank.core.forms import Between
from sharebank.core.texts import lazy_gettext as _
from sharebank.insurance.documents import MOST_BYTES, Paper, read
from sharebank.insurance.rules import NoDocument

ACCEPT = {"accept": "application/pdf,image/jpeg,image/png,image/webp"}
LONGEST = 5
"""Years a cooperation is agreed on at most."""


def _name() -> StringField:
    return StringField(
        _("First and last name"),
        [DataRequired(_("Type your first and last name.")), Length(max=200)],
        filters=[one_line],
        render_kw={"autocomplete": "name", "maxlength": 200},
    )


class AcceptForm(FlaskForm):  # type: ignore[misc]
    """A yes on screen, to the text that was read."""

    read = HiddenField()
    name = _name()
    agreed = BooleanField(
        _("I have read this agreement and accept it for my organisation."),
        [DataRequired(_("Tick the box if you accept the agreement."))],
    )


class SignedCopyForm(FlaskForm):  # type: ignore[misc]
    """The signed paper, scanned or photographed."""

    name = _name()
    file = FileField(_("Signed copy"), render_kw=ACCEPT, description=_("PDF, JPEG, PNG or WebP, up to 10 MB."))

    def paper(self, *, needed: bool = True) -> Paper | None:
        """What was sent, once looked at; raises NoDocument, BadDocument."""
        sent = self.file.data
        if not sent or not getattr(sent, "filename", ""):
            if needed:
                raise NoDocument("file")
            return None
        return read(sent.read(MOST_BYTES + 1), sent.filename)


class NewForm(FlaskForm):  # type: ignore[misc]
    """An agreement that no single loan brings about."""

    kind = RadioField(
        _("Which agreement"),
        choices=[
            SelectChoice("annual", _("Annual agreement with a borrower: each loan then has a short form, unsigned")),
            SelectChoice("cooperation", _("Cooperation between two houses")),
        ],
        default="annual",
    )
    house = SelectField(_("Your house"))
    other = SelectField(_("With"))
    year = IntegerField(_("Year"), [InputRequired(), Between(2000, 2099)], render_kw={"inputmode": "numeric"})
    years = IntegerField(
        _("For how many years"),
        [InputRequired(), Between(1, LONGEST)],
        default=1,
        render_kw={"inputmode": "numeric"},
        description=_("Of a cooperation; an annual agreement lasts its year."),
    )

    def offer(self, houses: Sequence[Role], others: Sequence[Role]) -> NewForm:
        """The form with its choices."""
        self.house.choices = [SelectChoice(one.organisation, one.name) for one in houses]
        self.other.choices = [SelectChoice(one.organisation, one.name) for one in others]
        return self


class TemplateForm(FlaskForm):  # type: ignore[misc]
    """A template's text, in the markup."""

    body = TextAreaField(
        _("Text"),
        [DataRequired(), Length(max=MOST_LETTERS)],
        render_kw={"rows": 30, "spellcheck": "true", "lang": "fr"},
    )
