"""Half-open spans of time, and the way from a house's wall clock to UTC and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sharebank.core.errors import N_, Refused


class EndsBeforeStart(Refused):
    """A period must last: its end comes after its start."""

    code = "ends_before_start"
    sentence = N_("The end must come after the start.")


class NonexistentTime(Refused):
    """The wall clock jumps over this time when summer time begins."""

    code = "nonexistent_local_time"
    sentence = N_("This time does not exist: clocks go forward that night. Choose an hour earlier or later.")


class OutsideCalendar(Refused):
    """A slip of the keyboard, or an end that means for ever; databases reckon dates within limits too."""

    code = "outside_calendar"
    sentence = N_("Choose a year between 2000 and 2099.")


FIRST = datetime(2000, 1, 1, tzinfo=UTC)
LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""The calendar's two ends, the same as those of the database's guards (first migration)."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """`[start, end)` of UTC instants: 9-10 and 10-11 never collide; raises EndsBeforeStart, OutsideCalendar."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a period holds instants, not wall time")
        if self.end <= self.start:
            raise EndsBeforeStart("ends_at")
        if self.start < FIRST or self.end > LAST:
            raise OutsideCalendar("starts_at" if self.start < FIRST else "ends_at")

    @property
    def length(self) -> timedelta:
        """Elapsed time, not wall time."""
        return self.end - self.start

    def overlaps(self, other: Period) -> bool:
        """Do the two share an instant?"""
        return self.start < other.end and other.start < self.end

    def widened(self, before_min: int, after_min: int) -> Period:
        """The same period with its buffers, in minutes, around it."""
        return Period(self.start - timedelta(minutes=before_min), self.end + timedelta(minutes=after_min))

    def moved(self, by: timedelta) -> Period:
        """The same length, `by` later."""
        return Period(self.start + by, self.end + by)


@lru_cache(maxsize=8)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name."""
    return ZoneInfo(name)


def to_utc(wall: datetime, tz: ZoneInfo, *, later: bool = False) -> datetime:
    """Wall time to the instant; of an hour that happens twice the first, or the second if `later`.

    Raises NonexistentTime in the spring gap.
    """
    aware = wall.replace(tzinfo=tz, fold=int(later))
    instant = aware.astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) != wall.replace(fold=0):
        raise NonexistentTime
    return instant


def local_period(start: datetime, end: datetime, tz: ZoneInfo) -> Period:
    """Two wall times to the widest period they can mean: an hour that happens twice is taken whole.

    Raises NonexistentTime or OutsideCalendar (their field names which end) or EndsBeforeStart.
    """
    instants = []
    for field, wall, later in (("starts_at", start, False), ("ends_at", end, True)):
        if not FIRST.year <= wall.year <= LAST.year:
            raise OutsideCalendar(field)
        try:
            instants.append(to_utc(wall, tz, later=later))
        except NonexistentTime:
            raise NonexistentTime(field) from None
    return Period(*instants)


def to_local(instant: datetime, tz: ZoneInfo) -> datetime:
    """The naive wall time a house reads at an instant."""
    return instant.astimezone(tz).replace(tzinfo=None)


def wall_length(period: Period, tz: ZoneInfo) -> timedelta:
    """How long people say a period lasts: Friday 18:00 to Monday 18:00 is 72 h in every week of the year."""
    return to_local(period.end, tz) - to_local(period.start, tz)


def first_instant(day: date, tz: ZoneInfo) -> datetime:
    """The instant a local day begins."""
    return datetime.combine(day, time(), tz).astimezone(UTC)
