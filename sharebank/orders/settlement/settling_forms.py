"""What is typed about payments: who paid whom how much, when; why a payment counts no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import cast

from flask_wtf import FlaskForm
from wtforms import DateField, HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from sharebank.accounts.actor import Role
from sharebank.catalog.fields import EurosField, one_line
from sharebank.core import clock, web
from sharebank.core.period import to_local
from sharebank.core.texts import lazy_gettext as _
from sharebank.orders.rules.accounts import SUPPLIER
from sharebank.orders.settlement.payments import OLDEST, BadDay

MOST_EUROS = 1_000_000
LONGEST = 300
LONGEST_ID, MANY_IDS = 10, 2**31
"""The database numbers no payment higher."""


class PaymentForm(FlaskForm):  # type: ignore[misc]
    """One payment that was made."""

    payer = SelectField(_("Who paid"), [InputRequired()])
    payee = SelectField(_("To whom"))
    cents = EurosField(_("Amount (€)"), 0, MOST_EUROS, required=True)
    day = DateField(_("Paid on"), [InputRequired()])
    note = StringField(_("Note"), [Optional(), Length(max=LONGEST)], filters=[one_line])
    seen = HiddenField()

    def offer(self, bodies: Sequence[Role], supplier: str | None = None) -> None:
        """The parties to choose from; the supplier's name where it may be paid."""
        parties = [SelectChoice(body.organisation, body.name) for body in bodies]
        first = [] if supplier is None else [SelectChoice(SUPPLIER, _("The supplier: %(name)s", name=supplier))]
        self.payer.choices = parties
        self.payee.choices = [*first, *parties]
        if not self.day.raw_data:
            self.day.data = to_local(clock.now(), web.tz()).date()

    def typed(self) -> tuple[str, str, int, date]:
        """Who paid whom how many cents, and when."""
        return self.payer.data, self.payee.data, self.cents.data, cast(date, self.day.data)

    def seen_id(self) -> int:
        """The newest payment the page showed; what cannot be read showed none."""
        text = self.seen.data or ""
        number = int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID else 0
        return number if number < MANY_IDS else 0

    def validate_day(self, field: DateField) -> None:
        """A payment is noted once it was made."""
        if field.data and not OLDEST <= field.data <= to_local(clock.now(), web.tz()).date():
            raise ValidationError(web.say(BadDay()))


class TakeBackForm(FlaskForm):  # type: ignore[misc]
    """Why a payment counts no more."""

    why = StringField(_("Why"), [InputRequired(), Length(max=LONGEST)], filters=[one_line])
