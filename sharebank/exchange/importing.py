"""Taking a file in: every row is looked at, everything wrong is said, and only a faultless file is stored."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.accounts.actor import Actor
from sharebank.exchange.checking import Report, check_bytes
from sharebank.exchange.kinds import kind_named


def import_file(
    session: Session,
    kind: str,
    path: str | Path,
    now: datetime,
    tz: ZoneInfo,
) -> Report:
    """Import a CSV file, all of it or nothing; raises UnknownKind, or ImportRefused with every problem."""
    kind_named(kind)
    return import_bytes(session, kind, str(path), Path(path).read_bytes(), now, tz)


def import_bytes(
    session: Session,
    kind: str,
    file: str,
    raw: bytes,
    now: datetime,
    tz: ZoneInfo,
    actor: Actor | None = None,
) -> Report:
    """The same with the bytes at hand; `file` is the name problems are told under."""
    write, report = check_bytes(session, kind_named(kind), file, raw, now, tz, actor)
    write()
    return report
