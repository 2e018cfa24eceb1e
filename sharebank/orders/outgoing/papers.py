"""The versions of an order as its supplier gets them: what they say, frozen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.orders.life_models import OrderPaper
from sharebank.orders.models import GroupOrder
from sharebank.orders.reading import Standing, terms_of


def frozen_paper(session: Session, order: GroupOrder, standing: Standing, now: datetime) -> OrderPaper:
    """The latest version if it says the very same, else the next one."""
    latest, content = next_content(session, order, standing, now)
    if latest is not None and latest.content == content:
        return latest
    paper = OrderPaper(order_id=order.id, version=content["version"], at=now, content=content)
    session.add(paper)
    session.flush()
    return paper


def next_content(
    session: Session, order: GroupOrder, standing: Standing, now: datetime
) -> tuple[OrderPaper | None, dict[str, Any]]:
    """The latest version, and what would be sent now: that very version when nothing has changed since."""
    latest = latest_paper(session, order)
    if latest is not None:
        content = content_of(order, standing, latest.version, latest.content["at"])
        if content == latest.content:
            return latest, content
    version = latest.version + 1 if latest else 1
    return latest, content_of(order, standing, version, now.astimezone(UTC).replace(microsecond=0).isoformat())


def content_of(order: GroupOrder, standing: Standing, version: int, at: str) -> dict[str, Any]:
    """All that its documents say, as plain JSON values; no organisation is named but the one it is delivered to."""
    supplier = order.supplier
    whole = standing.bill.invoice
    items = {item.sku: item for item in order.items}
    return {
        "code": order.code,
        "title": order.title,
        "version": version,
        "at": at,
        "supplier": {"name": supplier.name, "address": supplier.address, "place": _place(supplier)},
        "house": house_of(order),
        "contact": contact_of(order),
        "lead_days": supplier.lead_days,
        "lines": [
            {
                "sku": line.sku,
                "name": items[line.sku].name,
                "unit": items[line.sku].unit,
                "pack": items[line.sku].pack,
                "units": line.units,
                "price": format(line.price, "f"),
                "vat": format(line.vat, "f"),
                "cents": line.goods_cents,
            }
            for line in standing.lines.values()
            if line.units
        ],
        "goods_cents": whole.goods_cents,
        "delivery_cents": whole.delivery_cents,
        "delivery_vat": format(terms_of(order).delivery.vat, "f"),
        "vat": [[format(rate, "f"), cents] for rate, cents in whole.vat_by_rate.items()],
        "total_cents": whole.total_cents,
    }


def house_of(order: GroupOrder) -> dict[str, str]:
    """Where it is delivered, for who is outside."""
    house = order.house
    place = {"name": house.name, "address": house.address, "place": _place(house)}
    return place | {"phone": house.phone, "email": house.email}


def contact_of(order: GroupOrder) -> dict[str, str]:
    """Whom the supplier asks."""
    who = order.coordinator
    return {"name": who.name, "phone": who.phone, "email": who.email}


def _place(body: Any) -> str:
    return f"{body.postal_code} {body.city}".strip()


def latest_paper(session: Session, order: GroupOrder) -> OrderPaper | None:
    """The newest version."""
    mine = OrderPaper.order_id == order.id
    return session.scalar(select(OrderPaper).where(mine).order_by(OrderPaper.version.desc()).limit(1))


def paper(session: Session, order: GroupOrder, version: int) -> OrderPaper | None:
    """One version."""
    return session.scalar(select(OrderPaper).where(OrderPaper.order_id == order.id, OrderPaper.version == version))
