"""Users, organisations, memberships, and the rows that sign-in leaves."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.core.db import Base, Instant


class Organisation(Base):
    """A legal body: houses own and lend, every organisation may borrow."""

    __tablename__ = "organisation"
    __table_args__ = (CheckConstraint("kind IN ('house', 'association', 'partner')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    house_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    """The house it is attached to; a house is attached to itself."""
    siret: Mapped[str] = mapped_column(String(14), default="")
    member_since: Mapped[date | None]
    """Since when it is a member; some things are lent to those of some years only."""
    represented_by: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """Who signs for it."""
    office: Mapped[str] = mapped_column(String(100), default="", server_default="")
    """As what: president, treasurer, director."""
    email: Mapped[str] = mapped_column(String(254), default="")
    phone: Mapped[str] = mapped_column(String(30), default="")
    # Its seat; a house says also when it is open.
    address: Mapped[str] = mapped_column(String(200), default="")
    postal_code: Mapped[str] = mapped_column(String(10), default="")
    city: Mapped[str] = mapped_column(String(100), default="")
    colour: Mapped[str] = mapped_column(String(7), default="")
    opening_hours: Mapped[str] = mapped_column(String(400), default="")
    school_zone: Mapped[str] = mapped_column(String(1), default="")

    house: Mapped[Organisation | None] = relationship(remote_side=[id])


class User(Base):
    """A person who signs in."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """Lower case."""
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    phone: Mapped[str] = mapped_column(String(30), default="")
    locale: Mapped[str] = mapped_column(String(2), default="fr")
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """argon2; none until the invitation is accepted."""
    letters: Mapped[str] = mapped_column(String(10), default="at_once", server_default="at_once")
    """How to write to this person: `at_once`, a daily `digest`, or `acts` (only what needs an act of theirs)."""
    created_at: Mapped[datetime] = mapped_column(Instant)

    memberships: Mapped[list[Membership]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="Membership.id"
    )

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


class Membership(Base):
    """A user's role in one organisation."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint("user_id", "organisation_id"),
        CheckConstraint("role IN ('member', 'staff', 'manager', 'admin')", name="role"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    role: Mapped[str] = mapped_column(String(10))

    user: Mapped[User] = relationship(back_populates="memberships")
    organisation: Mapped[Organisation] = relationship()


class UserSession(Base):
    """One signed-in browser; the row gone, the browser is signed out."""

    __tablename__ = "user_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class Token(Base):
    """A secret sent by letter (single use) or given to a program (`api`); only its hash is kept."""

    __tablename__ = "token"
    __table_args__ = (CheckConstraint("purpose IN ('invite', 'reset', 'sign_in', 'api')", name="purpose"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(10))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class Attempt(Base):
    """A try at an account, known or not; too many in a quarter of an hour shut the door for a while."""

    __tablename__ = "attempt"
    __table_args__ = (Index(None, "account", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the lower-case address: a list of tries must not become a list of addresses."""
    at: Mapped[datetime] = mapped_column(Instant)
