"""The application: knows every room, and what is the same on every page."""

from __future__ import annotations

import gzip
import logging
import os
import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Request, Response, abort, current_app, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_babel import Babel
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy import select
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response as Answer

from config import Settings
from sharebank.accounts.actor import Actor
from sharebank.accounts.bodies_views import bp as accounts
from sharebank.accounts.letters_views import bp as letters
from sharebank.accounts.letters_views import stop as stop_letters
from sharebank.accounts.permissions import may_anywhere
from sharebank.accounts.web import actor_or_none, load_visitor
from sharebank.agreements.issuing import after_change as agreements_follow
from sharebank.agreements.pages import bp as agreements
from sharebank.agreements.views import panel as agreements_panel
from sharebank.api.problems import DOCS, of_http_error, of_refusal, problem
from sharebank.api.views import bp as api
from sharebank.catalog.rule_set_views import bp as catalog
from sharebank.core import texts, web
from sharebank.core.db import db, engine_options, tune
from sharebank.core.errors import N_, Refused
from sharebank.core.health import bp as health
from sharebank.core.models import Fact
from sharebank.core.period import zone
from sharebank.exchange import prices_of_file
from sharebank.insurance.paper_views import bp as insurance
from sharebank.orders.outgoing import calling_off, dispatch, sending
from sharebank.orders.pages import bp as orders
from sharebank.reservations import costs, hooks
from sharebank.reservations.calendars import calendar_letters
from sharebank.reservations.handover import charges, handover_words
from sharebank.reservations.pages import bp as reservations
from sharebank.reservations.series.series_change_views import panel as series_panel
from sharebank.reservations.series.series_deciding import follow as follow_series
from sharebank.reservations.waiting import waiting
from sharebank.watch import bp as watch
from sharebank.watch import letters_trouble

ROOMS = (health, accounts, letters, catalog, insurance, reservations, agreements, orders, api, watch)
ROOT = Path(__file__).resolve().parent.parent
LOCALES = ("fr", "en")
CSP = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

SAFE = [
    ("Content-Security-Policy", CSP),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
]

csrf = CSRFProtect()
log = logging.getLogger("sharebank")


class _Sharebank(Flask):
    """Flask, which asks of each function at each call whether it is a coroutine; none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


class _Cookies(SecureCookieSessionInterface):
    """The cookie that says who reads a page. Programs carry a token: for them it is neither read nor written."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if _is_call(request) else super().open_session(app, request)


def _is_call(request: Request) -> bool:
    return request.path.startswith("/api/") and request.path != DOCS


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application from its settings, by default those of the environment."""
    settings = settings or Settings.from_environ(os.environ, ROOT / "instance")
    app = _Sharebank("sharebank", template_folder=str(ROOT / "templates"), instance_path=str(settings.instance_path))
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        SHAREBANK_BASE_URL=settings.base_url,
        SHAREBANK_MAIL_URL=settings.mail_url,
        SHAREBANK_MAIL_FROM=settings.mail_from,
        SHAREBANK_TIMEZONE=settings.timezone,
        SHAREBANK_SCHOOL_ZONE=settings.school_zone,
        TRUSTED_HOSTS=list(settings.trusted_hosts),
        MAX_CONTENT_LENGTH=16 * 1024 * 1024,
        SESSION_COOKIE_NAME="sharebank",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https:"),
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        BABEL_DEFAULT_LOCALE="fr",
        BABEL_DEFAULT_TIMEZONE=settings.timezone,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form left open over lunch still goes through
    )
    app.session_interface = _Cookies()
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.filters.update(web.FILTERS)
    db.init_app(app)
    with app.app_context():
        tune(db.engine)
    csrf.init_app(app)
    Babel(app, locale_selector=_locale)
    app.jinja_env.globals.update(_=texts.text, gettext=texts.text, url_for=web.address)
    login = LoginManager(app)
    login.user_loader(load_visitor)
    login.session_protection = None  # the session is a row: ours to end
    for room in ROOMS:
        app.register_blueprint(room)
    hooks.after_change[:] = [
        partial(charges.after_change, tz=zone(settings.timezone)),
        waiting.follow,
        follow_series,
        partial(agreements_follow, tz=zone(settings.timezone)),
    ]
    hooks.panels[:] = [series_panel, costs.panel, handover_words.panel, agreements_panel]
    csrf.exempt(api)  # programs carry a token and no cookie
    csrf.exempt(stop_letters)  # so do mail programs: the token of RFC 8058 is in the address
    app.extensions["letter_attachments"] = {"calendar": calendar_letters.attachment, **dispatch.ATTACHMENTS}
    app.extensions["letter_ended"] = {
        "order_to_supplier": sending.letter_ended,
        "order_called_off": calling_off.letter_ended,
    }
    app.extensions["price_list_reader"] = prices_of_file
    app.extensions["watches"] = {"letters": letters_trouble}
    app.before_request(_gate)
    app.context_processor(_everywhere)
    app.after_request(_finish)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    return app


def _locale() -> str:
    """The reader's own choice, else the cookie's, else French; a program says it in each call."""
    if request.path.startswith("/api/") and request.endpoint != "api.docs":
        asked = (tag[:2].lower() for tag, quality in request.accept_languages if quality)
        return next((locale for locale in asked if locale in LOCALES), "fr")
    actor = actor_or_none()
    chosen = actor.locale if actor else request.cookies.get("locale")
    return chosen if chosen in LOCALES else "fr"


def _gate() -> Answer | None:
    """Every page needs sign-in unless its view says otherwise; no value may hold a NUL."""
    forms = (request.args,) if request.blueprint == "api" else (request.args, request.form)
    if "\0" in request.path or any("\0" in value for form in forms for values in form.listvalues() for value in values):
        abort(400)
    view = app_view()
    if view is None or request.endpoint == "static" or getattr(view, "public", False) or current_user.is_authenticated:
        return None
    if request.method == "POST":
        abort(401)  # a redirect would drop what was typed without a word
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("accounts.sign_in", next=wanted))


def app_view() -> Any:
    """The view this request goes to, if any."""
    return current_app.view_functions.get(request.endpoint or "")


def _everywhere() -> dict[str, Any]:
    actor = actor_or_none()
    return {"actor": actor, "demo": _is_demo(), "nav": _nav(actor), "locale": web.locale_code()}


def _is_demo() -> bool:
    """Is all of this invented? Asked once a minute, not on every page: that changes with the whole database only."""
    known, until = current_app.extensions.get("demo", (False, 0.0))
    if time.monotonic() >= until:
        known = db.session().connection().execute(_DEMO).first() is not None
        current_app.extensions["demo"] = known, time.monotonic() + 60
    return bool(known)


_DEMO = select(Fact.name).where(Fact.name == "demo")


# The main menu, one entry a place a person goes to: its page, its name, and the pages that belong to it.
_PLACES = (
    ("reservations.search", N_("Book"), ("reservations.search", "reservations.new", "reservations.create")),
    ("reservations.planning", N_("Planning"), ("reservations.planning", "reservations.closure")),
    ("catalog.resources", N_("Catalogue"), ("catalog.",)),
    ("reservations.requests", N_("Requests"), ("reservations.requests", "reservations.instead")),
    (
        "reservations.index",
        N_("Reservations"),
        (
            "reservations.index",
            "reservations.show",
            "reservations.decide",
            "reservations.waiting",
            "reservations.series",
        ),
    ),
    (
        "reservations.handovers",
        N_("Counter"),
        tuple(
            f"reservations.{page}"
            for page in ("handover", "hand_over", "keep_in", "write_off", "add_charge", "correct_charge")
        ),
    ),
    ("orders.index", N_("Group orders"), ("orders.",)),
    ("agreements.index", N_("Agreements"), ("agreements.",)),
    ("insurance.index", N_("Deadlines"), ("insurance.",)),
    (
        "accounts.people",
        N_("People"),
        ("accounts.people", "accounts.new_person", "accounts.seat", "letters.outbox_page", "letters.letter", "watch."),
    ),
)


# Places that not everybody has something to do at.
_ONLY: dict[str, Callable[[Actor], bool]] = {
    **dict.fromkeys(
        ("reservations.requests", "reservations.handovers", "insurance.index"),
        lambda actor: may_anywhere(actor, "see_desks"),
    ),
    "accounts.people": lambda actor: bool(actor.manager_ids),
}


def _nav(actor: Actor | None) -> list[dict[str, Any]]:
    """The menu of this reader."""
    if actor is None:
        return []
    here = request.endpoint or ""
    return [
        {"label": texts.gettext(name), "url": web.address(endpoint), "current": here.startswith(pages)}
        for endpoint, name, pages in _PLACES
        if endpoint not in _ONLY or _ONLY[endpoint](actor)
    ]


def _finish(response: Response) -> Response:
    """Headers of every answer; pages travel compressed."""
    headers = response.headers
    headers.extend([header for header in SAFE if header[0] not in headers])
    if request.endpoint != "static" and "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store" if current_user.is_authenticated else "no-cache"
    if (
        response.mimetype in ("text/html", "application/json", "text/css", "text/javascript", "text/calendar")
        and "gzip" in request.headers.get("Accept-Encoding", "")
        and "Content-Encoding" not in headers
        and response.status_code not in (204, 304)
    ):
        response.direct_passthrough = False
        body = response.get_data()
        if len(body) > 1000:
            response.set_data(gzip.compress(body, 5))
            headers["Content-Encoding"] = "gzip"
            headers.add("Vary", "Accept-Encoding")
    return response


def _page(status: int, text: str = "") -> tuple[str, int]:
    lost = (
        {"back": web.page_of_form(), "typed": web.typed()} if request.method == "POST" and status in (400, 401) else {}
    )
    return render_template("errors/error.html", code=status, text=text, **lost), status


def _refused(refused: Refused) -> Any:
    if request.blueprint == "api":
        return of_refusal(refused)
    return _page(refused.status, web.say(refused))


def _http_error(error: HTTPException) -> Any:
    if error.response is not None:
        return error.response
    if isinstance(error, SecurityError):
        return error.get_response()  # under a name that is not ours no link can be built, so no page of ours
    if request.path.startswith("/api/"):
        return of_http_error(error)
    # Who is signed out has lost the token with the session: that is why, and what to do is to sign in.
    signed_out = isinstance(error, CSRFError) and not current_user.is_authenticated
    if signed_out and not getattr(app_view(), "public", False):
        return _page(401)
    return _page(error.code or 500)


def _unexpected(error: Exception) -> Any:
    """A fault of ours: say so, with a word that finds it in the log; the page needs nothing that may be broken."""
    word = secrets.token_hex(4)
    log.error("unexpected error %s on %s %s", word, request.method, request.path, exc_info=error)
    db.session.rollback()
    if request.path.startswith("/api/"):
        return problem(500, "Internal error", f"Nothing was stored. Tell us this word: {word}")
    return render_template("errors/crash.html", reference=word, locale=web.locale_code()), 500
