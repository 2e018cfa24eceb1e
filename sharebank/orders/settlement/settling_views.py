"""Who owes whom: the accounts of an order, its papers, the houses' balances, what ordering together saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, flash, redirect, render_template, url_for

from sharebank.accounts.permissions import may_house
from sharebank.accounts.web import me
from sharebank.catalog.forms import blame
from sharebank.core import clock, press, web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound, Refused
from sharebank.core.period import to_local
from sharebank.core.texts import gettext as _
from sharebank.orders.blueprint import Page, bp
from sharebank.orders.incoming import invoicing
from sharebank.orders.life_models import Payment
from sharebank.orders.settlement import matrix, payments, savings, settling, statements
from sharebank.orders.settlement.settling import Books
from sharebank.orders.settlement.settling_forms import PaymentForm, TakeBackForm

Wrong = tuple[int, TakeBackForm]
"""A payment that could not be taken back, and what was typed."""
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


# -- one order -------------------------------------------------------------------------------------


@bp.get("/orders/<order_code>/accounts")
def accounts(order_code: str) -> Page:
    """Everyone's share, who has paid, who owes whom; an association sees its own."""
    found = settling.books(db.session(), me(), order_code)
    return _accounts_page(found, _payment_form(found))


@bp.post("/orders/<order_code>/settle", endpoint="settle")
def settle_order(order_code: str) -> Page:
    """Make the shares final."""
    try:
        with transaction() as session:
            settling.settle(session, me(), order_code, clock.now())
    except (settling.NotReconciled, settling.NothingToShare) as refused:
        found = settling.books(db.session(), me(), order_code)
        return _accounts_page(found, _payment_form(found), trouble=web.say(refused)), refused.status
    flash(_("The accounts are settled: everyone has been told what they owe."), "success")
    return redirect(url_for("orders.accounts", order_code=order_code), 303)


@bp.post("/orders/<order_code>/payments")
def pay(order_code: str) -> Page:
    """Note a payment."""
    actor, found = me(), settling.books(db.session(), me(), order_code, whole=True)
    form, status = _payment_form(found), 422
    if form.validate():
        try:
            with transaction() as session:
                note, seen = form.note.data or "", form.seen_id()
                payments.note_payment(session, actor, order_code, *form.typed(), clock.now(), note, seen)
        except NotFound:
            raise
        except Refused as refused:
            status = _refused(form, refused)
        else:
            flash(_("The payment of %(amount)s is noted.", amount=web.euros_words(form.cents.data)), "success")
            return redirect(url_for("orders.accounts", order_code=order_code, _anchor="payments"), 303)
    return _accounts_page(settling.books(db.session(), actor, order_code), form), status


@bp.post("/orders/payments/<int(max=2147483647):payment_id>/undo")
def take_back_payment(payment_id: int) -> Page:
    """Let a payment count no more, with the reason."""
    actor, form = me(), TakeBackForm()
    payment = payments.of_id(db.session(), actor, payment_id)
    code, status = payment.order.code if payment.order else "", 422
    if form.validate():
        try:
            with transaction() as session:
                payments.take_back(session, actor, payment_id, form.why.data or "", clock.now())
        except NotFound:
            raise
        except Refused as refused:
            status = blame(form, refused)
        else:
            flash(_("The payment counts no more."), "success")
            back = url_for("orders.accounts", order_code=code) if code else url_for("orders.balances")
            return redirect(f"{back}#payments", 303)
    wrong = (payment_id, form)
    if not code:
        return _balances_page(PaymentForm(formdata=None), wrong), status
    found = settling.books(db.session(), actor, code)
    return _accounts_page(found, _payment_form(found, fresh=True), wrong), status


def _payment_form(found: Books, *, fresh: bool = False) -> PaymentForm:
    form = PaymentForm(formdata=None) if fresh else PaymentForm()
    codes = [*found.standing.bill.shares, *(code for code, body in found.bodies.items() if body.kind == "house")]
    form.offer([found.bodies[code] for code in dict.fromkeys(codes)], found.order.supplier.name)
    return form


def _refused(form: PaymentForm, refused: Refused) -> int:
    if isinstance(refused, payments.AlreadyNoted):
        form.seen.data = None  # sent once more, it is sent by somebody who was told
    return blame(form, refused)


def _newest(form: PaymentForm, shown: Sequence[Payment]) -> int:
    """The newest payment the page shows, for its forms to bring back."""
    newest = max((one.id for one in shown), default=0)
    form.seen.data = form.seen.data or str(newest)
    return newest


def _accounts_page(found: Books, form: PaymentForm, wrong: Wrong | None = None, trouble: str = "") -> str:
    return render_template(
        "orders/accounts.html",
        books=found,
        order=found.order,
        form=form,
        wrong=wrong,
        newest=_newest(form, found.payments),
        trouble=trouble,
        today=to_local(clock.now(), web.tz()).date(),
        reconciled=invoicing.reconciled(found.order),
        may_note=lambda *codes: found.runs or _notes(found.bodies, codes),
    )


def _notes(bodies: Mapping[str, Any], codes: Sequence[str]) -> bool:
    houses = [bodies[code] for code in codes if code in bodies and bodies[code].kind == "house"]
    return any(may_house(me(), "note_payments", house.organisation_id) for house in houses)


# -- papers ----------------------------------------------------------------------------------------


@bp.get("/orders/<order_code>/statements/<structure>.pdf")
def statement(order_code: str, structure: str) -> Page:
    """One organisation's statement: its own people's, and the houses' staff's."""
    found = settling.books(db.session(), me(), order_code)
    if structure not in found.standing.bill.shares or not (found.whole or structure in found.mine):
        raise NotFound
    return _pressed(found, statements.statements(found, [structure], web.tz()), f"decompte-{order_code}-{structure}")


@bp.get("/orders/<order_code>/statements.pdf")
def all_statements(order_code: str) -> Page:
    """Everyone's statements, in one file."""
    found = settling.books(db.session(), me(), order_code, whole=True)
    codes = sorted(found.standing.bill.shares)
    return _pressed(found, statements.statements(found, codes, web.tz()), f"decomptes-{order_code}")


@bp.get("/orders/<order_code>/slips.pdf")
def slips(order_code: str) -> Page:
    """A delivery slip for each organisation, in one file."""
    found = settling.books(db.session(), me(), order_code, whole=True)
    return _pressed(found, statements.slips(found, web.tz()), f"bons-{order_code}")


@bp.get("/orders/<order_code>/matrix.<form>", endpoint="matrix")
def matrix_sheet(order_code: str, form: str) -> Page:
    """Who gets how many of what, for the pick-up: a page to print, a PDF, a spreadsheet."""
    found = settling.books(db.session(), me(), order_code, whole=True)
    if form == "pdf":
        return _pressed(found, matrix.document(found, web.tz()), f"repartition-{order_code}")
    if form == "xlsx":
        return _file(matrix.workbook(found), SHEET, f"repartition-{order_code}.xlsx")
    if form != "html":
        raise NotFound
    sheets = list(matrix.sheets(matrix.matrix(found)))
    return render_template("orders/matrix.html", books=found, order=found.order, sheets=sheets)


@bp.get("/orders/<order_code>/accounts.csv")
def accounts_csv(order_code: str) -> Page:
    """For the accountant: a row for each organisation and VAT rate."""
    found = settling.books(db.session(), me(), order_code, whole=True)
    return _file(statements.accounts_csv(found), "text/csv", f"comptes-{order_code}.csv")


@bp.get("/orders/<order_code>/payments.csv")
def payments_csv(order_code: str) -> Page:
    """For the accountant: the payments noted."""
    found = settling.books(db.session(), me(), order_code, whole=True)
    return _file(statements.payments_csv(found), "text/csv", f"reglements-{order_code}.csv")


def _pressed(found: Books, document: Mapping[str, Any], name: str) -> Response:
    at = found.last_change
    db.session().rollback()  # nothing is kept waiting while the press runs
    return _file(press.pdf(document, at), "application/pdf", f"{name}.pdf")


def _file(content: bytes, media_type: str, name: str) -> Response:
    answer = Response(content, mimetype=media_type)
    answer.headers.set("Content-Disposition", "inline" if name.endswith(".pdf") else "attachment", filename=name)
    return answer


# -- all orders ------------------------------------------------------------------------------------


@bp.get("/orders/balances")
def balances() -> Page:
    """How the houses stand with each other over all settled orders."""
    return _balances_page(PaymentForm(formdata=None))


@bp.post("/orders/balances")
def pay_between() -> Page:
    """Note that a house paid another."""
    actor, form, status = me(), PaymentForm(), 422
    found = settling.balances(db.session(), actor)
    form.offer([found.bodies[house.code] for house in found.houses])
    if form.validate():
        try:
            with transaction() as session:
                note, seen = form.note.data or "", form.seen_id()
                payments.note_between(session, actor, *form.typed(), clock.now(), note, seen)
        except NotFound:
            raise
        except Refused as refused:
            status = _refused(form, refused)
        else:
            flash(_("The payment of %(amount)s is noted.", amount=web.euros_words(form.cents.data)), "success")
            return redirect(url_for("orders.balances", _anchor="payments"), 303)
    return _balances_page(form), status


def _balances_page(form: PaymentForm, wrong: Wrong | None = None) -> str:
    found = settling.balances(db.session(), me())
    form.offer([found.bodies[house.code] for house in found.houses])
    return render_template(
        "orders/balances.html",
        found=found,
        form=form,
        wrong=wrong,
        newest=_newest(form, found.payments),
        today=to_local(clock.now(), web.tz()).date(),
        may_note=lambda *codes: _notes(found.bodies, codes),
    )


@bp.get("/orders/savings", endpoint="savings")
def savings_page() -> Page:
    """What ordering together saved, by year; staff see everyone's, others their own."""
    rows = savings.savings(db.session(), me(), web.tz())
    years = [
        (year, own, savings.whole(own))
        for year in dict.fromkeys(row.year for row in rows)
        if (own := [row for row in rows if row.year == year])
    ]
    return render_template("orders/savings.html", years=years, whole=bool(me().staff_ids or me().admin))


@bp.get("/orders/savings.csv")
def savings_csv() -> Page:
    """The same as a file."""
    rows = savings.savings(db.session(), me(), web.tz())
    return _file(savings.as_csv(rows), "text/csv", "economies.csv")
