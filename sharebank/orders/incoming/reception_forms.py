"""What is typed when an order comes: counts by article, photos of the delivery note, the supplier's invoice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from flask_wtf import FlaskForm
from wtforms import DateField, FormField, HiddenField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from sharebank.catalog.fields import EurosField, NumberField, one_line
from sharebank.catalog.photos import Picture
from sharebank.catalog.rules import NoPhoto
from sharebank.core import web
from sharebank.core.forms import Plain
from sharebank.core.money import cents
from sharebank.core.texts import gettext
from sharebank.core.texts import lazy_gettext as _
from sharebank.core.values import parse_decimal
from sharebank.orders.incoming.invoicing import MOST_CENTS
from sharebank.orders.incoming.receiving import FINEST, MOST_PRICE, Count, Row
from sharebank.orders.models import OrderItem
from sharebank.orders.pledging import MOST
from sharebank.orders.rules.invoices import Invoice, InvoiceLine, vat_of
from sharebank.orders.rules.shares import Line
from sharebank.reservations.handover.handover_forms import PhotosForm

MOST_EUROS = MOST_CENTS // 100
FIRST_YEAR, LAST_YEAR = 2000, 2099
DECIMAL = {"inputmode": "decimal"}
"""Phones then offer a comma."""


class UnitPriceField(NumberField):
    """A net price of one unit, to the hundredth of a cent."""

    sentence = _("Write a price between %(low)s and %(high)s euros, such as 0.874.")

    def __init__(self, label: Any, **options: Any) -> None:
        super().__init__(label, 0, MOST_PRICE, render_kw=DECIMAL, **options)

    def read(self, text: str) -> Decimal | None:
        """As NumberField's."""
        number = parse_decimal(text)
        return number if number == round(number, FINEST) else None

    def write(self, data: Any) -> str:
        """As NumberField's."""
        return str(format_decimal(data, "0.00##", locale=web.locale_code()))


# -- counting ----------------------------------------------------------------------------------------


class CountForm(Plain):
    """One article: how many came, how many of these are damaged, what it costs now."""

    came = NumberField(_("Came"), 0, MOST)
    damaged = NumberField(_("Damaged ones among them"), 0, MOST)
    price = UnitPriceField(_("New unit price, net"))

    def validate_damaged(self, field: NumberField) -> None:
        """Who counts finds the damaged ones among those that came."""
        if field.data and field.data > (self.came.data or 0):
            raise ValidationError(gettext("No more can be damaged than came."))

    def count(self) -> Count:
        """An empty cell is none."""
        damaged = self.damaged.data or 0
        return Count((self.came.data or 0) - damaged, damaged, self.price.data)


class ReceptionForm(FlaskForm):  # type: ignore[misc]
    """A part for each article, named `l` and its id; one more that nobody ordered; a word."""

    seen = HiddenField()
    """What this page knew of (`receiving.mark`): counted on two telephones, an article would be there twice."""
    other = SelectField(_("Another article of the list came"), [Optional()], default="")
    other_received = NumberField(_("How many"), 1, MOST)
    note = StringField(_("A word about it"), [Optional(), Length(max=500)], filters=[one_line])

    def validate_other_received(self, field: NumberField) -> None:
        """How many of what?"""
        if bool(field.data) != bool(self.other.data):
            raise ValidationError(gettext("Choose the article and say how many came."))

    def counts(self, rows: Sequence[Row]) -> dict[str, Count]:
        """What was typed, by article number."""
        found = {row.item.sku: part_of(self, row.item).count() for row in rows}
        if self.other.data:
            found[self.other.data] = Count(self.other_received.data or 0)
        return found


def part_of(form: FlaskForm, item: OrderItem) -> Any:
    """The part about an article. Named by its id: between a page and its answer others may count and add articles."""
    return form[f"l{item.id}"].form


def reception_form(
    rows: Sequence[Row],
    others: Iterable[OrderItem],
    seen: int,
    correcting: Mapping[str, Count] | None = None,
    *,
    as_sent: bool = True,
) -> ReceptionForm:
    """The form of a delivery: as sent by this request, or filled in as if all that is expected came now."""
    made = type("OrderReceptionForm", (ReceptionForm,), {f"l{row.item.id}": FormField(CountForm) for row in rows})
    values = {"seen": str(seen)} | {f"l{row.item.id}": _filled(row, correcting) for row in rows}
    form: ReceptionForm = made(data=values) if as_sent else made(formdata=None, data=values)
    form.other.choices = [("", "–"), *((item.sku, f"{item.name} ({item.sku})") for item in others)]
    return form


def _filled(row: Row, correcting: Mapping[str, Count] | None) -> dict[str, Any]:
    if correcting is None:
        return {"came": row.expected}
    one = correcting.get(row.item.sku, Count(0))
    return {"came": one.received + one.damaged, "damaged": one.damaged or None, "price": one.price}


def name_errors(items: Iterable[OrderItem], form: FlaskForm) -> None:
    """Say in the summary of errors which article each one is about."""
    for item in items:
        for field in part_of(form, item):
            if field.errors:
                field.label.text = f"{item.name} – {field.label.text}"


class NotePhotosForm(PhotosForm):
    """Photos of the delivery note: one from the camera at once, or several that the phone has."""

    def pictures(self) -> list[Picture]:
        """The photos, made anew; raises NoPhoto, BadPhoto."""
        found = super().pictures()
        if not found:
            raise NoPhoto("photo")
        return found


# -- the invoice -------------------------------------------------------------------------------------


class InvoiceLineForm(Plain):
    """One line as the supplier wrote it; an empty amount is units × price."""

    units = NumberField(_("Units"), 0, MOST)
    price = UnitPriceField(_("Unit price"))
    amount = EurosField(_("Amount"), 0, MOST_EUROS, render_kw=DECIMAL)

    def line(self) -> InvoiceLine:
        """Empty cells are none."""
        units, price = self.units.data or 0, self.price.data or Decimal(0)
        amount = cents(units * price) if self.amount.data is None else self.amount.data
        return InvoiceLine(units, price, amount)


class InvoiceForm(FlaskForm):  # type: ignore[misc]
    """Number, date, a part for each line, VAT for each rate `v0`…, the total; what is taken over, and why."""

    number = StringField(
        _("Number of the invoice"),
        [DataRequired(_("Copy the number of the invoice.")), Length(max=60)],
        filters=[one_line],
    )
    day = DateField(_("Date of the invoice"), [DataRequired(_("Copy the date of the invoice."))])
    delivery = EurosField(_("Delivery, net"), 0, MOST_EUROS, render_kw=DECIMAL)
    total = EurosField(_("Total to pay"), 0, MOST_EUROS, required=True, render_kw=DECIMAL)
    taken = SelectMultipleField(_("Amounts taken over"), [Optional()], validate_choice=False)
    why = StringField(_("Why are these amounts taken over?"), [Optional(), Length(max=300)], filters=[one_line])

    def validate_day(self, field: DateField) -> None:
        """A year nobody was billed in is a slip of the finger."""
        if field.data and not FIRST_YEAR <= field.data.year <= LAST_YEAR:
            raise ValidationError(gettext("Check the year."))

    def rates(self) -> list[EurosField]:
        """The fields of the rates, lowest first."""
        return [field for name, field in self._fields.items() if name.startswith("v") and name[1:].isdigit()]

    def invoice(self, items: Sequence[OrderItem], rates: Sequence[Decimal], delivery_vat: Decimal) -> Invoice:
        """What was typed; VAT that was left empty is reckoned from the lines."""
        found = {item.sku: part_of(self, item).line() for item in items}
        fee = self.delivery.data or 0
        ours = vat_of([*((item.vat, found[item.sku].amount_cents) for item in items), (delivery_vat, fee)])
        typed = {rate: field.data for rate, field in zip(rates, self.rates(), strict=True)}
        vat = {rate: ours.get(rate, 0) if amount is None else amount for rate, amount in typed.items()}
        number, taken, why = self.number.data or "", frozenset(self.taken.data or ()), self.why.data or ""
        return Invoice(number, self.day.data or date.min, found, fee, vat, self.total.data or 0, taken, why)


def invoice_form(
    lines: Mapping[int, Line],
    rates: Sequence[Decimal],
    delivery: tuple[int, Decimal],
    known: Invoice | None,
) -> InvoiceForm:
    """The form of an invoice: as sent, as it was entered, or filled in with what the supplier may ask for.

    `lines`: what he may ask for, by item id; `delivery`: the fee in cents and its rate. What follows from the rest
    stays empty, so that it goes on following it.
    """
    asked: dict[str, Any] = {f"l{item_id}": FormField(InvoiceLineForm) for item_id in lines}
    for number, rate in enumerate(rates):
        asked[f"v{number}"] = EurosField(
            _("VAT at %(rate)s %%", rate=web.number_words(rate)), 0, MOST_EUROS, render_kw=DECIMAL
        )
    values: dict[str, Any] = {"delivery": delivery[0]}
    values |= {f"l{item_id}": _line_values(line, known) for item_id, line in lines.items()}
    if known:
        head = {"number": known.number, "day": known.day, "delivery": known.delivery_cents, "total": known.total_cents}
        billed = [(line.vat, known.lines[line.sku].amount_cents) for line in lines.values() if line.sku in known.lines]
        ours = vat_of([*billed, (delivery[1], known.delivery_cents)])
        asked_vat = {rate: amount for rate, amount in known.vat.items() if amount != ours.get(rate, 0)}
        vat = {f"v{number}": asked_vat.get(rate) for number, rate in enumerate(rates)}
        values |= head | vat | {"taken": sorted(known.taken), "why": known.why}
    return type("OrderInvoiceForm", (InvoiceForm,), asked)(data=values)  # type: ignore[no-any-return]


def _line_values(line: Line, known: Invoice | None) -> dict[str, Any]:
    kept = known.lines.get(line.sku) if known else None
    if kept is None:
        return {"units": 0 if known else line.units, "price": line.price}
    amount = None if kept.amount_cents == cents(kept.units * kept.price) else kept.amount_cents
    return {"units": kept.units, "price": kept.price, "amount": amount}
