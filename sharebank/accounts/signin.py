"""Coming in: by password, or by the link of a letter.

An address nobody has costs as much as one somebody has, so that neither the clock nor the page tells them apart.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from sharebank.accounts import directory, service
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Attempt, User
from sharebank.accounts.rules import LETTERS, PASSWORDS, Limit, check_attempts
from sharebank.accounts.web import hash_token
from sharebank.core.errors import N_, Refused
from sharebank.notifications.service import Recipient, post

HASHER = PasswordHasher()
NOBODY = HASHER.hash(secrets.token_urlsafe(32))
"""The hash an unknown address is checked against: no password opens it."""


class WrongPassword(Refused):
    """No account has this address with this password; which of the two is wrong stays unsaid."""

    code = "wrong_password"
    sentence = N_("This address and this password do not go together. Check both, or ask for a sign-in link.")


class WrongPresentPassword(Refused):
    """The password somebody wants to change is another one."""

    code = "wrong_present_password"
    sentence = N_("This is not your present password.")


@dataclass(frozen=True, slots=True)
class Proof:
    """A password was right: for whom, against which stored hash, and that hash renewed if it has aged."""

    user_id: int
    email: str
    seen: str
    renewed: str


def count_attempt(session: Session, email: str, now: datetime, limit: Limit = PASSWORDS) -> None:
    """Note one more try at an account. Raises TooManyAttempts when it had its share, and notes nothing then."""
    account = _account(email, limit)
    service.one_at_a_time(session, account)
    query = select(Attempt.at).where(Attempt.account == account, Attempt.at > now - limit.window).order_by(Attempt.at)
    check_attempts(limit, session.scalars(query).all(), now)
    session.execute(insert(Attempt).values(account=account, at=now))


def _account(email: str, limit: Limit) -> str:
    return hashlib.sha256(f"{limit.name}{_normal(email)}".encode()).hexdigest()


def _normal(email: str) -> str:
    return email.strip().lower()


def verify(session: Session, email: str, password: str) -> Proof:
    """Check a password, once whoever it is. Raises WrongPassword. Slow on purpose: call it outside a transaction."""
    query = select(User.id, User.email, User.password_hash).where(User.email == _normal(email))
    user = session.execute(query).one_or_none()
    kept = user.password_hash if user and user.password_hash else NOBODY
    try:
        HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        raise WrongPassword from None
    if user is None or kept is NOBODY:
        raise WrongPassword
    renewed = HASHER.hash(password) if HASHER.check_needs_rehash(kept) else kept
    return Proof(user.id, user.email, kept, renewed)


def verify_present(session: Session, actor: Actor, password: str) -> None:
    """Check the password of somebody who is signed in. Raises WrongPresentPassword."""
    try:
        verify(session, actor.email, password)
    except WrongPassword:
        raise WrongPresentPassword("present") from None


def enter(session: Session, proof: Proof, now: datetime) -> tuple[Actor, str]:
    """Open a session for whoever gave the proof: the actor and the session's token. Raises WrongPassword."""
    # The password may have been changed since it was checked; the condition also holds the row meanwhile.
    same = (User.id == proof.user_id, User.password_hash == proof.seen)
    held = session.execute(update(User).where(*same).values(password_hash=proof.renewed).returning(User.id)).first()
    actor = directory.actor_of_email(session, proof.email)
    if held is None or actor is None:
        raise WrongPassword
    return actor, _welcome(session, actor, now)


def enter_by_link(session: Session, token: str, now: datetime) -> tuple[Actor, str]:
    """Open a session for the reader of a sign-in letter. Raises LinkEnded."""
    actor = service.spend_token(session, token, ("sign_in",), now)
    return actor, _welcome(session, actor, now)


def _welcome(session: Session, actor: Actor, now: datetime) -> str:
    accounts = [_account(actor.email, limit) for limit in (PASSWORDS, LETTERS)]
    session.execute(delete(Attempt).where(Attempt.account.in_(accounts)))
    return service.open_session(session, actor.user_id, now)


def set_password(session: Session, actor: Actor, password_hash: str, now: datetime) -> str:
    """Store a new password; every session and every link ends, and one session opens, whose token is returned."""
    session.execute(update(User).where(User.id == actor.user_id).values(password_hash=password_hash))
    service.end_sessions(session, actor.user_id)
    service.drop_tokens(session, actor.user_id)
    return _welcome(session, actor, now)


def send_link(session: Session, purpose: str, email: str, now: datetime) -> None:
    """Write a `reset` or `sign_in` letter to this address, if it is somebody's. Raises TooManyAttempts."""
    count_attempt(session, email, now, LETTERS)
    actor = directory.actor_of_email(session, email)
    somebody = session.scalar(select(func.min(User.id)))
    if somebody is None:
        return
    # For an address nobody has, the same rows are written, then undone.
    with session.begin_nested() as draft:
        if actor:
            reader = Recipient(actor.email, actor.name, actor.locale, actor.user_id)
        else:
            reader = Recipient(_normal(email), "", "fr", somebody)
        post_link(session, purpose, reader, now)
        if actor is None:
            draft.rollback()


def post_link(session: Session, purpose: str, reader: Recipient, now: datetime, **facts: str) -> None:
    """Put a letter with a fresh secret in the outbox; the secret leaves the row when the letter leaves."""
    assert reader.user_id is not None
    token = service.issue_token(session, reader.user_id, purpose, now)
    post(session, f"{purpose}:{hash_token(token)}", purpose, [reader], {"secret": token, **facts}, now)
