"""What the catalogue knows about lending, as plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sharebank.core.errors import N_, Refused


@dataclass(frozen=True, slots=True)
class Limits:
    """The part of a rule set that bounds when and how long; days, hours, minutes."""

    min_notice_days: int
    max_advance_days: int
    max_duration_hours: int
    buffer_before_min: int
    buffer_after_min: int


KINDS = ("room", "vehicle", "equipment")


class Family(NamedTuple):
    """What the letter of a code says: `MCNG-K07` is kitchen gear."""

    kind: str
    name: str


FAMILIES = {
    "R": Family("room", N_("Room")),
    "V": Family("vehicle", N_("Vehicle")),
    "K": Family("equipment", N_("Kitchen gear")),
    "E": Family("equipment", N_("Event and activity gear")),
    "I": Family("equipment", N_("Office and computers")),
}


class BadCode(Refused):
    """A code is the house's, a hyphen, a letter and a number: labels and spreadsheets rely on it."""

    code = "bad_code"
    sentence = N_("Write the code as %(house)s-%(family)s01: the house, a hyphen, the letter, two digits or more.")


class CodeTaken(Refused):
    """Two things cannot bear the same code."""

    status = 409
    code = "code_taken"
    sentence = N_("%(value)s is already the code of another resource. The next free one is %(free)s.")


class StillBooked(Refused):
    """Units that are already promised cannot leave the pool."""

    status = 409
    code = "still_booked"
    sentence = N_("More than that are already booked at some moment to come. Cancel or move a booking first.")


class NoReason(Refused):
    """Whoever cannot have a thing is told why."""

    code = "no_reason"
    sentence = N_("Say why it cannot be lent: people will read it.")


class NoPhoto(Refused):
    """The form came without a file."""

    code = "no_photo"
    sentence = N_("Choose at least one photo.")


class TooManyPhotos(Refused):
    """A few photos show a thing; more slow its page down."""

    code = "too_many_photos"
    sentence = N_("%(most)s photos at most: this resource has %(there)s already.")


class BadPhoto(Refused):
    """What was sent is not a photo we can read."""

    code = "bad_photo"
    sentence = N_("“%(name)s” is not a photo we can read. Send a JPEG, PNG or WebP file.")


class PhotoTooHeavy(BadPhoto):
    """The file has too many bytes."""

    code = "photo_too_heavy"
    sentence = N_("“%(name)s” is larger than %(most)s MB. Send a smaller one.")


class PhotoTooLarge(BadPhoto):
    """The picture has too many pixels, whatever the file weighs."""

    code = "photo_too_large"
    sentence = N_("“%(name)s” has more than %(most)s million pixels. Send a smaller one.")


RULES_NAME = r"\w[\w .’'-]*\Z"
"""How a rule set may be called: it stands in files and in addresses."""


class RulesNameTaken(Refused):
    """Files name a rule set by its name alone."""

    status = 409
    code = "rules_name_taken"
    sentence = N_("There are rules called “%(value)s” already. Choose another name.")


class RulesInUse(Refused):
    """What is lent by a rule set would be lent by none."""

    status = 409
    code = "rules_in_use"
    sentence = N_("Something is still lent by these rules (resources: %(count)s). Give it other rules first.")


def check_code(code: str, house: str, family: str) -> None:
    """Raise BadCode unless `code` is `HOUSE-Xnn`."""
    if not re.fullmatch(rf"{re.escape(house)}-{re.escape(family)}[0-9]{{2,4}}", code):
        raise BadCode("code", house=house, family=family)


def next_code(taken: Iterable[str], house: str, family: str) -> str:
    """The number after the highest in use: one that was freed may still be on a label."""
    pattern = re.compile(rf"{re.escape(house)}-{re.escape(family)}([0-9]{{2,4}})")
    numbers = [int(found[1]) for code in taken if (found := pattern.fullmatch(code))]
    return f"{house}-{family}{max(numbers, default=0) + 1:02}"


_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_CLASS = re.compile(r"[A-Za-z0-9_-]{1,20}")


def house_colours(houses: Iterable[tuple[str, str]]) -> str:
    """A style sheet that gives each house (code, `#RRGGBB`) its colour; what is neither goes no further."""
    return "".join(
        f".house-{code}{{--house:{colour}}}\n"
        for code, colour in houses
        if _CLASS.fullmatch(code) and _COLOUR.fullmatch(colour)
    )
