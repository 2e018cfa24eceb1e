"""The calls of group orders: what each is for, what it takes, answers, and may refuse."""

from __future__ import annotations

from sharebank.api.order_shapes import BODIES, MEANINGS, ORDERS_QUERY, STEPS
from sharebank.api.shapes import Call, page_of, ref
from sharebank.core.errors import N_, Refused
from sharebank.orders import lifecycle, pledging
from sharebank.orders.desk import making
from sharebank.orders.incoming import receiving
from sharebank.orders.outgoing import sending
from sharebank.orders.rules import states
from sharebank.orders.settlement import settling

ORDERS = N_("Group orders")
_WRITES = (400, 401, 403, 404, 409, 413, 415, 422)
_STEP_SUMMARIES = {
    "open": N_("Open it for pledges; the supplier’s terms are frozen."),
    "extend": N_("Let it close later, also when it closed already, and say why."),
    "close": N_("End pledging before its time."),
    "send": N_("Send it to the supplier: by e-mail it is “sent” once the mail server took the letter."),
    "receive": N_("Note what came; without items, everything came as ordered."),
    "settle": N_("Make the shares final."),
    "reopen": N_("Go one step back; what was is kept."),
    "cancel": N_("Give it up, and say why."),
}
ORDER_CALLS = (
    Call(
        ORDERS,
        "get",
        "/orders",
        "listOrders",
        N_("The group orders you may see, the last to close first."),
        page_of(ref("Order")),
        ORDERS_QUERY,
        meanings=MEANINGS,
    ),
    Call(
        ORDERS,
        "post",
        "/orders",
        "createOrder",
        N_("Make a group order from a supplier’s price list; it is a draft until it is opened."),
        ref("Order"),
        body="NewOrder",
        body_required=True,
        status=201,
        refusals=(400, 401, 403, 409, 413, 415, 422),
        meanings=MEANINGS,
    ),
    Call(
        ORDERS,
        "get",
        "/orders/{order_code}",
        "getOrder",
        N_("One group order with its articles, the pledges you may see, and all that happened to it."),
        ref("Order"),
        refusals=(401, 404, 422),
    ),
    Call(
        ORDERS,
        "get",
        "/orders/{order_code}/summary",
        "getOrderSummary",
        N_("What is ordered, who gets how many, what each bears; of other organisations only the houses’ staff."),
        ref("Summary"),
        refusals=(401, 404, 422),
    ),
    Call(
        ORDERS,
        "put",
        "/orders/{order_code}/pledges/{sku}",
        "putPledge",
        N_("Pledge for an article, change the pledge or take it back."),
        ref("Pledge"),
        body="NewPledge",
        body_required=True,
        refusals=(400, 401, 404, 409, 413, 415, 422),
        meanings=MEANINGS,
    ),
    *(
        Call(
            ORDERS,
            "post",
            f"/orders/{{order_code}}/{act}",
            f"{act}Order",
            _STEP_SUMMARIES[act],
            ref("Order"),
            body=body,
            body_required=bool(BODIES[body]["required"]),
            refusals=_WRITES,
            meanings=MEANINGS,
        )
        for act, body in STEPS.items()
    ),
)

ORDER_PROBLEMS: tuple[type[Refused], ...] = (
    pledging.OrderClosed,
    pledging.UnknownArticle,
    pledging.MayNotJoin,
    pledging.BadPledge,
    making.UnknownSupplier,
    making.UnknownHouse,
    making.BadOrderCode,
    making.OrderCodeTaken,
    states.ClosesTooEarly,
    states.OrderLeaving,
    lifecycle.NothingToOrder,
    sending.NothingOrdered,
    sending.BadSupplierAddress,
    receiving.BadCount,
    settling.NotReconciled,
    settling.NothingToShare,
)
"""What these calls refuse besides; where two refusals share a code, one stands for both."""
