"""${message}.

Revision ${up_revision}, after ${down_revision or "nothing"}, ${create_date}.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

# What this revision drops on purpose; anything else that goes missing rolls it back (docs/decisions).
# TABLES_MAY_GO = {"table"}
# ROWS_MAY_GO = {"table"}
# TRIGGERS_MAY_GO = {"trigger_or_constraint"}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
