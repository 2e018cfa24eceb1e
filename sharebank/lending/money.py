"""Rules about money, as data: prices, deposits, cancellation, charges; `prices` reckons with them."""

from __future__ import annotations

from datetime import time

from sharebank.core.errors import N_, Cents, Said, Word
from sharebank.lending.groups import GROUPS, named
from sharebank.lending.saying import listed
from sharebank.lending.schema import (
    Kind,
    Settings,
    cents,
    choice,
    choices,
    flag,
    hour,
    month_day,
    number,
    percent,
    table,
    text,
)
from sharebank.lending.when import day_count

UNITS = {
    "hour": N_("an hour"),
    "half_day": N_("a half-day"),
    "day": N_("a day"),
    "week_end": N_("a week-end"),
    "km": N_("a kilometre"),
    "piece": N_("a piece"),
    "person": N_("a person"),
    "loan": N_("a loan"),
}
TIMES = ("hour", "half_day", "day", "week_end")
"""Units of time: of those a grid has for somebody, the cheapest counts."""
PER = {"loan": N_("a loan"), "piece": N_("a piece")}
LATE = {"hour": N_("an hour begun"), "day": N_("a day begun")}


def _price_words(settings: Settings) -> Said | None:
    parts = [_row_words(row) for row in settings["grid"]]
    for row in settings["options"]:
        said = N_("free with “%(name)s”") if row["free"] else N_("%(name)s %(amount)s")
        parts.append(Said(said, {"name": row["name"], "amount": Cents(row["cents"])}))
    if settings["further_percent"] != 100:
        parts.append(Said(N_("further units at %(share)s %%"), {"share": settings["further_percent"]}))
    if settings["advance_percent"]:
        parts.append(Said(N_("%(share)s %% in advance"), {"share": settings["advance_percent"]}))
    return listed(parts) if parts else None


def _row_words(row: Settings) -> Said:
    said = Said(
        _ROW[bool(row["cents"]), bool(row["season"]), bool(row["headcount_from"])],
        {
            "amount": Cents(row["cents"]),
            "unit": Word(UNITS[row["unit"]]),
            "groups": named(row["audience"]),
            "season": row["season"],
            "people": row["headcount_from"],
        },
    )
    return Said("%(name)s %(said)s", {"name": row["name"], "said": said}) if row["name"] else said


_ROW = {
    (True, False, False): N_("%(amount)s %(unit)s for %(groups)s"),
    (True, True, False): N_("%(amount)s %(unit)s for %(groups)s (%(season)s)"),
    (True, False, True): N_("%(amount)s %(unit)s for %(groups)s from %(people)s people on"),
    (True, True, True): N_("%(amount)s %(unit)s for %(groups)s from %(people)s people on (%(season)s)"),
    (False, False, False): N_("free for %(groups)s"),
    (False, True, False): N_("free for %(groups)s (%(season)s)"),
    (False, False, True): N_("free for %(groups)s from %(people)s people on"),
    (False, True, True): N_("free for %(groups)s from %(people)s people on (%(season)s)"),
}


def _deposit_words(settings: Settings) -> Said:
    rows = tuple(
        Said(N_("%(said)s, not for %(groups)s"), {"said": _deposit_said(row), "groups": named(row["waived"])})
        if row["waived"]
        else _deposit_said(row)
        for row in settings["rows"]
    )
    return listed(rows)


def _deposit_said(row: Settings) -> Said:
    facts = {"label": row["label"] or Word(N_("deposit")), "amount": Cents(row["cents"] or 0)}
    if row["cents"] is None:
        return Said(N_("%(label)s of the thing’s own amount"), facts)
    if row["letter"]:
        return Said(N_("%(label)s %(amount)s or a letter of the employer"), facts)
    return Said(N_("%(label)s %(amount)s a piece") if row["per"] == "piece" else N_("%(label)s %(amount)s"), facts)


def _cancellation_words(settings: Settings) -> Said:
    rows = tuple(
        Said(
            N_("a week-end cancelled less than %(days)s before: %(share)s %%")
            if row["week_end"]
            else N_("cancelled less than %(days)s before: %(share)s %%"),
            {"days": day_count(row["days"]), "share": row["percent"]},
        )
        for row in settings["tiers"]
    )
    return listed(rows)


def _charge_words(settings: Settings) -> Said | None:
    late = N_("late: %(amount)s %(unit)s")
    if settings["late_most_cents"]:
        late = N_("late: %(amount)s %(unit)s, %(most)s at most")
    facts = {"unit": Word(LATE[settings["late_per"]]), "most": Cents(settings["late_most_cents"])}
    parts = [
        Said(sentence, {"amount": Cents(settings[name]), "share": settings[name], **facts})
        for name, sentence in (("late_cents", late), *_CHARGED)
        if settings[name]
    ]
    parts += [
        Said(N_("%(name)s lost: %(amount)s"), {"name": row["name"], "amount": Cents(row["loss_cents"])})
        for row in settings["pieces"]
    ]
    if settings["report_days"]:
        parts.append(Said(N_("damage reported within %(days)s"), {"days": day_count(settings["report_days"])}))
    return listed(parts) if parts else None


_CHARGED = (
    ("loss_cents", N_("lost: %(amount)s a piece")),
    ("loss_percent", N_("lost: %(share)s %% of the value")),
    ("damage_cents", N_("damaged: %(amount)s a piece")),
    ("damage_percent", N_("damaged: %(share)s %% of the value")),
    ("cleaning_cents", N_("not cleaned: %(amount)s")),
    ("washing_cents", N_("dirty: %(amount)s a piece")),
    ("km_included", N_("%(share)s km included")),
    ("km_cents", N_("%(amount)s a kilometre beyond those included")),
)


KINDS = (
    Kind(
        name="prices",
        label=N_("Prices"),
        fields=(
            table(
                "grid",
                N_("Price list"),
                choices("audience", N_("For"), GROUPS, required=True),
                choice("unit", N_("Unit"), UNITS, required=True),
                cents("cents", N_("Price (0: free)"), required=True),
                text("season", N_("Season (empty: all year)"), most=60),
                number("headcount_from", N_("From so many people on"), default=0, most=10_000),
                text("name", N_("Called (empty: hire)"), most=60),
            ),
            table(
                "seasons",
                N_("Seasons"),
                text("name", N_("Name"), required=True, most=60),
                month_day("first", N_("First day"), required=True),
                month_day("last", N_("Last day"), required=True),
            ),
            table(
                "options",
                N_("Options"),
                text("name", N_("Name"), required=True, most=60),
                cents("cents", N_("Price (0: free)"), required=True),
                choice("unit", N_("Unit"), UNITS, default="loan"),
                flag("free", N_("Makes the loan itself free of charge")),
            ),
            percent("further_percent", N_("Each unit of time after the first, in percent of its price"), default=100),
            percent(
                "dearer_percent", N_("The dearer rate, in percent of the usual one"), default=150, least=100, most=1000
            ),
            percent("advance_percent", N_("Paid in advance, in percent"), default=0),
            hour("eve", N_("A day may begin on the eve from"), default=None),
            hour("morrow", N_("A day may end on the morrow until"), default=time(5)),
            number("half_day_hours", N_("A half-day lasts so many hours at most"), default=5, least=1, most=12),
            hour("week_end_from", N_("A week-end begins on Friday at"), default=time(16)),
            hour("week_end_until", N_("A week-end ends on Monday at"), default=time(10)),
        ),
        words=_price_words,
        needs=lambda settings: (
            *(("options",) if settings["options"] else ()),
            *(("distance_km",) if any(row["unit"] == "km" and row["cents"] for row in settings["grid"]) else ()),
            *(
                ("headcount",)
                if any((row["unit"] == "person" and row["cents"]) or row["headcount_from"] for row in settings["grid"])
                else ()
            ),
        ),
    ),
    Kind(
        name="deposits",
        label=N_("Deposits"),
        fields=(
            table(
                "rows",
                N_("Deposits"),
                text("label", N_("Name (empty: deposit)"), most=60),
                cents("cents", N_("Amount (empty: the thing’s own)")),
                choice("per", N_("Per"), PER, default="loan"),
                choices("waived", N_("Not for"), GROUPS),
                flag("letter", N_("A letter of the employer will do")),
                required=True,
            ),
        ),
        words=_deposit_words,
    ),
    Kind(
        name="cancellation",
        label=N_("Cancellation"),
        fields=(
            table(
                "tiers",
                N_("Cancelled late"),
                number("days", N_("Less than so many days before"), required=True, least=1, most=365),
                percent("percent", N_("Owed, in percent of the price"), required=True),
                flag("week_end", N_("Of week-ends only")),
                required=True,
            ),
        ),
        words=_cancellation_words,
    ),
    Kind(
        name="charges",
        label=N_("Charges after the return"),
        fields=(
            cents("late_cents", N_("Late: amount"), default=0),
            choice("late_per", N_("Late: for each"), LATE, default="hour"),
            number("late_grace_min", N_("Late: minutes that do not count"), default=0, most=1440),
            cents("late_most_cents", N_("Late: at most (0: no ceiling)"), default=0),
            percent("loss_percent", N_("Lost: percent of the replacement value"), default=0, most=200),
            cents("loss_cents", N_("Lost: a piece"), default=0),
            percent("damage_percent", N_("Damaged: percent of the replacement value"), default=0, most=200),
            cents("damage_cents", N_("Damaged: a piece"), default=0),
            cents("cleaning_cents", N_("Left dirty: the loan"), default=0),
            cents("washing_cents", N_("To be washed: a piece"), default=0),
            number("km_included", N_("Kilometres included"), default=0, most=100_000),
            cents("km_cents", N_("Each kilometre beyond"), default=0),
            table(
                "pieces",
                N_("Pieces with a price of their own"),
                text("name", N_("Name"), required=True, most=60),
                cents("loss_cents", N_("Lost or broken: a piece"), required=True),
            ),
            number("report_days", N_("Days the house has to report damage"), default=0, most=90),
        ),
        words=_charge_words,
    ),
)
