"""What is gone for good leaves the stock of a thing, with a trace.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(19), "sqlite")


def upgrade() -> None:
    """One table, and what waits for a yes at a return."""
    op.create_table(
        "stock_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
        sa.CheckConstraint("units <> 0", name=op.f("ck_stock_change_units")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_stock_change_resource_id_resource")),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservation.id"],
            name=op.f("fk_stock_change_reservation_id_reservation"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_stock_change_user_id_user_account"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_change")),
    )
    for column in ("resource_id", "reservation_id"):
        op.create_index(op.f(f"ix_stock_change_{column}"), "stock_change", [column])
    op.add_column("handover_line", sa.Column("gone", sa.Integer(), nullable=False, server_default="0"))
