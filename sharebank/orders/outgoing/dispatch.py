"""What screens, programs and the clock share of sending: files made once and kept, the letter tried at once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from sharebank.core import web
from sharebank.core.db import db, transaction
from sharebank.core.errors import NotFound
from sharebank.core.press import NotPrinted
from sharebank.notifications import delivery
from sharebank.notifications.attachments import Attachment, Maker, NotReady
from sharebank.orders.life_models import OrderFile, OrderPaper
from sharebank.orders.models import GroupOrder
from sharebank.orders.outgoing import documents
from sharebank.orders.outgoing.sending import letter_key, waiting_try

log = logging.getLogger(__name__)
_KEEP = {
    name: dialect.insert(OrderFile).on_conflict_do_nothing()
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}


def kept(paper_id: int, form: str) -> bytes:
    """A version's file, made and kept now if it was not yet: the first one made is the one. Raises NotPrinted."""
    query = select(OrderFile.content).where(OrderFile.paper_id == paper_id, OrderFile.form == form)
    found = db.session().scalar(query)
    if found is not None:
        return found
    content = db.session().get_one(OrderPaper, paper_id).content
    db.session().rollback()
    # Outside any transaction: the press takes its time, and nobody waits for a lock meanwhile.
    file = documents.made(content, form, web.tz())
    values = {"paper_id": paper_id, "form": form, "sha256": hashlib.sha256(file).hexdigest(), "content": file}
    with transaction() as session:
        session.execute(_KEEP[session.get_bind().dialect.name], values)
    return db.session().scalars(query).one()


def attachment(form: str) -> Maker:
    """What goes along with the letter to a supplier."""

    def make(facts: Mapping[str, Any], _posted: datetime) -> Attachment:
        try:
            content = kept(facts["paper"], form)
        except NotPrinted as trouble:
            raise NotReady(str(trouble)) from trouble
        name = documents.file_name({"code": facts["order"], "version": facts["version"]}, form)
        parameters = {"charset": "utf-8"} if form == "csv" else {}
        return Attachment(name, documents.MEDIA[form], content, parameters)

    return make


ATTACHMENTS = {f"order_{form}": attachment(form) for form in documents.MEDIA}


def at_once(code: str, now: datetime) -> None:
    """Try the letter of an order that waits to leave, so that who sent it reads at once whether it is sent.

    Whatever goes wrong, the clock goes on trying.
    """
    session = db.session()
    order = session.scalar(select(GroupOrder).where(GroupOrder.code == code))
    if order is None:
        raise NotFound
    waiting = waiting_try(session, order)
    key = letter_key(code, waiting.id) if waiting else ""
    session.rollback()
    if not key:
        return
    try:
        delivery.deliver_now(current_app, key, now)
    except Exception:
        log.exception("order %s could not be delivered at once", code)
