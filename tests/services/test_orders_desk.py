"""The coordinator's desk on both databases: the draft, the assistant's what-if, corrections by hand, the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.exchange import import_bytes
from sharebank.notifications import delivery
from sharebank.notifications.models import Letter
from sharebank.orders import lifecycle, pledging, reading, ticking
from sharebank.orders.desk import closing, corrections, editing, making, preparing
from sharebank.orders.desk.making import Draft
from sharebank.orders.life_models import OrderEvent
from sharebank.orders.models import GroupOrder, OrderItem, PledgeChange
from sharebank.orders.rules.corrections import NoFallback, NothingToMove, NotSoMany, TakenBack
from sharebank.orders.rules.packs import SHARINGS
from sharebank.orders.rules.states import ClosesTooEarly, OrderReasonMissing, WrongOrderState
from tests import world
from tests.world import NOW

CLOSES = NOW + timedelta(days=5)
SUPPLIERS = """code,name,kind,email,min_order_eur_excl_vat,delivery_fee_eur,free_delivery_from_eur,lead_time_days
PAP,Papeterie,school_office,ventes@example.org,30.00,4.90,50.00,5
"""
PRICES = """supplier,sku,name,unit,pack_size,unit_price_excl_vat_eur,vat_rate,price_breaks,labels,category
PAP,C1,Cahier recyclé,piece,10,0.92,20.0,100:0.874,recycled,cahiers
PAP,C2,Cahier ordinaire,piece,10,0.80,20.0,,,cahiers
PAP,L1,Livre,piece,1,12.00,5.5,,,livres
"""
STAFF, MEMBER, OTHER = "staff@example.org", "member@example.org", "other@example.org"


def take(kind: str, text: str) -> None:
    with transaction() as session:
        import_bytes(session, kind, "f.csv", text.encode(), NOW, world.PARIS)


@pytest.fixture
def staff(app: Flask, actor: Callable[[str], Actor]) -> Actor:
    """Who runs the order; the supplier and its prices are there."""
    take("suppliers", SUPPLIERS)
    take("price-list", PRICES)
    return actor(STAFF)


@pytest.fixture
def order(staff: Actor, actor: Callable[[str], Actor]) -> str:
    """Closed, with 7 and 5 notebooks of packs of 10 (one of the twelve accepts one more), and two books."""
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Fournitures", "PAP", "MCNG", CLOSES), NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
        for item in session.scalars(select(OrderItem).where(OrderItem.sku == "C1")):
            item.fallback_sku = "C2"
    for who, body, sku, quantity, most in (
        (MEMBER, "CHORALE", "C1", 7, 8),
        (OTHER, "ECHECS", "C1", 5, 5),
        (MEMBER, "CHORALE", "L1", 2, 2),
    ):
        with transaction() as session:
            pledging.pledge(session, actor(who), "hiver", body, {sku: (quantity, most)}, NOW)
    act(staff, "close")
    return "hiver"


def act(actor: Actor, name: str, why: str = "", **more: object) -> None:
    with transaction() as session:
        lifecycle.change(session, actor, "hiver", name, NOW, why, **more)  # type: ignore[arg-type]


def correct(actor: Actor, name: str, sku: str = "C1", **what: object) -> int:
    with transaction() as session:
        return corrections.correct(session, actor, "hiver", name, NOW, "Pour tous", sku=sku, **what).id


def found() -> GroupOrder:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(GroupOrder).where(GroupOrder.code == "hiver")).one()


def stands() -> reading.Standing:
    return reading.standing(db.session(), found())


def gets(sku: str = "C1") -> dict[str, int]:
    return dict(stands().lines[sku].allocations)


# -- the draft ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["new", "Suppliers", "savings", "balances", "", "é", "a/b", "-a", "x" * 61])
def test_a_code_that_would_hide_a_page_is_refused(staff: Actor, code: str) -> None:
    with pytest.raises(making.BadOrderCode), transaction() as session:
        making.make_order(session, staff, Draft(code, "Fournitures", "PAP", "MCNG", CLOSES), NOW)


def test_a_draft_takes_its_articles_and_the_newest_prices(staff: Actor) -> None:
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Fournitures", "PAP", "MCNG", CLOSES, skus=["C1"]), NOW)

    def skus() -> dict[str, str]:
        return {item.sku: str(item.price) for item in found().items}

    with transaction() as session:
        preparing.choose(session, staff, "hiver", ["L1"], ["L1", "C1"])
    assert skus() == {"L1": "12.00"}, "what was shown and not taken is out"
    with transaction() as session:
        preparing.choose_all(session, staff, "hiver", preparing.Wish(q="cahiers"), take=True)
    assert set(skus()) == {"L1", "C1", "C2"}
    take(
        "price-list", PRICES.replace("PAP,C2,Cahier ordinaire,piece,10,0.80,20.0,,,cahiers\n", "").replace("12.", "13.")
    )
    assert skus()["L1"] == "12.00", "frozen"
    newer = preparing.newer_prices(db.session(), found())
    assert newer is not None
    assert newer.version == 2
    with transaction() as session:
        preparing.renew(session, staff, "hiver")
    assert skus() == {"C1": "0.92", "L1": "13.00"}
    with transaction() as session:
        preparing.choose_all(session, staff, "hiver", preparing.Wish(), take=False)
    with pytest.raises(lifecycle.NothingToOrder):
        act(staff, "open")


def test_once_open_only_words_change(staff: Actor, order: str) -> None:
    act(staff, "reopen")
    later = editing.Facts("Autre titre", "jeudi", "", sharing="priority", closes_at=NOW + timedelta(days=9))
    with transaction() as session:
        editing.edit(session, staff, "hiver", later, NOW)
    assert (found().title, found().sharing, found().closes_at) == ("Autre titre", "pro_rata", CLOSES)
    with pytest.raises(WrongOrderState), transaction() as session:
        preparing.choose_all(session, staff, "hiver", preparing.Wish(), take=False)


def test_a_draft_cannot_be_made_to_close_before_it_opens(staff: Actor) -> None:
    with transaction() as session:
        making.make_order(session, staff, Draft("hiver", "Fournitures", "PAP", "MCNG", CLOSES), NOW)
    with pytest.raises(ClosesTooEarly), transaction() as session:
        editing.edit(session, staff, "hiver", editing.Facts("T", "", "", opens_at=CLOSES), NOW)


# -- what the assistant says ---------------------------------------------------------------------------


def test_who_goes_without_is_said_for_each_rule_before_anything_is_applied(staff: Actor, order: str) -> None:
    stand = stands()
    [gap] = [one for one in closing.uneven(stand, ["ECHECS"]) if one.lost]
    assert (gap.sku, gap.units, gap.lost) == ("C1", 10, 2)
    assert {party.organisation: [party.gets[rule] for rule in SHARINGS] for party in gap.parties} == {
        "CHORALE": [6, 7, 5],
        "ECHECS": [4, 3, 5],
    }
    cuts = closing.cuts(stand, [gap])
    assert [(cut.organisation, [cut.cents[rule] for rule in SHARINGS]) for cut in cuts] == [
        ("CHORALE", [92, 0, 184]),
        ("ECHECS", [92, 184, 0]),
    ]
    for rule in SHARINGS:  # said and done are the same
        with transaction() as session:
            corrections.share(session, staff, "hiver", rule, ["ECHECS"], NOW, "Équité")
        assert gets() == {party.organisation: party.gets[rule] for party in gap.parties}
    reach = closing.reach(stands(), reading.terms_of(found()))
    assert (reach.have_cents, reach.missing_cents, reach.to_free_cents) == (3320, 0, 1680)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("more", {"organisation": "MCNG", "units": 7}),
        ("less", {"organisation": "CHORALE", "units": 2}),
        ("drop", {}),
        ("replace", {}),
    ],
)
def test_what_a_correction_would_change_is_what_it_changes(
    staff: Actor, order: str, name: str, what: dict[str, object]
) -> None:
    before = stands()
    trial = corrections.try_out(db.session(), found(), name, sku="C1", **what)
    expected = corrections.after(db.session(), found(), before, trial)
    db.session.rollback()
    event = correct(staff, name, **what)
    assert stands() == expected != before
    with transaction() as session:
        corrections.take_back(session, staff, "hiver", event, NOW, "Erreur")
    assert stands() == before, "taken back, all is as it was, with what is accepted on top"
    with pytest.raises(TakenBack), transaction() as session:
        corrections.take_back(session, staff, "hiver", event, NOW, "Encore")


def test_a_top_up_fills_the_pack_and_everybody_concerned_reads_why(staff: Actor, order: str, app: Flask) -> None:
    correct(staff, "more", organisation="STN", units=7)
    assert gets() == {"CHORALE": 8, "ECHECS": 5, "STN": 7}
    change = db.session.scalars(select(PledgeChange).order_by(PledgeChange.id.desc()).limit(1)).one()
    assert (change.before, change.after, change.why) == ([], [7, 7], "Pour tous")
    letters = db.session.scalars(select(Letter).where(Letter.template == "order_changed")).all()
    assert {letter.to_address for letter in letters} == {"manager.stn@example.org"}
    event = db.session.scalars(select(OrderEvent).where(OrderEvent.act == "more")).one()
    assert (event.why, event.user_id) == ("Pour tous", staff.user_id)


def test_a_fallback_outside_the_order_is_added_to_it(staff: Actor, order: str) -> None:
    with transaction() as session:
        session.delete(session.scalars(select(OrderItem).where(OrderItem.sku == "C2")).one())
    correct(staff, "replace")
    assert gets("C2") == {"CHORALE": 6, "ECHECS": 4}
    assert "C1" not in stands().lines


@pytest.mark.parametrize(
    ("name", "what", "why"),
    [
        ("more", {"organisation": "NOBODY", "units": 1}, pledging.MayNotJoin),
        ("more", {"organisation": "MCNG", "units": 0}, NothingToMove),
        ("more", {"organisation": "MCNG", "units": pledging.MOST + 1}, NothingToMove),
        ("less", {"organisation": "ECHECS", "units": 6}, NotSoMany),
        ("drop", {"sku": "X9"}, pledging.UnknownArticle),
        ("replace", {"sku": "L1"}, NoFallback),
    ],
)
def test_a_correction_that_makes_no_sense_stores_nothing(
    staff: Actor, order: str, name: str, what: dict[str, object], why: type[Refused]
) -> None:
    with pytest.raises(why):
        correct(staff, name, **{"sku": "C1", **what})  # type: ignore[arg-type]
    assert not [event for event in found().events if event.act == name]


def test_a_correction_has_its_reason_and_its_time(staff: Actor, order: str, actor: Callable[[str], Actor]) -> None:
    with pytest.raises(OrderReasonMissing), transaction() as session:
        corrections.correct(session, staff, "hiver", "drop", NOW, "  ", sku="C1")
    act(staff, "reopen")
    with pytest.raises(WrongOrderState):
        correct(staff, "more", organisation="MCNG", units=1)
    with pytest.raises(Refused), transaction() as session:
        corrections.correct(session, actor(MEMBER), "hiver", "drop", NOW, "Moi", sku="C1")


# -- the clock and the letters -------------------------------------------------------------------------


def test_the_clock_closes_once_after_an_outage_and_calls_who_runs_it(staff: Actor, order: str, app: Flask) -> None:
    act(staff, "extend", "Encore un jour", closes_at=NOW + timedelta(days=1))
    late = NOW + timedelta(days=4)
    for closed in (1, 0):
        with transaction() as session:
            assert ticking.look_after_orders(session, late)["orders_closed"] == closed
    assert delivery.deliver(app, late)["letters_dead"] == 0
    letters = db.session.scalars(select(Letter).order_by(Letter.id)).all()
    told = [(letter.template, letter.to_address) for letter in letters if letter.created_at == late]
    assert sorted(told) == [("order_closed", MEMBER), ("order_closed", OTHER), ("order_to_check", STAFF)]
    [check] = [letter for letter in letters if letter.template == "order_to_check"]
    assert "1 article" in (check.text or "")


def test_two_clocks_close_it_once(staff: Actor, order: str, app: Flask) -> None:
    act(staff, "extend", "Encore un jour", closes_at=NOW + timedelta(days=1))
    gate = threading.Barrier(2)

    def look() -> int:
        with app.app_context():
            gate.wait(20)
            with transaction() as session:
                closed = ticking.look_after_orders(session, NOW + timedelta(days=2))["orders_closed"]
            db.session.remove()
            return closed

    with ThreadPoolExecutor(2) as pool:
        assert sorted(job.result() for job in [pool.submit(look), pool.submit(look)]) == [0, 1]
    assert [event.act for event in found().events].count("close") == 2
    assert len(db.session.scalars(select(Letter).where(Letter.template == "order_to_check")).all()) == 1


def test_nobody_is_reminded_of_what_is_not_open_yet(staff: Actor) -> None:
    draft = Draft("hiver", "Fournitures", "PAP", "MCNG", CLOSES, opens_at=CLOSES - timedelta(days=2))
    with transaction() as session:
        making.make_order(session, staff, draft, NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
    with transaction() as session:
        assert ticking.look_after_orders(session, CLOSES - timedelta(days=3))["order_reminders"] == 0
    with transaction() as session:
        assert ticking.look_after_orders(session, CLOSES - timedelta(days=1))["order_reminders"] > 0


def test_each_letter_reads_well(staff: Actor, order: str, app: Flask) -> None:
    """Every word of the order's life, in both languages, leaves and says what it must."""
    with transaction() as session:
        corrections.correct(session, staff, "hiver", "drop", NOW, "Rupture", sku="L1")
        lifecycle.change(session, staff, "hiver", "extend", NOW, "Trop peu", NOW + timedelta(days=3))
        ticking.look_after_orders(session, NOW + timedelta(days=2))
        session.flush()
        order_ = session.scalars(select(GroupOrder)).one()
        for step, state in (("receive", "received"), ("settle", "settled"), ("cancel", "cancelled")):
            lifecycle.step(session, order_, step, state, staff.user_id, NOW, "Parce que")
        for number, letter in enumerate(session.scalars(select(Letter))):
            letter.locale = ("fr", "en")[number % 2]
    assert delivery.deliver(app, NOW + timedelta(days=2))["letters_dead"] == 0
    found()
    texts = {letter.template: letter for letter in db.session.scalars(select(Letter))}
    assert set(texts) == {
        *("order_closed", "order_changed", "order_extended", "order_reminder", "order_received"),
        *("order_settled", "order_cancelled"),
    }
    for letter in texts.values():
        assert letter.subject
        for body in (letter.text or "", letter.html or ""):
            assert "http://127.0.0.1:5000/orders/hiver" in body
            assert not [mark for mark in ("{{", "%(", "None", "T08:00") if mark in body], body
    for template in ("order_changed", "order_extended", "order_cancelled"):
        assert {"order_changed": "Rupture", "order_extended": "Trop peu"}.get(template, "Parce que") in (
            texts[template].text or ""
        )


# -- making one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["house:association", "house:CHORALE", "MARS"])
def test_who_may_join_are_some_there_are(staff: Actor, word: str) -> None:
    """No house, no structure: nobody could join."""
    with pytest.raises(making.UnknownParty), transaction() as session:
        making.make_order(session, staff, Draft("hiver", "F", "PAP", "MCNG", CLOSES, joins=(word,)), NOW)
    with transaction() as session:
        making.make_order(
            session, staff, Draft("hiver", "F", "PAP", "MCNG", CLOSES, joins=("house:MCNG", "house")), NOW
        )


def test_a_code_made_of_a_long_title_can_be_a_code(staff: Actor) -> None:
    supplier, title = "S" * 20, "Fournitures scolaires pour la grande rentrée des classes 2027"
    take("suppliers", f"code,name\n{supplier},Nom\n")
    take(
        "price-list",
        PRICES.replace("PAP,", f"{supplier},").replace(",C1,", ",D1,").replace(",C2,", ",D2,").replace(",L1,", ",M1,"),
    )
    for _ in range(3):
        with transaction() as session:
            code = preparing.free_code(session, title, supplier)
            making.make_order(session, staff, Draft(code, title, supplier, "MCNG", CLOSES), NOW)


def test_two_who_make_the_same_order_at_once_make_one(app: Flask, staff: Actor) -> None:
    draft, met = Draft("hiver", "F", "PAP", "MCNG", CLOSES), threading.Barrier(2)

    def make(_number: int) -> str:
        with app.app_context():
            met.wait(10)
            try:
                with transaction() as session:
                    making.make_order(session, staff, draft, NOW)
                    if db.engine.dialect.name == "postgresql":  # the other has looked by now
                        session.execute(text("SELECT pg_sleep(0.3)"))
            except making.OrderCodeTaken:
                return "taken"
            return "made"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(make, range(2))) == ["made", "taken"]


def test_an_order_closes_after_it_opens(staff: Actor) -> None:
    late = Draft("hiver", "F", "PAP", "MCNG", CLOSES, opens_at=NOW + timedelta(days=4))
    with transaction() as session:
        making.make_order(session, staff, late, NOW)
        lifecycle.change(session, staff, "hiver", "open", NOW)
    with pytest.raises(ClosesTooEarly), transaction() as session:
        lifecycle.change(session, staff, "hiver", "extend", NOW, "plus tôt", NOW + timedelta(days=2))
    with pytest.raises(ClosesTooEarly), transaction() as session:
        lifecycle.change(session, staff, "hiver", "extend", NOW, "rien de plus", CLOSES)


def test_who_is_topped_up_without_a_pledge_reads_what_becomes_of_it(staff: Actor, order: str) -> None:
    before = lifecycle.pledgers(db.session(), found())
    event = correct(staff, "more", "L1", organisation="MCNG", units=2)
    assert lifecycle.pledgers(db.session(), found()) == before | {found().house_id}
    with transaction() as session:
        corrections.take_back(session, staff, order, event, NOW, "non")
    assert lifecycle.pledgers(db.session(), found()) == before


def test_who_only_fills_a_pack_has_pledged(staff: Actor, order: str) -> None:
    body = directory.organisation(db.session(), "STN")
    assert body
    with transaction() as session:
        reopened = lifecycle.change(session, staff, order, "reopen", NOW, closes_at=CLOSES)
        pledging.pledge_many(session, reopened, body, staff.user_id, {"C1": (0, 3)}, NOW)
    assert body.organisation_id in lifecycle.pledgers(db.session(), found())
