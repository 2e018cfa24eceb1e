"""Facts about this installation itself."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sharebank.core.db import Base


class Fact(Base):
    """One named fact, such as `demo`: when and by how many weeks the demonstration was moved."""

    __tablename__ = "fact"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
