"""Coverages with their documents and reminders; the drivers whose licence, and the papers that were seen."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core.db import Base, Instant


class Coverage(Base):
    """An insurance contract, an inspection or a safety check, with the last day it is good for.

    A house's covers things of the house, or the house itself (liability); a borrower's is its liability certificate.
    """

    __tablename__ = "coverage"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('vehicle', 'premises', 'liability', 'equipment', 'inspection', 'fire_safety', 'extinguishers')",
            name="kind",
        ),
        CheckConstraint("starts_on IS NULL OR starts_on <= ends_on", name="days"),
        UniqueConstraint("holder_id", "kind", "contract_number", "ends_on"),
        Index(None, "ends_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    holder_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    kind: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(String(200))
    """The insurer, or who inspects."""
    contract_number: Mapped[str] = mapped_column(String(100), default="")
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    """The last day it is good for, that day included; None while nobody has said, and then it counts for nothing."""
    responsible_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"), index=True)
    premium_cents: Mapped[int | None]
    """A year's premium, or the price of the visit."""
    notes: Mapped[str] = mapped_column(Text, default="")
    renewed_by_id: Mapped[int | None] = mapped_column(ForeignKey("coverage.id", ondelete="SET NULL"), index=True)
    """The one that follows; its reminders are then over."""
    silent_until: Mapped[date | None]
    """Acknowledged: no reminder before this day; shown to all."""
    silenced_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    silenced_why: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime] = mapped_column(Instant)

    holder: Mapped[Organisation] = relationship()
    responsible: Mapped[User | None] = relationship(foreign_keys=[responsible_id])
    silenced_by: Mapped[User | None] = relationship(foreign_keys=[silenced_by_id])
    things: Mapped[list[Resource]] = relationship(secondary="coverage_resource", order_by=Resource.code)
    documents: Mapped[list[CoverageDocument]] = relationship(
        back_populates="coverage", cascade="all, delete-orphan", order_by="CoverageDocument.id"
    )


class CoverageResource(Base):
    """Which things a coverage is about."""

    __tablename__ = "coverage_resource"

    coverage_id: Mapped[int] = mapped_column(ForeignKey("coverage.id", ondelete="CASCADE"), primary_key=True)
    resource_id: Mapped[int] = mapped_column(
        ForeignKey("resource.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class CoverageDocument(Base):
    """The contract or certificate itself, as PDF or picture; in the database, so that one backup holds everything."""

    __tablename__ = "coverage_document"

    id: Mapped[int] = mapped_column(primary_key=True)
    coverage_id: Mapped[int] = mapped_column(ForeignKey("coverage.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(40))
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(Instant)

    coverage: Mapped[Coverage] = relationship(back_populates="documents")


class Reminder(Base):
    """A rung of the ladder climbed for one reader: the row makes it happen once, whoever ticks, however often."""

    __tablename__ = "coverage_reminder"
    __table_args__ = (UniqueConstraint("coverage_id", "ends_on", "stage", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    coverage_id: Mapped[int] = mapped_column(ForeignKey("coverage.id", ondelete="CASCADE"))
    ends_on: Mapped[date]
    """A changed end opens a new series by itself."""
    stage: Mapped[int]
    """Days before the end; negative once lapsed."""
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)


class Driver(Base):
    """Somebody whose licence was seen: by whom, when, which class, held since; never a copy of it."""

    __tablename__ = "driver"
    __table_args__ = (UniqueConstraint("organisation_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    name: Mapped[str] = mapped_column(String(200))
    licence_class: Mapped[str] = mapped_column(String(10))
    licence_since: Mapped[date]
    seen_on: Mapped[date]
    seen_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))

    organisation: Mapped[Organisation] = relationship()
    seen_by: Mapped[User | None] = relationship()


class SeenPaper(Base):
    """A document that a structure has shown, such as its statutes: until when it is good, who saw it; never a copy."""

    __tablename__ = "paper"
    __table_args__ = (UniqueConstraint("organisation_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    kind: Mapped[str] = mapped_column(String(40))
    """A key of `lending.kinds.PAPERS`."""
    valid_until: Mapped[date | None]
    """The last day it is good for, that day included; None: without end."""
    seen_on: Mapped[date]
    seen_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(String(300), default="")

    organisation: Mapped[Organisation] = relationship()
    seen_by: Mapped[User | None] = relationship()
