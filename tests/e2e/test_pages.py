"""Every page a person can open: axe finds nothing, nothing sticks out at 360 px, few requests, no error in the console.

The pages are read from the URL map, so that a new one is looked at as soon as it exists.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.e2e.conftest import Site

pytestmark = pytest.mark.e2e

STAFF = "herve.courbejaud@example.org"  # a manager of MCNG: sees every kind of page
MEMBER = "odile.sarrazande@example.com"
MOST_REQUESTS = 6

SAMPLES = {
    "ref": "R26-0604",
    "code": "MCNG-R01",
    "token": "no-such-token",
    "seat_id": "12",
    "letter_id": "1",
    "coverage_id": "4",
    "driver_id": "1",
}
# Addresses with something in them: forms filled in, filters chosen, answers shown, mistakes made.
FILLED = (
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
    "/no-such-page",
)
NOT_PAGES = (
    *("static", "health.", "api.", "catalog.houses_css", "catalog.label_code", "catalog.photo"),
    "letters.letter_page",  # an e-mail
    *("insurance.export", "insurance.document"),  # downloads
)


def pages(site: Site) -> list[str]:
    """Every GET route with the samples filled in, then the filled ones."""
    adapter = site.app.url_map.bind("localhost")
    found = {
        adapter.build(rule.endpoint, {key: SAMPLES[key] for key in rule.arguments})
        for rule in site.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.endpoint.startswith(NOT_PAGES)
    }
    return [*sorted(found), "/api/v1/docs", *FILLED]


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
    wrong: list[str] = []
    for path in pages(site):
        if who is None and path not in ("/sign-in", "/sign-in/link", "/password/forgotten", "/", "/no-such-page"):
            continue
        wrong += [f"{path}: {fault}" for fault in faults(context.new_page(), path, width)]
    assert not wrong, "\n".join(wrong)


def faults(page: Page, path: str, width: int) -> list[str]:
    """What is wrong with one page."""
    requests: list[str] = []
    found: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: found.append(f"script error {error}"))
    answer = page.goto(path)
    assert answer is not None
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
    for violation in Axe().run(page).response["violations"]:
        where = "; ".join(str(node["target"][0]) for node in violation["nodes"][:3])
        found.append(f"axe {violation['id']} at {where}")
    page.close()
    return found
