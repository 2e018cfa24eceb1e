"""Coverages and their reminders, drivers, what became of letters and jobs.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-21
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(19), "sqlite")


def upgrade() -> None:
    """New tables; letters keep what their reader saw, people choose how they are written to."""
    op.create_table(
        "address_trouble",
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_address_trouble")),
    )
    op.create_table(
        "job_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(length=40), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("did", sa.JSON(), nullable=True),
        sa.Column("quiet", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_run")),
    )
    op.create_index(op.f("ix_job_run_job_started_at"), "job_run", ["job", "started_at"], unique=False)
    op.create_table(
        "coverage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.String(length=200), nullable=False),
        sa.Column("contract_number", sa.String(length=100), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("responsible_id", sa.Integer(), nullable=True),
        sa.Column("premium_cents", sa.Integer(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("renewed_by_id", sa.Integer(), nullable=True),
        sa.Column("silent_until", sa.Date(), nullable=True),
        sa.Column("silenced_by_id", sa.Integer(), nullable=True),
        sa.Column("silenced_why", sa.String(length=300), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('vehicle', 'premises', 'liability', 'equipment', 'inspection', 'fire_safety', 'extinguishers')",
            name=op.f("ck_coverage_kind"),
        ),
        sa.CheckConstraint("starts_on IS NULL OR starts_on <= ends_on", name=op.f("ck_coverage_days")),
        sa.ForeignKeyConstraint(["holder_id"], ["organisation.id"], name=op.f("fk_coverage_holder_id_organisation")),
        sa.ForeignKeyConstraint(
            ["renewed_by_id"], ["coverage.id"], name=op.f("fk_coverage_renewed_by_id_coverage"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["responsible_id"],
            ["user_account.id"],
            name=op.f("fk_coverage_responsible_id_user_account"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["silenced_by_id"],
            ["user_account.id"],
            name=op.f("fk_coverage_silenced_by_id_user_account"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage")),
        sa.UniqueConstraint(
            "holder_id",
            "kind",
            "contract_number",
            "ends_on",
            name=op.f("uq_coverage_holder_id_kind_contract_number_ends_on"),
        ),
    )
    op.create_index(op.f("ix_coverage_ends_on"), "coverage", ["ends_on"], unique=False)
    op.create_index(op.f("ix_coverage_renewed_by_id"), "coverage", ["renewed_by_id"], unique=False)
    op.create_index(op.f("ix_coverage_responsible_id"), "coverage", ["responsible_id"], unique=False)
    op.create_table(
        "driver",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("licence_class", sa.String(length=10), nullable=False),
        sa.Column("licence_since", sa.Date(), nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.Column("seen_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_driver_organisation_id_organisation")
        ),
        sa.ForeignKeyConstraint(
            ["seen_by_id"], ["user_account.id"], name=op.f("fk_driver_seen_by_id_user_account"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_driver")),
        sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_driver_organisation_id_name")),
    )
    op.create_table(
        "coverage_document",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("coverage_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("added_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["added_by_id"],
            ["user_account.id"],
            name=op.f("fk_coverage_document_added_by_id_user_account"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["coverage_id"], ["coverage.id"], name=op.f("fk_coverage_document_coverage_id_coverage"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage_document")),
    )
    op.create_index(op.f("ix_coverage_document_coverage_id"), "coverage_document", ["coverage_id"], unique=False)
    op.create_table(
        "coverage_reminder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("coverage_id", sa.Integer(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["coverage_id"], ["coverage.id"], name=op.f("fk_coverage_reminder_coverage_id_coverage"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_coverage_reminder_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage_reminder")),
        sa.UniqueConstraint(
            "coverage_id",
            "ends_on",
            "stage",
            "user_id",
            name=op.f("uq_coverage_reminder_coverage_id_ends_on_stage_user_id"),
        ),
    )
    op.create_index(op.f("ix_coverage_reminder_user_id"), "coverage_reminder", ["user_id"], unique=False)
    op.create_table(
        "coverage_resource",
        sa.Column("coverage_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["coverage_id"], ["coverage.id"], name=op.f("fk_coverage_resource_coverage_id_coverage"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resource.id"], name=op.f("fk_coverage_resource_resource_id_resource"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("coverage_id", "resource_id", name=op.f("pk_coverage_resource")),
    )
    op.create_index(op.f("ix_coverage_resource_resource_id"), "coverage_resource", ["resource_id"], unique=False)
    # What each structure said of its liability insurance becomes a coverage like any other.
    op.execute(
        "INSERT INTO coverage (holder_id, kind, body, contract_number, ends_on, notes, silenced_why, created_at)"
        " SELECT id, 'liability', liability_insurer, liability_contract, liability_expires_on,"
        " '', '', CURRENT_TIMESTAMP"
        " FROM organisation"
        " WHERE liability_insurer <> '' OR liability_contract <> '' OR liability_expires_on IS NOT NULL"
    )
    for column in ("liability_insurer", "liability_contract", "liability_expires_on"):
        op.drop_column("organisation", column)
    op.create_index(
        "ix_reservation_open",
        "reservation",
        ["status", "starts_at"],
        unique=False,
        sqlite_where=sa.text("status IN ('requested', 'collected')"),
        postgresql_where=sa.text("status IN ('requested', 'collected')"),
    )
    op.add_column("letter", sa.Column("subject", sa.String(length=400), nullable=True))
    op.add_column("letter", sa.Column("text", sa.Text(), nullable=True))
    op.add_column("letter", sa.Column("html", sa.Text(), nullable=True))
    op.add_column("user_account", sa.Column("letters", sa.String(length=10), server_default="at_once", nullable=False))


def downgrade() -> None:
    """Backups are the way back."""
    raise RuntimeError("there is no way back but a backup: sharebank restore")
