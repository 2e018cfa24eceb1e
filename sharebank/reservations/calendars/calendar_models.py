"""Calendars people subscribe to from elsewhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from sharebank.core.db import Base, Instant


class CalendarFeed(Base):
    """A secret address of a calendar: whose it is says what it shows; the row gone, the address leads nowhere."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        CheckConstraint("kind IN ('person', 'house', 'resource')", name="kind"),
        CheckConstraint(
            "(kind = 'house') = (house_id IS NOT NULL) AND (kind = 'resource') = (resource_id IS NOT NULL)", name="of"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    """Who made it: it shows what this person may see, asked anew each time."""
    kind: Mapped[str] = mapped_column(String(10))
    house_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"), index=True)
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
