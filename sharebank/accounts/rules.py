"""What a password must be, and how many tries an account bears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sharebank.core.errors import N_, Refused

PASSWORD_MIN, PASSWORD_MAX = 10, 200
"""Characters. Length is what counts: no rule about digits or capitals."""


class WeakPassword(Refused):
    """A password too short or too long."""

    code = "weak_password"
    sentence = N_("Choose between %(least)s and %(most)s characters: a short sentence is easy to remember.")


class PasswordIsAddress(Refused):
    """The first thing anybody would try."""

    code = "password_is_address"
    sentence = N_("Your e-mail address cannot be your password. Choose something else.")


class TooManyAttempts(Refused):
    """An account was tried, or written to, too often of late."""

    status = 429
    code = "too_many_attempts"
    sentence = N_("Too many attempts with this address. Try again in %(minutes)s min.")


PHONE = r"[0-9+(). -]+"
"""What a phone number is made of, all of it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of something for one account in `window`; `name` keeps the counts apart."""

    name: str
    most: int
    window: timedelta


PASSWORDS = Limit("", 10, timedelta(minutes=15))
LETTERS = Limit("letter:", 5, timedelta(minutes=15))


def check_password(password: str, email: str) -> None:
    """Raise WeakPassword or PasswordIsAddress unless a password will do for the person with this address."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise WeakPassword("password", least=PASSWORD_MIN, most=PASSWORD_MAX)
    if password.strip().casefold() == email.casefold():
        raise PasswordIsAddress("password")


def check_attempts(limit: Limit, earlier: Sequence[datetime], now: datetime) -> None:
    """Raise TooManyAttempts unless one more is borne, given the tries of the last `limit.window`, oldest first."""
    if len(earlier) >= limit.most:
        free_at = earlier[-limit.most] + limit.window
        raise TooManyAttempts(minutes=max(1, ceil((free_at - now).total_seconds() / 60)))
