"""The papers of a settlement: statements and delivery slips for the press, rows for the accountant. In French. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from sharebank.core.money import euros
from sharebank.core.period import to_local
from sharebank.orders.life_models import Payment
from sharebank.orders.models import OrderItem
from sharebank.orders.reading import terms_of
from sharebank.orders.rules.shares import Line, follow
from sharebank.orders.settlement.paper_words import (
    Json,
    amount,
    csv_bytes,
    day,
    facts,
    heading,
    number,
    paragraph,
    price,
    rate,
    table,
)
from sharebank.orders.settlement.settling import Books

_DRAFT = "PROVISOIRE : LES COMPTES DE CETTE COMMANDE NE SONT PAS ARRÊTÉS"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one organisation has of one line."""

    item: OrderItem
    line: Line
    units: int
    goods_cents: int


def taken(found: Books) -> dict[str, list[Taken]]:
    """What each organisation bears, line by line; its goods add up to those of its share."""
    wanted: dict[str, int] = defaultdict(int)
    for pledges in found.standing.pledges.values():
        for pledge in pledges:
            wanted[pledge.organisation] += pledge.quantity
    items = {item.sku: item for item in found.order.items}
    rows: dict[str, list[Taken]] = {code: [] for code in found.standing.bill.shares}
    for line in found.standing.bill.lines:
        goods = follow(line.goods_cents, line.allocations, wanted)
        for code in {*line.allocations, *goods}:
            units, cents = line.allocations.get(code, 0), goods.get(code, 0)
            if units or cents:
                rows[code].append(Taken(items[line.sku], line, units, cents))
    return rows


# -- statements --------------------------------------------------------------------------------------


def statements(found: Books, codes: Sequence[str], tz: ZoneInfo) -> Json:
    """The statements of these organisations, each on a page of its own."""
    blocks, rows = list[Json](), taken(found)
    for code in codes:
        blocks += [{"t": "break"}] * bool(blocks)
        blocks += _statement(found, code, rows[code], tz)
    name = f" – {codes[0]}" if len(codes) == 1 else ""
    return _document(found, f"Décompte {found.order.code}{name}", blocks, tz)


def _document(found: Books, title: str, blocks: list[Json], tz: ZoneInfo) -> Json:
    foot = f"{title}, état au {day(to_local(found.last_change, tz).date())}"
    draft = "" if found.final else _DRAFT
    return {"title": title, "author": found.order.house.name, "foot": foot, "draft": draft, "blocks": blocks}


def _statement(found: Books, code: str, rows: Sequence[Taken], tz: ZoneInfo) -> Iterator[Json]:
    order, home = found.order, found.accounts.homes[code]
    yield heading(1, "Décompte de commande groupée")
    pairs = [
        ("Commande", f"{order.code} – {order.title}"),
        ("Fournisseur", order.supplier.name),
        ("Livrée à", order.house.name),
        ("Facture du fournisseur", _invoice(found)),
        ("Règle ses comptes avec", name_of(found, home) if home != code else ""),
        ("État au", day(to_local(found.last_change, tz).date())),
    ]
    yield facts(name_of(found, code), pairs)
    yield heading(2, "Articles")
    heads = ("Référence", "Désignation", "Quantité", "Prix unitaire HT", "TVA", "Montant HT")
    yield table(heads, (2.4, 5.6, 1.6, 2, 1.4, 2.2), (2, 3, 4, 5), map(_row, rows))
    yield heading(2, "Votre part")
    yield table(("", "Montant"), (3, 1), (1,), [[label, amount(cents)] for label, cents in _sums(found, code)])
    yield heading(2, "Payé au fournisseur par")
    yield {"t": "list", "ordered": False, "items": [[[words, False]] for words in _suppliers(found)]}
    yield heading(2, "Règlements")
    own = [one for one in found.payments if one.undone_at is None and code in _parties(one)]
    if own:
        yield table(("Date", "De", "À", "Montant"), (1.4, 3, 3, 1.6), (3,), (_payment(found, one) for one in own))
    yield paragraph(_left(found, code, home), strong=True)


def name_of(found: Books, code: str) -> str:
    """`Chorale du Vieux-Lavoir (CHORALE)`."""
    return f"{found.bodies[code].name} ({code})" if code in found.bodies else code


def _invoice(found: Books) -> str:
    invoice = found.order.invoice
    if invoice is None:
        return "pas encore saisie : la commande telle que reçue en tient lieu"
    return f"n° {invoice['number']} du {day(date.fromisoformat(invoice['day']))}"


def _row(one: Taken) -> list[str]:
    item, line = one.item, one.line
    return [item.sku, item.name, number(one.units), price(line.price), rate(line.vat), amount(one.goods_cents)]


def _sums(found: Books, code: str) -> Iterator[tuple[str, int]]:
    share = found.standing.bill.shares[code]
    yield "Marchandises HT", share.goods_cents
    yield "Part de la livraison HT", share.delivery_cents
    for percent, cents in share.vat_by_rate.items():
        yield f"TVA {rate(percent)}", cents
    yield "Total TTC", share.total_cents


def _suppliers(found: Books) -> Iterator[str]:
    for code, cents in found.accounts.paid.items():
        yield f"{name_of(found, code)} : {amount(cents)}"
    if found.accounts.unnoted > 0:
        yield f"dont {amount(found.accounts.unnoted)} à payer par la maison de livraison"


def _parties(one: Payment) -> set[str]:
    return {one.payer.code} | ({one.payee.code} if one.payee else set())


def _payment(found: Books, one: Payment) -> list[str]:
    payee = one.payee.name if one.payee else found.order.supplier.name
    return [day(one.paid_on), one.payer.name, payee, amount(one.cents)]


def _left(found: Books, code: str, home: str) -> str:
    if home == code:
        return "Les maisons règlent entre elles l’ensemble de leurs commandes."
    owed = found.accounts.owed[code]
    if owed > 0:
        return f"Reste dû à {name_of(found, home)} : {amount(owed)}"
    if owed < 0:
        return f"{name_of(found, home)} vous doit : {amount(-owed)}"
    return "Tout est réglé."


# -- slips -------------------------------------------------------------------------------------------


def slips(found: Books, tz: ZoneInfo) -> Json:
    """A delivery slip for each organisation that gets something, each on a page of its own."""
    blocks: list[Json] = []
    for code, lines in taken(found).items():
        if rows := [one for one in lines if one.units]:
            blocks += [{"t": "break"}] * bool(blocks)
            blocks += _slip(found, code, rows)
    return _document(found, f"Bons de livraison {found.order.code}", blocks, tz)


def _slip(found: Books, code: str, rows: Sequence[Taken]) -> Iterator[Json]:
    order = found.order
    yield heading(1, "Bon de livraison")
    pairs = [
        ("Commande", f"{order.code} – {order.title}"),
        ("Fournisseur", order.supplier.name),
        ("À retirer à", order.house.name),
        ("Retrait", order.pickup),
    ]
    yield facts(name_of(found, code), pairs)
    lines = ([one.item.sku, one.item.name, number(one.units), ""] for one in rows)
    yield table(("Référence", "Désignation", "Quantité", "Pointé"), (2.4, 6, 1.6, 1.4), (2,), lines)
    yield {"t": "sign", "boxes": [["Remis par", "Nom, date, signature :"], ["Reçu par", "Nom, date, signature :"]]}


# -- for the accountant ------------------------------------------------------------------------------

_HEADS = (
    "Commande",
    "Campagne",
    "Fournisseur",
    "Facture",
    "Date de facture",
    "Maison",
    "Structure",
    "Nom",
    "Taux de TVA (%)",
    "Marchandises HT (€)",
    "Livraison HT (€)",
    "TVA (€)",
    "Total TTC (€)",
)
_PAID_HEADS = ("Commande", "Date", "De", "Nom", "À", "Nom", "Montant (€)", "Note", "Noté par")


def accounts_csv(found: Books) -> bytes:
    """A row for each organisation and VAT rate; every column of amounts adds up to the invoice."""
    return csv_bytes(_HEADS, _account_rows(found))


def _account_rows(found: Books) -> Iterator[list[str | int | Decimal | date]]:
    order, invoice = found.order, found.order.invoice or {}
    issued = date.fromisoformat(invoice["day"]) if invoice else ""
    before = [order.code, order.campaign, order.supplier.name, invoice.get("number", ""), issued]
    brought_at = terms_of(order).delivery.vat
    for code, lines in taken(found).items():
        share = found.standing.bill.shares[code]
        goods: dict[Decimal, int] = dict.fromkeys(share.vat_by_rate, 0)
        for one in lines:
            goods[one.line.vat] = goods.get(one.line.vat, 0) + one.goods_cents
        if share.delivery_cents:
            goods.setdefault(brought_at, 0)
        body = [found.accounts.homes[code], code, found.bodies[code].name]
        for percent, net in sorted(goods.items()):
            brought = share.delivery_cents if percent == brought_at else 0
            vat = share.vat_by_rate.get(percent, 0)
            yield [
                *before,
                *body,
                percent.normalize(),
                *(euros(cents) for cents in (net, brought, vat, net + brought + vat)),
            ]


def payments_csv(found: Books) -> bytes:
    """The payments that count."""
    return csv_bytes(_PAID_HEADS, (_paid(found, one) for one in found.payments if one.undone_at is None))


def _paid(found: Books, one: Payment) -> list[str | int | Decimal | date]:
    payee = [one.payee.code, one.payee.name] if one.payee else ["", found.order.supplier.name]
    return [
        found.order.code,
        one.paid_on,
        one.payer.code,
        one.payer.name,
        *payee,
        euros(one.cents),
        one.note,
        one.user.name,
    ]
