"""The pledging form: two numbers an article, read by hand, for a page has a hundred of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from flask import abort
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from sharebank.core import web
from sharebank.core.db import AnyRow
from sharebank.core.texts import gettext as _
from sharebank.core.values import parse_int
from sharebank.orders.pledging import MOST, NOTHING

MOST_ROWS = 500
Two = tuple[int, int]


class PledgeSheet:
    """What was typed, article by article: `q:SKU` the quantity, `m:SKU` what one accepts; `seen` what the page showed.

    `wanted` holds what differs from what was seen, `errors` what cannot be read; `typed` stays for the page.
    """

    def __init__(self, form: MultiDict[str, str]) -> None:
        self.structure = form.get("structure", "")
        self.seen = _seen(form.get("seen", ""))
        self.typed = {
            name[2:]: (text.strip(), form.get(f"m:{name[2:]}", "").strip())
            for name, text in form.items()
            if name.startswith("q:")
        }
        if len(self.typed) > MOST_ROWS:
            abort(400)  # no page of ours has so many
        self.wanted: dict[str, Two] = {}
        self.errors: dict[str, str] = {}
        for sku, (quantity, most) in self.typed.items():
            try:
                after = _read(quantity, most, self.seen.get(sku, NOTHING))
            except ValueError as error:
                self.errors[sku] = str(error)
                continue
            if after != self.seen.get(sku, NOTHING):
                self.wanted[sku] = after


def _read(quantity: str, most: str, seen: Two) -> Two:
    """What one line says; raises ValueError in the reader's words.

    Who changes the quantity alone need not touch what they accept: it follows up, and what is taken back is taken
    back whole.
    """
    firm, accepts = _number(quantity), _number(most)
    untouched = most == shown(seen)[1]
    if untouched and firm != seen[0]:
        accepts = max(firm, accepts) if firm else 0
    if not most:
        accepts = firm
    if accepts < firm:
        raise ValueError(_("What you accept cannot be less than what you ask for."))
    return firm, accepts


def shown(pledged: Two) -> tuple[str, str]:
    """A pledge as its two fields show it: nothing for none, and no second number where it is the first."""
    firm, most = pledged
    return str(firm) if firm or most else "", str(most) if most > firm else ""


_BOX = Markup('<input name="%s:%s" value="%s" inputmode="numeric"%s%s>')
_EACH = Markup(' data-each="%s" data-got="%s"')
_WRONG = Markup(' id="q%s" aria-invalid="true" aria-describedby="e%s"')


def box(
    name: str, item: AnyRow, value: str, error: str | None = None, price: Decimal | None = None, got: int = 0
) -> Markup:
    """One of the two fields of an article; what is wrong with it stands beside it.

    `price`: net, a unit; for the sum while one types, with VAT, beside the units the total counts: those `got`.
    """
    each = _EACH % (format(price * (100 + item.vat) / 100, "f"), got) if price is not None else ""
    return _BOX % (name, item.sku, value, each, _WRONG % (item.id, item.id) if error else "")


def _number(text: str) -> int:
    if not text:
        return 0
    try:
        number = parse_int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST:
        raise ValueError(
            _(
                "Write a whole number between %(low)s and %(high)s.",
                low=web.number_words(0),
                high=web.number_words(MOST),
            )
        )
    return number


def seen_text(pledged: Mapping[str, Two]) -> str:
    """What a page shows, for its form to bring back."""
    return json.dumps(pledged, separators=(",", ":"), ensure_ascii=False)


def _seen(text: str) -> dict[str, Two]:
    """What the page showed; what cannot be read showed nothing, so that nothing is overwritten unseen."""
    try:
        found = json.loads(text)
        for sku in found:
            sku.encode()  # half a surrogate pair: what cannot be sent was not shown either
        return {sku: (int(firm), int(most)) for sku, (firm, most) in found.items()}
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}
