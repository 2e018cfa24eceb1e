"""The calls of the API in one table: what each is for, what it takes, answers, and may refuse."""

from __future__ import annotations

from sharebank.api.order_table import ORDER_CALLS, ORDER_PROBLEMS, ORDERS
from sharebank.api.problems import Invalid, KeyReused, NotJson, NoToken, TooLarge, WrongMediaType
from sharebank.api.schemas import (
    ACTS,
    BUSY_QUERY,
    COVERAGES_QUERY,
    LETTERS_QUERY,
    RESERVATIONS_QUERY,
    RESOURCES_QUERY,
)
from sharebank.api.shapes import Call, many, page_of, ref
from sharebank.core.errors import N_, Busy, NotAllowed, NotFound, Refused
from sharebank.core.period import EndsBeforeStart
from sharebank.insurance import rules as insurance
from sharebank.reservations import rules, states
from sharebank.reservations.series import series, series_booking, series_refusals

CATALOGUE, LOANS, DEADLINES = N_("Resources"), N_("Reservations"), N_("Deadlines")
LETTERS, ITSELF = N_("Letters"), N_("This description")
GROUPS = (CATALOGUE, LOANS, ORDERS, DEADLINES, LETTERS, ITSELF)
ACT_SUMMARIES = {
    "approve": N_("Say yes to a request."),
    "decline": N_("Say no to a request, and why."),
    "cancel": N_("Give up a reservation that was not handed over yet."),
    "collect": N_("Note that the things were handed over."),
    "return": N_("Note that the things came back."),
}
CALLS = (
    Call(
        CATALOGUE,
        "get",
        "/resources",
        "listResources",
        N_("What the houses lend; with a period, how many units are free and, when that is not enough, why."),
        page_of(ref("Resource")),
        RESOURCES_QUERY,
    ),
    Call(
        CATALOGUE,
        "get",
        "/resources/{code}",
        "getResource",
        N_("One resource."),
        ref("Resource"),
        refusals=(401, 404, 422),
    ),
    Call(
        CATALOGUE,
        "get",
        "/resources/{code}/busy",
        "getBusy",
        N_("When it is in use, merged and sorted, over at most 400 days."),
        many(ref("Use")),
        BUSY_QUERY,
        required=("from", "to"),
        refusals=(401, 404, 422),
    ),
    Call(
        LOANS,
        "post",
        "/reservations",
        "createReservations",
        N_("Book everything asked for, one reservation a lender, or nothing at all."),
        many(ref("Reservation")),
        body="NewReservation",
        body_required=True,
        status=201,
        refusals=(400, 401, 409, 413, 415, 422),
    ),
    Call(
        LOANS,
        "post",
        "/series",
        "createSeries",
        N_("Preview or book a reservation that repeats: every date with its state, one reservation a date booked."),
        ref("Series"),
        body="NewSeries",
        body_required=True,
        status=201,
        refusals=(400, 401, 409, 413, 415, 422),
    ),
    Call(
        LOANS,
        "get",
        "/reservations",
        "listReservations",
        N_("The reservations you may see, earliest first; those that touch the time between “from” and “to”."),
        page_of(ref("Reservation")),
        RESERVATIONS_QUERY,
    ),
    Call(
        LOANS,
        "get",
        "/reservations/{ref}",
        "getReservation",
        N_("One reservation, with all that happened to it."),
        ref("Reservation"),
        refusals=(401, 404, 422),
    ),
    *(
        Call(
            LOANS,
            "post",
            f"/reservations/{{ref}}/{act}",
            f"{act}Reservation",
            ACT_SUMMARIES[act],
            ref("Reservation"),
            body="Reason",
            body_required=act == "decline",
            refusals=(400, 401, 403, 404, 409, 413, 415, 422),
        )
        for act in ACTS
    ),
    *ORDER_CALLS,
    Call(
        DEADLINES,
        "get",
        "/coverages",
        "listCoverages",
        N_("The insurances, checks and certificates you may see, first to end first; what was renewed is left out."),
        page_of(ref("Coverage")),
        COVERAGES_QUERY,
    ),
    Call(
        LETTERS,
        "get",
        "/letters",
        "listLetters",
        N_("Letters to the people of the organisations you manage, newest first."),
        page_of(ref("Letter")),
        LETTERS_QUERY,
        refusals=(401, 404, 422),
    ),
    Call(
        ITSELF,
        "get",
        "/openapi.json",
        "getDescription",
        N_("This description, for programs."),
        {"type": "object"},
        refusals=(),
    ),
    Call(ITSELF, "get", "/docs", "getDocs", N_("This description, for people."), {}, refusals=()),
)

PROBLEMS: tuple[type[Refused], ...] = (
    NotJson,
    NoToken,
    NotAllowed,
    NotFound,
    rules.Collision,
    states.WrongState,
    Busy,
    TooLarge,
    WrongMediaType,
    Invalid,
    KeyReused,
    EndsBeforeStart,
    series_refusals.BadRule,
    series_refusals.Endless,
    series_refusals.EndsTwice,
    series_refusals.NoDates,
    series_refusals.TooManyDates,
    series_refusals.OverlapsItself,
    series.OneHouse,
    series_booking.UnknownDates,
    series_booking.NothingToBook,
    rules.UnknownResource,
    rules.UnknownOrganisation,
    rules.OutOfService,
    rules.InThePast,
    rules.TooSoon,
    rules.TooFar,
    rules.TooLong,
    rules.RuleBroken,
    rules.NotPromised,
    states.ReasonMissing,
    insurance.InsuranceLapses,
    insurance.InsuranceNotBegun,
    insurance.CertificateMissing,
    insurance.CertificateLapses,
    *ORDER_PROBLEMS,
)
"""Every refusal of the API; the `type` of a problem is a link to its place in the page for people."""

STATUS_MEANINGS = {
    400: N_("The request cannot be read."),
    401: N_("No valid token."),
    403: N_("You see it, but may not do this."),
    404: N_("There is no such thing, or it is not yours to see."),
    409: N_("Somebody has it, or its state does not allow it."),
    413: N_("The body is too large."),
    415: N_("The body is not JSON."),
    422: N_("Some values are missing or wrong."),
}
