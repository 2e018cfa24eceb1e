"""Everything the catalogue and the reservations stand on, and the guards that keep them from colliding.

Revision ID: 0001
Revises:
Create Date: 2026-11-21
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# UTC instants: on SQLite the text YYYY-MM-DD HH:MM:SS, which its own date functions read and write.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(19), "sqlite")

HOLDING = "('requested', 'approved', 'collected')"

# The calendar's two ends; beyond them the arithmetic on dates of one database or another gives up.
FIRST, LAST = "2000-01-01 00:00:00", "2100-01-01 00:00:00"
CENTURY = 36525 * 86400

# The guards. Whoever writes, the application or a hand at a console:
#   - a line holds exactly while its reservation is requested, approved or collected;
#   - a reservation that moves takes its lines along, buffers kept; a line never covers less than its reservation;
#   - the peak of units in use at one instant never exceeds the resource's quantity (peak, not the sum of overlaps);
#   - `longest_hold` is at least the length of the longest line, so that a search knows how far back to look.
# `calendar_version` is bumped by the guard itself: on PostgreSQL that takes the row's lock, so that two
# transactions cannot both look and both find room.
#
# On SQLite also: any column takes text or fractions, foreign keys are off in most consoles, and REPLACE takes a row
# away without telling its triggers. So instants and counts are checked, and a row never inherits the lines of one
# that is gone.

# Adding nothing makes datetime() reckon: without it, it gives back 31 June as it came.
SQLITE_INSTANTS = f"""
    SELECT RAISE(ABORT, 'sharebank guard: an instant is written YYYY-MM-DD HH:MM:SS, in UTC, from 2000 to 2099')
    WHERE NEW.starts_at IS NOT datetime(NEW.starts_at, '0 seconds')
       OR NEW.ends_at IS NOT datetime(NEW.ends_at, '0 seconds')
       OR NEW.starts_at < '{FIRST}' OR NEW.ends_at > '{LAST}';
"""

SQLITE_LINE = f"""
CREATE TRIGGER reservation_line_{{when}}_guard AFTER {{event}} ON reservation_line BEGIN
    {SQLITE_INSTANTS.strip()}
    SELECT RAISE(ABORT, 'sharebank guard: units are counted in whole numbers from 1')
    WHERE typeof(NEW.quantity) <> 'integer' OR NEW.quantity < 1;
    SELECT RAISE(ABORT, 'sharebank guard: a line belongs to a reservation and to a resource')
    WHERE NOT EXISTS (SELECT 1 FROM reservation WHERE id = NEW.reservation_id)
       OR NOT EXISTS (SELECT 1 FROM resource WHERE id = NEW.resource_id);
    UPDATE reservation_line
    SET holds = (SELECT status IN {HOLDING} FROM reservation WHERE id = NEW.reservation_id)
    WHERE id = NEW.id AND holds IS NOT (SELECT status IN {HOLDING} FROM reservation WHERE id = NEW.reservation_id);
    SELECT RAISE(ABORT, 'sharebank guard: a line covers its whole reservation')
    FROM reservation
    WHERE id = NEW.reservation_id AND (NEW.starts_at > starts_at OR NEW.ends_at < ends_at);
    UPDATE resource
    SET calendar_version = calendar_version + 1,
        longest_hold = MAX(longest_hold, CAST(strftime('%s', NEW.ends_at) AS INTEGER)
                                         - CAST(strftime('%s', NEW.starts_at) AS INTEGER))
    WHERE id = NEW.resource_id;
    SELECT RAISE(ABORT, 'sharebank guard: more units claimed than there are')
    FROM resource r
    WHERE r.id = NEW.resource_id
      AND (SELECT holds FROM reservation_line WHERE id = NEW.id)
      AND r.quantity < (
        SELECT MAX(used) FROM (
            SELECT SUM(units) OVER (ORDER BY at, units ROWS UNBOUNDED PRECEDING) AS used FROM (
                SELECT MAX(l.starts_at, NEW.starts_at) AS at, l.quantity AS units
                FROM reservation_line l
                WHERE l.resource_id = NEW.resource_id AND l.holds AND l.starts_at < NEW.ends_at
                  AND l.starts_at >= datetime(NEW.starts_at, '-' || r.longest_hold || ' seconds')
                  AND l.ends_at > NEW.starts_at
                UNION ALL
                SELECT l.ends_at, -l.quantity
                FROM reservation_line l
                WHERE l.resource_id = NEW.resource_id AND l.holds AND l.ends_at < NEW.ends_at
                  AND l.starts_at >= datetime(NEW.starts_at, '-' || r.longest_hold || ' seconds')
                  AND l.ends_at > NEW.starts_at AND l.starts_at < NEW.ends_at)));
END
"""

SQLITE_NO_HEIR = """
CREATE TRIGGER {table}_{when}_guard AFTER {event} ON {table} BEGIN
    {first}SELECT RAISE(ABORT, 'sharebank guard: lines never change their {table} unseen')
    WHERE EXISTS (SELECT 1 FROM reservation_line WHERE {table}_id IN ({ids}));
END
"""
SQLITE_WHOLE = """SELECT RAISE(ABORT, 'sharebank guard: units are counted in whole numbers from 1')
    WHERE typeof(NEW.quantity) <> 'integer' OR NEW.quantity < 1;
    """

SQLITE = (
    SQLITE_LINE.format(when="insert", event="INSERT"),
    SQLITE_LINE.format(
        when="update", event="UPDATE OF reservation_id, resource_id, quantity, starts_at, ends_at, holds"
    ),
    SQLITE_NO_HEIR.format(
        table="reservation", when="insert", event="INSERT", ids="NEW.id", first=SQLITE_INSTANTS.lstrip() + "    "
    ),
    SQLITE_NO_HEIR.format(table="reservation", when="id", event="UPDATE OF id", ids="OLD.id, NEW.id", first=""),
    SQLITE_NO_HEIR.format(table="resource", when="insert", event="INSERT", ids="NEW.id", first=SQLITE_WHOLE),
    SQLITE_NO_HEIR.format(table="resource", when="id", event="UPDATE OF id", ids="OLD.id, NEW.id", first=""),
    SQLITE_NO_HEIR.format(table="resource", when="delete", event="DELETE", ids="OLD.id", first=""),
    """
CREATE TRIGGER reservation_delete_guard AFTER DELETE ON reservation BEGIN
    DELETE FROM reservation_line WHERE reservation_id = OLD.id;
    DELETE FROM reservation_event WHERE reservation_id = OLD.id;
END
""",
    # One trigger for state and period: of two, the first to run would see the work of the other half done.
    f"""
CREATE TRIGGER reservation_update_guard AFTER UPDATE OF status, starts_at, ends_at ON reservation
WHEN OLD.starts_at IS NOT NEW.starts_at OR OLD.ends_at IS NOT NEW.ends_at
  OR (OLD.status IN {HOLDING}) <> (NEW.status IN {HOLDING}) BEGIN
    {SQLITE_INSTANTS.strip()}
    UPDATE reservation_line
    SET holds = NEW.status IN {HOLDING},
        starts_at = datetime(NEW.starts_at, (strftime('%s', starts_at) - strftime('%s', OLD.starts_at)) || ' seconds'),
        ends_at = datetime(NEW.ends_at, (strftime('%s', ends_at) - strftime('%s', OLD.ends_at)) || ' seconds')
    WHERE reservation_id = NEW.id;
END
""",
    f"""
CREATE TRIGGER resource_quantity_guard AFTER UPDATE OF quantity ON resource
WHEN OLD.quantity IS NOT NEW.quantity BEGIN
    {SQLITE_WHOLE.strip()}
    UPDATE reservation_line SET quantity = quantity
    WHERE resource_id = NEW.id AND holds AND ends_at > datetime('now');
END
""",
    """
CREATE TRIGGER resource_reach_guard AFTER UPDATE OF longest_hold ON resource
WHEN typeof(NEW.longest_hold) <> 'integer' OR NEW.longest_hold < OLD.longest_hold BEGIN
    SELECT RAISE(ABORT, 'sharebank guard: longest_hold only grows');
END
""",
)

POSTGRESQL = (
    f"""
CREATE FUNCTION reservation_line_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    booked record;
    thing record;
    peak bigint;
BEGIN
    IF NEW.starts_at < '{FIRST}+00' OR NEW.ends_at > '{LAST}+00' THEN
        RAISE EXCEPTION 'sharebank guard: the calendar runs from 2000 to 2099' USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' OR OLD.reservation_id <> NEW.reservation_id THEN
        -- Written rather than locked, unless this transaction wrote it: one with an older snapshot (REPEATABLE READ)
        -- that changes the reservation could not see this line and would leave it behind.
        UPDATE reservation SET public = public
        WHERE id = NEW.reservation_id AND xmin <> pg_current_xact_id()::xid;
    END IF;
    SELECT status, starts_at, ends_at INTO booked FROM reservation WHERE id = NEW.reservation_id;
    NEW.holds := booked.status IN {HOLDING};
    IF NEW.starts_at > booked.starts_at OR NEW.ends_at < booked.ends_at THEN
        RAISE EXCEPTION 'sharebank guard: a line covers its whole reservation' USING ERRCODE = 'check_violation';
    END IF;
    UPDATE resource
    SET calendar_version = calendar_version + 1,
        longest_hold = GREATEST(longest_hold, CEIL(EXTRACT(EPOCH FROM NEW.ends_at - NEW.starts_at))::bigint)
    WHERE id = NEW.resource_id
    RETURNING quantity, longest_hold * interval '1 second' AS reach INTO thing;
    NEW.exclusive := thing.quantity = 1;
    IF NEW.holds THEN
        -- The line itself is counted as it will be: not as it is (id), nor as ON CONFLICT is about to find it (a
        -- reservation has one line a resource).
        SELECT MAX(used) INTO peak FROM (
            SELECT SUM(units) OVER (ORDER BY at, units ROWS UNBOUNDED PRECEDING) AS used FROM (
                SELECT NEW.starts_at AS at, NEW.quantity AS units
                UNION ALL
                SELECT GREATEST(l.starts_at, NEW.starts_at), l.quantity
                FROM reservation_line l
                WHERE l.resource_id = NEW.resource_id AND l.holds
                  AND l.id <> NEW.id AND l.reservation_id <> NEW.reservation_id
                  AND l.starts_at < NEW.ends_at AND l.starts_at >= NEW.starts_at - thing.reach
                  AND l.ends_at > NEW.starts_at
                UNION ALL
                SELECT l.ends_at, -l.quantity
                FROM reservation_line l
                WHERE l.resource_id = NEW.resource_id AND l.holds
                  AND l.id <> NEW.id AND l.reservation_id <> NEW.reservation_id
                  AND l.starts_at < NEW.ends_at AND l.starts_at >= NEW.starts_at - thing.reach
                  AND l.ends_at > NEW.starts_at AND l.ends_at < NEW.ends_at
            ) AS changes
        ) AS running;
        IF peak > thing.quantity THEN
            RAISE EXCEPTION 'sharebank guard: more units claimed than there are'
                USING ERRCODE = 'exclusion_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$
""",
    """
CREATE TRIGGER reservation_line_guard
BEFORE INSERT OR UPDATE OF reservation_id, resource_id, quantity, starts_at, ends_at, holds, exclusive
ON reservation_line FOR EACH ROW EXECUTE FUNCTION reservation_line_guard()
""",
    """
ALTER TABLE reservation_line ADD CONSTRAINT reservation_line_never_twice EXCLUDE USING gist (
    int4range(resource_id, resource_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&
) WHERE (holds AND exclusive)
""",
    # Seconds, not the intervals that subtraction gives: a day of those lasts 23 or 25 hours where clocks change.
    f"""
CREATE FUNCTION reservation_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- In the order bookings take them: else one that takes two things and one that gives them back could each hold one.
    PERFORM 1 FROM resource WHERE id IN (SELECT resource_id FROM reservation_line WHERE reservation_id = NEW.id)
    ORDER BY id FOR NO KEY UPDATE;
    IF OLD.starts_at <> NEW.starts_at OR OLD.ends_at <> NEW.ends_at THEN
        UPDATE reservation_line
        SET starts_at = NEW.starts_at + EXTRACT(EPOCH FROM starts_at - OLD.starts_at) * interval '1 second',
            ends_at = NEW.ends_at + EXTRACT(EPOCH FROM ends_at - OLD.ends_at) * interval '1 second'
        WHERE reservation_id = NEW.id;
    ELSE
        UPDATE reservation_line SET holds = NEW.status IN {HOLDING} WHERE reservation_id = NEW.id;
    END IF;
    RETURN NULL;
END $$
""",
    f"""
CREATE TRIGGER reservation_guard AFTER UPDATE OF status, starts_at, ends_at ON reservation FOR EACH ROW
WHEN (OLD.starts_at <> NEW.starts_at OR OLD.ends_at <> NEW.ends_at
      OR (OLD.status IN {HOLDING}) <> (NEW.status IN {HOLDING}))
EXECUTE FUNCTION reservation_guard()
""",
    """
CREATE FUNCTION resource_quantity_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE reservation_line SET quantity = quantity WHERE resource_id = NEW.id AND holds AND ends_at > now();
    RETURN NULL;
END $$
""",
    """
CREATE TRIGGER resource_quantity_guard AFTER UPDATE OF quantity ON resource
FOR EACH ROW WHEN (OLD.quantity <> NEW.quantity) EXECUTE FUNCTION resource_quantity_guard()
""",
    """
CREATE FUNCTION resource_reach_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'sharebank guard: longest_hold only grows' USING ERRCODE = 'check_violation';
END $$
""",
    """
CREATE TRIGGER resource_reach_guard AFTER UPDATE OF longest_hold ON resource
FOR EACH ROW WHEN (NEW.longest_hold < OLD.longest_hold) EXECUTE FUNCTION resource_reach_guard()
""",
)


def upgrade() -> None:
    """Tables, then their guards."""
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_account_at"), "attempt", ["account", "at"], unique=False)
    op.create_table(
        "fact",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_fact")),
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("house_id", sa.Integer(), nullable=True),
        sa.Column("siret", sa.String(length=14), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("phone", sa.String(length=30), nullable=False),
        sa.Column("liability_insurer", sa.String(length=200), nullable=False),
        sa.Column("liability_contract", sa.String(length=100), nullable=False),
        sa.Column("liability_expires_on", sa.Date(), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("postal_code", sa.String(length=10), nullable=False),
        sa.Column("city", sa.String(length=100), nullable=False),
        sa.Column("colour", sa.String(length=7), nullable=False),
        sa.Column("opening_hours", sa.String(length=400), nullable=False),
        sa.Column("school_zone", sa.String(length=1), nullable=False),
        sa.CheckConstraint("kind IN ('house', 'association', 'partner')", name=op.f("ck_organisation_kind")),
        sa.ForeignKeyConstraint(["house_id"], ["organisation.id"], name=op.f("fk_organisation_house_id_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("code", name=op.f("uq_organisation_code")),
    )
    op.create_index(op.f("ix_organisation_house_id"), "organisation", ["house_id"], unique=False)
    op.create_table(
        "rule_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("min_notice_days", sa.Integer(), nullable=False),
        sa.Column("max_advance_days", sa.Integer(), nullable=False),
        sa.Column("max_duration_hours", sa.Integer(), nullable=False),
        sa.Column("buffer_before_min", sa.Integer(), nullable=False),
        sa.Column("buffer_after_min", sa.Integer(), nullable=False),
        sa.Column("approval", sa.String(length=20), nullable=False),
        sa.Column("requires", sa.JSON(), nullable=False),
        sa.Column("priority", sa.String(length=200), nullable=False),
        sa.Column("fee_member_cents", sa.Integer(), nullable=False),
        sa.Column("fee_association_cents", sa.Integer(), nullable=False),
        sa.Column("fee_external_cents", sa.Integer(), nullable=False),
        sa.Column("fee_unit", sa.String(length=10), nullable=False),
        sa.CheckConstraint("approval IN ('none', 'own_house_free', 'always')", name=op.f("ck_rule_set_approval")),
        sa.CheckConstraint(
            "fee_unit IN ('hour', 'half_day', 'day', 'week_end', 'km', 'none')", name=op.f("ck_rule_set_fee_unit")
        ),
        sa.CheckConstraint("buffer_before_min >= 0 AND buffer_after_min >= 0", name=op.f("ck_rule_set_buffers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_set")),
        sa.UniqueConstraint("name", name=op.f("uq_rule_set_name")),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("phone", sa.String(length=30), nullable=False),
        sa.Column("locale", sa.String(length=2), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
    )
    op.create_table(
        "idempotent_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_idempotent_answer_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotent_answer")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_idempotent_answer_user_id_key")),
    )
    op.create_table(
        "letter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("template", sa.String(length=60), nullable=False),
        sa.Column("to_address", sa.String(length=254), nullable=False),
        sa.Column("to_name", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("locale", sa.String(length=2), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'digest', 'sending', 'sent', 'withdrawn', 'dead')", name=op.f("ck_letter_state")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_letter_user_id_user_account"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
        sa.UniqueConstraint("key", name=op.f("uq_letter_key")),
    )
    op.create_index(op.f("ix_letter_state_due_at"), "letter", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix_letter_user_id"), "letter", ["user_id"], unique=False)
    op.create_table(
        "membership",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.CheckConstraint("role IN ('member', 'staff', 'manager', 'admin')", name=op.f("ck_membership_role")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_membership_organisation_id_organisation")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_membership_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("user_id", "organisation_id", name=op.f("uq_membership_user_id_organisation_id")),
    )
    op.create_index(op.f("ix_membership_organisation_id"), "membership", ["organisation_id"], unique=False)
    op.create_table(
        "reservation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("request", sa.String(length=20), nullable=False),
        sa.Column("lender_id", sa.Integer(), nullable=False),
        sa.Column("borrower_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("purpose", sa.String(length=300), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("kind IN ('loan', 'closure')", name=op.f("ck_reservation_kind")),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'collected', 'returned', 'declined', 'cancelled', 'expired')",
            name=op.f("ck_reservation_status"),
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_reservation_period")),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["organisation.id"], name=op.f("fk_reservation_borrower_id_organisation")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["organisation.id"], name=op.f("fk_reservation_lender_id_organisation")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_reservation_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
        sa.UniqueConstraint("ref", name=op.f("uq_reservation_ref")),
    )
    op.create_index(
        op.f("ix_reservation_borrower_id_starts_at"), "reservation", ["borrower_id", "starts_at"], unique=False
    )
    op.create_index(op.f("ix_reservation_lender_id_starts_at"), "reservation", ["lender_id", "starts_at"], unique=False)
    op.create_index(op.f("ix_reservation_request"), "reservation", ["request"], unique=False)
    op.create_index(op.f("ix_reservation_user_id_starts_at"), "reservation", ["user_id", "starts_at"], unique=False)
    op.create_table(
        "resource",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("house_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("category", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("location", sa.String(length=200), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("area_m2", sa.Numeric(precision=8, scale=2), nullable=True),
        sa.Column("seats", sa.Integer(), nullable=True),
        sa.Column("plate", sa.String(length=20), nullable=False),
        sa.Column("replacement_value_cents", sa.Integer(), nullable=True),
        sa.Column("rental_value_cents", sa.Integer(), nullable=True),
        sa.Column("deposit_cents", sa.Integer(), nullable=True),
        sa.Column("rule_set_id", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("purchased_on", sa.Date(), nullable=True),
        sa.Column("warranty_until", sa.Date(), nullable=True),
        sa.Column("in_service", sa.Boolean(), nullable=False),
        sa.Column("out_of_service_reason", sa.String(length=200), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("calendar_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("longest_hold", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("kind IN ('room', 'vehicle', 'equipment')", name=op.f("ck_resource_kind")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_resource_quantity")),
        sa.CheckConstraint(f"longest_hold BETWEEN 0 AND {CENTURY}", name=op.f("ck_resource_longest_hold")),
        sa.ForeignKeyConstraint(["house_id"], ["organisation.id"], name=op.f("fk_resource_house_id_organisation")),
        sa.ForeignKeyConstraint(["rule_set_id"], ["rule_set.id"], name=op.f("fk_resource_rule_set_id_rule_set")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
        sa.UniqueConstraint("code", name=op.f("uq_resource_code")),
    )
    op.create_index(op.f("ix_resource_house_id"), "resource", ["house_id"], unique=False)
    op.create_index(op.f("ix_resource_rule_set_id"), "resource", ["rule_set_id"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.CheckConstraint("purpose IN ('invite', 'reset', 'sign_in', 'api')", name=op.f("ck_token_purpose")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_token_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_token_token_hash")),
    )
    op.create_index(op.f("ix_token_user_id"), "token", ["user_id"], unique=False)
    op.create_table(
        "user_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_user_session_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_session_token_hash")),
    )
    op.create_index(op.f("ix_user_session_user_id"), "user_session", ["user_id"], unique=False)
    op.create_table(
        "photo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("caption", sa.String(length=200), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resource.id"], name=op.f("fk_photo_resource_id_resource"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo")),
    )
    op.create_index(op.f("ix_photo_resource_id"), "photo", ["resource_id"], unique=False)
    op.create_table(
        "reservation_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservation.id"],
            name=op.f("fk_reservation_event_reservation_id_reservation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_reservation_event_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation_event")),
    )
    op.create_index(op.f("ix_reservation_event_reservation_id"), "reservation_event", ["reservation_id"], unique=False)
    op.create_table(
        "reservation_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("holds", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("exclusive", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_reservation_line_quantity")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_reservation_line_period")),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservation.id"],
            name=op.f("fk_reservation_line_reservation_id_reservation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resource.id"], name=op.f("fk_reservation_line_resource_id_resource")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation_line")),
        sa.UniqueConstraint(
            "reservation_id", "resource_id", name=op.f("uq_reservation_line_reservation_id_resource_id")
        ),
    )
    op.create_index(
        "ix_reservation_line_calendar",
        "reservation_line",
        ["resource_id", "starts_at", "ends_at", "holds", "quantity"],
        unique=False,
    )

    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """There is nothing before the first version."""
    raise RuntimeError("nothing comes before the first version: restore a backup instead")
