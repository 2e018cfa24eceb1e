"""Every page a person can open: axe finds nothing, nothing sticks out at 360 px, few requests, no error in the console.

The pages are read from the URL map, so that a new one is looked at as soon as it exists.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, Response
from sqlalchemy import select, update

from sharebank.accounts import directory
from sharebank.accounts.models import Organisation, User
from sharebank.agreements import general
from sharebank.catalog.models import Resource
from sharebank.core.db import transaction
from sharebank.insurance import drivers
from sharebank.insurance.models import Coverage, Driver, SeenPaper
from sharebank.notifications.models import Letter
from sharebank.notifications.service import Recipient
from sharebank.orders.desk import making
from sharebank.orders.desk.making import Draft
from sharebank.orders.models import GroupOrder
from sharebank.orders.supply.prices import put_draft
from sharebank.orders.supply.supplier_models import Supplier
from sharebank.reservations.deciding import links
from sharebank.reservations.handover import charges
from sharebank.reservations.models import Reservation, Series
from tests.e2e.conftest import Site
from tests.world import NOW, PARIS

pytestmark = pytest.mark.e2e

STAFF = "herve.courbejaud@example.org"  # a manager of MCNG: sees every kind of page
MEMBER = "odile.sarrazande@example.com"
MOST_REQUESTS = 6
REFUSED = (403, 404, 409, 410)
ONLY_WRONG = {"resultTypes": ["violations"]}  # what passes is not written out

SAMPLES = {
    "ref": "R26-0604",
    "code": "MCNG-R01",
    "rules": "minibus",
    "structure": "CHORALE",
    "token": "no-such-token",
    "seat_id": "5",
    "coverage_id": "4",
    "house": "MCNG",
    "secret": "no-such-address",
    "kind": "loan",
    "order_code": "bureau-hiver-2026-jacq",
    "supplier_code": "JACQ",
    "sku": "PJ-1001",
}
DRAFT = "printemps-2027"
# Where the usual sample has nothing to show.
OTHERWISE = {
    "reservations.instead": {"ref": "R26-0548"},
    "reservations.keep_in": {"ref": "R26-0513", "code": "MCNG-I01", "gone": False},
    "reservations.write_off": {"ref": "R26-0513", "code": "MCNG-I01", "gone": True},
    "orders.choose": {"order_code": DRAFT},
    "orders.edit": {"order_code": DRAFT},
    "orders.accounts": {"order_code": "rentree-2026-jacq"},
    "orders.reception": {"order_code": "rentree-2026-jacq"},
    "orders.invoice": {"order_code": "rentree-2026-jacq"},
    "orders.matrix": {"order_code": "rentree-2026-jacq", "form": "html"},
}
# Addresses with something in them: forms filled in, filters chosen, answers shown, mistakes made.
REPEATED = (
    "/series/new?show=1&day=2026-12-08&start=18:30&end=20:30&freq=weekly&organisation=MCNG"
    "&lines-0-code=STN-R03&lines-0-quantity=1"
)
FILLED = (
    "/series/new?pick=MCNG-R01",
    f"{REPEATED}&count=9&purpose=Chorale",
    f"{REPEATED}&purpose=",
    "/?q=salle&n=40&day=2026-11-28&start=14:00&end=18:00&pick=STN-R01:1",
    "/?q=zzz&day=2026-11-28&start=14:00&end=18:00",
    "/?day=2026-13-45&start=14:00&end=18:00",
    "/reservations/new?pick=ORS-R01&pick=MCNG-K03:6000&day=2026-12-12&start=10:00&end=12:00",
    "/planning?view=day&date=2026-12-12&house=MCNG",
    "/planning?view=month&date=2026-12-12&house=",
    "/planning?view=week&date=2026-12-12&house=&list=1",
    "/reservations?scope=house",
    "/reservations?when=past&month=2026-09-15",
    "/resources?q=minibus",
    "/resources/ORS-R04",
    "/insurance?house=MCNG",
    "/insurance/new?holder=MCNG&covers=MCNG-V01",
    "/insurance/timeline?year=2027",
    "/insurance/papers?organisation=CHORALE",
    "/handover/R26-0507",
    "/handover/R26-0507/out/MCNG-E08",
    "/r/ORS-E03",
    "/calendars?resource=MCNG-R01",
    "/resources/MCNG-R01/week?date=2026-12-08&door=all",
    "/day?date=2026-12-12&house=MCNG",
    "/orders/new?supplier=JACQ",
    "/orders/suppliers/JACQ/prices?q=cahier&label=recycled",
    "/orders/suppliers/JACQ/prices?category=no-such-one",
    "/orders/suppliers/SCOL/prices?version=1",
    "/orders/bureau-hiver-2026-jacq/step?act=extend",
    f"/orders/{DRAFT}/assistant",
    "/orders/bureau-hiver-2026-jacq/adjust?act=share&sharing=priority",
    "/orders/bureau-hiver-2026-jacq/adjust?act=drop&sku=PJ-1001",
    "/no-such-page",
)
NOT_PAGES = (
    *(
        "static",
        "health.",
        "api.",
        "catalog.houses_css",
        "catalog.label_code",
        "catalog.photo",
        "reservations.handover_photo",
    ),
    "letters.letter_page",  # an e-mail
    *("insurance.export", "insurance.document"),  # downloads
    *("reservations.feed", "reservations.public_feed"),
    *("agreements.pdf", "agreements.certificate", "agreements.signed_copy"),
    *("orders.adjust", "orders.step"),  # a page for each act: some of FILLED
    "orders.document",
    *("orders.statement", "orders.all_statements", "orders.slips"),
    *("orders.accounts_csv", "orders.payments_csv", "orders.savings_csv"),
    "orders.note_photo",
)


def pages(site: Site) -> list[str]:
    """Every GET route with the samples filled in, then the filled ones."""
    adapter = site.app.url_map.bind("localhost")
    samples, otherwise = lived_in(site)
    found = {
        adapter.build(rule.endpoint, {key: (samples | otherwise.get(rule.endpoint, {}))[key] for key in rule.arguments})
        for rule in site.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.endpoint.startswith(NOT_PAGES)
    }
    return [*sorted(found), "/api/v1/docs", *FILLED]


def lived_in(site: Site) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The samples, with what the demonstration has none of yet: an agreement, a driver, a charge, a signed link."""
    with site.app.app_context(), transaction() as session:
        manager = directory.actor_of_email(session, STAFF)
        assert manager is not None
        lent = {one.ref: one for one in session.scalars(select(Reservation).where(Reservation.kind == "loan"))}
        agreement = general.of_loan(session, manager, lent[SAMPLES["ref"]].id, NOW, PARIS)
        licence = drivers.Licence("Odile Sarrazande", "B", date(2001, 5, 4), NOW.date())
        driver = drivers.note(session, manager, SAMPLES["structure"], licence, NOW.date())
        charge = charges.add(session, manager, "R26-0530", 2000, "Une sangle perdue", NOW)
        asked = lent["R26-0548"]
        facts = {"starts_at": asked.starts_at.isoformat()}
        reader = Recipient(manager.email, manager.name, "fr", manager.user_id)
        links.ask_to_decide(session, asked.id, "sample", [reader], facts, NOW)
        session.flush()
        secret = session.scalars(select(Letter).where(Letter.template == "reservation_to_decide")).one()
        token = secret.facts["secret"]
        session.delete(secret)
        letter = session.scalars(select(Letter).where(Letter.template == "agreement_to_sign")).one()
        house = select(Organisation.id).where(Organisation.code == SAMPLES["house"]).scalar_subquery()
        series = select(Series.ref).where(Series.lender_id == house).order_by(Series.id).limit(1)
        ref = session.scalars(series).one()
        prices = b"sku,name,pack_size,unit_price_excl_vat_eur,vat_rate\nPJ-1001,Cahier,12,0.99,5.5\nPJ-1,Stylo,1,2,20\n"
        draft = put_draft(session, manager, SAMPLES["supplier_code"], "tarif.csv", prices, NOW)
        making.make_order(session, manager, Draft(DRAFT, "Printemps", "JACQ", "MCNG", NOW + timedelta(days=9)), NOW)
        made = {
            "draft_id": draft.id,
            "number": agreement.number,
            "driver_id": driver.id,
            "charge_id": charge.id,
            "letter_id": letter.id,
        }
        decide = {"reservations.decide_by_link": {"token": token}}
    of_series = {
        rule.endpoint: {"ref": ref} for rule in site.app.url_map.iter_rules() if rule.rule.startswith("/series/<ref>")
    }
    return SAMPLES | {name: str(value) for name, value in made.items()}, OTHERWISE | decide | of_series


@pytest.mark.parametrize(
    ("who", "scheme", "width"),
    [(STAFF, "light", 360), (STAFF, "dark", 1280), (MEMBER, "dark", 360), (None, "light", 360)],
    ids=["manager-light-360", "manager-dark-1280", "member-dark-360", "signed-out"],
)
def test_every_page_is_for_everyone(
    who: str | None, scheme: str, width: int, site: Site, phone: Callable[..., BrowserContext]
) -> None:
    context = phone(color_scheme=scheme, viewport={"width": width, "height": 740})
    if who:
        site.sign_in(context, who)
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(f"script error {error}"))
    wrong: list[str] = []
    refused: set[int] = set()
    for path in pages(site):
        if who is None and path not in ("/sign-in", "/sign-in/link", "/password/forgotten", "/", "/no-such-page"):
            continue
        asked.clear()
        errors.clear()
        answer = page.goto(path)
        assert answer is not None
        if answer.status in REFUSED and answer.status in refused and (who != STAFF or "no-such" in path):
            continue  # all refusals look the same
        if answer.status in REFUSED:
            refused.add(answer.status)
        if who == STAFF and answer.status in REFUSED and "no-such" not in path:
            wrong.append(f"{path}: answers {answer.status}, the sample shows nothing")
        wrong += [f"{path}: {fault}" for fault in [*faults(page, answer, asked, width), *errors]]
    assert not wrong, "\n".join(wrong)


LISTS = (
    *(
        "/requests",
        "/reservations?scope=house",
        "/series",
        "/planning?view=week&list=1",
        "/resources?q=",
        "/agreements",
    ),
    *("/insurance", "/insurance/drivers", "/insurance/papers", "/orders", "/orders/balances", "/orders/suppliers"),
    *("/admin/letters", "/admin/people", "/reservations/new?pick=MCNG-K03:2&pick=MCNG-R01", "/?q=salle&pick=MCNG-R01"),
    *("/orders/rentree-2026-jacq/accounts", "/reservations/R26-0548/instead", "/insurance/new?covers=MCNG-V01"),
)
TYPED = (
    *(Reservation.purpose, Series.purpose, Resource.name, User.first_name, Letter.subject, Letter.to_name),
    *(Driver.name, SeenPaper.note, GroupOrder.title, Supplier.name, Coverage.body),
)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_word_without_end_pushes_no_page_sideways(
    width: int, site: Site, phone: Callable[..., BrowserContext]
) -> None:
    with site.app.app_context(), transaction() as session:
        for column in TYPED:
            session.execute(update(column.class_).values({column: "W" * (column.type.length or 250)}))
    context = phone(viewport={"width": width, "height": 740}, has_touch=width == 360)
    site.sign_in(context, STAFF)
    page = context.new_page()
    wide = {}
    for path in LISTS:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert {path: found for path, found in wide.items() if found > width} == {}


def faults(page: Page, answer: Response, requests: list[str], width: int) -> list[str]:
    """What is wrong with one page."""
    found: list[str] = []
    if answer.status >= 500:
        found.append(f"answered {answer.status}")
    if "text/html" not in answer.headers.get("content-type", ""):
        return found
    # A catalogue shows pictures, as they come into view; what a page holds within itself asks nothing.
    own = [url for url in requests if "/photos/" not in url and not url.startswith("data:")]
    if len(own) > MOST_REQUESTS + (answer.request.redirected_from is not None):
        found.append(f"makes {len(own)} requests")
    if any(not url.startswith(("http://127.0.0.1", "data:")) for url in requests):
        found.append("asks another site")
    overflow = page.evaluate("document.documentElement.scrollWidth")
    if overflow > width:
        found.append(f"is {overflow} px wide")
    for violation in Axe().run(page, options=ONLY_WRONG).response["violations"]:
        where = "; ".join(str(node["target"][0]) for node in violation["nodes"][:3])
        found.append(f"axe {violation['id']} at {where}")
    return found
