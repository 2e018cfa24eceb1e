"""Rules about who asks and for how much: borrowers, purpose, headcount, radius, quantity, quota."""

from __future__ import annotations

from datetime import date

from sharebank.core.errors import N_, Count, Said, ngettext
from sharebank.lending.facts import Asked, Breach
from sharebank.lending.groups import EFFECT, EFFECT_DEARER, GROUPS, belongs, named
from sharebank.lending.saying import listed
from sharebank.lending.schema import Kind, Settings, breach, choices, flag, number, text


def years_count(n: int) -> Count:
    """`1 year`, `3 years`."""
    return ngettext("%(n)s year", "%(n)s years", n)


def people_count(n: int) -> Count:
    """`1 person`, `8 people`."""
    return ngettext("%(n)s person", "%(n)s people", n)


def _loans(n: int) -> Count:
    return ngettext("%(n)s loan", "%(n)s loans", n)


def years_between(since: date, on: date) -> int:
    """Whole years, as one counts how long somebody has been a member."""
    return on.year - since.year - ((on.month, on.day) < (since.month, since.day))


def _borrowers(settings: Settings, asked: Asked) -> Breach | None:
    who = asked.borrower
    if settings["allowed"] and not belongs(who, settings["allowed"]):
        said = N_("%(thing)s is lent to %(groups)s only. Look for the like elsewhere (rules “%(rules)s”).")
        return breach("borrowers", asked, "organisation", said, settings, groups=named(settings["allowed"]))
    if settings["own_only"] and not who.own:
        said = N_("%(thing)s is lent to the house’s own organisations only. Ask your house (rules “%(rules)s”).")
        return breach("borrowers", asked, "organisation", said, settings)
    years = settings["member_years"]
    if years and who.kind != "house":
        if who.member_since is None:
            said = N_(
                "%(thing)s is lent to members of %(years)s, and since when you are one is not written down. "
                "Ask your house to note it (rules “%(rules)s”)."
            )
            return breach("borrowers", asked, "organisation", said, settings, years=years_count(years))
        if years_between(who.member_since, asked.start.date()) < years:
            said = N_(
                "%(thing)s is lent to members of %(years)s, and you are one since %(day)s. "
                "Look for the like elsewhere (rules “%(rules)s”)."
            )
            facts = {"years": years_count(years), "day": who.member_since}
            return breach("borrowers", asked, "organisation", said, settings, **facts)
    return None


def _borrowers_words(settings: Settings) -> Said | None:
    parts: list[Said] = []
    if settings["allowed"]:
        parts.append(Said(N_("for %(groups)s"), {"groups": named(settings["allowed"])}))
    if settings["own_only"]:
        parts.append(Said(N_("the house’s own organisations only")))
    if settings["member_years"]:
        parts.append(Said(N_("members of %(years)s at least"), {"years": years_count(settings["member_years"])}))
    return listed(parts) if parts else None


def _purpose(settings: Settings, asked: Asked) -> Breach | None:
    if len(asked.purpose.strip()) >= settings["least"]:
        return None
    said = N_("Say what %(thing)s is for, in %(least)s letters at least (rules “%(rules)s”).")
    if settings["ask"]:
        said = N_("Say what %(thing)s is for (%(ask)s), in %(least)s letters at least (rules “%(rules)s”).")
    return breach("purpose", asked, "purpose", said, settings, least=settings["least"], ask=settings["ask"])


def _purpose_words(settings: Settings) -> Said:
    if settings["ask"]:
        return Said(N_("the purpose (%(ask)s)"), {"ask": settings["ask"]})
    return Said(N_("the purpose in %(least)s letters at least"), {"least": settings["least"]})


def _headcount(settings: Settings, asked: Asked) -> Breach | None:
    people, most = asked.headcount, asked.seats if asked.thing_kind == "vehicle" else asked.capacity
    if not people:
        said = N_("Say how many people %(thing)s is for (rules “%(rules)s”).")
        return breach("headcount", asked, "headcount", said)
    if settings["within"] and most and people > most:
        said = N_("%(thing)s is for %(most)s at most. Choose something larger (rules “%(rules)s”).")
        return breach("headcount", asked, "headcount", said, most=people_count(most))
    if people < settings["least"]:
        said = N_("%(thing)s is lent from %(least)s on. Choose something smaller (rules “%(rules)s”).")
        return breach("headcount", asked, "headcount", said, settings, least=people_count(settings["least"]))
    return None


def _headcount_words(settings: Settings) -> Said:
    if settings["least"]:
        return Said(N_("from %(least)s on"), {"least": people_count(settings["least"])})
    return Said(N_("the number of people said"))


def _radius(settings: Settings, asked: Asked) -> Breach | None:
    if asked.distance_km is None:
        said = N_("Say how far %(thing)s will go, in kilometres (rules “%(rules)s”).")
        return breach("radius", asked, "distance_km", said)
    if asked.distance_km <= settings["km"]:
        return None
    said = N_("%(thing)s goes %(km)s km away at most. Choose a nearer place (rules “%(rules)s”).")
    return breach("radius", asked, "distance_km", said, settings, km=settings["km"])


def _quantity(settings: Settings, asked: Asked) -> Breach | None:
    if max(asked.together, asked.quantity) <= settings["most"]:
        return None
    said = N_("At most %(most)s of these at a time: ask for fewer than your %(wanted)s (rules “%(rules)s”).")
    facts = {"most": settings["most"], "wanted": max(asked.together, asked.quantity)}
    return breach("quantity", asked, "lines", said, settings, **facts)


_QUOTA = {
    "refuse": N_("You have had your %(loans)s of this year under the rules “%(rules)s”. Ask again next year."),
    "approve": N_("You have had your %(loans)s of this year under the rules “%(rules)s”: the house decides on more."),
    "dearer": N_("You have had your %(loans)s of this year under the rules “%(rules)s”: from now on it costs more."),
}


def _quota(settings: Settings, asked: Asked) -> Breach | None:
    if asked.borrower.loans_this_year < settings["loans"]:
        return None
    said = _QUOTA[settings["effect"]]
    return breach("quota", asked, "organisation", said, settings, loans=_loans(settings["loans"]))


_QUOTA_WORDS = {
    "refuse": N_("%(loans)s a year at most"),
    "approve": N_("%(loans)s a year, then the house decides"),
    "dearer": N_("%(loans)s a year, then it costs more"),
}


def _loan_quota_words(settings: Settings) -> Said:
    return Said(_QUOTA_WORDS[settings["effect"]], {"loans": _loans(settings["loans"])})


KINDS = (
    Kind(
        name="borrowers",
        label=N_("Who may borrow"),
        fields=(
            choices("allowed", N_("Kinds of borrower (none: all)"), GROUPS),
            flag("own_only", N_("The house’s own organisations only")),
            number("member_years", N_("Member for so many years"), default=0, most=50),
            EFFECT,
        ),
        check=_borrowers,
        words=_borrowers_words,
    ),
    Kind(
        name="purpose",
        label=N_("Purpose"),
        fields=(
            number("least", N_("Letters at least"), default=10, least=1, most=200),
            text("ask", N_("What has to be said (passengers or cargo, where to…)"), most=200),
        ),
        check=_purpose,
        words=_purpose_words,
        needs=lambda _: ("purpose",),
    ),
    Kind(
        name="headcount",
        label=N_("Headcount"),
        fields=(
            number("least", N_("People at least"), default=0, most=10_000),
            flag("within", N_("No more than the capacity or the seats"), default=True),
            EFFECT,
        ),
        check=_headcount,
        words=_headcount_words,
        needs=lambda _: ("headcount",),
        binds_staff=True,
    ),
    Kind(
        name="radius",
        label=N_("How far"),
        fields=(number("km", N_("Kilometres away at most"), required=True, least=1, most=20_000), EFFECT),
        check=_radius,
        words=lambda settings: Said(N_("%(km)s km away at most"), {"km": settings["km"]}),
        needs=lambda _: ("distance_km",),
    ),
    Kind(
        name="quantity",
        label=N_("How many at a time"),
        fields=(number("most", N_("At most in one request"), required=True, least=1, most=100_000), EFFECT),
        check=_quantity,
        words=lambda settings: Said(N_("%(most)s at a time at most"), {"most": settings["most"]}),
    ),
    Kind(
        name="quota",
        label=N_("Quota a year"),
        fields=(number("loans", N_("Loans a year"), required=True, least=1, most=1000), EFFECT_DEARER),
        check=_quota,
        words=_loan_quota_words,
        needs=lambda _: ("history",),
    ),
)
