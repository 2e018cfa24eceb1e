"""Hand-over, return and charges; what came back of a loan holds no more while the rest is still out.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(19), "sqlite")
HOLDING = "('requested', 'approved', 'collected')"


def upgrade() -> None:
    """Four tables and a column that the guards heed."""
    op.create_table(
        "handover",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("staff_name", sa.String(200), nullable=False),
        sa.Column("borrower_name", sa.String(200), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('collect', 'return')", name=op.f("ck_handover_kind")),
        _belongs("handover", "reservation_id", "reservation"),
        _belongs("handover", "user_id", "user_account", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    op.create_index(op.f("ix_handover_reservation_id"), "handover", ["reservation_id"])
    op.create_table(
        "handover_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handover_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default="0") for name in ("missing", "broken", "dirty")),
        sa.Column("note", sa.String(500), nullable=False, server_default=""),
        sa.Column("facts", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("out", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("out_until", sa.Date(), nullable=True),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_handover_line_quantity")),
        _belongs("handover_line", "handover_id", "handover"),
        _belongs("handover_line", "resource_id", "resource", None),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover_line")),
    )
    op.create_index(op.f("ix_handover_line_handover_id"), "handover_line", ["handover_id"])
    op.create_index(op.f("ix_handover_line_resource_id"), "handover_line", ["resource_id"])
    op.create_table(
        "handover_photo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handover_id", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        _belongs("handover_photo", "handover_id", "handover"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover_photo")),
    )
    op.create_index(op.f("ix_handover_photo_handover_id"), "handover_photo", ["handover_id"])
    op.create_table(
        "charge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=False),
        sa.Column("handover_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("cents", sa.Integer(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("corrected_cents", sa.Integer(), nullable=True),
        sa.Column("corrected_at", INSTANT, nullable=True),
        sa.Column("corrected_by_id", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(500), nullable=False, server_default=""),
        sa.CheckConstraint("cents >= 0", name=op.f("ck_charge_cents")),
        sa.CheckConstraint("corrected_cents >= 0", name=op.f("ck_charge_corrected")),
        _belongs("charge", "reservation_id", "reservation"),
        _belongs("charge", "handover_id", "handover", "SET NULL"),
        _belongs("charge", "user_id", "user_account", "SET NULL"),
        _belongs("charge", "corrected_by_id", "user_account", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge")),
    )
    op.create_index(op.f("ix_charge_reservation_id"), "charge", ["reservation_id"])
    op.create_index(op.f("ix_charge_handover_id"), "charge", ["handover_id"])
    op.add_column("reservation_line", sa.Column("back", sa.Boolean(), nullable=False, server_default=sa.false()))
    (_teach_sqlite if op.get_bind().dialect.name == "sqlite" else _teach_postgresql)()


def _belongs(table: str, column: str, to: str, ondelete: str | None = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete)


# The guards of the first migration, with one thing changed: a line holds while its reservation does, unless it is
# back. Each is read from the database and given back with those words changed, all the rest as it stands.


def _teach_sqlite() -> None:
    """Triggers cannot be replaced in SQLite: dropped and made anew, in the same transaction."""
    for when in ("insert", "update"):
        name = f"reservation_line_{when}_guard"
        query = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
        guard = op.get_bind().execute(query, {"name": name}).scalar_one()
        guard = _changed(guard, f"status IN {HOLDING} FROM", f"status IN {HOLDING} AND NOT NEW.back FROM", 2)
        if when == "update":
            guard = _changed(guard, "holds ON reservation_line", "holds, back ON reservation_line", 1)
        op.get_bind().exec_driver_sql(f"DROP TRIGGER {name}")
        op.get_bind().exec_driver_sql(guard)


def _teach_postgresql() -> None:
    connection = op.get_bind()
    query = "SELECT pg_get_functiondef('reservation_line_guard'::regproc)"
    guard = connection.exec_driver_sql(query).scalar_one()
    held = f"NEW.holds := booked.status IN {HOLDING}"
    connection.exec_driver_sql(_changed(guard, held, f"{held} AND NOT NEW.back", 1))
    connection.exec_driver_sql("DROP TRIGGER reservation_line_guard ON reservation_line")
    connection.exec_driver_sql(
        "CREATE TRIGGER reservation_line_guard BEFORE INSERT OR"
        " UPDATE OF reservation_id, resource_id, quantity, starts_at, ends_at, holds, exclusive, back"
        " ON reservation_line FOR EACH ROW EXECUTE FUNCTION reservation_line_guard()"
    )


def _changed(text: str, old: str, new: str, times: int) -> str:
    if text.count(old) != times:
        raise RuntimeError(f"a guard does not read as it was written: {old!r} stands {text.count(old)} times in it")
    return text.replace(old, new)
