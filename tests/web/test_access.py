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
from werkzeug.routing import Rule

from sharebank.accounts import directory, service
from sharebank.api.order_shapes import STEPS
from sharebank.core import press
from sharebank.core.db import db, transaction
from tests import world
from tests.web.samples import samples

__all__ = ["samples"]  # the fixture


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
    ("accounts.organisation", "GET"): MCNG_MANAGERS,
    ("accounts.organisation", "POST"): MCNG_MANAGERS,
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
    # Rules of lending: managers' of a house that lends by them; those of the town are both houses'.
    ("catalog.rule_set_list", "GET"): MANAGERS,
    ("catalog.new_rule_set", "GET"): MANAGERS,
    ("catalog.new_rule_set", "POST"): MANAGERS,
    ("catalog.rule_set", "GET"): MANAGERS,
    ("catalog.rule_set", "POST"): MANAGERS,
    ("catalog.delete_rule_set", "POST"): MANAGERS,
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
    ("insurance.papers", "GET"): EVERYBODY,
    ("insurance.note_paper", "POST"): STAFF,
    ("insurance.remove_paper", "POST"): MCNG_STAFF,
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
    ("reservations.decide accept", "POST"): frozenset({"member@example.org"}),
    ("reservations.decide refuse_offer", "POST"): frozenset({"member@example.org"}),
    ("reservations.decide recall", "POST"): MCNG_MANAGERS,
    ("reservations.requests", "GET"): EVERYBODY,
    ("reservations.instead", "GET"): MCNG_STAFF,
    ("reservations.answer_instead approve_less", "POST"): MCNG_STAFF,
    ("reservations.answer_instead propose", "POST"): MCNG_STAFF,
    # The letter's link says who may: its reader, signed in or not (tests/web/test_requests.py).
    ("reservations.decide_by_link", "GET"): VISITORS,
    ("reservations.decide_by_link", "POST"): VISITORS,
    ("reservations.waiting", "GET"): EVERYBODY,
    ("reservations.wait", "GET"): EVERYBODY,
    ("reservations.wait", "POST"): EVERYBODY,
    ("reservations.leave", "POST"): frozenset({"member@example.org"}),
    # The counter: the house's; what was written down is both parties' to read.
    ("reservations.handovers", "GET"): STAFF,
    ("reservations.handover", "GET"): PARTIES,
    ("reservations.hand_over", "POST"): MCNG_STAFF,
    ("reservations.add_handover_photos", "POST"): MCNG_STAFF,
    ("reservations.handover_photo", "GET"): PARTIES,
    ("reservations.keep_in", "GET"): MCNG_STAFF,
    ("reservations.keep_in", "POST"): MCNG_STAFF,
    ("reservations.write_off", "GET"): MCNG_STAFF,
    ("reservations.write_off", "POST"): MCNG_STAFF,
    ("reservations.found_again", "GET"): MCNG_STAFF,
    ("reservations.found_again", "POST"): MCNG_STAFF,
    ("reservations.add_charge", "GET"): MCNG_STAFF,
    ("reservations.add_charge", "POST"): MCNG_STAFF,
    ("reservations.correct_charge", "GET"): MCNG_STAFF,
    ("reservations.correct_charge", "POST"): MCNG_STAFF,
    ("reservations.closure", "GET"): STAFF,
    ("reservations.closure", "POST"): MCNG_STAFF,
    # Agreements: the two parties'; the borrower signs. Their templates: the managers'.
    ("agreements.index", "GET"): EVERYBODY,
    ("agreements.show", "GET"): PARTIES,
    ("agreements.pdf", "GET"): PARTIES,
    ("agreements.certificate", "GET"): PARTIES,
    ("agreements.signed_copy", "GET"): PARTIES,
    ("agreements.accept", "POST"): frozenset({"member@example.org"}),
    ("agreements.send_in", "POST"): frozenset({"member@example.org"}),
    ("agreements.record", "POST"): MCNG_STAFF,
    ("agreements.make", "POST"): MCNG_STAFF,
    ("agreements.new", "GET"): STAFF,
    ("agreements.new", "POST"): STAFF,
    ("agreements.template_list", "GET"): MANAGERS,
    ("agreements.template", "GET"): MANAGERS,
    ("agreements.save_template", "POST"): MANAGERS,
    # Series: the two parties'; the sample is the choir's, of MCNG's small room.
    ("reservations.new_series", "GET"): EVERYBODY,
    ("reservations.create_series", "POST"): EVERYBODY,
    ("reservations.series_index", "GET"): EVERYBODY,
    ("reservations.series", "GET"): PARTIES,
    ("reservations.retry_series", "POST"): PARTIES,
    ("reservations.decide_series approve", "POST"): MCNG_STAFF,
    ("reservations.decide_series decline", "POST"): MCNG_STAFF,
    ("reservations.change_series", "GET"): PARTIES,
    ("reservations.change_series", "POST"): PARTIES,
    ("reservations.cancel_series", "POST"): PARTIES,
    ("reservations.series_needed", "GET"): VISITORS,
    ("reservations.series_needed", "POST"): VISITORS,
    ("api.series", "POST"): EVERYBODY,
    # Calendars: one's own; an address is its own key, and what a house has open to the public is everybody's.
    ("reservations.calendars", "GET"): EVERYBODY,
    ("reservations.make_calendar", "POST"): EVERYBODY,
    ("reservations.revoke_calendar", "POST"): frozenset({"member@example.org"}),
    ("reservations.feed", "GET"): NOBODY,
    ("reservations.programme", "GET"): VISITORS,
    ("reservations.public_feed", "GET"): VISITORS,
    ("reservations.door_week", "GET"): EVERYBODY,
    ("reservations.day_list", "GET"): STAFF,
    # Once open, an order is everybody's to look at; for whom one pledges is said in the form.
    ("orders.index", "GET"): EVERYBODY,
    ("orders.show", "GET"): EVERYBODY,
    ("orders.pledge", "POST"): EVERYBODY,
    ("orders.history", "GET"): EVERYBODY,
    # The sample order is delivered to MCNG: its staff run it.
    ("orders.new", "GET"): STAFF,
    ("orders.new", "POST"): STAFF,
    ("orders.edit", "GET"): MCNG_STAFF,
    ("orders.edit", "POST"): MCNG_STAFF,
    ("orders.choose", "GET"): MCNG_STAFF,
    ("orders.choose", "POST"): MCNG_STAFF,
    ("orders.assistant", "GET"): MCNG_STAFF,
    ("orders.step", "GET"): MCNG_STAFF,
    ("orders.step", "POST"): MCNG_STAFF,
    ("orders.adjust", "GET"): MCNG_STAFF,
    ("orders.adjust", "POST"): MCNG_STAFF,
    # Accounts, of an order that came: staff see everyone's, the choir its own; MCNG notes its payment.
    ("orders.accounts", "GET"): EVERYBODY,
    ("orders.settle", "POST"): MCNG_STAFF,
    ("orders.pay", "POST"): STAFF,
    ("orders.take_back_payment", "POST"): MCNG_STAFF,
    ("orders.statement", "GET"): STAFF | {"member@example.org"},
    ("orders.all_statements", "GET"): STAFF,
    ("orders.slips", "GET"): STAFF,
    ("orders.matrix", "GET"): STAFF,
    ("orders.accounts_csv", "GET"): STAFF,
    ("orders.payments_csv", "GET"): STAFF,
    ("orders.balances", "GET"): STAFF,
    ("orders.pay_between", "POST"): STAFF,
    ("orders.savings", "GET"): EVERYBODY,
    ("orders.savings_csv", "GET"): EVERYBODY,
    ("orders.sending", "GET"): MCNG_STAFF,
    ("orders.send_order", "POST"): MCNG_STAFF,
    ("orders.try_sending", "POST"): MCNG_STAFF,
    ("orders.take_back_order", "POST"): MCNG_STAFF,
    ("orders.document", "GET"): MCNG_STAFF,
    # Suppliers and their prices belong to the cooperation; a file that is looked at, to whoever gave it.
    ("orders.suppliers", "GET"): STAFF,
    ("orders.new_supplier", "GET"): STAFF,
    ("orders.new_supplier", "POST"): STAFF,
    ("orders.supplier", "GET"): STAFF,
    ("orders.edit_supplier", "GET"): STAFF,
    ("orders.edit_supplier", "POST"): STAFF,
    ("orders.prices", "GET"): STAFF,
    ("orders.price_changes", "GET"): STAFF,
    ("orders.new_prices", "GET"): STAFF,
    ("orders.new_prices", "POST"): STAFF,
    ("orders.check_prices", "GET"): frozenset({"staff@example.org"}),
    ("orders.keep_prices", "POST"): frozenset({"staff@example.org"}),
    ("orders.article", "GET"): STAFF,
    ("orders.article", "POST"): STAFF,
    ("orders.reception", "GET"): MCNG_STAFF,
    ("orders.receive", "POST"): MCNG_STAFF,
    ("orders.add_note_photos", "POST"): MCNG_STAFF,
    ("orders.note_photo", "GET"): MCNG_STAFF,
    ("orders.remove_note_photo", "POST"): MCNG_STAFF,
    ("orders.invoice", "GET"): MCNG_STAFF,
    ("orders.enter_invoice", "POST"): MCNG_STAFF,
    ("orders.remove_invoice", "POST"): MCNG_STAFF,
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
    # Once open, a group order is everybody's to look at; for whom one pledges or makes one is said in the body.
    ("api.orders", "GET"): EVERYBODY,
    ("api.make_order", "POST"): EVERYBODY,
    ("api.order", "GET"): EVERYBODY,
    ("api.order_summary", "GET"): EVERYBODY,
    ("api.pledge", "PUT"): EVERYBODY,
    **{(f"api.step {act}", "POST"): MCNG_STAFF for act in STEPS},
    ("api.change approve", "POST"): MCNG_STAFF,
    ("api.change decline", "POST"): MCNG_STAFF,
    ("api.change cancel", "POST"): PARTIES,
    ("api.change collect", "POST"): MCNG_STAFF,
    ("api.change return", "POST"): MCNG_STAFF,
}
ACTS = ("approve", "decline", "cancel", "collect", "return")
ACTS_OF = {
    "api.change": ACTS,
    "api.step": tuple(STEPS),
    "reservations.decide": (*ACTS, "accept", "refuse_offer", "recall"),
    "reservations.answer_instead": ("approve_less", "propose"),
    "reservations.decide_series": ("approve", "decline"),
}
ASKED = {
    "catalog.new": "?house=MCNG",
    "insurance.new": "?holder=MCNG",
    "orders.step": "?act=extend",
    "orders.adjust": "?act=drop&sku=C1",
}
"""What some addresses must say besides."""
CLOSURE = {"codes": "MCNG-R03", "purpose": "Travaux", "day": "2026-12-01", "start": "08:00", "end": "18:00"}


def names(rule: Rule) -> list[str]:
    """The rows of the table a rule stands for: an act has its own."""
    return [f"{rule.endpoint} {act}" for act in ACTS_OF.get(rule.endpoint, ())] or [rule.endpoint]


def rules(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Every rule, its row's name, and each method."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            for name in names(rule):
                yield rule, name, method


PAPERS = ("statement", "all_statements", "slips", "matrix", "accounts_csv", "payments_csv")
CAME = frozenset(f"orders.{name}" for name in ("accounts", "settle", "pay", *PAPERS))
"""What is about an order that came."""


def address(app: Flask, rule: Rule, name: str, samples: dict[str, Any]) -> str:
    """The rule's address with the samples filled in."""
    values = {key: samples.get(key) for key in rule.arguments}
    if rule.rule.startswith("/series/"):
        values = {key: samples["series_ref"] if key == "ref" else value for key, value in values.items()}
    if rule.endpoint in CAME:
        values["order_code"] = "printemps"
    if "act" in values:
        values["act"] = name.partition(" ")[2] or "later"
    with app.test_request_context():
        path = app.url_map.bind("localhost").build(rule.endpoint, values)
    return path + ASKED.get(rule.endpoint, "")


def reached(answer: Any, who: str) -> bool:
    """Did the answer let the person in?"""
    sent_to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in")
    return answer.status_code not in (401, 403, 404) and not (who == "nobody" and sent_to_sign_in)


@pytest.mark.parametrize("who", sorted(VISITORS))
def test_each_route_lets_in_who_may_and_nobody_else(
    who: str,
    app: Flask,
    samples: dict[str, Any],
    signed_in: Callable[[str], FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # the next test is about it
    monkeypatch.setattr(press, "pdf", lambda *_: b"%PDF-")  # others look at what is printed
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
        forms = {"reservations.closure": CLOSURE, "reservations.make_calendar": {"kind": "person"}}
        data = forms.get(rule.endpoint)
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
