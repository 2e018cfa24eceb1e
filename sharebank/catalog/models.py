"""Resources, the rule sets they share, and their photos."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, LargeBinary, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sharebank.accounts.models import Organisation
from sharebank.core.db import Base, Instant


class RuleSet(Base):
    """Named rules of lending shared by many resources."""

    __tablename__ = "rule_set"
    __table_args__ = (CheckConstraint("buffer_before_min >= 0 AND buffer_after_min >= 0", name="buffers"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    buffer_before_min: Mapped[int] = mapped_column(default=0)
    buffer_after_min: Mapped[int] = mapped_column(default=0)
    terms: Mapped[str] = mapped_column(Text, default="{}", server_default="{}")
    """The rules of lending as data: canonical JSON, rule kind to its settings (`sharebank.lending`)."""
    file_order: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """The words of a file's `requires` as they stood, so that it goes out as it came in; terms say what is required."""


class Resource(Base):
    """One thing, or a pool of `quantity` identical things."""

    __tablename__ = "resource"
    __table_args__ = (
        CheckConstraint("kind IN ('room', 'vehicle', 'equipment')", name="kind"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("longest_hold BETWEEN 0 AND 3155760000", name="longest_hold"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    house_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    category: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    quantity: Mapped[int] = mapped_column(default=1)
    location: Mapped[str] = mapped_column(String(200), default="")
    capacity: Mapped[int | None]
    """Persons."""
    area_m2: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    seats: Mapped[int | None]
    """The driver's included."""
    plate: Mapped[str] = mapped_column(String(20), default="")
    replacement_value_cents: Mapped[int | None]
    rental_value_cents: Mapped[int | None]
    """Market value of a day, for in-kind accounts."""
    deposit_cents: Mapped[int | None]
    rule_set_id: Mapped[int] = mapped_column(ForeignKey("rule_set.id"), index=True)
    attributes: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    purchased_on: Mapped[date | None]
    warranty_until: Mapped[date | None]
    in_service: Mapped[bool] = mapped_column(default=True)
    out_of_service_reason: Mapped[str] = mapped_column(String(200), default="")
    search_text: Mapped[str] = mapped_column(Text, default="")
    """Code, name, category, description and place, folded to plain lower-case letters."""
    calendar_version: Mapped[int] = mapped_column(default=0, server_default="0")
    """Bumped by every change of the calendar, first of all: that takes the lock."""
    longest_hold: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Seconds the longest line of this resource lasts; it bounds how far back a search looks."""

    house: Mapped[Organisation] = relationship()
    rule_set: Mapped[RuleSet] = relationship()
    photos: Mapped[list[Photo]] = relationship(
        back_populates="resource", cascade="all, delete-orphan", order_by="Photo.position, Photo.id"
    )


class Photo(Base):
    """A re-encoded picture; kept in the database so that one backup holds everything."""

    __tablename__ = "photo"

    id: Mapped[int] = mapped_column(primary_key=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    caption: Mapped[str] = mapped_column(String(200), default="")
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    image: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(Instant)

    resource: Mapped[Resource] = relationship(back_populates="photos")
