"""What people type to come in, about themselves, and about those they manage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, RadioField, SelectField, StringField, TelField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # younger than the published types
from wtforms.validators import DataRequired, Email, InputRequired, Length, Optional, Regexp, ValidationError

from sharebank.accounts.rules import PASSWORD_MAX, PASSWORD_MIN, PHONE
from sharebank.core.errors import N_, Refused
from sharebank.core.texts import lazy_gettext as _
from sharebank.core.web import say

LANGUAGES = {"fr": "Français", "en": "English"}
ROLE_WORDS = {
    "member": N_("Member"),
    "staff": N_("Staff"),
    "manager": N_("Manager"),
    "admin": N_("Administrator"),
}
ROLE_HELP = {
    "member": N_("Finds what is free and asks for it."),
    "staff": N_("Books the things of their house at once, keeps its catalogue."),
    "manager": N_("Also decides on requests and looks after the people of their house."),
    "admin": N_("Does everything, in every house."),
}


def options(words: Mapping[str, str]) -> list[SelectChoice]:
    """Choices of a list, from value to what is read."""
    return [SelectChoice(value, word) for value, word in words.items()]


def _strip(value: str | None) -> str | None:
    return value.strip() if value else value


def _ascii(_form: FlaskForm, field: StringField) -> None:
    """Few mail servers take accents in an address."""
    if not (field.data or "").isascii():
        raise ValidationError(_("Write the address without accents."))


def attach(form: FlaskForm, refused: Refused) -> int:
    """Show a refusal beside the field it is about, else above the form; returns its status."""
    field = form._fields.get(refused.field) if refused.field else None
    if field is None:
        form.form_errors.append(say(refused))
    else:
        field.errors = [*field.errors, say(refused)]
    return refused.status


def _email(label: Any, *more: Any, autocomplete: str = "off") -> EmailField:
    attributes = {"autocomplete": autocomplete, "inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}
    checks = [DataRequired(), Length(max=254), *more]
    return EmailField(label, filters=[_strip], validators=checks, render_kw=attributes)


def _password(label: Any, autocomplete: str, **more: Any) -> PasswordField:
    checks = [InputRequired(), Length(max=PASSWORD_MAX)]
    return PasswordField(label, validators=checks, render_kw={"autocomplete": autocomplete}, **more)


def _new_password(label: Any) -> PasswordField:
    return _password(
        label,
        "new-password",
        description=_(
            "At least %(least)s characters, not your e-mail address. A short sentence is easy to remember.",
            least=PASSWORD_MIN,
        ),
    )


def _text(label: Any, most: int, autocomplete: str = "off") -> StringField:
    checks = [DataRequired(), Length(max=most)]
    return StringField(label, filters=[_strip], validators=checks, render_kw={"autocomplete": autocomplete})


class SignInForm(FlaskForm):  # type: ignore[misc]
    """Address and password."""

    email = _email(_("E-mail address"), autocomplete="username")
    password = _password(_("Password"), "current-password")


class AddressForm(FlaskForm):  # type: ignore[misc]
    """Where to send a link."""

    email = _email(_("E-mail address"), autocomplete="username")


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    """A password to choose."""

    password = _new_password(_("New password"))


class ChangePasswordForm(FlaskForm):  # type: ignore[misc]
    """The present password, then the next."""

    present = _password(_("Present password"), "current-password")
    password = _new_password(_("New password"))


class DetailsForm(FlaskForm):  # type: ignore[misc]
    """What people say about themselves."""

    first_name = _text(_("First name"), 100, "given-name")
    last_name = _text(_("Last name"), 100, "family-name")
    phone = TelField(
        _("Phone"),
        filters=[_strip],
        validators=[
            Optional(),
            Length(max=30),
            Regexp(rf"^{PHONE}$", message=_("Only digits, spaces, dots and a leading +.")),
        ],
        render_kw={"autocomplete": "tel"},
    )
    locale = SelectField(_("Language"), choices=options(LANGUAGES))


LETTER_WORDS = {
    "at_once": N_("Write to me at once"),
    "digest": N_("One letter a day with the news; at once only when I have something to do"),
    "acts": N_("Only when I have something to do"),
}


class LettersForm(FlaskForm):  # type: ignore[misc]
    """How somebody wants to be written to."""

    letters = RadioField(
        _("Letters"),
        choices=[SelectChoice(value, _(word)) for value, word in LETTER_WORDS.items()],
        description=_("Links to sign in always come at once."),
    )


class NewcomerForm(FlaskForm):  # type: ignore[misc]
    """Somebody to add; the choices of organisation and role are the actor's to give."""

    first_name = _text(_("First name"), 100)
    last_name = _text(_("Last name"), 100)
    email = _email(_("E-mail address"), Email(message=_("Write an address such as name@example.org.")), _ascii)
    organisation = SelectField(
        _("Organisation"), choices=[], validators=[InputRequired(_("Choose the organisation they belong to."))]
    )
    role = SelectField(_("Role"), choices=[])
    locale = SelectField(_("Language of their letters"), choices=options(LANGUAGES))


class RoleForm(FlaskForm):  # type: ignore[misc]
    """Another role for somebody."""

    role = SelectField(_("Role"), choices=[])
