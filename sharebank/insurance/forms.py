"""What people type of insurances, checks, licences and other documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, DateField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import DataRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from sharebank.accounts.models import Organisation, User
from sharebank.catalog.fields import EurosField, lines, one_line
from sharebank.catalog.models import Resource
from sharebank.core.texts import gettext
from sharebank.core.texts import lazy_gettext as _
from sharebank.insurance.documents import MOST_BYTES, Paper, read
from sharebank.insurance.drivers import Licence
from sharebank.insurance.editing import Terms
from sharebank.insurance.models import Coverage
from sharebank.insurance.papers import KEPT, Shown
from sharebank.insurance.rules import KINDS, LIABILITY, NoDocument
from sharebank.lending.papers import PAPERS

FIRST_DAY, LAST_DAY = date(1950, 1, 1), date(2099, 12, 31)
MOST_EUROS = 10_000_000
LICENCES = ("B", "BE", "B96", "C1", "C", "D1", "D")
"""Classes of the European licence that a house's vehicle or trailer may need."""


def _sensible(_form: FlaskForm, field: DateField) -> None:
    """A year nobody means is a slip of the finger."""
    if field.data and not FIRST_DAY <= field.data <= LAST_DAY:
        raise ValidationError(gettext("Check the year."))


def _day(label: Any, **more: Any) -> DateField:
    return DateField(label, [DataRequired(_("Choose a day.")), _sensible], **more)


class HolderForm(FlaskForm):  # type: ignore[misc]
    """Whose it is: the first step, by address."""

    class Meta:
        """It changes nothing: no token in the address."""

        csrf = False

    holder = SelectField(_("Of which structure?"))

    @classmethod
    def of(cls, args: Any, holders: Iterable[Organisation]) -> HolderForm:
        """The form with its choices."""
        form = cls(args)
        form.holder.choices = [SelectChoice(holder.code, holder.name) for holder in holders]
        return form


class CoverageForm(FlaskForm):  # type: ignore[misc]
    """A contract or a check; `of` takes away what its holder does not have."""

    kind = SelectField(_("What is it?"), default="vehicle")
    body = StringField(_("Insurer, or who checks"), [DataRequired(), Length(max=200)], filters=[one_line])
    contract_number = StringField(_("Contract or report number"), [Length(max=100)], filters=[one_line])
    starts_on = DateField(_("From"), [Optional(), _sensible])
    ends_on = _day(_("Until"), description=_("The last day it is good for."))
    codes = SelectMultipleField(
        _("What is covered"), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(), default=()
    )
    responsible_id = SelectField(_("Who looks after it"), coerce=int, default=0)
    premium_cents = EurosField(_("Price a year, or of the visit (€)"), 0, MOST_EUROS)
    notes = TextAreaField(_("Notes"), [Length(max=5000)], filters=[lines])

    @classmethod
    def of(
        cls,
        sent: Any,
        holder: Organisation,
        things: Sequence[Resource],
        staff: Sequence[User],
        coverage: Coverage | None = None,
    ) -> CoverageForm:
        """The form of a holder, filled with a coverage if there is one; `sent` is what was typed."""
        form = cls(sent, obj=coverage)
        kinds = list(KINDS) if holder.kind == "house" else [LIABILITY]
        form.kind.choices = [SelectChoice(kind, gettext(KINDS[kind])) for kind in kinds]
        form.codes.choices = [SelectChoice(thing.code, f"{thing.code} – {thing.name}") for thing in things]
        nobody = SelectChoice("0", gettext("Nobody in particular"))
        form.responsible_id.choices = [nobody, *(SelectChoice(str(user.id), user.name) for user in staff)]
        if coverage is not None and not sent:
            form.codes.data = [thing.code for thing in coverage.things]
            form.responsible_id.data = coverage.responsible_id or 0
        if holder.kind != "house":
            del form.codes
            form.kind.data = LIABILITY
        return form

    def terms(self) -> Terms:
        """What is to be written down."""
        assert self.ends_on.data
        return Terms(
            self.kind.data,
            self.body.data or "",
            self.contract_number.data or "",
            self.starts_on.data,
            self.ends_on.data,
            tuple(self.codes.data or ()) if "codes" in self else (),
            self.responsible_id.data or None,
            self.premium_cents.data,
            self.notes.data or "",
        )


class SilenceForm(FlaskForm):  # type: ignore[misc]
    """We know of it: no letter before a day."""

    until = _day(_("No reminder before"))
    why = StringField(_("Why"), [DataRequired(_("Say why, in a few words.")), Length(max=300)], filters=[one_line])


class DocumentForm(FlaskForm):  # type: ignore[misc]
    """The contract or certificate itself."""

    file = FileField(
        _("PDF or photo"), render_kw={"accept": "application/pdf,image/jpeg,image/png,image/webp"},
        description=_("PDF, JPEG, PNG or WebP, up to 10 MB."),
    )  # fmt: skip

    def paper(self) -> Paper:
        """What was sent, once looked at; raises NoDocument, BadDocument."""
        sent = self.file.data
        if not sent or not getattr(sent, "filename", ""):
            raise NoDocument("file")
        return read(sent.read(MOST_BYTES + 1), sent.filename)  # one byte more than allowed is enough to know


class SureForm(FlaskForm):  # type: ignore[misc]
    """For what cannot be called back."""

    sure = BooleanField(_("Yes, delete it for good"), [DataRequired(_("Tick the box if you mean it."))])


class DriverForm(FlaskForm):  # type: ignore[misc]
    """What was read off a licence; nobody keeps a copy."""

    organisation = SelectField(_("Structure"))
    name = StringField(_("Name of the driver"), [DataRequired(), Length(max=200)], filters=[one_line])
    licence_class = SelectField(_("Class"), choices=[SelectChoice(name, name) for name in LICENCES], default="B")
    licence_since = _day(_("Held since"))
    seen_on = _day(_("Licence seen on"))

    @classmethod
    def of(cls, sent: Any, holders: Iterable[Organisation], driver: Any = None) -> DriverForm:
        """The form with its choices; a line that is there stays with its structure."""
        form = cls(sent, obj=driver)
        if driver is not None:
            del form.organisation
        else:
            form.organisation.choices = [SelectChoice(holder.code, holder.name) for holder in holders]
        return form

    def licence(self) -> Licence:
        """What is to be written down."""
        assert self.licence_since.data
        assert self.seen_on.data
        return Licence(self.name.data or "", self.licence_class.data, self.licence_since.data, self.seen_on.data)


def paper_words(kind: str) -> str:
    """`Statuts`, at the head of a line."""
    words = str(gettext(PAPERS[kind]))
    return words[:1].upper() + words[1:]


class PaperForm(FlaskForm):  # type: ignore[misc]
    """A document that was shown; nobody keeps a copy."""

    organisation = SelectField(_("Structure"))
    kind = SelectField(_("Document"))
    valid_until = DateField(
        _("Good until"), [Optional(), _sensible],
        description=_("Empty: without end. Of a document made for one event, the day of that event."),
    )  # fmt: skip
    note = StringField(_("Note"), [Length(max=300)], filters=[one_line])

    @classmethod
    def of(cls, sent: Any, holders: Iterable[Organisation]) -> PaperForm:
        """The form with its choices."""
        form = cls(sent)
        form.organisation.choices = [SelectChoice(holder.code, holder.name) for holder in holders]
        form.kind.choices = [SelectChoice(kind, paper_words(kind)) for kind in KEPT]
        return form

    def shown(self) -> Shown:
        """What is to be written down."""
        return Shown(self.kind.data, self.valid_until.data, self.note.data or "")
