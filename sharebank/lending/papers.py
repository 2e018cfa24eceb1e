"""Rules about what is shown, promised, decided and signed: documents, drivers, undertakings, approval, agreement."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sharebank.core.errors import N_, Said, Word
from sharebank.lending.facts import Asked, Breach, Driver
from sharebank.lending.groups import EFFECT, EFFECT_APPROVE
from sharebank.lending.saying import both, listed
from sharebank.lending.schema import Kind, Settings, breach, choice, choices, flag, number, table
from sharebank.lending.when import day_count, length_words
from sharebank.lending.who import people_count, years_between, years_count

PAPERS = {
    "liability_certificate": N_("a liability insurance certificate"),
    "event_certificate": N_("an insurance certificate that names the place and the dates"),
    "statutes": N_("the statutes"),
    "officers": N_("the list of officers"),
    "licence_copies": N_("copies of the driving licences"),
    "employer_letter": N_("a letter of the employer"),
    "form": N_("the request form of the house, filled in"),
    "crockery_list": N_("the list of crockery wanted"),
}
IN_THE_REGISTER = "liability_certificate"
"""The register of insurances answers for this one, whenever a loan is asked for, approved or handed over."""
VALID = {
    "asked": N_("valid when it is asked for"),
    "loan": N_("valid for the whole loan"),
    "once": N_("shown once"),
}
LICENCES = {name: name for name in ("B", "B96", "BE", "C1", "C", "D1", "D")}
_DRIVES = {
    "B": set(LICENCES), "B96": {"B96", "BE"}, "BE": {"BE"}, "C1": {"C1", "C"}, "C": {"C"}, "D1": {"D1", "D"},
    "D": {"D"},
}  # fmt: skip
"""Which licences do for which: whoever may drive a lorry or a coach has passed for a car first."""
UNDERTAKINGS = {"charter": N_("the eco charter, kept"), "kitchen_training": N_("kitchen hygiene training")}
APPROVAL = {
    "none": N_("no approval"),
    "own_house_free": N_("approval, but for those of the house"),
    "always": N_("approval"),
}
SILENCE = {
    "expire": N_("the request lapses"),
    "approve": N_("it is approved"),
    "decline": N_("it is declined"),
    "remind": N_("the house is reminded"),
}
AGREEMENT = {"none": N_("none"), "per_loan": N_("one a loan"), "annual": N_("one a year")}
FIRM = {"approval": N_("once approved"), "signed": N_("once the agreement is signed")}


# -- documents -------------------------------------------------------------------------------------


def _documents(settings: Settings, asked: Asked) -> Breach | None:
    ahead = (asked.start.date() - asked.asked_at.date()).days
    due = [row for row in settings["papers"] if row["days_before"] is None or ahead < row["days_before"]]
    missing = [row for row in due if row["paper"] != IN_THE_REGISTER and not _shown(row, asked)]
    if not missing:
        return None
    said = N_("%(thing)s: %(papers)s must be shown. Send it to the house beforehand (rules “%(rules)s”).")
    return breach("documents", asked, "organisation", said, settings, papers=both(_papers(missing)))


def papers_asked(settings: Settings | None, asked: Asked) -> dict[str, bool]:
    """The documents these rules ask for, now or some days before, and whether what was shown of each will do."""
    rows = [row for row in settings["papers"] if row["paper"] != IN_THE_REGISTER] if settings else ()
    return {row["paper"]: _shown(row, asked) for row in rows}


def _shown(row: Settings, asked: Asked) -> bool:
    until = {"asked": asked.asked_at, "loan": asked.end - timedelta(microseconds=1)}.get(row["valid"])
    return any(
        paper.kind == row["paper"] and (until is None or paper.valid_until is None or paper.valid_until >= until.date())
        for paper in asked.papers
    )


def _papers(rows: list[Settings] | tuple[Settings, ...]) -> tuple[Said | Word, ...]:
    return tuple(
        Said(
            N_("%(paper)s (%(valid)s)") if row["days_before"] is None else N_("%(paper)s (%(days)s before)"),
            {
                "paper": Word(PAPERS[row["paper"]]),
                "valid": Word(VALID[row["valid"]]),
                "days": day_count(row["days_before"] or 0),
            },
        )
        for row in rows
    )


def _documents_words(settings: Settings) -> Said | None:
    return listed(_papers(settings["papers"])) if settings["papers"] else None


# -- drivers ---------------------------------------------------------------------------------------


def _drivers(settings: Settings, asked: Asked) -> Breach | None:
    if not settings["named"]:
        return None
    if not asked.drivers:
        said = N_("Name who will drive %(thing)s (rules “%(rules)s”).")
        return breach("drivers", asked, "drivers", said)
    unseen = [driver for driver in asked.drivers if not driver.licence_class and driver.licence_since is None]
    for driver in asked.drivers:
        for sentence, facts in () if driver in unseen else _wrong(settings, driver, asked):
            return breach("drivers", asked, "drivers", sentence, settings, driver=driver.name, **facts)
    if unseen and (settings["licence"] or settings["years"] or settings["member"]):
        said = N_("The house has to see the driving licence of %(driver)s first, and decides (rules “%(rules)s”).")
        return breach("drivers", asked, "drivers", said, {"effect": "approve"}, driver=unseen[0].name)
    return None


def _wrong(settings: Settings, driver: Driver, asked: Asked) -> Iterator[tuple[str, dict[str, object]]]:
    licence, years = settings["licence"], settings["years"]
    if licence and driver.licence_class not in _DRIVES[licence]:
        said = N_(
            "%(driver)s needs a driving licence %(licence)s for %(thing)s. Name somebody else (rules “%(rules)s”)."
        )
        yield said, {"licence": licence}
    if years and (driver.licence_since is None or years_between(driver.licence_since, asked.start.date()) < years):
        said = N_(
            "%(driver)s must have held the driving licence for %(years)s to drive %(thing)s. "
            "Name somebody else (rules “%(rules)s”)."
        )
        yield said, {"years": years_count(years)}
    if settings["member"] and not driver.member:
        said = N_("%(driver)s must be a member to drive %(thing)s. Name somebody else (rules “%(rules)s”).")
        yield said, {}


_LICENCE = {
    (True, True): N_("driving licence %(licence)s held for %(years)s"),
    (True, False): N_("driving licence %(licence)s"),
    (False, True): N_("driving licence held for %(years)s"),
    (False, False): "",
}


def _drivers_words(settings: Settings) -> Said:
    facts = {"licence": settings["licence"], "years": years_count(settings["years"])}
    said = _LICENCE[bool(settings["licence"]), bool(settings["years"])]
    parts = [Said(said, facts)] if said else []
    if settings["named"]:
        parts.append(Said(N_("drivers named")))
    if settings["member"]:
        parts.append(Said(N_("drivers are members")))
    return listed(parts or [Said(N_("a driving licence"))])


# -- approval and agreement ------------------------------------------------------------------------


def _approval_words(settings: Settings) -> Said:
    parts = [Said(APPROVAL[settings["mode"]])]
    hours, people, days = (settings[name] for name in ("second_above_hours", "second_above_headcount", "silence_days"))
    if hours is not None:
        parts.append(Said(N_("a second one above %(length)s"), {"length": length_words(hours)}))
    if people is not None:
        parts.append(Said(N_("a second one above %(people)s"), {"people": people_count(people)}))
    if days:
        said = N_("without an answer after %(days)s %(silence)s")
        parts.append(Said(said, {"days": day_count(days), "silence": Word(SILENCE[settings["silence"]])}))
    return listed(parts)


def _agreement_words(settings: Settings) -> Said | None:
    if settings["mode"] == "none":
        return None
    parts = [Said(_AGREEMENT_WORDS[settings["mode"], settings["short_form"]])]
    if settings["firm"] == "signed":
        parts.append(Said(N_("firm once it is signed")))
    return listed(parts)


_AGREEMENT_WORDS = {
    ("per_loan", False): N_("an agreement a loan"),
    ("per_loan", True): N_("an agreement a loan"),
    ("annual", False): N_("an agreement a year"),
    ("annual", True): N_("an agreement a year and a short form a loan"),
}


KINDS = (
    Kind(
        name="documents",
        label=N_("Documents"),
        fields=(
            table(
                "papers",
                N_("Documents"),
                choice("paper", N_("Document"), PAPERS, required=True),
                choice("valid", N_("Valid"), VALID, default="loan"),
                number("days_before", N_("Due so many days before (empty: when it is asked for)"), most=365),
                required=True,
            ),
            EFFECT_APPROVE,
        ),
        check=_documents,
        words=_documents_words,
        needs=lambda settings: (
            ("papers",) if any(row["paper"] != IN_THE_REGISTER for row in settings["papers"]) else ()
        ),
    ),
    Kind(
        name="drivers",
        label=N_("Drivers"),
        fields=(
            flag("named", N_("Named when it is asked for"), default=True),
            choice("licence", N_("Licence class"), LICENCES),
            number("years", N_("Licence held for so many years"), default=0, most=50),
            flag("member", N_("Members only")),
            EFFECT,
        ),
        check=_drivers,
        words=_drivers_words,
        needs=lambda settings: ("drivers",) if settings["named"] else (),
    ),
    Kind(
        name="undertakings",
        label=N_("What the borrower promises"),
        fields=(choices("which", N_("Undertakings"), UNDERTAKINGS, required=True),),
        words=lambda settings: listed(Word(UNDERTAKINGS[name]) for name in settings["which"]),
    ),
    Kind(
        name="approval",
        label=N_("Approval"),
        fields=(
            choice("mode", N_("Approval"), APPROVAL, required=True),
            number("second_above_hours", N_("A second one above so many hours"), most=8784),
            number("second_above_headcount", N_("A second one above so many people"), most=10_000),
            number("silence_days", N_("Without an answer after so many days (0: nothing happens)"), default=0, most=90),
            choice("silence", N_("Then"), SILENCE, default="remind"),
        ),
        words=_approval_words,
    ),
    Kind(
        name="agreement",
        label=N_("Agreement"),
        fields=(
            choice("mode", N_("Agreement"), AGREEMENT, required=True),
            flag("short_form", N_("With a short form a loan")),
            choice("firm", N_("The loan is firm"), FIRM, default="approval"),
        ),
        words=_agreement_words,
    ),
)
