"""What lending from request to return keeps: series, what a loan costs, who signs.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(19), "sqlite")


def upgrade() -> None:
    """Columns that may be empty and two tables: nothing that stands is rewritten."""
    op.add_column("organisation", sa.Column("member_since", sa.Date(), nullable=True))
    op.add_column("organisation", sa.Column("represented_by", sa.String(200), nullable=False, server_default=""))
    op.add_column("organisation", sa.Column("office", sa.String(100), nullable=False, server_default=""))
    op.add_column("rule_set", sa.Column("terms", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(20), nullable=False),
        sa.Column("purpose", sa.String(300), nullable=False),
        sa.Column("lender_id", sa.Integer(), nullable=False),
        sa.Column("borrower_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("wants", sa.JSON(), nullable=False),
        sa.Column("rule", sa.String(300), nullable=False),
        sa.Column("zone", sa.String(40), nullable=False),
        sa.Column("first_start", sa.String(16), nullable=False),
        sa.Column("first_end", sa.String(16), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("skip", sa.String(20), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=True),
        sa.Column("release_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "skip IN ('none', 'school_holidays', 'public_holidays', 'both')", name=op.f("ck_series_skip")
        ),
        sa.CheckConstraint("status IN ('active', 'ended')", name=op.f("ck_series_status")),
        sa.ForeignKeyConstraint(["lender_id"], ["organisation.id"], name=op.f("fk_series_lender_id_organisation")),
        sa.ForeignKeyConstraint(["borrower_id"], ["organisation.id"], name=op.f("fk_series_borrower_id_organisation")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_series_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("ref", name=op.f("uq_series_ref")),
    )
    for column in ("lender_id", "borrower_id", "user_id"):
        op.create_index(op.f(f"ix_series_{column}"), "series", [column])
    op.create_table(
        "series_date",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('booked', 'conflict', 'closed', 'holiday', 'outside_hours', 'skipped', 'cancelled')",
            name=op.f("ck_series_date_state"),
        ),
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
    op.create_index(op.f("ix_series_date_reservation_id"), "series_date", ["reservation_id"])
    added = (
        sa.Column("headcount", sa.Integer(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("quote", sa.JSON(), nullable=True),
        sa.Column("lapses_at", INSTANT, nullable=True),
        sa.Column("offered", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column(
            "approved_once_by_id",
            sa.Integer(),
            sa.ForeignKey(
                "user_account.id", name=op.f("fk_reservation_approved_once_by_id_user_account"), ondelete="SET NULL"
            ),
            nullable=True,
        ),
        sa.Column("signed_at", INSTANT, nullable=True),
        sa.Column(
            "series_id",
            sa.Integer(),
            sa.ForeignKey("series.id", name=op.f("fk_reservation_series_id_series")),
            nullable=True,
        ),
    )
    for column in added:
        op.add_column("reservation", column, inline_references=True)
    op.create_index(op.f("ix_reservation_series_id"), "reservation", ["series_id"])
