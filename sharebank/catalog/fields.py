"""Form fields of the catalogue: numbers as people type them, free facts a line each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from wtforms import Field
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import TextArea, TextInput

from sharebank.catalog import attributes
from sharebank.core import money, web
from sharebank.core.texts import gettext
from sharebank.core.texts import lazy_gettext as _
from sharebank.core.values import parse_decimal, parse_int


def one_line(text: str | None) -> str:
    """What was typed, without line breaks and doubled spaces."""
    return " ".join((text or "").split())


def lines(text: str | None) -> str:
    """What was typed, its lines ended alike whatever the browser sent."""
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).strip()


class NumberField(Field):
    """A number as people type it; what was typed is shown again when it is wrong."""

    widget = TextInput()
    sentence = _("Write a whole number between %(low)s and %(high)s.")

    def __init__(
        self,
        label: Any,
        low: int,
        high: int,
        required: bool = False,
        render_kw: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        checks = [InputRequired()] if required else [Optional()]
        super().__init__(label, checks, render_kw={"inputmode": "numeric", "size": 8, **(render_kw or {})}, **options)
        self.low, self.high = low, high

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else "" if self.data is None else self.write(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Text to number; raises ValueError in the reader's words."""
        self.data = None
        if not valuelist or not valuelist[0].strip():
            return
        try:
            number = self.read(valuelist[0])
        except ValueError:
            number = None
        if number is None or not self.low <= number <= self.high:
            bounds = {"low": web.number_words(self.low), "high": web.number_words(self.high)}
            raise ValueError(self.sentence % bounds)
        self.data = self.store(number)

    def read(self, text: str) -> int | Decimal | None:
        """The number typed, or nothing; raises ValueError."""
        return parse_int(text)

    def store(self, number: Any) -> Any:
        """What the database holds of it."""
        return number

    def write(self, data: Any) -> str:
        """As it is typed again."""
        return str(data)


class HundredthsField(NumberField):
    """A number of at most two decimals."""

    sentence = _("Write a number between %(low)s and %(high)s, with two decimals at most.")

    def read(self, text: str) -> Decimal | None:
        """As NumberField's."""
        number = parse_decimal(text)
        return number if number == round(number, 2) else None

    def write(self, data: Any) -> str:
        """Without thousands separators: it must read the same way back in every language."""
        return str(format_decimal(data, "0.##", locale=web.locale_code()))


class EurosField(HundredthsField):
    """An amount; its data is cents."""

    sentence = _("Write an amount between %(low)s and %(high)s euros, such as 1250 or 12.50.")

    def store(self, number: Any) -> int:
        """As NumberField's."""
        return money.cents(number)

    def write(self, data: Any) -> str:
        """As NumberField's."""
        return str(format_decimal(money.euros(data), "0.00", locale=web.locale_code()))


class AttributesField(Field):
    """Free facts, one a line; its data is the dictionary that is stored."""

    widget = TextArea()  # type: ignore[assignment]  # it wants no more than what a Field has

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else attributes.to_text(self.data or {}, gettext)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Lines to facts; raises ValueError in the reader's words."""
        self.data = {name: value for name, value in (self.data or {}).items() if name in attributes.APART}
        try:
            self.data |= attributes.from_text(valuelist[0] if valuelist else "", gettext)
        except ValueError as wrong:
            said = gettext("Write each fact once, on its own line, as “Power: 1650”, without “;” or “=”. Not: %(line)s")
            raise ValueError(said % {"line": str(wrong)[:60]}) from None
