"""What forms of every room share."""

from __future__ import annotations

from typing import Any

from flask_wtf.i18n import translations
from wtforms import Field, Form
from wtforms.form import BaseForm
from wtforms.meta import DefaultMeta
from wtforms.validators import NumberRange, StopValidation


class Plain(Form):
    """A form without a token, or a part of one: what is wrong is said in the reader's language all the same."""

    class Meta(DefaultMeta):
        """WTForms asks here."""

        def get_translations(self, _form: BaseForm) -> Any:
            """Those a form with a token has."""
            return translations


class Between(NumberRange):
    """A number within bounds; of what is no number its field has spoken already."""

    def __call__(self, form: BaseForm, field: Field) -> None:
        """Raises ValidationError."""
        if field.process_errors:
            raise StopValidation
        super().__call__(form, field)
