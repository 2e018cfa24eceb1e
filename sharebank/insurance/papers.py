"""The register of documents that rules of lending ask for: which was seen, good until when; never a copy of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_body, require
from sharebank.core.errors import NotFound
from sharebank.insurance.editing import holder_of
from sharebank.insurance.models import SeenPaper
from sharebank.insurance.rules import PaperElsewhere
from sharebank.insurance.service import body_of, scope
from sharebank.lending.papers import IN_THE_REGISTER, PAPERS

KEPT = {kind: words for kind, words in PAPERS.items() if kind != IN_THE_REGISTER}
"""What is written down here, in words; the liability certificate stands with the insurances."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody has shown, and until when it is good; no day means without end."""

    kind: str
    valid_until: date | None = None
    note: str = ""


class KnownPaper(NamedTuple):
    """A document of the register, as the rules of lending and the request page need it."""

    kind: str
    valid_until: date | None
    seen_on: date


_paper = SeenPaper.__table__.c
_KNOWN = (
    select(_paper.kind, _paper.valid_until, _paper.seen_on)
    .where(_paper.organisation_id == bindparam("organisation_id"))
    .order_by(_paper.kind)
)


def papers_of(session: Session, organisation_id: int) -> list[KnownPaper]:
    """What a structure has shown."""
    rows = session.connection().execute(_KNOWN, {"organisation_id": organisation_id})
    return [KnownPaper(*row) for row in rows]


def papers_of_all(session: Session, organisation_ids: Collection[int]) -> dict[int, list[KnownPaper]]:
    """What several structures have shown, by id."""
    if not organisation_ids:
        return {}
    found: dict[int, list[KnownPaper]] = {key: [] for key in organisation_ids}
    query = (
        select(_paper.organisation_id, _paper.kind, _paper.valid_until, _paper.seen_on)
        .where(_paper.organisation_id.in_(organisation_ids))
        .order_by(_paper.kind)
    )
    for row in session.execute(query):
        found[row.organisation_id].append(KnownPaper(*row[1:]))
    return found


_WHOLE = (
    select(SeenPaper)
    .join(Organisation, Organisation.id == SeenPaper.organisation_id)
    .options(joinedload(SeenPaper.organisation).joinedload(Organisation.house), joinedload(SeenPaper.seen_by))
)


def register(session: Session, actor: Actor, organisation: str = "") -> Sequence[SeenPaper]:
    """What the structures have shown that the actor looks after or belongs to; of one of them alone, by its code."""
    query = _WHOLE.where(scope(actor))
    if organisation:
        query = query.where(Organisation.code == organisation)
    return session.scalars(query.order_by(Organisation.name, SeenPaper.kind)).all()


# Seen again, a line is written over, whoever else may be noting the same at this moment.
_SEEN = {
    name: insert.on_conflict_do_update(
        index_elements=["organisation_id", "kind"],
        set_={column: insert.excluded[column] for column in ("valid_until", "seen_on", "seen_by_id", "note")},
    )
    for name, insert in (("sqlite", sqlite.insert(SeenPaper)), ("postgresql", postgresql.insert(SeenPaper)))
}


def note(session: Session, actor: Actor, organisation: str, shown: Shown, today: date) -> None:
    """Write down that the actor saw a document; what was seen of that kind before is replaced.

    Raises NotFound, PaperElsewhere.
    """
    holder = holder_of(session, actor, organisation)
    if shown.kind not in KEPT:
        raise PaperElsewhere("kind")
    facts = {"organisation_id": holder.id, "kind": shown.kind, "valid_until": shown.valid_until, "note": shown.note}
    connection = session.connection()
    connection.execute(_SEEN[connection.dialect.name], {**facts, "seen_on": today, "seen_by_id": actor.user_id})
    session.expire_all()  # a line that was read before is another one now


def paper(session: Session, actor: Actor, paper_id: int) -> SeenPaper:
    """One line the actor may change; raises NotFound, NotAllowed."""
    line = session.scalars(_WHOLE.where(SeenPaper.id == paper_id)).one_or_none()
    if line is None or not may_body(actor, "see_coverage", body_of(line.organisation)):
        raise NotFound
    require(may_body(actor, "edit_coverage", body_of(line.organisation)))
    return line


def remove(session: Session, actor: Actor, paper_id: int) -> None:
    """Take a line out of the register; raises NotFound, NotAllowed."""
    session.delete(paper(session, actor, paper_id))
    session.flush()
