"""What agreements say of a structure: its seat, who signs for it, since when it is a member."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from sharebank.accounts import directory
from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_body
from sharebank.core.errors import ChangedMeanwhile, NotFound

FIELDS = ("represented_by", "office", "member_since", "siret", "address", "postal_code", "city")


def editable(session: Session, actor: Actor, code: str) -> Organisation:
    """The structure, to those who manage the house it is attached to; raises NotFound."""
    seen = directory.organisation(session, code)
    if seen is None or not may_body(actor, "edit_papers", seen):
        raise NotFound
    return session.get_one(Organisation, seen.organisation_id)


def mark(body: Organisation) -> str:
    """What tells one state of these facts from another: two people may edit them at once."""
    said = repr([getattr(body, name) for name in FIELDS])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def change(session: Session, actor: Actor, code: str, seen: str, values: Mapping[str, Any]) -> Organisation:
    """Keep what was typed; raises NotFound, or ChangedMeanwhile when these are no longer the facts that were seen."""
    body = editable(session, actor, code)
    session.refresh(body, with_for_update=True)  # whoever comes second waits here, then sees what the first wrote
    if seen != mark(body):
        raise ChangedMeanwhile
    for name in FIELDS:
        setattr(body, name, values[name])
    session.flush()
    return body
