"""The templates of agreements: who may edit them, their versions, a preview with invented facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from sharebank.accounts.actor import Actor
from sharebank.accounts.models import Organisation
from sharebank.accounts.permissions import may_anywhere
from sharebank.agreements import french
from sharebank.agreements.drafting import Place, Subject, draft, shipped, template_of
from sharebank.agreements.markup import Json, parse
from sharebank.agreements.models import AgreementTemplate
from sharebank.agreements.priced import Fare, Price
from sharebank.agreements.rules import KINDS
from sharebank.catalog.models import Resource
from sharebank.core.errors import NotFound
from sharebank.lending.prices import Deposit, Line


def editor(actor: Actor) -> None:
    """Managers of any house edit the templates all houses share; raises NotFound for others."""
    if not may_anywhere(actor, "edit_agreement_templates"):
        raise NotFound


def in_force(session: Session) -> dict[str, int]:
    """The version in force of each kind; 0 is the one shipped."""
    query = select(AgreementTemplate.kind, func.max(AgreementTemplate.version)).group_by(AgreementTemplate.kind)
    found = {row[0]: int(row[1]) for row in session.execute(query)}
    return {kind: found.get(kind, 0) for kind in KINDS}


def body_of(session: Session, kind: str, version: int | None = None) -> str:
    """A version's text, by default that in force; raises NotFound."""
    if kind not in KINDS:
        raise NotFound
    if version is None:
        return template_of(session, kind)[1]
    if version == 0:
        return shipped(kind)
    query = select(AgreementTemplate.body).where(AgreementTemplate.kind == kind, AgreementTemplate.version == version)
    body = session.scalars(query).one_or_none()
    if body is None:
        raise NotFound
    return body


def versions(session: Session, kind: str) -> Sequence[AgreementTemplate]:
    """Every version kept of a kind, the last first; the one shipped is not among them."""
    query = select(AgreementTemplate).where(AgreementTemplate.kind == kind).options(
        joinedload(AgreementTemplate.created_by)
    )  # fmt: skip
    return session.scalars(query.order_by(AgreementTemplate.version.desc())).all()


def save(session: Session, actor: Actor, kind: str, body: str, now: datetime) -> int:
    """Keep a text as the next version; the same text as that in force makes none. Raises BadTemplate, NotFound."""
    editor(actor)
    if kind not in KINDS:
        raise NotFound
    parse(body, short=kind == "short")
    version, there = template_of(session, kind)
    if there.strip() == body.strip():
        return version
    session.add(
        AgreementTemplate(kind=kind, version=version + 1, body=body, created_at=now, created_by_id=actor.user_id)
    )
    session.flush()
    return version + 1


# -- preview ---------------------------------------------------------------------------------------

_HOUSE = {"kind": "house", "address": "1 place de l’Exemple", "postal_code": "26100", "city": "Romans-sur-Isère"}


def sample(session: Session, kind: str, body: str, day: date) -> Json:
    """A template filled with invented facts; raises BadTemplate."""
    house = Organisation(
        code="MAISON", name="Maison de quartier d’exemple", siret="00000000000000", represented_by="Camille Exemple",
        office="présidente", **_HOUSE,
    )  # fmt: skip
    other = Organisation(
        code="ASSO", name="Association d’exemple", siret="00000000000000", represented_by="Dominique Modèle",
        office="trésorier", **{**_HOUSE, "kind": "association" if kind != "cooperation" else "house"},
    )  # fmt: skip
    facts = {"attributes": {"keys": "2", "wifi": "yes", "screen": "yes"}, "plate": "", "description": ""}
    things = [
        Resource(
            code="X-R01", kind="room", name="Salle d’exemple", location="rez-de-chaussée", capacity=40,
            **{**facts, "description": "Salle claire, tables et chaises."},
        ),
        Resource(code="X-E01", kind="equipment", name="Chaise pliante", replacement_value_cents=2500, **facts),
    ]  # fmt: skip
    start = datetime(day.year, day.month, day.day, 14)  # noqa: DTZ001  # wall time
    subject = Subject(
        kind,
        *(house, other, start, start.replace(hour=18), "4 heures", "Fête de quartier"),
        [] if kind in ("annual", "cooperation") else [(things[0], 1), (things[1], 40)],
        35,
        {"collect_at": start.replace(hour=9).isoformat()},
        [Price((Line("Forfait", 1, "day", 6000),), (Fare(32, 50, 60),), (Deposit("caution", 30000, "money"),))],
        rhythm=french.rhythm("FREQ=WEEKLY;BYDAY=TU", start, start.replace(hour=18))
        if kind in ("weekly", "addendum")
        else "",
        dates=[day] if kind == "weekly" else (),
    )
    place = Place(f"C-MAISON-{day.year}-0001", day, "Camille Exemple", f"C-MAISON-{day.year}-0000", day, 1)
    return draft(session, subject, place, body)
