"""How letters are treated: their class, who wants which, when they leave, and what their words may not do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """Of what weight a letter is, whether it follows an act somebody may undo, and what goes along with it."""

    weight: str
    undoable: bool = False
    attach: tuple[str, ...] = ()
    """Names of what is made when it is written out (`attachments.Maker`)."""
    again: bool = True
    """May it be tried again from the outbox, once dead? Else its room does that, with what holds by then."""


ACCOUNT = "account"
"""Lets its reader in: leaves at once, and is never optional."""
ACT = "act"
"""Needs an act of its reader's."""
NEWS = "news"
"""A confirmation or a change: those who want fewer letters get it in a daily one, or not at all."""
NOTICE = "notice"
"""What went by itself, as the rules say: nobody is interrupted for it, it waits for the daily letter."""

CALENDAR = ("calendar",)

# Every letter there is, by the name of its templates below `templates/email/`.
LETTERS: Mapping[str, Kind] = {
    "invite": Kind(ACCOUNT),
    "joined": Kind(ACCOUNT),
    "reset": Kind(ACCOUNT),
    "sign_in": Kind(ACCOUNT),
    "reservation_to_decide": Kind(ACT, undoable=True),
    "reservation_unanswered": Kind(ACT),
    "reservation_tomorrow": Kind(ACT),
    "reservation_ending": Kind(ACT),
    "reservation_overdue": Kind(ACT),
    "deadlines": Kind(ACT),
    "agreement_to_sign": Kind(ACT),
    "agreement_signed": Kind(NEWS),
    "reservation_requested": Kind(NEWS, undoable=True),
    "reservation_approved": Kind(NEWS, undoable=True, attach=CALENDAR),
    "reservation_booked": Kind(NOTICE, undoable=True),
    # Who counted on it has to look elsewhere.
    "reservation_declined": Kind(ACT, undoable=True),
    "reservation_recalled": Kind(ACT, undoable=True, attach=CALENDAR),
    "reservation_expired": Kind(ACT),
    "reservation_offered": Kind(ACT),
    "reservation_proposed": Kind(ACT, undoable=True),
    "reservation_approved_less": Kind(ACT, undoable=True, attach=CALENDAR),
    "reservation_offer_refused": Kind(NEWS, undoable=True),
    "reservation_offer_lapsed": Kind(NEWS),
    # A thing is damaged, or late: what was promised may not be there.
    "loan_hit": Kind(ACT, attach=CALENDAR),
    "loan_at_risk": Kind(ACT),
    "loan_at_risk_house": Kind(ACT),
    "loan_charges": Kind(ACT, undoable=True),
    "handover_part": Kind(NEWS, undoable=True),
    "reservation_cancelled": Kind(NEWS, undoable=True, attach=CALENDAR),
    "reservation_collected": Kind(NEWS, undoable=True),
    "reservation_returned": Kind(NEWS, undoable=True),
    "series_to_decide": Kind(ACT, undoable=True),
    "series_unanswered": Kind(ACT),
    "series_needed": Kind(ACT),
    "series_requested": Kind(NEWS, undoable=True),
    "series_approved": Kind(NEWS, undoable=True, attach=CALENDAR),
    "series_declined": Kind(NEWS, undoable=True),
    "series_changed": Kind(NEWS, undoable=True, attach=CALENDAR),
    "series_cancelled": Kind(NEWS, undoable=True, attach=CALENDAR),
    "series_released": Kind(NEWS, attach=CALENDAR),
    "order_reminder": Kind(ACT),
    "order_closed": Kind(NEWS),
    "order_to_check": Kind(ACT),
    "order_extended": Kind(NEWS),
    "order_changed": Kind(NEWS),
    "order_cancelled": Kind(ACT),
    "order_received": Kind(ACT),
    "order_settled": Kind(ACT),
    "order_to_supplier": Kind(ACT, attach=("order_pdf", "order_xlsx", "order_csv"), again=False),
    "order_not_sent": Kind(ACT),
    "order_called_off": Kind(ACT),
    "order_not_called_off": Kind(ACT),
    "digest": Kind(NEWS, attach=CALENDAR),
}

UNDO = timedelta(seconds=60)
"""How long a letter waits for its act to be undone."""
PREFERENCES = ("at_once", "digest", "acts")
"""How people may want to be written to: at once, news once a day, or only what needs an act of theirs."""
_STATES: Mapping[str, Mapping[str, str | None]] = {
    NEWS: {"at_once": "queued", "digest": "digest", "acts": None},
    NOTICE: {"at_once": "digest", "digest": "digest", "acts": None},
}
"""Of what is optional, by how its reader wants to be written to."""


def first_state(template: str, preference: str) -> str | None:
    """`queued`, `digest` (it waits for the daily letter), or None: its reader does not want it."""
    states = _STATES.get(LETTERS[template].weight)
    return states[preference] if states else "queued"


def leaves_at(template: str, now: datetime) -> datetime:
    """When a letter written now may leave."""
    return now + UNDO if LETTERS[template].undoable else now


def optional(template: str) -> bool:
    """May its reader stop such letters with one click?"""
    return LETTERS[template].weight in _STATES


def can_go_again(template: str, state: str) -> bool:
    """A dead letter can be tried again, unless it held a secret link: that is gone, a new one must be asked for."""
    kind = LETTERS.get(template)
    return state == "dead" and kind is not None and kind.weight != ACCOUNT and kind.again


# -- the daily letter ----------------------------------------------------------------------------

MORNING = time(7)
"""When the daily letter is written, on the wall."""


def digest_day(wall: datetime) -> date | None:
    """The day whose daily letter is due at this wall time; none before the morning."""
    return wall.date() if wall.time() >= MORNING else None


# -- what cannot leave ---------------------------------------------------------------------------

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440, 1440))
"""Waited after each try that failed; about three days in all, then the letter is dead."""
LEASE = timedelta(minutes=10)
"""A letter claimed longer ago than this was claimed by a process that died."""
OVERDUE = timedelta(hours=1)
"""A letter that should have left longer ago than this is stuck."""
TRIES_BEFORE_ALARM = 4
"""As is one that was tried in vain so often: more than half an hour went by."""

SERVER_WIDE = frozenset({421, 530, 534, 535, 538})
"""Replies about us and the server, not about a letter: it goes away, or wants another sign-in (RFC 5321, RFC 4954)."""


def verdict(code: int) -> str:
    """What an SMTP reply that is no success means for a letter: `server`, `later` or `never`."""
    if code in SERVER_WIDE:
        return "server"
    return "never" if 500 <= code < 600 else "later"


# -- words that must stay words --------------------------------------------------------------------

# Line ends of every kind, other control characters, and the marks that make text run backwards.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def one_line(text: str) -> str:
    """Without line breaks: what people typed must not begin a line, nor a header, of its own."""
    text = text.encode("utf-8", "replace").decode()  # half a character cannot be sent
    return re.sub(" {2,}", " ", _UNSEEN.sub(" ", text)).strip()


def header_text(text: str, most: int = 300) -> str:
    """Fit for a header. `=?…?=` would be decoded there, line breaks and all, when the message is built."""
    return one_line(text).replace("=?", "= ?")[:most]


def is_address(text: str) -> bool:
    """One plain address and nothing else: no comment, no list, no quoted part."""
    return _ADDRESS.fullmatch(text) is not None and ".." not in text


def readable(value: Any) -> Any:
    """Facts with every text in them on one line."""
    match value:
        case str():
            return one_line(value)
        case list():
            return [readable(each) for each in value]
        case dict():
            return {name: readable(each) for name, each in value.items()}
    return value
