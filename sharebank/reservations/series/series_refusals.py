"""Why a rule gives no series."""

from __future__ import annotations

from sharebank.core.errors import N_, Refused


class BadRule(Refused):
    """Not a rule of RFC 5545 that we can read."""

    code = "bad_rule"
    sentence = N_("We cannot read this rule: “%(value)s”. Write it as RFC 5545 does: FREQ=WEEKLY;BYDAY=TU;COUNT=10.")


class FinerThanADay(Refused):
    """Nobody borrows a room every minute."""

    code = "finer_than_a_day"
    sentence = N_("“%(value)s” repeats within a day. A series repeats by the day, week, month or year.")


class Endless(Refused):
    """A series without a last date would keep everybody else out for ever."""

    code = "endless"
    sentence = N_("Say when it ends: a last day, or how many times.")


class EndsTwice(Refused):
    """A last day and a number of times would not agree."""

    code = "ends_twice"
    sentence = N_("Say either the last day or how many times, not both.")


class NoDates(Refused):
    """The rule names no day before its end."""

    code = "no_dates"
    sentence = N_("This rule gives no date at all. Check the first and the last day.")


class TooManyDates(Refused):
    """More than anyone reads through before booking."""

    code = "too_many_dates"
    sentence = N_("More than %(most)s dates. Choose an earlier last day.")


class OverlapsItself(Refused):
    """Each date would begin before the one before it has ended."""

    code = "overlaps_itself"
    sentence = N_("Each date lasts beyond the beginning of the next one. Make it shorter, or repeat it less often.")
