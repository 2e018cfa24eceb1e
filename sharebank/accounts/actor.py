"""Who acts: a plain value, so that rules and services need no web session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property


@dataclass(frozen=True)
class Role:
    """What somebody is in one organisation."""

    organisation_id: int
    organisation: str
    name: str
    kind: str
    role: str
    house_id: int | None
    house: str
    member_since: date | None = None


@dataclass(frozen=True)
class Actor:
    """A signed-in person with their roles."""

    user_id: int
    email: str
    name: str
    locale: str
    roles: tuple[Role, ...] = ()
    letters: str = "at_once"
    """How to write to this person, see User.letters."""

    @cached_property
    def admin(self) -> bool:
        """Does this person run the whole cooperation?"""
        return any(role.role == "admin" for role in self.roles)

    @cached_property
    def organisation_ids(self) -> frozenset[int]:
        """The organisations this person belongs to."""
        return frozenset(role.organisation_id for role in self.roles)

    @cached_property
    def staff_ids(self) -> frozenset[int]:
        """The houses whose staff this person is."""
        return frozenset(
            role.organisation_id
            for role in self.roles
            if role.kind == "house" and role.role in ("staff", "manager", "admin")
        )

    @cached_property
    def manager_ids(self) -> frozenset[int]:
        """The organisations this person manages."""
        return frozenset(role.organisation_id for role in self.roles if role.role in ("manager", "admin"))

    @cached_property
    def staff_of(self) -> tuple[str, ...]:
        """Codes of the houses whose staff this person is."""
        return tuple(role.organisation for role in self.roles if role.organisation_id in self.staff_ids)

    @cached_property
    def house(self) -> str:
        """Code of the house this person is nearest to; empty when none."""
        return next((role.house for role in self.roles if role.house), "")
