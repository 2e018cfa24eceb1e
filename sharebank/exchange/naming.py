"""What cells of several kinds of file name: things, structures, people; and what there is of them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from sharebank.accounts.models import Organisation, User
from sharebank.catalog.models import Resource
from sharebank.core.errors import Refused
from sharebank.exchange.columns import Names
from sharebank.exchange.refusals import UnknownStructure, UnknownUser
from sharebank.reservations.rules import UnknownResource


def _all(column: InstrumentedAttribute[str], unknown: type[Refused]) -> Names:
    return Names(lambda desk, _rows: set(desk.session.scalars(select(column))), unknown)


THINGS = _all(Resource.code, UnknownResource)
STRUCTURES = _all(Organisation.code, UnknownStructure)
PEOPLE = _all(User.email, UnknownUser)
