"""Writing a file that any spreadsheet opens and that imports again unchanged."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sharebank.core.values import defuse
from sharebank.exchange.kinds import kind_named


def export_text(session: Session, kind: str, tz: ZoneInfo) -> str:
    """All rows of a kind as CSV: UTF-8, `,`, LF, a heading; raises UnknownKind."""
    shape = kind_named(kind)
    rows = [
        [defuse(column.cell.write(row[column.name]).replace("\r\n", "\n")) for column in shape.columns]
        for row in shape.fetch(session, tz)
    ]
    kept = [at for at, column in enumerate(shape.columns) if not column.extra or any(row[at] for row in rows)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([shape.columns[at].name for at in kept])
    writer.writerows([row[at] for at in kept] for row in rows)
    return text.getvalue()
