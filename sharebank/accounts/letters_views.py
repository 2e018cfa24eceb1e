"""Letters on screen: the outbox of those one manages, what one was sent, and stopping what is optional."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from sharebank.accounts import letters as desk
from sharebank.accounts.forms import LettersForm
from sharebank.accounts.web import me
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import N_, NotFound
from sharebank.core.texts import gettext as _
from sharebank.core.web import public
from sharebank.notifications import outbox
from sharebank.notifications.models import Letter
from sharebank.notifications.outbox import STATES, LetterRow
from sharebank.notifications.writing import Unwritable, reader_who_stops, write_out

bp = Blueprint("letters", __name__)
PAGE = 50
LARGEST = 2**31 - 1
LETTER = f"/letters/<int(max={LARGEST}):letter_id>"
# A letter's own page may style itself, and do nothing else.
LETTER_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

STATE_WORDS = {
    "queued": N_("Leaves soon"),
    "digest": N_("Waits for the daily letter"),
    "sending": N_("Is being sent"),
    "sent": N_("Sent"),
    "withdrawn": N_("Taken back"),
    "dead": N_("Could not be sent"),
}
# Shapes and colours are those of reservations.
STATE_LOOKS = {
    "queued": "requested",
    "digest": "requested",
    "sending": "requested",
    "sent": "approved",
    "withdrawn": "cancelled",
    "dead": "declined",
}


@bp.app_template_global()
def letter_state(state: str) -> str:
    """A letter's state as screens name it."""
    return str(_(STATE_WORDS[state]))


@bp.app_template_global()
def letter_look(state: str) -> str:
    """The class of style that goes with it."""
    return STATE_LOOKS[state]


# -- the outbox of those one manages -----------------------------------------------------------------


@bp.get("/admin/letters")
def outbox_page() -> str:
    """Letters to the people one manages, found by state or word."""
    session, actor = db.session(), me()
    state, words = request.args.get("state", ""), request.args.get("q", "")[:100].strip()
    state = state if state in STATES else ""
    rows = desk.managed_letters(session, actor, state=state, words=words, before=_before(), limit=PAGE + 1)
    return render_template(
        "notifications/outbox.html",
        rows=_titled(session, rows[:PAGE]),
        troubles=desk.troubled_addresses(session, rows[:PAGE]),
        states=STATES,
        state=state,
        words=words,
        next_url=_next_url("letters.outbox_page", rows, state=state or None, q=words or None),
    )


@bp.get(LETTER)
def letter(letter_id: int) -> str:
    """One letter as its reader saw it, and what became of it."""
    found, manages = desk.letter(db.session(), me(), letter_id)
    subject, text, _html, wrong = _words(found)
    row = outbox.row_of(found)
    return render_template(
        "notifications/letter.html", row=row, subject=subject, text=text, wrong=wrong, manages=manages
    )


@bp.get(f"{LETTER}/page")
def letter_page(letter_id: int) -> Response:
    """Its HTML part, closed in: no script, no form, nothing fetched."""
    found, _manages = desk.letter(db.session(), me(), letter_id)
    html = _words(found)[2]
    if not html:
        raise NotFound
    answer = make_response(html)
    answer.headers["Content-Security-Policy"] = LETTER_CSP
    return answer


@bp.post(f"/admin{LETTER}/again")
def send_again(letter_id: int) -> Any:
    """Try a dead letter once more."""
    with transaction() as rows:
        desk.send_again(rows, me(), letter_id, clock.now())
    flash(_("The letter leaves again within a minute."), "success")
    return redirect(url_for("letters.letter", letter_id=letter_id), 303)


@bp.post(f"/admin{LETTER}/give-up")
def give_up(letter_id: int) -> Any:
    """Put a dead letter away."""
    with transaction() as rows:
        desk.give_up(rows, me(), letter_id, clock.now())
    flash(_("The letter is put away."), "success")
    return redirect(url_for("letters.outbox_page", state="dead"), 303)


# -- what one was sent -------------------------------------------------------------------------------


@bp.route("/account/letters", methods=["GET", "POST"])
def mine() -> Any:
    """What I was sent, and how I want to be written to."""
    actor, form = me(), LettersForm(letters=me().letters)
    if form.validate_on_submit():
        with transaction() as rows:
            desk.prefer(rows, actor.user_id, form.letters.data)
        flash(_("Stored."), "success")
        return redirect(url_for("letters.mine"), 303)
    session = db.session()
    letters = desk.own_letters(session, actor, _before(), PAGE + 1)
    page = render_template(
        "notifications/mine.html",
        form=form,
        rows=_titled(session, letters[:PAGE]),
        troubles=desk.troubled_addresses(session, letters[:PAGE]),
        next_url=_next_url("letters.mine", letters),
    )
    return page, 422 if form.is_submitted() else 200


@bp.route("/letters/stop/<token>", methods=["GET", "POST"])
@public
def stop(token: str) -> str:
    """One click in a mail program (RFC 8058), or one button on this page; looking at it changes nothing."""
    user_id = reader_who_stops(current_app, token)
    if user_id is None:
        raise NotFound
    if request.method == "POST":
        with transaction() as rows:
            desk.prefer(rows, user_id, "acts")
    return render_template("notifications/stop.html", done=request.method == "POST")


# -- in common ---------------------------------------------------------------------------------------


def _before() -> int | None:
    """Where the page before ended."""
    before = request.args.get("before", type=int)
    return min(max(before, 0), LARGEST) if before is not None else None


def _next_url(endpoint: str, rows: list[LetterRow], **more: Any) -> str | None:
    return url_for(endpoint, before=rows[PAGE - 1].id, **more) if len(rows) > PAGE else None


def _titled(session: Session, rows: list[LetterRow]) -> list[tuple[LetterRow, str]]:
    """Each letter with its subject; one that has not left is written out to know it."""
    return [(row, row.subject or _words(session.get_one(Letter, row.id))[0]) for row in rows]


def _words(found: Letter) -> tuple[str, str, str, str]:
    """Subject, text, HTML as the reader saw them, or will; what is wrong when it cannot be written."""
    if found.subject is not None:
        return found.subject, found.text or "", found.html or "", ""
    try:
        written = write_out(current_app, found)
    except Unwritable as error:
        return found.template, "", "", str(error)
    return written.subject, written.text, written.html, ""
