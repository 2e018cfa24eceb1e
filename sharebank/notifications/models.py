"""The outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from sharebank.core.db import Base, Instant


class Letter(Base):
    """An e-mail to one recipient; `key` says what it is about, so that it is never written twice."""

    __tablename__ = "letter"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'digest', 'sending', 'sent', 'withdrawn', 'dead')", name="state"),
        Index(None, "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(400), unique=True)
    template: Mapped[str] = mapped_column(String(60))
    """Name of the pair of templates below `templates/email/`."""
    to_address: Mapped[str] = mapped_column(String(254))
    to_name: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"), index=True)
    locale: Mapped[str] = mapped_column(String(2))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the template needs, as plain JSON values."""
    message_id: Mapped[str] = mapped_column(String(64))
    """Left part of the Message-ID; made from the key, so that it is the same at every try."""
    state: Mapped[str] = mapped_column(String(10), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    leased_until: Mapped[datetime | None] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(Text)
    # As its reader saw it, kept once it was written out; what only the reader may know is left out.
    subject: Mapped[str | None] = mapped_column(String(400))
    text: Mapped[str | None] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)


class AddressTrouble(Base):
    """An address a mail server refused for good; gone again when a letter gets through or the address changes."""

    __tablename__ = "address_trouble"

    address: Mapped[str] = mapped_column(String(254), primary_key=True)
    since: Mapped[datetime] = mapped_column(Instant)
    error: Mapped[str] = mapped_column(Text)


class JobRun(Base):
    """One run of a job of the timetable: when, what it did, what went wrong."""

    __tablename__ = "job_run"
    __table_args__ = (Index(None, "job", "started_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    did: Mapped[dict[str, int] | None] = mapped_column(JSON)
    quiet: Mapped[bool] = mapped_column(default=False, server_default=false())
    """It found nothing to do, and nothing went wrong."""
    error: Mapped[str | None] = mapped_column(Text)
