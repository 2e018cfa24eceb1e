"""What people type about a supplier: its terms, a file of prices, what to look for in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import HiddenField, RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import DataRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from sharebank.catalog.fields import EurosField, HundredthsField, NumberField, lines, one_line
from sharebank.core.texts import gettext
from sharebank.core.texts import lazy_gettext as _
from sharebank.notifications.rules import is_address
from sharebank.orders.filling_words import category_word, label_word
from sharebank.orders.supply.supplier_models import PriceList, Supplier
from sharebank.orders.supply.suppliers import KINDS, mark

MOST_EUROS = 1_000_000
CHARTER = ("recycled", "ecolabel", "local", "organic", "fair_trade")
"""Labels of the eco charter."""


class RateField(HundredthsField):
    """A VAT rate in percent."""

    sentence = _("Write a rate in percent between %(low)s and %(high)s, such as 20 or 5.5.")

    def store(self, number: Any) -> Decimal:
        """As NumberField's."""
        return Decimal(number)


class SupplierForm(FlaskForm):  # type: ignore[misc]
    """A supplier's address and terms."""

    seen = HiddenField()
    code = StringField(_("Code"), [DataRequired(), Length(max=20)], filters=[one_line], render_kw={"size": 8})
    name = StringField(_("Name"), [DataRequired(), Length(max=200)], filters=[one_line])
    kind = SelectField(_("What they sell"), default="other")
    email = StringField(
        _("E-mail for orders"), [Optional(), Length(max=254)], filters=[one_line], render_kw={"type": "email"}
    )
    phone = StringField(_("Telephone"), [Length(max=30)], filters=[one_line], render_kw={"type": "tel"})
    address = StringField(_("Address"), [Length(max=200)], filters=[one_line])
    postal_code = StringField(_("Postal code"), [Length(max=10)], filters=[one_line], render_kw={"size": 8})
    city = StringField(_("Town"), [Length(max=100)], filters=[one_line])
    minimum_cents = EurosField(_("Minimum order (€)"), 0, MOST_EUROS)
    minimum_gross = RadioField(_("The minimum counts"), default="net")
    fee_cents = EurosField(_("Delivery fee (€, net)"), 0, MOST_EUROS)
    free_from_cents = EurosField(_("Free delivery from (€ of goods, net)"), 0, MOST_EUROS)
    fee_vat = RateField(_("VAT on delivery (%)"), 0, 100, required=True)
    lead_days = NumberField(_("Days until delivery"), 0, 365)
    labels = SelectMultipleField(
        _("Labels of the eco charter"), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )
    notes = TextAreaField(_("Notes"), [Length(max=20_000)], filters=[lines], render_kw={"rows": 4})

    @classmethod
    def of(cls, sent: Any, supplier: Supplier | None = None) -> SupplierForm:
        """The form for a new supplier, or for one that there is, whose code stays."""
        form = cls(sent, obj=supplier, data=None if supplier else {"fee_vat": Decimal(20)})
        kinds = [*KINDS, *([supplier.kind] if supplier and supplier.kind and supplier.kind not in KINDS else [])]
        form.kind.choices = [SelectChoice(kind, gettext(KINDS[kind]) if kind in KINDS else kind) for kind in kinds]
        form.minimum_gross.choices = [
            SelectChoice("net", gettext("the goods, net")),
            SelectChoice("gross", gettext("everything, VAT and delivery included")),
        ]
        labels = dict.fromkeys((*CHARTER, *(supplier.labels if supplier else ())))
        form.labels.choices = [SelectChoice(label, label_word(label)) for label in labels]
        if supplier is None:
            del form.seen
        else:
            del form.code
            if sent is None:
                form.seen.data = mark(supplier)
                form.minimum_gross.data = "gross" if supplier.minimum_gross else "net"
        return form

    def validate_email(self, field: StringField) -> None:
        """An address a letter can go to, and that a file may hold."""
        if field.data and not (is_address(field.data) and "." in field.data.rpartition("@")[2].strip(".")):
            raise ValidationError(gettext("Write an e-mail address such as name@example.org."))

    def values(self) -> dict[str, Any]:
        """What is to be stored; an empty amount is 0, but for free delivery: never."""
        found = {name: value for name, value in self.data.items() if name not in ("seen", "code", "csrf_token")}
        found["minimum_gross"] = found["minimum_gross"] == "gross"
        for name in ("minimum_cents", "fee_cents", "lead_days"):
            found[name] = found[name] or 0
        return found


class PricesForm(FlaskForm):  # type: ignore[misc]
    """A supplier's file of prices."""

    file = FileField(_("The file (CSV)"), [DataRequired()], render_kw={"accept": ".csv,text/csv,text/plain"})


class FallbackForm(FlaskForm):  # type: ignore[misc]
    """What is taken when an article cannot be had."""

    fallback = StringField(_("Take instead (article number)"), [Length(max=40)], filters=[one_line])


class ListFilters(FlaskForm):  # type: ignore[misc]
    """What is looked for in a price list; every part may stay empty."""

    class Meta:
        """It changes nothing: no token in the address."""

        csrf = False

    q = StringField(_("Article"), [Length(max=100)], render_kw={"type": "search", "maxlength": 100})
    category = SelectField(_("Category"), default="")
    label = SelectField(_("Label"), default="")

    @classmethod
    def of(cls, args: Any, prices: PriceList) -> ListFilters:
        """The form with the choices of one version, filled from the address."""
        form, any_ = cls(args), SelectChoice("", gettext("Any"))
        form.category.choices = [
            any_,
            *(SelectChoice(name, category_word(name)) for name in prices.facts.get("categories", ())),
        ]
        form.label.choices = [
            any_,
            *(SelectChoice(label, label_word(label)) for label in prices.facts.get("labels", ())),
        ]
        return form
