"""The screens of letters and of the timetable, the one click that stops what is optional, `/readyz` and `check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from sharebank import cli, scheduler, watch
from sharebank.accounts.models import User
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.notifications import delivery, runs
from sharebank.notifications.models import AddressTrouble, JobRun, Letter
from sharebank.notifications.service import Recipient, post
from tests.web.api_client import Program, fresh
from tests.web.signing_in import post as send
from tests.world import NOW

Browsers = Callable[[str], FlaskClient]
MANAGERS = ("manager@example.org", "admin@example.org")
STRANGERS = ("manager.stn@example.org", "staff@example.org", "other@example.org")
LOAN = {
    "ref": "R26-ABC234",
    "purpose": "Concert <b>de</b> Noël",
    "borrower": "Chorale",
    "lender": "MCNG",
    "starts_at": "2026-11-28T13:00:00+00:00",
    "ends_at": "2026-11-28T17:00:00+00:00",
    "things": [["Grande salle", 1]],
    "by": "Anna",
}


@pytest.fixture
def member(app: Flask) -> Recipient:
    found = db.session().scalars(select(User).where(User.email == "member@example.org")).one()
    db.session().rollback()
    return Recipient(found.email, found.name, "fr", found.id)


def write(reader: Recipient, template: str = "reservation_approved", **values: Any) -> int:
    with transaction() as session:
        post(session, f"{template}:{len(values)}", template, [reader], {**LOAN, "secret": "s3cr3t"}, NOW)
        found = session.scalars(select(Letter).order_by(Letter.id.desc())).first()
        assert found is not None
        for name, value in values.items():
            setattr(found, name, value)
        return found.id


def one(number: int) -> Letter:
    found = db.session().get_one(Letter, number, populate_existing=True)
    db.session().rollback()
    return found


def test_the_outbox_of_those_one_manages(app: Flask, member: Recipient, signed_in: Browsers) -> None:
    number = write(member)
    write(replace(member, email="x@example.org", name="Xavier", user_id=None))
    with transaction() as session:
        session.add(AddressTrouble(address=member.email, since=NOW, error="550 no such user"))
    page = signed_in("manager@example.org").get("/admin/letters").text
    assert "Validée\u202f: Concert &lt;b&gt;de&lt;/b&gt; Noël" in page
    assert member.email in page
    assert "550 no such user" in page
    assert "x@example.org" not in page
    assert "x@example.org" in signed_in("admin@example.org").get("/admin/letters").text
    for query, found in (("state=queued", True), ("state=dead", False), ("q=nobody", False), ("state=%22x", True)):
        page = signed_in("manager@example.org").get(f"/admin/letters?{query}").text
        assert (f"/letters/{number}" in page) == found, query
    for query in ("before=x", "before=-1", "before=99999999999999999999", "state[]=x", "q=%25"):
        assert signed_in("manager@example.org").get(f"/admin/letters?{query}").status_code == 200, query
    assert f"/letters/{number}" not in signed_in("manager.stn@example.org").get("/admin/letters").text
    for who in STRANGERS[1:]:
        assert signed_in(who).get("/admin/letters").status_code == 404


def test_a_letter_as_its_reader_saw_it(app: Flask, member: Recipient, signed_in: Browsers) -> None:
    number, link = write(member), write(member, "reset")
    for _ in range(2):  # before it leaves, and after
        for who in (*MANAGERS, member.email):
            page = signed_in(who).get(f"/letters/{number}")
            assert "Concert &lt;b&gt;de&lt;/b&gt; Noël" in page.text
            assert "Votre réservation est validée" in page.text.replace("confirmée", "validée")
            whole = signed_in(who).get(f"/letters/{number}/page")
            assert "sandbox" in whole.headers["Content-Security-Policy"]
            assert "Concert &lt;b&gt;de&lt;/b&gt; Noël" in whole.text
            for path in (f"/letters/{link}", f"/letters/{link}/page", "/admin/letters", "/account/letters"):
                assert "s3cr3t" not in signed_in(who).get(path).text, path
                assert "/letters/stop/" not in signed_in(who).get(path).text
        for who in STRANGERS:
            for path in (f"/letters/{number}", f"/letters/{number}/page"):
                assert signed_in(who).get(path).status_code == 404, who
        assert delivery.deliver(app, NOW + timedelta(minutes=1))["letters_dead"] == 0
    assert signed_in(member.email).get("/letters/2147483648").status_code == 404


def test_a_letter_that_cannot_be_written_says_why(app: Flask, member: Recipient, signed_in: Browsers) -> None:
    number = write(member, facts={})
    manager = signed_in("manager@example.org")
    assert "reservation_approved" in manager.get("/admin/letters").text
    assert "UndefinedError" in manager.get(f"/letters/{number}").text
    assert manager.get(f"/letters/{number}/page").status_code == 404


def test_send_again_and_put_away(app: Flask, member: Recipient, signed_in: Browsers) -> None:
    number, link = write(member, state="dead", error="550 <no>"), write(member, "invite", state="dead", error="550 no")
    manager, page = signed_in("manager@example.org"), f"/letters/{number}"
    assert "550 &lt;no&gt;" in manager.get(page).text
    for act in ("again", "give-up"):
        path = f"/admin/letters/{number}/{act}"
        assert manager.post(path).status_code == 400  # without its CSRF token
        assert send(signed_in(member.email), path, "/account").status_code == 403
        for who in STRANGERS:
            assert send(signed_in(who), path, "/account").status_code == 404
    assert one(number).state == "dead"
    assert "/again" not in manager.get(f"/letters/{link}").text
    assert send(manager, f"/admin/letters/{link}/again", page).status_code == 409
    assert send(manager, f"/admin/letters/{number}/again", page).status_code == 303
    assert one(number).state == "queued"
    assert send(manager, f"/admin/letters/{number}/again", page).status_code == 409
    assert send(manager, f"/admin/letters/{link}/give-up", page).status_code == 303
    assert one(link).state == "withdrawn"


def test_what_i_was_sent_and_what_i_want(app: Flask, member: Recipient, signed_in: Browsers) -> None:
    write(member)
    browser = signed_in(member.email)
    page = browser.get("/account/letters").text
    assert "Concert &lt;b&gt;de&lt;/b&gt; Noël" in page
    assert "Concert" not in signed_in("other@example.org").get("/account/letters").text
    for wanted in ("digest", "acts", "at_once"):
        assert send(browser, "/account/letters", letters=wanted).status_code == 303
        for path in ("/account", "/account/letters"):
            (chosen,) = [line for line in browser.get(path).text.split("<input") if "checked" in line]
            assert f'value="{wanted}"' in chosen
    for bad in ("never", "", "x" * 9000):
        answer = send(browser, "/account/letters", letters=bad)
        assert answer.status_code == 422
        assert "error-summary" in answer.text
    assert preference(member) == "at_once"


def preference(reader: Recipient) -> str:
    found = db.session().scalars(select(User.letters).where(User.email == reader.email)).one()
    db.session().rollback()
    return found


def test_one_click_stops_what_is_optional(app: Flask, member: Recipient) -> None:
    write(member)
    delivery.deliver(app, NOW + timedelta(minutes=1))
    from tests.services.test_delivery import delivered

    (message,) = delivered(app)
    path = message["List-Unsubscribe"].strip().strip("<>").removeprefix("http://127.0.0.1:5000")
    shown = fresh(app, path)
    assert shown.status_code == 200
    assert "<form" in shown.text
    assert preference(member) == "at_once"  # looking changes nothing
    for bad in (path[:-1], path + "x", "/letters/stop/1", "/letters/stop/" + "é" * 200):
        for method in ("GET", "POST"):
            assert fresh(app, bad, method=method).status_code == 404
    assert preference(member) == "at_once"
    # As RFC 8058 has mail programs do it: no cookie, no CSRF token, no redirect.
    answer = fresh(app, path, method="POST", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert preference(member) == "acts"


def test_the_timetable_page(app: Flask, member: Recipient, signed_in: Browsers) -> None:
    assert signed_in("member@example.org").get("/admin/health").status_code == 404
    manager = signed_in("manager@example.org")
    assert "Jamais fait" in manager.get("/admin/health").text
    scheduler.tick(app, clock.now())
    well = manager.get("/admin/health").text
    assert "Les rappels fonctionnent." in well
    assert well.count('class="status approved"') == len(scheduler.TIMETABLE)
    assert set(watch.JOB_WORDS) == {job.name for job in scheduler.TIMETABLE}, "each has words"
    with transaction() as session:
        run = runs.begin(session, "loans", clock.now())
        runs.finish(session, run, clock.now(), {}, "ZeroDivisionError: <division>")
    assert "ZeroDivisionError: &lt;division&gt;" in manager.get("/admin/health").text
    scheduler.tick(app, clock.now())
    write(member, state="dead")
    page = manager.get("/admin/health").text
    assert "Les rappels fonctionnent." not in page
    assert "/admin/letters?state=dead" in page
    with transaction() as session:
        for late in session.scalars(select(JobRun).where(JobRun.job == "letters")):
            late.started_at = NOW - timedelta(minutes=11)
    assert "En retard" in manager.get("/admin/health").text


@pytest.mark.parametrize(
    ("ran", "asked", "well"),
    [
        # The night jobs come at 2:30 UTC, and may take their ten minutes.
        ("2026-11-21T10:00:00+00:00", "2026-11-21T10:18:00+00:00", True),
        ("2026-11-21T10:00:00+00:00", "2026-11-22T02:39:00+00:00", True),
        ("2026-11-21T10:00:00+00:00", "2026-11-22T02:41:00+00:00", False),
        ("2026-11-21T02:29:00+00:00", "2026-11-21T02:45:00+00:00", False),
    ],
)
def test_what_was_never_due_is_no_trouble(app: Flask, signed_in: Browsers, ran: str, asked: str, well: bool) -> None:
    clock.set_source(lambda: datetime.fromisoformat(asked))
    with transaction() as session:
        for job in scheduler.TIMETABLE:
            for at in (ran, asked) if job.every < timedelta(days=1) else ():
                runs.finish(session, runs.begin(session, job.name, datetime.fromisoformat(at)), clock.now(), {}, None)
    page = signed_in("manager@example.org").get("/admin/health").text
    assert ("Les rappels fonctionnent." in page) is well
    assert ("Jamais fait" in page) is not well
    assert page.count("Pas encore l’heure") == (2 if well else 0)


def test_stuck_letters_show_in_readyz_and_check(app: Flask, member: Recipient, tmp_path: Any) -> None:
    def check() -> tuple[int, str]:
        url = db.engine.url.render_as_string(hide_password=False)
        environ = {"SHAREBANK_DATABASE_URL": url, "SHAREBANK_MAIL_URL": f"file:{tmp_path}/mail"}
        environ["SHAREBANK_SECRET_KEY"] = app.config["SECRET_KEY"]
        said = CliRunner().invoke(cli.commands, ["check"], obj=cli.Place(lambda _: app), env=environ)
        return said.exit_code, said.output

    assert fresh(app, "/readyz").json["status"] == "ready"
    code, said = check()
    assert code == 0
    assert "letters: none stuck\nscheduler: has not run yet\n" in said
    scheduler.tick(app, NOW)
    assert "scheduler: last tick 2026-11-21T08:00:00+00:00" in check()[1]
    number = write(member, state="dead")
    answer = fresh(app, "/readyz")
    assert (answer.status_code, answer.json["status"], answer.json["letters"]) == (200, "degraded", "1 stuck")
    code, said = check()
    assert code == 1
    assert "letters: TROUBLE: 1 stuck" in said
    with transaction() as session:
        session.get_one(Letter, number).state = "sent"
        for run in session.scalars(select(JobRun)):
            run.started_at = NOW - timedelta(minutes=11)
    code, said = check()
    assert code == 1
    assert "scheduler: TROUBLE: silent since 2026-11-21T07:49:00+00:00" in said


def test_the_api_shows_managers_their_outbox(app: Flask, member: Recipient) -> None:
    numbers = [write(member, state="dead", error="550 no", to_name=str(n), key=str(n)) for n in range(3)]
    numbers.append(write(member, "reset"))
    manager = Program(app, "manager@example.org")
    first = manager.get("/letters", limit=2).json
    rest = manager.get("/letters", limit=2, cursor=first["next"]).json
    assert [item["id"] for item in first["items"] + rest["items"]] == numbers[::-1]
    assert rest["next"] is None
    assert "s3cr3t" not in str(first)
    item = manager.get("/letters", state="dead").json["items"][-1]
    assert (item["state"], item["to"], item["error"], item["sent_at"]) == ("dead", member.email, "550 no", None)
    assert manager.get("/letters", state="sent").json["items"] == []
    assert Program(app, "manager.stn@example.org").get("/letters").json["items"] == []
    for who in ("member@example.org", "staff@example.org"):
        assert Program(app, who).get("/letters").status_code == 404
    for bad in ({"state": "x"}, {"cursor": "x"}, {"cursor": "Wy0xXQ"}, {"limit": "0"}, {"facts": "1"}):
        assert manager.get("/letters", **bad).status_code == 422, bad
