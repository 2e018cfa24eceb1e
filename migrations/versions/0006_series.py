"""What series still lack: what their dates are booked with, which one they go on from, the hour that does not exist.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(19), "sqlite")
STATE = "state IN ('booked', 'conflict', 'closed', 'holiday', 'outside_hours', 'skipped', 'cancelled', 'no_such_time')"


def upgrade() -> None:
    """Columns, and one more state of a date; on SQLite the table of dates is rebuilt for it."""
    follows = sa.ForeignKey("series.id", name=op.f("fk_series_follows_id_series"), ondelete="SET NULL")
    for column in (
        sa.Column("public", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("headcount", sa.Integer(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("answer_hash", sa.String(64), nullable=True),
        sa.Column("follows_id", sa.Integer(), follows, nullable=True),
    ):
        op.add_column("series", column, inline_references=True)
    op.create_index(op.f("ix_series_follows_id"), "series", ["follows_id"])
    if op.get_bind().dialect.name == "sqlite":
        # Named in full: batch mode would take the old check along.
        with op.batch_alter_table("series_date", recreate="always", copy_from=_dates()):
            pass
    else:
        op.drop_constraint(op.f("ck_series_date_state"), "series_date", type_="check")
        op.create_check_constraint(op.f("ck_series_date_state"), "series_date", STATE)


def _dates() -> sa.Table:
    table = sa.Table(
        "series_date",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(STATE, name=op.f("ck_series_date_state")),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_series_date_series_id_series"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservation.id"],
            name=op.f("fk_series_date_reservation_id_reservation"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_date")),
        sa.UniqueConstraint("series_id", "starts_at", name=op.f("uq_series_date_series_id_starts_at")),
    )
    sa.Index(op.f("ix_series_date_reservation_id"), table.c.reservation_id)
    return table
