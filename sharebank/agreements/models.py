"""Agreements with what they cover and who signed; the versions of their templates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import Organisation, User
from sharebank.core.db import Base, Instant
from sharebank.reservations.models import Reservation

KIND = "kind IN ('loan', 'weekly', 'room', 'cooperation', 'annual', 'short', 'addendum')"


class AgreementTemplate(Base):
    """One version of the text of a kind of agreement; before the first there is the one shipped (version 0)."""

    __tablename__ = "agreement_template"
    __table_args__ = (CheckConstraint(KIND, name="kind"), UniqueConstraint("kind", "version"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))

    created_by: Mapped[User | None] = relationship()


class Agreement(Base):
    """A convention between two parties; `content` and what was printed from it never change again."""

    __tablename__ = "agreement"
    __table_args__ = (
        CheckConstraint(KIND, name="kind"),
        CheckConstraint("status IN ('issued', 'signed', 'void')", name="status"),
        # Numbers of a house and year run without gaps: the next one is taken under the house's lock.
        UniqueConstraint("lender_id", "year", "sequence"),
        Index(None, "borrower_id"),
        Index(None, "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(40), unique=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    """What it is about, so that it is issued once: `loan:12`, `series:3`, `annual:1:7:2026`; an addendum adds `/1`."""
    lender_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    year: Mapped[int]
    sequence: Mapped[int]
    borrower_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    """Who asked for what it is about, and is written to."""
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(300))
    template_version: Mapped[int]
    status: Mapped[str] = mapped_column(String(10), default="issued")
    content: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    """The whole text as plain values, frozen: what the press prints."""
    text_sha256: Mapped[str] = mapped_column(String(64))
    """Of `content`, printed at the foot of each page."""
    basis: Mapped[str] = mapped_column(String(64))
    """Of the period, the things and the price it was made for: when it no longer fits, an addendum is due."""
    pdf: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """Printed after the transaction that froze the text; the same text gives the same bytes."""
    pdf_sha256: Mapped[str | None] = mapped_column(String(64))
    amends_id: Mapped[int | None] = mapped_column(ForeignKey("agreement.id"), index=True)
    """The agreement an addendum changes: always the first."""
    amendment: Mapped[int] = mapped_column(default=0, server_default="0")
    under_id: Mapped[int | None] = mapped_column(ForeignKey("agreement.id"), index=True)
    """The annual agreement a short form stands under."""
    issued_at: Mapped[datetime] = mapped_column(Instant)
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    signed_at: Mapped[datetime | None] = mapped_column(Instant)

    lender: Mapped[Organisation] = relationship(foreign_keys=[lender_id])
    borrower: Mapped[Organisation] = relationship(foreign_keys=[borrower_id])
    user: Mapped[User] = relationship(foreign_keys=[user_id])
    amends: Mapped[Agreement | None] = relationship(foreign_keys=[amends_id], remote_side=[id])
    under: Mapped[Agreement | None] = relationship(foreign_keys=[under_id], remote_side=[id])
    loans: Mapped[list[Reservation]] = relationship(secondary="agreement_loan", order_by=Reservation.starts_at)
    signatures: Mapped[list[Signature]] = relationship(
        back_populates="agreement", cascade="all, delete-orphan", order_by="Signature.id"
    )


class AgreementLoan(Base):
    """Which reservations an agreement covers."""

    __tablename__ = "agreement_loan"

    agreement_id: Mapped[int] = mapped_column(ForeignKey("agreement.id", ondelete="CASCADE"), primary_key=True)
    reservation_id: Mapped[int] = mapped_column(
        ForeignKey("reservation.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Signature(Base):
    """A party's yes: typed on screen, or a paper that came back; with the hashes of what was signed."""

    __tablename__ = "agreement_signature"
    __table_args__ = (
        CheckConstraint("party IN ('lender', 'borrower')", name="party"),
        CheckConstraint("way IN ('online', 'scan', 'paper')", name="way"),
        UniqueConstraint("agreement_id", "party"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    agreement_id: Mapped[int] = mapped_column(ForeignKey("agreement.id", ondelete="CASCADE"))
    party: Mapped[str] = mapped_column(String(10))
    way: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))
    """As it was typed, or as it stands on the paper."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    """Who was signed in: the signatory, or whoever recorded the paper."""
    at: Mapped[datetime] = mapped_column(Instant)
    text_sha256: Mapped[str] = mapped_column(String(64))
    pdf_sha256: Mapped[str | None] = mapped_column(String(64))
    document_name: Mapped[str] = mapped_column(String(200), default="", server_default="")
    media_type: Mapped[str] = mapped_column(String(40), default="", server_default="")
    document: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)

    agreement: Mapped[Agreement] = relationship(back_populates="signatures")
    user: Mapped[User | None] = relationship()
