"""The screen of a rule set, made from the settings that `lending` says each kind of rule has.

Only the rules in use stand on it, each with its fields; another is added by a button, and the page comes back with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from functools import cache
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    Field,
    FieldList,
    FormField,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms import TimeField as Clock
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import DataRequired, InputRequired, Length, Optional, Regexp
from wtforms.widgets import CheckboxInput, ListWidget, TextInput

from sharebank.catalog.fields import EurosField, NumberField, one_line
from sharebank.catalog.models import RuleSet
from sharebank.catalog.rules import RULES_NAME
from sharebank.core import web
from sharebank.core.texts import gettext
from sharebank.core.texts import lazy_gettext as _
from sharebank.lending.kinds import KINDS
from sharebank.lending.schema import ROWS, BadTerms, Setting
from sharebank.lending.terms import Terms, parse_terms

RULE = "rule_"
"""What the fields of a rule are called, before its kind."""
WEEK = 7 * 24 * 60
FEW = 2
"""So many more fields are no burden."""
NOTHING = SelectChoice("", "–")


# -- one field a setting ---------------------------------------------------------------------------


class TimeField(Clock):
    """An hour of the day, told in our words when it is none."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Text to time; raises ValueError in the reader's words."""
        self.data = None
        if valuelist and valuelist[0].strip():
            try:
                self.data = time.fromisoformat(valuelist[0].strip()).replace(second=0, microsecond=0, tzinfo=None)
            except ValueError:
                raise ValueError(gettext("Write an hour as 17:00.")) from None


class MonthDayField(Field):
    """A day of any year, typed `31/08`; its data is `08-31`."""

    widget = TextInput()
    _TYPED = re.compile(r"([0-9]{1,2})[/. -]([0-9]{1,2})")

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "/".join(reversed(self.data.split("-"))) if self.data else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Text to month and day; raises ValueError in the reader's words."""
        self.data = None
        if not valuelist or not valuelist[0].strip():
            return
        found = self._TYPED.fullmatch(valuelist[0].strip())
        try:
            if found is None:
                raise ValueError(valuelist[0])
            self.data = f"{date(2024, int(found[2]), int(found[1])):%m-%d}"  # a leap year has every day
        except ValueError:
            raise ValueError(gettext("Write a day and a month, such as 31/08.")) from None


class ManyField(SelectMultipleField):
    """Any of a few, as boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def _among(setting: Setting, in_row: bool) -> list[Any]:
    """The choices of a list; an empty one where nothing need be said, and in every row, that it may stay blank."""
    offered = [SelectChoice(key, _(label)) for key, label in setting.choices.items()]
    return [NOTHING, *offered] if in_row or (setting.default is None and not setting.required) else offered


def _field(setting: Setting, in_row: bool) -> Any:
    label = _(setting.label)
    needed = setting.required and not in_row
    checks: list[Any] = [InputRequired(_("Fill this in."))] if needed else [Optional()]
    match setting.type:
        case "int" | "percent":
            return NumberField(label, setting.least, setting.most, needed, render_kw={"size": 6})
        case "cents":
            bounds = setting.least // 100, setting.most // 100
            return EurosField(label, *bounds, needed, render_kw={"inputmode": "decimal"})
        case "flag":
            return BooleanField(label)
        case "text":
            return StringField(label, [*checks, Length(max=setting.most)], filters=[one_line])
        case "choice":
            return SelectField(label, choices=_among(setting, in_row), validators=checks if needed else [])
        case "choices":
            return ManyField(label, choices=[SelectChoice(key, _(word)) for key, word in setting.choices.items()])
        case "time":
            return TimeField(label, checks)
        case "month_day":
            return MonthDayField(label, checks, render_kw={"size": 6, "placeholder": "31/08"})
    return FieldList(FormField(_row_form(setting)), label, max_entries=ROWS)


class Part(FlaskForm):  # type: ignore[misc]
    """Fields within the form, which has the token."""

    class Meta:
        """The whole form has it."""

        csrf = False

    kind: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()

    def plain(self) -> dict[str, Any]:
        """What was typed, as plain values; a row left blank is none."""
        found = {setting.name: self._plain(setting) for setting in self.settings}
        return {name: value for name, value in found.items() if value not in (None, "", [])}

    def _plain(self, setting: Setting) -> Any:
        field = self[setting.name]
        match setting.type:
            case "table":
                return [entry.form.plain() for entry in filled(field)]
            case "time":
                return field.data and f"{field.data:%H:%M}"
        return field.data

    def shared_out(self) -> tuple[list[Setting], list[Setting]]:
        """The settings to see first, and those that stand as usual, when there are many."""
        unusual = [setting for setting in self.settings if self._stands_out(setting)]
        usual = [setting for setting in self.settings if setting not in unusual]
        if not unusual or len(usual) <= FEW:
            return list(self.settings), []
        return unusual, usual

    def _stands_out(self, setting: Setting) -> bool:
        field = self[setting.name]
        if setting.type == "table":
            return bool(setting.required or field.errors or filled(field))
        return bool(setting.required or field.errors or field.data not in (setting.default, None, "", [], False))

    def read_back(self) -> str:
        """The rule in words, when what stands in the fields can be read."""
        kind = KINDS[self.kind]
        try:
            said = kind.words(kind.read(self.plain()))
        except BadTerms:
            return ""
        return web.say(said) if said else ""

    @property
    def blank(self) -> bool:
        """Nothing typed, nothing chosen, nothing ticked?"""
        return not any(field.data or any(raw.strip() for raw in field.raw_data or ()) for field in self)


class Row(Part):
    """One row of a table; what it cannot do without is asked for once something stands in it."""

    def validate(self, extra_validators: Any = None) -> bool:
        """A blank row is no mistake."""
        if self.blank:
            return True
        right = bool(super().validate(extra_validators))
        for setting in self.settings:
            field = self[setting.name]
            if setting.required and not field.errors and field.data in (None, "", []):
                field.errors = [gettext("Fill this in.")]
                right = False
        return right


def filled(rows: Any) -> list[Any]:
    """The rows of a table that are not blank."""
    return [entry for entry in rows.entries if not entry.form.blank]


def _part(base: type[Part], name: str, settings: Sequence[Setting]) -> type[Part]:
    in_row = base is Row
    fields = {setting.name: _field(setting, in_row) for setting in settings}
    return type(name, (base,), {**fields, "settings": tuple(settings), "kind": name})


def _row_form(setting: Setting) -> type[Part]:
    return _part(Row, f"{setting.name}_row", setting.fields)


@cache
def _rule_form(kind: str) -> type[Part]:
    return _part(Part, kind, KINDS[kind].fields)


# -- the whole screen ------------------------------------------------------------------------------


class RuleSetForm(FlaskForm):  # type: ignore[misc]
    """A rule set: its name, the minutes kept around each loan, and the rules in use."""

    seen = HiddenField()
    name = StringField(
        _("Name"),
        [
            DataRequired(),
            Length(max=60),
            Regexp(RULES_NAME, message=_("Letters, digits, spaces, hyphens and full stops only.")),
        ],
        filters=[one_line],
    )
    buffer_before_min = NumberField(_("Minutes kept free before each loan"), 0, WEEK, True)
    buffer_after_min = NumberField(_("Minutes kept free after each loan"), 0, WEEK, True)
    kinds: tuple[str, ...] = ()
    read_back: list[tuple[str, str]] | None = None
    """The rules typed, in words, once somebody has asked to read them."""

    @classmethod
    def of(
        cls, sent: Any, kinds: Iterable[str], stored: RuleSet | None = None, terms: Mapping[str, Any] | None = None
    ) -> RuleSetForm:
        """The form with a section for each of these kinds, filled from what was sent, else from what is stored."""
        there = set(kinds)
        kinds = tuple(kind for kind in KINDS if kind in there)
        made = type("RuleSetForm", (cls,), {f"{RULE}{kind}": FormField(_rule_form(kind)) for kind in kinds})
        values = {f"{RULE}{kind}": settings for kind, settings in (terms or {}).items() if kind in there}
        form: RuleSetForm = made(sent, obj=stored, **values)
        form.kinds = kinds
        return form

    def begin(self, kinds: Iterable[str]) -> None:
        """Fill the sections of rules that nobody has written yet with what is usual."""
        for kind in kinds:
            part = self[f"{RULE}{kind}"].form
            for setting in part.settings:
                if setting.default not in (None, "", ()):
                    part[setting.name].data = setting.default

    def sections(self) -> list[tuple[str, Any]]:
        """Kind and its fields, in the order rules are read."""
        return [(kind, self[f"{RULE}{kind}"].form) for kind in self.kinds]

    def more_rows(self, only: str = "") -> None:
        """A blank row at the end of a table: of the one named, and of every one that has none to write in."""
        for kind, part in self.sections():
            for setting in part.settings:
                rows = part[setting.name]
                if setting.type == "table" and len(rows.entries) < ROWS:
                    full = len(filled(rows)) == len(rows.entries)
                    if full or only == f"{kind}.{setting.name}":
                        rows.append_entry()

    def terms(self) -> Terms | None:
        """The rules typed, once the fields are right; what only the whole shows is told at its field."""
        try:
            return parse_terms(self.name.data or "", {kind: part.plain() for kind, part in self.sections()})
        except BadTerms as bad:
            self._blame(bad)
            return None

    def _blame(self, bad: BadTerms) -> None:
        whole: Any = self
        field = whole
        for step in (f"{RULE}{bad.field}" if bad.field else "").split("."):
            part = getattr(field, "form", field)
            if isinstance(field, FieldList) and step.isdecimal() and int(step) < len(filled(field)):
                field = filled(field)[int(step)]
            elif step and not isinstance(field, FieldList) and step in part:
                field = part[step]
        if isinstance(field, FormField | FlaskForm):
            whole.form_errors = [*whole.form_errors, web.say(bad)]
        else:
            field.errors = [*field.errors, web.say(bad)]


def unused(kinds: Iterable[str]) -> list[tuple[str, str]]:
    """The kinds of rule that may be added: name and label."""
    there = set(kinds)
    return [(name, kind.label) for name, kind in KINDS.items() if name not in there]
