"""What a kind of rule is made of: its settings, each with type, bounds and label; and how they are read and written.

A setting's type says its plain JSON value and what reading makes of it: `int`, `cents`, `percent` (whole numbers),
`flag`, `text`, `choice` (a key of `choices`), `choices` (a tuple of keys, in the order of `choices`), `time` (`17:00`,
a `datetime.time`), `month_day` (`08-01`, kept as text: it sorts as the year goes), `table` (rows of `fields`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, ClassVar

from sharebank.core.errors import N_, Refused, Said
from sharebank.lending.facts import Asked, Breach

Settings = Mapping[str, Any]
ROWS = 40
"""No table of a rule has more rows: nobody would read them."""


class BadTerms(Refused):
    """Something in the rules cannot be read; `field` is `kind.setting`, or `kind.table.row.setting` (rows from 0)."""

    code = "bad_terms"
    sentence: ClassVar[str] = N_("The rules are not a JSON object of rule kinds with their settings.")


class UnknownRule(BadTerms):
    """A kind of rule, or a setting, that is not one of ours."""

    code = "unknown_rule"
    sentence = N_("“%(value)s” is neither a kind of rule nor one of its settings.")


class SettingMissing(BadTerms):
    """A setting the rule cannot do without."""

    code = "setting_missing"
    sentence = N_("“%(label)s” is missing.")


class BadNumber(BadTerms):
    """A whole number within its bounds."""

    code = "bad_number"
    sentence = N_("“%(label)s”: write a whole number from %(least)s to %(most)s.")


class BadChoice(BadTerms):
    """One of the choices, and no other word."""

    code = "bad_choice"
    sentence = N_("“%(label)s”: choose among what is offered.")


class BadText(BadTerms):
    """A text that is neither empty where it counts nor too long."""

    code = "bad_text"
    sentence = N_("“%(label)s”: %(most)s characters at most.")


class BadTime(BadTerms):
    """An hour of the day, or a day of the year."""

    code = "bad_time"
    sentence = N_("“%(label)s”: write an hour as 17:00, a day of the year as 08-31.")


class BadTable(BadTerms):
    """A list of rows, not too many."""

    code = "bad_table"
    sentence = N_("“%(label)s”: a list of %(most)s rows at most.")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a rule: what it is called, what it may be, what it is when nobody says anything."""

    name: str
    type: str
    label: str
    default: Any = None
    """Left out of the text; None where nothing is said (an empty field)."""
    required: bool = False
    least: int = 0
    most: int = 3650
    """Of a number; of a text its length."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Key to label, in the order shown."""
    fields: tuple[Setting, ...] = ()
    """The columns of a table."""

    def read(self, value: Any) -> Any:
        """The value as the rules use it; raises a BadTerms with this setting's name as field."""
        if value is None or value == "" or (self.type in ("choices", "table") and value in ([], ())):
            if self.required:
                raise SettingMissing(self.name, label=Said(self.label))
            return () if self.type in ("choices", "table") else self.default
        return _READERS[self.type](self, value)

    def write(self, value: Any) -> Any:
        """The plain JSON value."""
        match self.type:
            case "time":
                return value.strftime("%H:%M")
            case "choices":
                return list(value)
            case "table":
                return [write(self.fields, row) for row in value]
        return value


def _number(setting: Setting, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not setting.least <= value <= setting.most:
        raise BadNumber(setting.name, label=Said(setting.label), least=setting.least, most=setting.most)
    return value


def _flag(setting: Setting, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadChoice(setting.name, label=Said(setting.label))
    return value


def _text(setting: Setting, value: Any) -> str:
    if not isinstance(value, str) or len(value.strip()) > setting.most or not value.isprintable():
        raise BadText(setting.name, label=Said(setting.label), most=setting.most)
    return value.strip()


def _choice(setting: Setting, value: Any) -> str:
    if not isinstance(value, str) or value not in setting.choices:
        raise BadChoice(setting.name, label=Said(setting.label))
    return value


def _choices(setting: Setting, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise BadChoice(setting.name, label=Said(setting.label))
    chosen = {_choice(setting, one) for one in value}
    return tuple(key for key in setting.choices if key in chosen)


def _time(setting: Setting, value: Any) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.fullmatch("(?:[01][0-9]|2[0-3]):[0-5][0-9]", value, re.ASCII):
        raise BadTime(setting.name, label=Said(setting.label))
    return time.fromisoformat(value)


def _month_day(setting: Setting, value: Any) -> str:
    try:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{2}-[0-9]{2}", value, re.ASCII):
            raise ValueError(value)
        date.fromisoformat(f"2024-{value}")  # a leap year: 29 February is a day people write
    except ValueError:
        raise BadTime(setting.name, label=Said(setting.label)) from None
    return value


def _table(setting: Setting, value: Any) -> tuple[Settings, ...]:
    if not isinstance(value, list | tuple) or len(value) > setting.most:
        raise BadTable(setting.name, label=Said(setting.label), most=setting.most)
    rows = []
    for number, row in enumerate(value):
        try:
            rows.append(read(setting.fields, row))
        except BadTerms as bad:
            raise type(bad)(f"{setting.name}.{number}.{bad.field or ''}".rstrip("."), **bad.facts) from None
    return tuple(rows)


_READERS: Mapping[str, Callable[[Setting, Any], Any]] = {
    "int": _number, "cents": _number, "percent": _number, "flag": _flag, "text": _text, "choice": _choice,
    "choices": _choices, "time": _time, "month_day": _month_day, "table": _table,
}  # fmt: skip


def read(fields: tuple[Setting, ...], value: Any) -> Settings:
    """Settings from plain values, every name filled; raises a BadTerms naming the setting."""
    if not isinstance(value, Mapping):
        raise BadTerms
    known = {setting.name for setting in fields}
    for name in value:
        if name not in known:
            raise UnknownRule(str(name)[:60], value=str(name)[:60])
    return {setting.name: setting.read(value.get(setting.name)) for setting in fields}


def write(fields: tuple[Setting, ...], settings: Settings) -> dict[str, Any]:
    """Plain values from settings; what is at its default is left out."""
    empty = {setting.name: setting.read(None) for setting in fields if not setting.required}
    return {
        setting.name: setting.write(value)
        for setting in fields
        if (value := settings[setting.name]) != empty.get(setting.name)
    }


def number(name: str, label: str, **facts: Any) -> Setting:
    """A whole number."""
    return Setting(name, "int", label, **facts)


def cents(name: str, label: str, **facts: Any) -> Setting:
    """An amount in cents, up to 100 000 €."""
    return Setting(name, "cents", label, **{"most": 10_000_000, **facts})


def percent(name: str, label: str, **facts: Any) -> Setting:
    """A share of a hundred."""
    return Setting(name, "percent", label, **{"most": 100, **facts})


def flag(name: str, label: str, default: bool = False) -> Setting:
    """Yes or no."""
    return Setting(name, "flag", label, default=default)


def text(name: str, label: str, **facts: Any) -> Setting:
    """A few words of the house's own."""
    return Setting(name, "text", label, **{"default": "", "most": 120, **facts})


def choice(name: str, label: str, choices: Mapping[str, str], **facts: Any) -> Setting:
    """One of a few."""
    return Setting(name, "choice", label, choices=choices, **facts)


def choices(name: str, label: str, among: Mapping[str, str], **facts: Any) -> Setting:
    """Any of a few; none chosen means all, where nothing else is said."""
    return Setting(name, "choices", label, default=(), choices=among, **facts)


def hour(name: str, label: str, **facts: Any) -> Setting:
    """A time of the day; its default is a `datetime.time`."""
    return Setting(name, "time", label, **facts)


def month_day(name: str, label: str, **facts: Any) -> Setting:
    """A day of any year."""
    return Setting(name, "month_day", label, **facts)


def table(name: str, label: str, *fields: Setting, **facts: Any) -> Setting:
    """Rows of settings."""
    return Setting(name, "table", label, default=(), most=ROWS, fields=fields, **facts)


def nothing(_settings: Settings) -> tuple[str, ...]:
    """A rule that asks for nothing more."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of rule: everything there is to know of it, in one entry."""

    name: str
    label: str
    fields: tuple[Setting, ...]
    words: Callable[[Settings], Said | None]
    """The rule read back in a few words, to stand in a list; None when it says nothing."""
    check: Callable[[Settings, Asked], Breach | None] | None = None
    """What a request does not keep; none for rules that bind nobody who asks."""
    needs: Callable[[Settings], tuple[str, ...]] = nothing
    """What must be known of a request: keys of `kinds.FORM_FIELDS` and `kinds.GATHERED`."""
    binds_staff: bool = False
    """Does it hold for the owner's own staff too?"""

    def read(self, value: Any) -> Settings:
        """Settings from plain values; raises a BadTerms."""
        return read(self.fields, value)

    def write(self, settings: Settings) -> dict[str, Any]:
        """Plain values from settings."""
        return write(self.fields, settings)


def breach(
    kind: str, asked: Asked, field: str, sentence: str, settings: Settings | None = None, /, **facts: Any
) -> Breach:
    """A breach with the thing and the rule set's name among its facts, its effect that of the settings."""
    effect = (settings or {}).get("effect") or "refuse"
    return Breach(kind, effect, field, sentence, {"thing": asked.thing, "rules": asked.rules, **facts})
