"""Signing in and out, and one's own account."""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from sharebank.accounts import people, service, signin
from sharebank.accounts.actor import Actor
from sharebank.accounts.forms import (
    LANGUAGES,
    ROLE_HELP,
    ROLE_WORDS,
    AddressForm,
    ChangePasswordForm,
    DetailsForm,
    LettersForm,
    NewPasswordForm,
    SignInForm,
    attach,
)
from sharebank.accounts.permissions import may_anywhere
from sharebank.accounts.rules import check_password
from sharebank.accounts.web import Visitor, actor_or_none, me
from sharebank.core import clock
from sharebank.core.db import db, transaction
from sharebank.core.errors import Refused
from sharebank.core.texts import gettext as _
from sharebank.core.web import public, safe_next

bp = Blueprint("accounts", __name__)
YEAR_SECONDS = 365 * 24 * 3600

bp.add_app_template_global(may_anywhere)


@bp.app_template_global()
def role_word(role: str) -> str:
    """A role as screens name it."""
    return str(_(ROLE_WORDS[role]))


def _home() -> str:
    return url_for("reservations.search")


def _let_in(actor: Actor, token: str) -> None:
    """Make this browser the actor's; whatever its cookie held before is forgotten (no session fixation)."""
    session.clear()
    session.permanent = True
    login_user(Visitor(actor, token))


# -- coming in -----------------------------------------------------------------------------------


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Any:
    """By address and password."""
    target = safe_next(request.values.get("next"), _home())
    if current_user.is_authenticated and request.method == "GET":
        return redirect(target, 303)
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form, 422 if form.is_submitted() else 200)
    email, password, now = form.email.data or "", form.password.data or "", clock.now()
    try:
        with transaction() as rows:
            signin.count_attempt(rows, email, now)
        proof = signin.verify(db.session(), email, password)
        with transaction() as rows:
            actor, token = signin.enter(rows, proof, now)
    except Refused as refused:
        return _sign_in_page(form, attach(form, refused))
    _let_in(actor, token)
    return redirect(target, 303)


def _sign_in_page(form: SignInForm, status: int) -> tuple[str, int]:
    page = render_template(
        "accounts/sign_in.html",
        form=form,
        target=request.values.get("next", ""),
        demonstration=service.demonstration(db.session()),
        role_help=ROLE_HELP,
    )
    return page, status


@bp.post("/sign-out")
def sign_out() -> Response:
    """The row goes, and with it every copy of the cookie."""
    with transaction() as rows:
        service.end_session(rows, current_user.get_id())
    logout_user()
    session.clear()
    flash(_("You are signed out."), "success")
    return redirect(url_for("accounts.sign_in"), 303)


@bp.route("/sign-in/link", methods=["GET", "POST"])
@public
def ask_link() -> Any:
    """Ask for a letter that signs in."""
    return _ask_letter("sign_in", "accounts/ask_link.html")


@bp.route("/password/forgotten", methods=["GET", "POST"])
@public
def forgotten() -> Any:
    """Ask for a letter that lets choose a new password."""
    return _ask_letter("reset", "accounts/forgotten.html")


def _ask_letter(purpose: str, template: str) -> Any:
    """The answer is the same whether somebody has this address or not."""
    form = AddressForm(email=request.args.get("email", "")[:254])
    if not form.validate_on_submit():
        return render_template(template, form=form), 422 if form.is_submitted() else 200
    try:
        with transaction() as rows:
            signin.send_link(rows, purpose, form.email.data or "", clock.now())
    except Refused as refused:
        return render_template(template, form=form), attach(form, refused)
    flash(_("If somebody has this address here, a letter is on its way. Look at your e-mail in a minute."), "success")
    return redirect(url_for("accounts.sign_in"), 303)


@bp.route("/sign-in/<token>", methods=["GET", "POST"])
@public
def sign_in_by_link(token: str) -> Any:
    """Mail programs open links by themselves: only the button uses the link."""
    if request.method == "GET":
        reader = service.token_owner(db.session(), token, ("sign_in",), clock.now())
        return render_template("accounts/enter.html", reader=reader)
    with transaction() as rows:
        actor, opened = signin.enter_by_link(rows, token, clock.now())
    _let_in(actor, opened)
    return redirect(_home(), 303)


@bp.route("/password/<token>", methods=["GET", "POST"])
@public
def choose_password(token: str) -> Any:
    """From the letter of an invitation or a forgotten password."""
    now, purposes = clock.now(), ("invite", "reset")
    reader = service.token_owner(db.session(), token, purposes, now)
    form = NewPasswordForm()
    if not form.validate_on_submit():
        return _choose_page(form, reader, 422 if form.is_submitted() else 200)
    password = form.password.data or ""
    try:
        check_password(password, reader.email)
    except Refused as refused:
        return _choose_page(form, reader, attach(form, refused))
    hashed = signin.HASHER.hash(password)
    with transaction() as rows:
        actor = service.spend_token(rows, token, purposes, now)
        opened = signin.set_password(rows, actor, hashed, now)
    _let_in(actor, opened)
    flash(_("Your password is stored, and you are signed in."), "success")
    return redirect(_home(), 303)


def _choose_page(form: NewPasswordForm, reader: Actor, status: int) -> tuple[str, int]:
    return render_template("accounts/choose_password.html", form=form, reader=reader), status


@bp.post("/locale")
@public
def set_locale() -> Response:
    """The reader's language, kept in a cookie, and for the next letters when signed in."""
    locale = request.form.get("locale", "")
    if locale not in LANGUAGES:
        abort(400)
    if actor := actor_or_none():
        with transaction() as rows:
            service.save_locale(rows, actor, locale)
    answer = redirect(safe_next(request.form.get("next"), _home()), 303)
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    answer.set_cookie("locale", locale, max_age=YEAR_SECONDS, samesite="Lax", httponly=True, secure=secure)
    return answer


# -- one's own account ---------------------------------------------------------------------------


@bp.route("/account", methods=["GET", "POST"])
def account() -> Any:
    """My name, phone and language; the rest of the page has forms of its own."""
    form = DetailsForm(data=_values(service.details(db.session(), me())))
    if not form.validate_on_submit():
        return _account_page(422 if form.is_submitted() else 200, details=form)
    said = service.Details(
        form.first_name.data or "", form.last_name.data or "", form.phone.data or "", form.locale.data
    )
    with transaction() as rows:
        service.save_details(rows, me(), said)
    flash(_("Stored."), "success")
    return redirect(url_for("accounts.account"), 303)


@bp.post("/account/password")
def change_password() -> Any:
    """The present one is asked for, and counted like a sign-in: an open browser is not yet its owner."""
    form = ChangePasswordForm()
    if not form.validate_on_submit():
        return _account_page(422, password=form)
    actor, password, now = me(), form.password.data or "", clock.now()
    try:
        check_password(password, actor.email)
        with transaction() as rows:
            signin.count_attempt(rows, actor.email, now)
        signin.verify_present(db.session(), actor, form.present.data or "")
        hashed = signin.HASHER.hash(password)
        with transaction() as rows:
            token = signin.set_password(rows, actor, hashed, now)
    except Refused as refused:
        return _account_page(attach(form, refused), password=form)
    _let_in(actor, token)
    flash(_("Your password is changed. You are signed out everywhere else."), "success")
    return redirect(url_for("accounts.account"), 303)


@bp.post("/account/sessions/end")
def end_sessions() -> Response:
    """Sign out everywhere, here too."""
    with transaction() as rows:
        service.end_sessions(rows, me().user_id)
    logout_user()
    session.clear()
    flash(_("You are signed out everywhere."), "success")
    return redirect(url_for("accounts.sign_in"), 303)


@bp.post("/account/tokens")
def new_token() -> Any:
    """Shown in the answer itself, once: a redirect would have to keep it somewhere."""
    with transaction() as rows:
        token = service.issue_api_token(rows, me().email, clock.now())
    return _account_page(200, token=token)


@bp.post("/account/tokens/<int(max=2147483647):token_id>/revoke")
def revoke_token(token_id: int) -> Response:
    """End a program's access."""
    with transaction() as rows:
        service.revoke_api_token(rows, me(), token_id)
    flash(_("This token no longer works."), "success")
    return redirect(url_for("accounts.account"), 303)


def _values(said: service.Details) -> dict[str, str]:
    """A form's first values."""
    return {name: getattr(said, name) for name in said.__slots__}


def _account_page(
    status: int,
    details: DetailsForm | None = None,
    password: ChangePasswordForm | None = None,
    token: str | None = None,
) -> Response:
    rows, actor, now = db.session(), me(), clock.now()
    page = render_template(
        "accounts/account.html",
        details=details or DetailsForm(formdata=None, data=_values(service.details(rows, actor))),
        password=password or ChangePasswordForm(formdata=None),
        failed=next((form for form in (details, password) if form and (form.errors or form.form_errors)), None),
        new_token=token,
        tokens=service.api_tokens(rows, actor, now),
        sessions=service.open_sessions(rows, actor, current_user.get_id(), now),
        letters=LettersForm(formdata=None, letters=actor.letters),
        manages=people.manages_somebody(actor),
    )
    return make_response(page, status)
