"""Calendars to subscribe to, and the number of each reservation's changes.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(19), "sqlite")

# What a calendar shows of a reservation. Whoever writes, a change of it counts; only what is new counts from nought.
SHOWN = ("status", "starts_at", "ends_at", "purpose")
BUMP = "UPDATE reservation SET revision = revision + 1 WHERE id = {row}.reservation_id"
SEEN = "EXISTS (SELECT 1 FROM reservation_event WHERE reservation_id = NEW.reservation_id)"

SQLITE = (
    f"""
CREATE TRIGGER reservation_revision AFTER UPDATE OF {", ".join(SHOWN)} ON reservation
WHEN {" OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in SHOWN)} BEGIN
    UPDATE reservation SET revision = revision + 1 WHERE id = NEW.id;
END
""",
    f"""
CREATE TRIGGER reservation_line_revision_insert AFTER INSERT ON reservation_line
WHEN {SEEN} BEGIN {BUMP.format(row="NEW")}; END
""",
    f"""
CREATE TRIGGER reservation_line_revision_update AFTER UPDATE OF quantity, resource_id ON reservation_line
WHEN OLD.quantity IS NOT NEW.quantity OR OLD.resource_id IS NOT NEW.resource_id
BEGIN {BUMP.format(row="NEW")}; END
""",
    f"""
CREATE TRIGGER reservation_line_revision_delete AFTER DELETE ON reservation_line
BEGIN {BUMP.format(row="OLD")}; END
""",
)

POSTGRESQL = (
    """
CREATE FUNCTION reservation_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END $$
""",
    f"""
CREATE TRIGGER reservation_revision BEFORE UPDATE OF {", ".join(SHOWN)} ON reservation FOR EACH ROW
WHEN ({" OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in SHOWN)})
EXECUTE FUNCTION reservation_revision()
""",
    f"""
CREATE FUNCTION reservation_line_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        {BUMP.format(row="OLD")};
    ELSIF TG_OP = 'UPDATE' OR {SEEN} THEN
        {BUMP.format(row="NEW")};
    END IF;
    RETURN NULL;
END $$
""",
    """
CREATE TRIGGER reservation_line_revision AFTER INSERT OR DELETE ON reservation_line
FOR EACH ROW EXECUTE FUNCTION reservation_line_revision()
""",
    """
CREATE TRIGGER reservation_line_revision_update AFTER UPDATE OF quantity, resource_id ON reservation_line FOR EACH ROW
WHEN (OLD.quantity <> NEW.quantity OR OLD.resource_id <> NEW.resource_id)
EXECUTE FUNCTION reservation_line_revision()
""",
)


def upgrade() -> None:
    """A table, a column, and the triggers that keep it."""
    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("house_id", sa.Integer(), nullable=True),
        sa.Column("resource_id", sa.Integer(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("kind IN ('person', 'house', 'resource')", name=op.f("ck_calendar_feed_kind")),
        sa.CheckConstraint(
            "(kind = 'house') = (house_id IS NOT NULL) AND (kind = 'resource') = (resource_id IS NOT NULL)",
            name=op.f("ck_calendar_feed_of"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_calendar_feed_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["organisation.id"], name=op.f("fk_calendar_feed_house_id_organisation"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resource.id"], name=op.f("fk_calendar_feed_resource_id_resource"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_feed_token_hash")),
    )
    for column in ("user_id", "house_id", "resource_id"):
        op.create_index(op.f(f"ix_calendar_feed_{column}"), "calendar_feed", [column])
    op.add_column("reservation", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    connection = op.get_bind()
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        connection.exec_driver_sql(statement)
