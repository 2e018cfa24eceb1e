"""What is typed when an order goes to its supplier."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import EmailField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than the type stubs
from wtforms.validators import InputRequired, Length

from sharebank.catalog.fields import one_line
from sharebank.core.texts import lazy_gettext as _
from sharebank.orders.outgoing.sending import MOST_WORDS, WAYS


class SendForm(FlaskForm):  # type: ignore[misc]
    """How it goes, to which address, with which words."""

    how = RadioField(
        _("How does it go?"),
        [InputRequired(_("Choose how the order goes to the supplier."))],
        choices=[SelectChoice(way, _(words)) for way, words in WAYS.items()],
    )
    to = EmailField(
        _("E-mail address of the supplier"),
        [Length(max=254)],
        filters=[one_line],
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
    words = TextAreaField(
        _("A word to the supplier"),
        [Length(max=MOST_WORDS)],
        description=_("In the letter, below the sums: a delivery day, where to ring."),
        render_kw={"rows": 4, "maxlength": MOST_WORDS},
    )
