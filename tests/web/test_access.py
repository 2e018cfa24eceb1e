"""Every route, every role, every house: the URL map is walked, so a new route must say here who may.

A page answers whoever may reach it with something else than sign-in, 403 or 404; what happens then is tested
elsewhere. The town: tests/world.py. The loan is the choir's (MCNG's association), of MCNG's big room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from sharebank.accounts import directory, service
from sharebank.accounts.models import Organisation
from sharebank.catalog.models import Photo
from sharebank.core.db import db, transaction
from sharebank.insurance.models import Coverage, CoverageDocument, Driver
from sharebank.reservations import booking
from sharebank.reservations.booking import Ask
from tests import world

EVERYBODY = frozenset(world.PEOPLE)
NOBODY: frozenset[str] = frozenset()
ADMIN = frozenset({"admin@example.org"})
MCNG_MANAGERS = ADMIN | {"manager@example.org"}
MCNG_STAFF = MCNG_MANAGERS | {"staff@example.org"}
STN_STAFF = frozenset({"manager.stn@example.org", "staff.stn@example.org"})
STAFF = MCNG_STAFF | STN_STAFF
MANAGERS = MCNG_MANAGERS | {"manager.stn@example.org"}
PARTIES = MCNG_STAFF | {"member@example.org"}
VISITORS = EVERYBODY | {"nobody"}

# (endpoint, method) -> who may. Rows of one subject stand together.
MAY: dict[tuple[str, str], frozenset[str]] = {
    ("static", "GET"): VISITORS,
    ("health.alive", "GET"): VISITORS,
    ("health.ready", "GET"): VISITORS,
    # Signing in is for those who are not.
    ("accounts.sign_in", "GET"): VISITORS,
    ("accounts.sign_in", "POST"): VISITORS,
    ("accounts.ask_link", "GET"): VISITORS,
    ("accounts.ask_link", "POST"): VISITORS,
    ("accounts.sign_in_by_link", "GET"): VISITORS,
    ("accounts.sign_in_by_link", "POST"): VISITORS,
    ("accounts.forgotten", "GET"): VISITORS,
    ("accounts.forgotten", "POST"): VISITORS,
    ("accounts.choose_password", "GET"): VISITORS,
    ("accounts.choose_password", "POST"): VISITORS,
    ("accounts.set_locale", "POST"): VISITORS,
    ("accounts.sign_out", "POST"): EVERYBODY,
    ("accounts.account", "GET"): EVERYBODY,
    ("accounts.account", "POST"): EVERYBODY,
    ("accounts.change_password", "POST"): EVERYBODY,
    ("accounts.end_sessions", "POST"): EVERYBODY,
    ("accounts.new_token", "POST"): EVERYBODY,
    ("accounts.revoke_token", "POST"): frozenset({"member@example.org"}),
    # People of an organisation: its managers', or those of the house it is attached to.
    ("accounts.people", "GET"): MANAGERS,
    ("accounts.new_person", "GET"): MANAGERS,
    ("accounts.new_person", "POST"): MANAGERS,
    ("accounts.seat", "GET"): MCNG_MANAGERS,
    ("accounts.seat", "POST"): MCNG_MANAGERS,
    ("accounts.invite_again", "POST"): MCNG_MANAGERS,
    ("accounts.remove_seat", "POST"): MCNG_MANAGERS,
    # Letters: their reader's, and those of the people one manages; the sample was written to the member.
    ("letters.outbox_page", "GET"): MANAGERS,
    ("letters.letter", "GET"): MCNG_MANAGERS | {"member@example.org"},
    ("letters.letter_page", "GET"): MCNG_MANAGERS | {"member@example.org"},
    ("letters.send_again", "POST"): MCNG_MANAGERS,
    ("letters.give_up", "POST"): MCNG_MANAGERS,
    ("letters.mine", "GET"): EVERYBODY,
    ("letters.mine", "POST"): EVERYBODY,
    ("letters.stop", "GET"): VISITORS,
    ("letters.stop", "POST"): VISITORS,
    ("watch.timetable", "GET"): MANAGERS,
    ("api.letters", "GET"): MANAGERS,
    # Everybody sees what the houses lend; its own staff change it.
    ("catalog.houses_css", "GET"): VISITORS,
    ("catalog.resources", "GET"): EVERYBODY,
    ("catalog.resource", "GET"): EVERYBODY,
    ("catalog.rule_sets", "GET"): EVERYBODY,
    ("catalog.photo", "GET"): EVERYBODY,
    ("catalog.label", "GET"): EVERYBODY,
    ("catalog.labels", "GET"): STAFF,
    ("catalog.label_code", "GET"): EVERYBODY,
    ("catalog.new", "GET"): MCNG_STAFF,
    ("catalog.new", "POST"): MCNG_STAFF,
    ("catalog.edit", "GET"): MCNG_STAFF,
    ("catalog.edit", "POST"): MCNG_STAFF,
    ("catalog.set_service", "POST"): MCNG_STAFF,
    ("catalog.add_photos", "POST"): MCNG_STAFF,
    ("catalog.caption_photo", "POST"): MCNG_STAFF,
    ("catalog.change_photo", "POST"): MCNG_STAFF,
    # Deadlines: a house's are its staff's; a structure's own people see its certificate, and a list of nothing else.
    ("insurance.index", "GET"): EVERYBODY,
    ("insurance.timeline", "GET"): EVERYBODY,
    ("insurance.export", "GET"): EVERYBODY,
    ("insurance.new", "GET"): MCNG_STAFF,
    ("insurance.new", "POST"): MCNG_STAFF,
    ("insurance.coverage", "GET"): MCNG_STAFF,
    ("insurance.edit", "GET"): MCNG_STAFF,
    ("insurance.edit", "POST"): MCNG_STAFF,
    ("insurance.renew", "GET"): MCNG_STAFF,
    ("insurance.renew", "POST"): MCNG_STAFF,
    ("insurance.delete", "POST"): MCNG_STAFF,
    ("insurance.acknowledge", "POST"): MCNG_STAFF,
    ("insurance.resume", "POST"): MCNG_STAFF,
    ("insurance.attach", "POST"): MCNG_STAFF,
    ("insurance.document", "GET"): MCNG_STAFF,
    ("insurance.detach", "POST"): MCNG_STAFF,
    ("insurance.drivers", "GET"): STAFF,
    ("insurance.drivers", "POST"): STAFF,
    ("insurance.driver", "GET"): MCNG_STAFF,
    ("insurance.driver", "POST"): MCNG_STAFF,
    ("insurance.forget_driver", "POST"): MCNG_STAFF,
    # Reservations: the two parties'.
    ("reservations.search", "GET"): EVERYBODY,
    ("reservations.planning", "GET"): EVERYBODY,
    ("reservations.index", "GET"): EVERYBODY,
    ("reservations.new", "GET"): EVERYBODY,
    ("reservations.create", "POST"): EVERYBODY,
    ("reservations.show", "GET"): PARTIES,
    ("reservations.decide approve", "POST"): MCNG_STAFF,
    ("reservations.decide decline", "POST"): MCNG_STAFF,
    ("reservations.decide cancel", "POST"): PARTIES,
    ("reservations.decide collect", "POST"): MCNG_STAFF,
    ("reservations.decide return", "POST"): MCNG_STAFF,
    ("reservations.closure", "GET"): STAFF,
    ("reservations.closure", "POST"): MCNG_STAFF,
    # The API, with each one's token.
    ("api.docs", "GET"): VISITORS,
    ("api.document", "GET"): VISITORS,
    ("api.resources", "GET"): EVERYBODY,
    ("api.resource", "GET"): EVERYBODY,
    ("api.busy", "GET"): EVERYBODY,
    ("api.coverages", "GET"): EVERYBODY,
    ("api.reservations", "GET"): EVERYBODY,
    ("api.reserve", "POST"): EVERYBODY,
    ("api.reservation", "GET"): PARTIES,
    ("api.change approve", "POST"): MCNG_STAFF,
    ("api.change decline", "POST"): MCNG_STAFF,
    ("api.change cancel", "POST"): PARTIES,
    ("api.change collect", "POST"): MCNG_STAFF,
    ("api.change return", "POST"): MCNG_STAFF,
}
ACTS = ("approve", "decline", "cancel", "collect", "return")
CLOSURE = {"codes": "MCNG-R03", "purpose": "Travaux", "day": "2026-12-01", "start": "08:00", "end": "18:00"}


def names(rule: Rule) -> list[str]:
    """The rows of the table a rule stands for: an act has its own."""
    acts = ACTS if rule.endpoint in ("reservations.decide", "api.change") else ()
    return [f"{rule.endpoint} {act}" for act in acts] or [rule.endpoint]


def rules(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Every rule, its row's name, and each method."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            for name in names(rule):
                yield rule, name, method


@pytest.fixture
def samples(app: Flask, actor: Callable[[str], Any]) -> dict[str, Any]:
    """One of each thing an address may name: all are MCNG's, the token is the member's."""
    member = actor("member@example.org")
    ask = Ask("CHORALE", "Répétition", world.at(28, "14:00", "18:00"), {"MCNG-R01": 1})
    with transaction() as session:
        booked = booking.book(session, member, ask, world.NOW, world.PARIS)
        photo = Photo(
            resource_id=1, width=1, height=1, sha256="ab" * 32, image=b"x", thumbnail=b"x", created_at=world.NOW
        )
        session.add(photo)
        day = world.NOW.date()
        house_id = session.scalars(select(Organisation.id).where(Organisation.code == "MCNG")).one()
        contract = Coverage(
            holder_id=house_id,
            kind="liability",
            body="Mutuelle",
            contract_number="PB-1",
            ends_on=day,
            created_at=world.NOW,
        )
        contract.documents = [
            CoverageDocument(
                name="a.pdf", media_type="application/pdf", sha256="ab" * 32, content=b"%PDF-", created_at=world.NOW
            )
        ]
        driver = Driver(organisation_id=house_id, name="Inès", licence_class="B", licence_since=day, seen_on=day)
        session.add_all([contract, driver])
        session.flush()
        service.issue_api_token(session, "member@example.org", world.NOW)
        seat = session.connection().exec_driver_sql(
            "SELECT m.id FROM membership m JOIN user_account u ON u.id = m.user_id WHERE u.email = 'member@example.org'"
        )
        token = session.connection().exec_driver_sql("SELECT id FROM token WHERE purpose = 'api'")
        letter = session.connection().exec_driver_sql(
            "UPDATE letter SET state = 'dead' WHERE to_address = 'member@example.org' RETURNING id"
        )
        return {
            "ref": booked[0].ref,
            "code": "MCNG-R01",
            "photo_id": photo.id,
            "coverage_id": contract.id,
            "document_id": contract.documents[0].id,
            "driver_id": driver.id,
            "mark": "abababab",
            "seat_id": seat.scalar_one(),
            "token_id": token.scalar_one(),
            "token": "no-such-token",
            "letter_id": letter.scalar_one(),
            "filename": "style.css",
        }


def address(app: Flask, rule: Rule, name: str, samples: dict[str, Any]) -> str:
    """The rule's address with the samples filled in."""
    values = {key: samples.get(key) for key in rule.arguments}
    if "act" in values:
        values["act"] = name.partition(" ")[2] or "later"
    with app.test_request_context():
        path = app.url_map.bind("localhost").build(rule.endpoint, values)
    return path + {"catalog.new": "?house=MCNG", "insurance.new": "?holder=MCNG"}.get(rule.endpoint, "")


def reached(answer: Any, who: str) -> bool:
    """Did the answer let the person in?"""
    sent_to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in")
    return answer.status_code not in (401, 403, 404) and not (who == "nobody" and sent_to_sign_in)


@pytest.mark.parametrize("who", sorted(VISITORS))
def test_each_route_lets_in_who_may_and_nobody_else(
    who: str, app: Flask, samples: dict[str, Any], signed_in: Callable[[str], FlaskClient], client: FlaskClient
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # the next test is about it
    wrong = []
    for rule, name, method in rules(app):
        if (name, method) not in MAY:
            wrong.append(f"{method} {rule.rule} ({name}): say in MAY who may")
            continue
        if name.partition(" ")[0] == "accounts.remove_seat" and who in MAY[name, method]:
            continue  # it would remove the member under our feet; it has its own tests
        person = signed_in(who) if who != "nobody" else app.test_client()
        headers = {}
        if rule.endpoint.startswith("api.") and who != "nobody":
            with transaction() as session:
                headers["Authorization"] = f"Bearer {service.issue_api_token(session, who, world.NOW)}"
        data = CLOSURE if rule.endpoint == "reservations.closure" else None
        path = address(app, rule, name, samples)
        answer = person.open(path, method=method, headers=headers, data=data if method == "POST" else None)
        if answer.status_code >= 500:
            wrong.append(f"{method} {path}: {answer.status_code}")
        link_gone = rule.endpoint in ("accounts.sign_in_by_link", "accounts.choose_password", "letters.stop")
        let_in = reached(answer, who) or link_gone  # a used-up link says so to anybody
        if let_in != (who in MAY[name, method]):
            wrong.append(f"{method} {path}: {answer.status_code}, may {'not ' if let_in else ''}be reached by {who}")
    assert not wrong, "\n".join(wrong)


def test_every_post_without_its_csrf_token_is_refused(
    app: Flask, samples: dict[str, Any], signed_in: Callable[[str], FlaskClient]
) -> None:
    before = dump(app)
    for rule, name, method in rules(app):
        if method == "GET" or rule.endpoint.startswith("api.") or rule.endpoint == "letters.stop":
            continue  # programs carry no cookie that another site could ride on
        browser = signed_in("admin@example.org")
        data = CLOSURE if rule.endpoint == "reservations.closure" else {"why": "x", "quantity": "1"}
        answer = browser.open(address(app, rule, name, samples), method=method, data=data)
        assert answer.status_code == 400, f"{method} {rule.rule} answered {answer.status_code} without a token"
    assert dump(app) == before


def test_the_api_ignores_the_cookie_of_a_browser(
    app: Flask, samples: dict[str, Any], signed_in: Callable[[str], FlaskClient]
) -> None:
    browser = signed_in("admin@example.org")
    for rule, name, method in rules(app):
        if rule.endpoint.startswith("api.") and "nobody" not in MAY[name, method]:
            answer = browser.open(address(app, rule, name, samples), method=method)
            assert answer.status_code == 401, rule.rule


def dump(app: Flask) -> dict[str, int]:
    """How many rows each table holds, sign-ins apart."""
    with app.app_context():
        directory.houses(db.session())
        tables = [t for t in db.metadata.tables if t not in ("user_session", "attempt")]
        counts = {t: db.session.connection().exec_driver_sql(f"SELECT COUNT(*) FROM {t}").scalar_one() for t in tables}
        db.session.rollback()
        return counts
