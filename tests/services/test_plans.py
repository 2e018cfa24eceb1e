"""How PostgreSQL plans what every page and booking asks of a calendar with a history."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from sharebank.accounts.actor import Actor
from sharebank.catalog.service import things_by_code
from sharebank.core.db import db, transaction
from sharebank.reservations.availability import claims
from sharebank.reservations.planning.planning import plan
from tests import world

# Two years of the town's things, one of them hardly ever lent, and nothing to come: what is asked for looks rare.
PAST = (
    "SET LOCAL session_replication_role = replica",  # the guards would take their time over each
    """
    INSERT INTO reservation (ref, kind, request, lender_id, borrower_id, user_id, starts_at, ends_at, status, purpose,
                             public, created_at)
    SELECT 'R' || day || '-' || hour || '-' || thing.id, 'loan', '', thing.house_id, thing.house_id, 1, at,
           at + interval '1 hour', 'returned', 'Yoga', false, at
    FROM generate_series(30, 730) AS day, generate_series(8, 17) AS hour, resource AS thing,
         LATERAL (SELECT timestamptz '2026-11-21 00:00Z' - day * interval '1 day' + hour * interval '1 hour' AS at) AS w
    WHERE thing.code <> 'MCNG-R03' OR day = 30
    """,
    """
    INSERT INTO reservation_line (reservation_id, resource_id, quantity, starts_at, ends_at, holds)
    SELECT loan.id, thing.id, 1, starts_at, ends_at, false
    FROM reservation AS loan JOIN resource AS thing ON loan.ref LIKE 'R%-' || thing.id
    """,
    "ANALYZE reservation",
    "ANALYZE reservation_line",
)


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)
def test_one_plan_serves_what_is_asked_all_day(app: Flask, actor: Callable[[str], Actor]) -> None:
    staff = actor("staff@example.org")
    with transaction() as session:
        for statement in PAST:
            session.execute(text(statement))
    session, over = db.session(), world.at(22, "10:00", "12:00")
    some = list(things_by_code(session, ["MCNG-R03", "STN-K03"]).values())
    for _ in range(20):
        plan(session, staff, "day", world.NOW.date(), world.PARIS)
        claims(session, some, over)
        claims(session, some[:1], over)
    counts = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE :about"
    found = [tuple(row) for row in session.execute(text(counts), {"about": "%FROM reservation_line%"})]
    # PostgreSQL tries five plans made for the values, and compares; the driver prepares what it sees a sixth time.
    assert found == [(5, 10)] * 3
