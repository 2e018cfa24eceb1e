"""A row with another fault says all the same which things, structures and people it names do not exist."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.services.test_import import Found, problems

FAULTY: dict[str, tuple[str, str, Found]] = {
    "reservations": (
        "ref,resource_code,quantity,organisation,user_email,starts_at,ends_at,status,purpose",
        "R1,NO-1,x,NOWHERE,nobody@example.org,2026-12-01T10:00,2026-12-01T11:00,approved,Yoga",
        [
            (2, "quantity", "not_whole"),
            (2, "resource_code", "unknown_resource"),
            (2, "organisation", "unknown_organisation"),
            (2, "user_email", "unknown_user"),
        ],
    ),
    "series": (
        "title,resource_code,organisation,rrule,first_start,first_end,until,skip,expected_count,user_email",
        "Yoga,NO-1;MCNG-R01;NO-2,NOWHERE,NEVER,2026-12-01T10:00,2026-12-01T11:00,,none,,nobody@example.org",
        [
            (2, "rrule", "bad_rule"),
            (2, "resource_code", "unknown_resource"),
            (2, "resource_code", "unknown_resource"),
            (2, "organisation", "unknown_organisation"),
            (2, "user_email", "unknown_user"),
        ],
    ),
    "insurance": (
        "holder_house,kind,insurer_or_body,contract_number,covers,ends_on,responsible_email",
        "NOWHERE,boat,M,PB-1,NO-1,2026-12-31,nobody@example.org",
        [
            (2, "kind", "not_a_choice"),
            (2, "holder_house", "unknown_organisation"),
            (2, "covers", "unknown_resource"),
            (2, "responsible_email", "unknown_user"),
        ],
    ),
    "price-list": (
        "supplier,sku,name,pack_size,unit_price_excl_vat_eur,vat_rate",
        "NOPE,S1,Farine,x,1.00,5.5",
        [(2, "pack_size", "not_whole"), (2, "supplier", "unknown_supplier")],
    ),
    "pledges": (
        "campaign,organisation,sku,quantity,accept_up_to",
        "nothing,NOWHERE,S1,x,3",
        [
            (2, "quantity", "not_whole"),
            (2, "campaign", "unknown_campaign"),
            (2, "organisation", "unknown_organisation"),
        ],
    ),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_what_is_named_and_unknown_is_said_at_once(app: Flask, kind: str) -> None:
    heading, row, expected = FAULTY[kind]
    assert problems(kind, f"{heading}\n{row}\n") == expected
