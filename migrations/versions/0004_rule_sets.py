"""Rules of lending move into one column, as data.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from sharebank.core.migrate import triggers_kept

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TRIGGERS_MAY_GO = {"ck_rule_set_approval", "ck_rule_set_fee_unit"}

GONE = (
    "min_notice_days",
    "max_advance_days",
    "max_duration_hours",
    "approval",
    "requires",
    "priority",
    "fee_member_cents",
    "fee_association_cents",
    "fee_external_cents",
    "fee_unit",
)
RULE_SET = sa.table(
    "rule_set",
    sa.column("id", sa.Integer),
    sa.column("terms", sa.Text),
    sa.column("file_order", sa.String),
    *(sa.column(name, sa.JSON if name == "requires" else sa.String) for name in GONE),
)

# What the columns meant on the day they went, frozen here: the rules may change, this may not.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PRIORITY = re.compile(r"([a-z_;-]+): houses first until ([0-9]{1,3}) days before")
FEES = (("fee_member_cents", "houses"), ("fee_association_cents", "associations"), ("fee_external_cents", "everyone"))
UNDERTAKINGS = ("charter", "kitchen_training")


def upgrade() -> None:
    """Each rule set's columns become its terms; what a file called required keeps its order there."""
    op.add_column("rule_set", sa.Column("file_order", sa.String(200), nullable=False, server_default=""))
    bind = op.get_bind()
    for row in bind.execute(sa.select(RULE_SET)).mappings().all():
        terms = json.dumps(terms_of(row), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        order = ";".join(row["requires"])[:200]
        bind.execute(sa.update(RULE_SET).where(RULE_SET.c.id == row["id"]).values(terms=terms, file_order=order))
    with triggers_kept(bind), op.batch_alter_table("rule_set") as batch:
        for name in sorted(TRIGGERS_MAY_GO):
            batch.drop_constraint(op.f(name), type_="check")
        for name in GONE:
            batch.drop_column(name)


def terms_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Rule kind to settings; numbers are brought within what the rules take."""
    terms: dict[str, Any] = {
        "advance": {"days": min(max(int(row["max_advance_days"]), 1), 3650)},
        "length": {"hours": min(max(int(row["max_duration_hours"]), 1), 8784)},
    }
    if notice := int(row["min_notice_days"]):
        terms["notice"] = {"days": min(notice, 365)}
    if row["approval"] != "none":
        terms["approval"] = {"mode": row["approval"]}
    required = row["requires"]
    if "driver_licence" in required:
        terms["drivers"] = {"named": False}
    if "liability_certificate" in required:
        terms["documents"] = {"papers": [{"paper": "liability_certificate"}]}
    if "deposit" in required:
        terms["deposits"] = {"rows": [{}]}
    if promised := [word for word in UNDERTAKINGS if word in required]:
        terms["undertakings"] = {"which": promised}
    if found := PRIORITY.fullmatch(row["priority"]):
        until = {"until_days": days} if (days := min(int(found[2]), 365)) else {}
        windows = [{**when(part), "groups": ["houses"], **until} for part in found[1].split(";")]
        terms["priority"] = {"effect": "approve", "windows": windows}
    fees = [(group, min(max(int(row[column]), 0), 10_000_000)) for column, group in FEES]
    if row["fee_unit"] != "none" or any(cents for _, cents in fees):
        unit = "loan" if row["fee_unit"] == "none" else row["fee_unit"]
        terms["prices"] = {"grid": [{"audience": [group], "unit": unit, "cents": cents} for group, cents in fees]}
    return terms


def when(part: str) -> dict[str, Any]:
    """`wed`, `mon-fri` or `school_holidays` as settings of a window."""
    if part == "school_holidays":
        return {"school": "holidays"}
    first, _, last = part.partition("-")
    start = DAYS.index(first)
    days = {DAYS[(start + step) % 7] for step in range((DAYS.index(last) - start) % 7 + 1 if last else 1)}
    return {"days": [day for day in DAYS if day in days]}
