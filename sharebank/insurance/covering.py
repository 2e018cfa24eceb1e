"""What covers many loans: the contracts of all their things and the certificates of all their borrowers, read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sharebank.catalog.service import Thing
from sharebank.core.period import Period
from sharebank.insurance.models import Coverage, CoverageResource
from sharebank.insurance.rules import LIABILITY, Lapse, Span
from sharebank.insurance.service import asking_for_certificate, days_of_loan, lapses_among

_cover, _on = Coverage.__table__.c, CoverageResource.__table__.c
_SPAN = (_cover.body, _cover.contract_number, _cover.starts_on, _cover.ends_on)


@dataclass(frozen=True, slots=True)
class Contracts:
    """What has been looked up, to be asked of one loan after another."""

    of_things: Mapping[tuple[int | None, str], list[Span]]
    """By resource id and kind."""
    certificates: Mapping[int, list[Span]]
    """By borrower id."""

    def lapses(self, things: Sequence[Thing], borrower_id: int, period: Period, tz: ZoneInfo) -> list[Lapse]:
        """What is not insured, checked or certified on some day of a loan; as `service.lapses_within`."""
        ids = {thing.id for thing in things}
        spans = {key: found for key, found in self.of_things.items() if key[0] in ids}
        spans[None, LIABILITY] = self.certificates.get(borrower_id, [])
        return lapses_among(spans, things, asking_for_certificate(things, borrower_id), *days_of_loan(period, tz))

    def certified_until(self, borrower_id: int) -> date | None:
        """The last day of a borrower's liability certificate."""
        return max((span.ends_on for span in self.certificates.get(borrower_id, ())), default=None)


def contracts(session: Session, thing_ids: Collection[int], borrower_ids: Collection[int]) -> Contracts:
    """All that is known of these things and borrowers, in two queries."""
    kinds = (
        select(_on.resource_id, _cover.kind, *_SPAN)
        .join_from(CoverageResource.__table__, Coverage.__table__, _cover.id == _on.coverage_id)
        .where(_cover.kind != LIABILITY, _cover.ends_on.is_not(None), _on.resource_id.in_(thing_ids))
    )
    own = select(_cover.holder_id, *_SPAN).where(
        _cover.kind == LIABILITY, _cover.ends_on.is_not(None), _cover.holder_id.in_(borrower_ids)
    )
    of_things: dict[tuple[int | None, str], list[Span]] = defaultdict(list)
    for resource_id, kind, *span in session.execute(kinds):
        of_things[resource_id, kind].append(Span(*span))
    certificates: dict[int, list[Span]] = defaultdict(list)
    for holder_id, *span in session.execute(own):
        certificates[holder_id].append(Span(*span))
    return Contracts(of_things, certificates)
