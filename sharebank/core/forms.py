"""What forms of every room share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from wtforms import Field, Form
from wtforms.form import BaseForm
from wtforms.i18n import get_translations
from wtforms.meta import DefaultMeta
from wtforms.validators import NumberRange, StopValidation

from sharebank.core.texts import language


class Plain(Form):
    """A form without a token, or a part of one: what is wrong is said in the reader's language all the same."""

    class Meta(DefaultMeta):
        """WTForms asks here."""

        def get_translations(self, _form: BaseForm) -> Any:
            """Kept: Flask-WTF reads its own from their file for each page."""
            return _words(language())


@lru_cache
def _words(locale: str) -> Any:
    return get_translations((locale, "en"))


class Between(NumberRange):
    """A number within bounds; of what is no number its field has spoken already."""

    def __call__(self, form: BaseForm, field: Field) -> None:
        """Raises ValidationError."""
        if field.process_errors:
            raise StopValidation
        super().__call__(form, field)
