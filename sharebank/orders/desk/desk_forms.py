"""What is typed to prepare a group order, to move it on, and to correct it by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import DateField, Field, HiddenField, RadioField, SelectField, StringField, TextAreaField, TimeField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from sharebank.accounts.actor import Role
from sharebank.accounts.directory import House
from sharebank.catalog.fields import NumberField, one_line
from sharebank.core import web
from sharebank.core.errors import N_, Refused
from sharebank.core.period import FIRST, LAST, OutsideCalendar, to_local, to_utc
from sharebank.core.texts import gettext
from sharebank.core.texts import lazy_gettext as _
from sharebank.orders.desk.editing import Facts
from sharebank.orders.desk.making import Draft
from sharebank.orders.models import GroupOrder
from sharebank.orders.pledging import MOST
from sharebank.orders.words import moment
from sharebank.reservations.forms import ManyField, PeriodFields

RULES = {
    "pro_rata": N_("In proportion to what each asked for"),
    "first_come": N_("Those who pledged first are served first"),
    "priority": N_("Some structures first, the others in proportion"),
}
"""How shortages are shared, as screens say it."""
SHORT = {"pro_rata": N_("In proportion"), "first_come": N_("First come"), "priority": N_("Some first")}
"""The same where there is no room."""
_FACT_FIELDS = {"coordinator_id": "coordinator", "opens_at": "opens_day", "closes_at": "closes_day"}
"""Where a fact is typed whose field goes by another name."""
_DAYS = ("opens_day", "closes_day")
JOINS = {"house": N_("Houses"), "association": N_("Associations"), "partner": N_("Partners")}


def _choices(words: Mapping[str, str]) -> list[SelectChoice]:
    return [SelectChoice(value, _(word)) for value, word in words.items()]


class Moment:
    """A day and an hour typed apart, as phones let one pick them."""

    @staticmethod
    def read(day: DateField, hour: TimeField, tz: ZoneInfo) -> datetime | None:
        """The instant in UTC; None with the reason at its field when there is no such time."""
        assert day.data is not None
        wall = datetime.combine(day.data, hour.data or time())
        try:
            if not FIRST.year <= wall.year < LAST.year:
                raise OutsideCalendar
            return to_utc(wall, tz)
        except Refused as refused:
            day.errors = [*day.errors, web.say(refused)]
            return None


class SharingFields:
    """How shortages are shared, and who comes first."""

    sharing = RadioField(_("When there is not enough for all"), choices=_choices(RULES), default="pro_rata")
    first = ManyField(_("Served first"), [Optional()], description=_("Only with the rule “Some structures first”."))

    def offer_first(self, bodies: Iterable[Role]) -> None:
        """Who may be named."""
        self.first.choices = [SelectChoice(body.organisation, body.name) for body in bodies]


class FactsForm(FlaskForm, SharingFields):  # type: ignore[misc]
    """What is said of an order; when it is made, and as long as it is a draft."""

    title = StringField(
        _("Title"), [DataRequired(_("Give the order a title.")), Length(max=200)], filters=[one_line],
        description=_("What people read in the list, such as “Back to school 2027”."),
    )  # fmt: skip
    house = SelectField(_("Delivered to"), [DataRequired()])
    closes_day = DateField(_("Closes on"), [DataRequired(_("Choose a day."))])
    closes_hour = TimeField(_("Hour"), [InputRequired(_("Choose a time."))])
    opens_day = DateField(_("Opens on"), [Optional()], description=_("Empty: as soon as you open it."))
    opens_hour = TimeField(_("Hour"), [Optional()])
    joins = ManyField(_("Who may join"), [Optional()], description=_("Nothing ticked: everyone."))
    pickup = StringField(
        _("Pick-up"), [Optional(), Length(max=300)], filters=[one_line],
        description=_("When and where to fetch one’s part: “Thursday 3 December, 16:00 to 19:00, at the reception”."),
    )  # fmt: skip
    notes = TextAreaField(_("Anything else people should know"), [Optional(), Length(max=4000)])
    campaign = StringField(
        _("Campaign"), [Optional(), Length(max=60)], filters=[one_line],
        description=_("The same word for orders at several suppliers that go together. Empty: the order’s own code."),
    )  # fmt: skip
    coordinator = SelectField(_("Coordinator"), coerce=int)
    seen = HiddenField()

    validate_closes_day = validate_opens_day = PeriodFields.validate_day
    EARLY = ("house", "closes_day", "closes_hour", "opens_day", "opens_hour", "joins", "campaign", "sharing", "first")
    """What only a draft lets change."""

    def offer(self, houses: Sequence[House], bodies: Sequence[Role]) -> None:
        """What the lists hold today."""
        self.house.choices = [SelectChoice(house.code, house.name) for house in houses]
        attached = {f"house:{house.organisation}": house.name for house in bodies if house.kind == "house"}
        near = [SelectChoice(key, _("Attached to %(house)s", house=name)) for key, name in attached.items()]
        self.joins.choices = [*_choices(JOINS), *near]
        self.offer_first(bodies)

    def instants(self, tz: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """When it opens (None: at once) and closes (None: it cannot be read, the reason is at its field)."""
        closes = Moment.read(self.closes_day, self.closes_hour, tz)
        opens = Moment.read(self.opens_day, self.opens_hour, tz) if self.opens_day.data else None
        return opens, None if self.opens_day.errors else closes

    def facts(self, tz: ZoneInfo, now: datetime) -> Facts | None:
        """What was typed; None with the reason at its field."""
        words: dict[str, Any] = {
            "title": self.title.data or "",
            "pickup": self.pickup.data or "",
            "notes": self.notes.data or "",
        }
        if "house" not in self:
            return Facts(**words, coordinator_id=self.coordinator.data)
        opens, closes = self.instants(tz)
        if closes is None:
            return None
        return Facts(
            **words,
            coordinator_id=self.coordinator.data,
            house=self.house.data,
            campaign=self.campaign.data or "",
            opens_at=opens or now,
            closes_at=closes,
            sharing=self.sharing.data,
            first=tuple(self.first.data or ()),
            joins=tuple(self.joins.data or ()),
        )

    def put(self, facts: Mapping[str, Any], tz: ZoneInfo) -> None:
        """Show these facts of an order (`editing.stored`) as they are stored."""
        for name, value in facts.items():
            field = _FACT_FIELDS.get(name, name)
            if field in _DAYS:
                wall = to_local(datetime.fromisoformat(value), tz)
                day, hour = self[field], self[field.replace("day", "hour")]
                day.data, hour.data = wall.date(), wall.time()
                day.raw_data = hour.raw_data = None  # else what was typed is shown
            else:
                self[field].data = value

    def show(self, facts: Mapping[str, Any], tz: ZoneInfo) -> None:
        """The same for the whole form, which brings back what it showed."""
        self.put(facts, tz)
        self.seen.data = json.dumps(facts)

    def shown(self) -> dict[str, Any]:
        """What the form showed; what cannot be read showed nothing, so that nothing is overwritten unseen."""
        try:
            found = json.loads(self.seen.data or "")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def compare(
        self, others: Iterable[str], stands: Mapping[str, Any], wanted: Mapping[str, Any], tz: ZoneInfo
    ) -> None:
        """Say beside each fact that a colleague changed how it stands; whoever left it alone goes on from theirs.

        Sent once more, the form is sent by somebody who has seen how all of it `stands`.
        """
        before = self.shown()
        self.seen.data = json.dumps(stands)
        for name, value in stands.items():
            if name not in others:
                continue
            field = self[_FACT_FIELDS.get(name, name)]
            if name in before and wanted.get(name) == before[name]:
                self.put({name: value}, tz)
                said = gettext("Changed meanwhile; it was: “%(value)s”.", value=self._said(field, before[name]))
            else:
                said = gettext("Stored meanwhile: “%(value)s”.", value=self._said(field, value))
            field.errors = [*field.errors, said]

    def too_late(self, stands: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Take out what only a draft lets change once it is none (how it `stands`): what was typed there, by label."""
        if "house" in stands:
            return []
        before, lost = self.shown(), []
        for name in (name for name in wanted if name not in stands and wanted[name] != before.get(name)):
            field = self[_FACT_FIELDS.get(name, name)]
            lost.append((str(field.label.text), self._said(field, wanted[name])))
        for name in self.EARLY:
            del self[name]
        return lost

    @staticmethod
    def _said(field: Field, value: Any) -> str:
        """A stored value as its reader would name it."""
        if field.name in _DAYS:
            return moment(datetime.fromisoformat(value))
        if hasattr(field, "choices"):
            names = {str(choice.value): str(choice.label) for choice in field.choices}
            value = ", ".join(names.get(str(one), str(one)) for one in (value if isinstance(value, list) else [value]))
        return value or gettext("nothing")


class NewForm(FactsForm):
    """The same for an order that is made; its articles begin with whole categories."""

    code = StringField(
        _("Code"), [Optional(), Length(max=60)], filters=[one_line],
        description=_("Part of its address: letters without accents, digits, hyphens. Empty: made from the title."),
    )  # fmt: skip
    categories = ManyField(_("Categories"), [Optional()])

    def draft(self, supplier: str, code: str, skus: Sequence[str] | None, tz: ZoneInfo) -> Draft | None:
        """What was typed; None with the reason at its field."""
        opens, closes = self.instants(tz)
        if closes is None:
            return None
        return Draft(
            code=code,
            title=self.title.data or "",
            supplier=supplier,
            house=self.house.data,
            closes_at=closes,
            sharing=self.sharing.data,
            skus=skus,
            first=tuple(self.first.data or ()),
            joins=tuple(self.joins.data or ()),
            opens_at=opens,
            pickup=self.pickup.data or "",
            notes=self.notes.data or "",
            campaign=self.campaign.data or "",
        )


class ArticlesForm(FlaskForm):  # type: ignore[misc]
    """Which articles of the price list to look at."""

    class Meta:
        """It changes nothing: no token in the address."""

        csrf = False

    q = StringField(_("I am looking for"), [Length(max=100)], render_kw={"type": "search", "maxlength": 100})
    category = SelectField(_("Category"), default="", validate_choice=False)
    only = SelectField(
        _("Show"),
        default="",
        choices=_choices({"": N_("All articles"), "in": N_("In the order"), "out": N_("Not in it")}),
    )


class StepForm(FlaskForm):  # type: ignore[misc]
    """A step of an order: until when, where it opens again, and why."""

    closes_day = DateField(_("Closes on"), [DataRequired(_("Choose a day."))])
    closes_hour = TimeField(_("Hour"), [InputRequired(_("Choose a time."))])
    why = TextAreaField(_("Why?"), [Optional(), Length(max=1000)])
    validate_closes_day = PeriodFields.validate_day

    def put(self, order: GroupOrder, now: datetime, tz: ZoneInfo) -> None:
        """Begin with three days more."""
        first = max(to_local(order.closes_at, tz), to_local(now, tz))
        wall = to_local(order.closes_at, tz)
        self.closes_day.data, self.closes_hour.data = first.date() + timedelta(days=3), wall.time()


class CorrectForm(FlaskForm):  # type: ignore[misc]
    """A correction by hand: on whose account, how many units, why."""

    organisation = SelectField(_("On the account of"), [DataRequired()])
    units = NumberField(_("How many units"), 1, MOST, required=True)
    why = StringField(_("Why?"), [DataRequired(_("Say why, in a few words.")), Length(max=300)], filters=[one_line])

    def offer(self, bodies: Iterable[tuple[str, str]]) -> None:
        """Who may be chosen."""
        self.organisation.choices = [SelectChoice(code, name) for code, name in bodies]


class RuleForm(FlaskForm, SharingFields):  # type: ignore[misc]
    """Another rule of sharing, and why."""

    why = StringField(_("Why?"), [DataRequired(_("Say why, in a few words.")), Length(max=300)], filters=[one_line])


def soon(now: datetime, tz: ZoneInfo) -> tuple[date, time]:
    """When an order closes unless somebody says otherwise: in two weeks, in the evening."""
    return to_local(now, tz).date() + timedelta(days=14), time(18)
