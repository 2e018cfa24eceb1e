"""The page of a structure: what agreements say of it."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_wtf import FlaskForm
from wtforms import DateField, HiddenField, StringField
from wtforms.validators import Length, Optional, Regexp, ValidationError

from sharebank.accounts import bodies
from sharebank.accounts.forms import attach
from sharebank.accounts.people_views import bp
from sharebank.accounts.web import me
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.core.texts import gettext as _
from sharebank.core.texts import lazy_gettext

__all__ = ["bp"]


def _one_line(typed: str | None) -> str:
    return " ".join((typed or "").split())


def _text(label: Any, most: int, description: Any = "") -> StringField:
    return StringField(label, [Length(max=most)], filters=[_one_line], description=description)


class PapersForm(FlaskForm):  # type: ignore[misc]
    """What agreements say of a structure."""

    seen = HiddenField()
    represented_by = _text(
        lazy_gettext("Who signs for it"), 200, lazy_gettext("First and last name, as it stands in agreements.")
    )
    office = _text(lazy_gettext("As what"), 100, lazy_gettext("For example president, treasurer, director."))
    member_since = DateField(
        lazy_gettext("Member since"),
        [Optional()],
        description=lazy_gettext("Some things are lent to members of some years only."),
    )
    siret = StringField(
        lazy_gettext("SIRET number"),
        [Optional(), Regexp(r"[0-9]{14}\Z", message=lazy_gettext("Write the 14 digits."))],
        filters=[lambda typed: "".join((typed or "").split())],
        render_kw={"inputmode": "numeric", "size": 18},
    )
    address = _text(lazy_gettext("Address of its seat"), 200)
    postal_code = StringField(lazy_gettext("Postal code"), [Length(max=10)], filters=[_one_line], render_kw={"size": 8})
    city = _text(lazy_gettext("Town"), 100)

    def validate_member_since(self, field: DateField) -> None:
        """A slip of the keyboard is no year."""
        if field.data is not None and not date(1800, 1, 1) <= field.data < date(2200, 1, 1):
            raise ValidationError(_("Check the year."))


@bp.route("/admin/organisations/<structure>", methods=["GET", "POST"])
def organisation(structure: str) -> Any:
    """Who signs for a structure, where its seat is, since when it is a member."""
    found = bodies.editable(db.session(), me(), structure)
    form = PapersForm(obj=found, seen=bodies.mark(found))
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            with transaction() as session:
                bodies.change(session, me(), structure, form.seen.data or "", form.data)
        except Refused as refused:
            found = bodies.editable(db.session(), me(), structure)
            form.seen.data = bodies.mark(found)  # sent once more, it is meant
            status = attach(form, refused)
        else:
            flash(_("Your changes are kept."), "success")
            return redirect(url_for("accounts.people", organisation=structure), 303)
    return render_template("accounts/organisation.html", form=form, body=found), status
