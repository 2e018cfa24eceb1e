"""What each booking writes: indexes of few rows, and guards that touch a thing's row once and are planned once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Most reservations are asked for alone and belong to no series: an entry for each was written and never looked for.
FEW = {"request": "request <> ref", "series_id": "series_id IS NOT NULL"}

# SQLite has one writer, so the thing's row is written only when its longest hold grows.
SQLITE_OLD = "    WHERE id = NEW.resource_id;\n    SELECT RAISE(ABORT, 'sharebank guard: more units"
SQLITE_NEW = """    WHERE id = NEW.resource_id
      AND longest_hold < CAST(strftime('%s', NEW.ends_at) AS INTEGER) - CAST(strftime('%s', NEW.starts_at) AS INTEGER);
    SELECT RAISE(ABORT, 'sharebank guard: more units"""

# PostgreSQL's row is written to be locked, and so that an older snapshot fails: once in a transaction is enough. A
# series of 400 dates wrote it 400 times, and each time read all those versions. The reservation's own was asked for
# its age by an UPDATE that nearly always changed nothing.
POSTGRESQL = {
    """    IF TG_OP = 'INSERT' OR OLD.reservation_id <> NEW.reservation_id THEN
        -- Written rather than locked, unless this transaction wrote it: one with an older snapshot (REPEATABLE READ)
        -- that changes the reservation could not see this line and would leave it behind.
        UPDATE reservation SET public = public
        WHERE id = NEW.reservation_id AND xmin <> pg_current_xact_id()::xid;
    END IF;
    SELECT status, starts_at, ends_at INTO booked FROM reservation WHERE id = NEW.reservation_id;
""": """    SELECT status, starts_at, ends_at, xmin <> pg_current_xact_id()::xid AS older INTO booked
    FROM reservation WHERE id = NEW.reservation_id;
    IF booked.older AND (TG_OP = 'INSERT' OR OLD.reservation_id <> NEW.reservation_id) THEN
        -- Written rather than locked, unless this transaction wrote it: one with an older snapshot (REPEATABLE READ)
        -- that changes the reservation could not see this line and would leave it behind.
        UPDATE reservation SET public = public WHERE id = NEW.reservation_id
        RETURNING status, starts_at, ends_at, true INTO booked;
    END IF;
""",
    """    WHERE id = NEW.resource_id
    RETURNING quantity, longest_hold * interval '1 second' AS reach INTO thing;
""": """    WHERE id = NEW.resource_id
      AND (xmin <> pg_current_xact_id()::xid
           OR longest_hold < CEIL(EXTRACT(EPOCH FROM NEW.ends_at - NEW.starts_at))::bigint)
    RETURNING quantity, longest_hold * interval '1 second' AS reach INTO thing;
    IF NOT FOUND THEN
        SELECT quantity, longest_hold * interval '1 second' AS reach INTO thing
        FROM resource WHERE id = NEW.resource_id;
    END IF;
""",
}
# Its plans are the same for every row; PostgreSQL made them anew at each, for half of a guard's time.
PLANNED_ONCE = ("reservation_line_guard", "reservation_line_revision", "reservation_guard")


def upgrade() -> None:
    """Smaller indexes under the same names; the guards refuse what they always refused."""
    for column, few in FEW.items():
        name = op.f(f"ix_reservation_{column}")
        op.drop_index(name, "reservation")
        op.create_index(name, "reservation", [column], sqlite_where=sa.text(few), postgresql_where=sa.text(few))
    (_teach_sqlite if op.get_bind().dialect.name == "sqlite" else _teach_postgresql)()


def _teach_sqlite() -> None:
    for when in ("insert", "update"):
        name = f"reservation_line_{when}_guard"
        query = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
        guard = _changed(op.get_bind().execute(query, {"name": name}).scalar_one(), SQLITE_OLD, SQLITE_NEW)
        op.get_bind().exec_driver_sql(f"DROP TRIGGER {name}")
        op.get_bind().exec_driver_sql(guard)


def _teach_postgresql() -> None:
    connection = op.get_bind()
    guard = connection.exec_driver_sql("SELECT pg_get_functiondef('reservation_line_guard'::regproc)").scalar_one()
    for old, new in POSTGRESQL.items():
        guard = _changed(guard, old, new)
    connection.exec_driver_sql(guard)
    # What is only read along need not be sorted by, and without it PostgreSQL keeps one plan for every loan.
    calendar = "ix_reservation_line_calendar"
    op.drop_index(calendar, "reservation_line")
    along = ["ends_at", "holds", "quantity"]
    op.create_index(calendar, "reservation_line", ["resource_id", "starts_at"], postgresql_include=along)
    for name in PLANNED_ONCE:
        connection.exec_driver_sql(f"ALTER FUNCTION {name}() SET plan_cache_mode = force_generic_plan")


def _changed(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise RuntimeError(f"a guard does not read as it was written: {old!r} stands {text.count(old)} times in it")
    return text.replace(old, new)
