"""Price lists: found in them, a new version beside the one before, what to take instead of an article."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.permissions import may_suppliers, require
from sharebank.catalog.service import search_text
from sharebank.core.db import AnyRow
from sharebank.core.errors import N_, NotFound, Refused
from sharebank.orders.desk.making import latest_list
from sharebank.orders.rules.prices import Change, Listed, compare, count
from sharebank.orders.supply.supplier_models import PriceDraft, PriceItem, PriceList, Supplier, fitting
from sharebank.orders.supply.suppliers import supplier_of_code

PAGE = 50
DRAFT_LIVES = timedelta(days=1)
_FIELDS = tuple(field.name for field in fields(Listed))
_own = PriceItem.__table__.c
_COLUMNS: list[Any] = [_own[name] for name in _FIELDS]


class PricesRefused(Refused):
    """A file of prices with mistakes: nothing of it is kept; `problems` are (line, column, refusal)."""

    code = "prices_refused"
    sentence = N_("%(file)s was not taken: %(count)s mistakes.")

    def __init__(self, file: str, problems: Sequence[tuple[int, str, Refused]]) -> None:
        super().__init__(file=file, count=len(problems))
        self.problems = tuple(problems)


class PricesChanged(Refused):
    """A comparison with prices that are no longer the newest misleads."""

    status = 409
    code = "prices_changed"
    sentence = N_("Someone else kept other prices meanwhile. Nothing was stored: this is what your file changes now.")


class SamePrices(Refused):
    """A version says something new."""

    status = 409
    code = "same_prices"
    sentence = N_("These prices are those we have: there is nothing to keep.")


class UnknownFallback(Refused):
    """What is taken instead is another article of the same list."""

    code = "unknown_fallback"
    sentence = N_("“%(value)s” is no other article of this price list.")


# -- reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for in a price list."""

    q: str = ""
    label: str = ""
    category: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a price list, and how many articles fit in all."""

    items: Sequence[AnyRow]
    total: int


def versions(session: Session, supplier: Supplier) -> list[PriceList]:
    """Every version of a supplier's prices, the newest first."""
    query = select(PriceList).where(PriceList.supplier_id == supplier.id).order_by(PriceList.version.desc())
    return list(session.scalars(query.options(joinedload(PriceList.by))))


def version(session: Session, supplier: Supplier, number: int | None = None) -> PriceList | None:
    """One version, by default the newest; none yet: None. Raises NotFound when there is no such version."""
    if number is None:
        return latest_list(session, supplier.id)
    query = select(PriceList).where(PriceList.supplier_id == supplier.id, PriceList.version == number)
    found = session.scalar(query)
    if found is None:
        raise NotFound
    return found


def find(session: Session, prices: PriceList, wish: Wish) -> Found:
    """A page of the articles that fit, in the supplier's order."""
    query = select(_own.id).where(_own.price_list_id == prices.id, *fitting(_own, wish.q, (wish.label,), wish.category))
    connection = session.connection()
    ids = sorted(connection.execute(query).scalars())
    here = ids[(wish.page - 1) * PAGE : wish.page * PAGE]
    rows = connection.execute(select(*_COLUMNS).where(_own.id.in_(here)).order_by(_own.id)).all() if here else []
    return Found(rows, len(ids))


def items_of(session: Session, prices: PriceList | None) -> list[Listed]:
    """Every article of a version, in the supplier's order."""
    if prices is None:
        return []
    query = select(*_COLUMNS).where(_own.price_list_id == prices.id).order_by(_own.id)
    return [Listed(*row) for row in session.connection().execute(query)]


def owners(session: Session) -> dict[str, str]:
    """By article number, the code of the supplier whose newest list has it."""
    newest = select(func.max(PriceList.id)).group_by(PriceList.supplier_id)
    query = (
        select(_own.sku, Supplier.code)
        .join(PriceList, PriceList.id == _own.price_list_id)
        .join(Supplier, Supplier.id == PriceList.supplier_id)
        .where(PriceList.id.in_(newest))
    )
    return {row.sku: row.code for row in session.connection().execute(query)}


def changes(session: Session, prices: PriceList) -> list[Change]:
    """What a version changed since the one before."""
    query = select(PriceList).where(
        PriceList.supplier_id == prices.supplier_id, PriceList.version == prices.version - 1
    )
    return compare(items_of(session, session.scalar(query)), items_of(session, prices))


@dataclass(frozen=True, slots=True)
class Article:
    """An article in every version that has it, the newest first; and what is taken instead."""

    history: Sequence[tuple[PriceList, Listed]]
    instead: Listed | None

    @property
    def now(self) -> Listed:
        """As it was listed last."""
        return self.history[0][1]


def article(session: Session, supplier: Supplier, sku: str) -> Article:
    """One article; raises NotFound when no version has it."""
    query = (
        select(PriceList, *_COLUMNS)
        .join(PriceItem, PriceItem.price_list_id == PriceList.id)
        .where(PriceList.supplier_id == supplier.id, _own.sku == sku)
        .order_by(PriceList.version.desc())
    )
    history = [(row[0], Listed(*row[1:])) for row in session.execute(query)]
    if not history:
        raise NotFound
    fallback = history[0][1].fallback_sku
    other = select(*_COLUMNS).where(_own.price_list_id == history[0][0].id, _own.sku == fallback)
    row = session.connection().execute(other).first() if fallback else None
    return Article(history, Listed(*row) if row else None)


# -- a new version -----------------------------------------------------------------------------------


def hold(session: Session) -> None:
    """First of all, where a file is taken in: of two at once, the second one is read beside what the first one stored.

    An article number is one supplier's, so all of them are held, in one order; orders may be made meanwhile.
    """
    session.execute(select(Supplier.id).order_by(Supplier.id).with_for_update(key_share=True))


def keep(
    session: Session, supplier: Supplier, items: Sequence[Listed], now: datetime, by_id: int | None
) -> PriceList | None:
    """Store the next version of a supplier's prices, who is held; the same as before make none."""
    before = latest_list(session, supplier.id)
    old = items_of(session, before)
    if list(items) == old:
        return None
    new = PriceList(supplier_id=supplier.id, version=before.version + 1 if before else 1, created_at=now, by_id=by_id)
    new.facts = {
        "articles": len(items),
        "labels": sorted({label for item in items for label in item.labels}),
        "categories": sorted({item.category for item in items if item.category}),
        "changes": count(compare(old, items)) if before else {},
    }
    session.add(new)
    session.flush()
    rows = [
        {name: getattr(item, name) for name in _FIELDS}
        | {"price_list_id": new.id}
        | {"search_text": search_text([item.sku, item.name, item.category, *item.labels])}
        for item in items
    ]
    session.connection().execute(insert(PriceItem.__table__), rows)  # type: ignore[arg-type]
    return new


def put_draft(session: Session, actor: Actor, code: str, name: str, raw: bytes, now: datetime) -> PriceDraft:
    """Lay a file aside to look at what it changes; raises NotFound, NotAllowed."""
    supplier = supplier_of_code(session, actor, code)
    require(may_suppliers(actor, "edit"))
    old = (PriceDraft.at < now - DRAFT_LIVES) | (PriceDraft.user_id == actor.user_id)
    session.execute(delete(PriceDraft).where(old))
    latest = latest_list(session, supplier.id)
    draft = PriceDraft(supplier_id=supplier.id, user_id=actor.user_id, at=now, name=name[:200], content=raw)
    draft.version = latest.version if latest else 0
    session.add(draft)
    session.flush()
    return draft


def draft_of(session: Session, actor: Actor, code: str, draft_id: int) -> PriceDraft:
    """One's own file that was laid aside; raises NotFound."""
    supplier = supplier_of_code(session, actor, code)
    draft = session.get(PriceDraft, draft_id)
    if draft is None or draft.supplier_id != supplier.id or draft.user_id != actor.user_id:
        raise NotFound
    return draft


def keep_draft(
    session: Session, actor: Actor, code: str, draft_id: int, items: Sequence[Listed], now: datetime
) -> PriceList:
    """Keep what was looked at; raises NotFound, NotAllowed, PricesChanged or SamePrices."""
    supplier = supplier_of_code(session, actor, code, lock=True)
    require(may_suppliers(actor, "edit"))
    draft = draft_of(session, actor, code, draft_id)
    latest = latest_list(session, supplier.id)
    if draft.version != (latest.version if latest else 0):
        raise PricesChanged
    kept = keep(session, supplier, items, now, actor.user_id)
    if kept is None:
        raise SamePrices
    session.delete(draft)
    session.flush()
    return kept


def drop_draft(session: Session, actor: Actor, code: str, draft_id: int) -> None:
    """Throw a file away unkept; raises NotFound."""
    session.delete(draft_of(session, actor, code, draft_id))
    session.flush()


def renew_draft(session: Session, actor: Actor, code: str, draft_id: int) -> None:
    """Compare a file with what are the newest prices now; raises NotFound."""
    draft = draft_of(session, actor, code, draft_id)
    latest = latest_list(session, draft.supplier_id)
    draft.version = latest.version if latest else 0
    session.flush()


# -- what to take instead ----------------------------------------------------------------------------


def name_fallback(session: Session, actor: Actor, code: str, sku: str, fallback: str) -> None:
    """Name what is taken when an article cannot be had, or nothing; for orders that are made from now on.

    Raises NotFound, NotAllowed or UnknownFallback.
    """
    supplier = supplier_of_code(session, actor, code, lock=True)
    require(may_suppliers(actor, "edit"))
    latest = latest_list(session, supplier.id)
    wanted = select(PriceItem).where(PriceItem.price_list_id == (latest.id if latest else 0))
    item = session.scalar(wanted.where(PriceItem.sku == sku))
    if item is None:
        raise NotFound
    if fallback and (fallback == sku or session.scalar(wanted.where(PriceItem.sku == fallback)) is None):
        raise UnknownFallback("fallback", value=fallback)
    item.fallback_sku = fallback
    session.flush()
