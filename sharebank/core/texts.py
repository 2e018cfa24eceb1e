"""Texts in the reader's language, looked up once a language instead of once a page.

flask_babel finds the language of a request and its catalogues; asked for each of a page's hundred texts, it finds out
anew which request this is: a sixth of a planning's time. What has been found is kept here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from flask import g
from flask_babel import get_locale, get_translations
from flask_babel.speaklater import LazyString
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup


def language() -> str:
    """`fr` or `en`: what the present request is answered in, or what `force_locale` says; empty where nobody reads."""
    try:
        # Past the proxy once instead of at each step.
        known: str = g._get_current_object()._flask_babel.babel_locale.language  # noqa: SLF001
    except (RuntimeError, AttributeError):  # no request, or the first to ask
        locale = get_locale()
        return locale.language if locale else ""
    return known


@lru_cache(maxsize=8192)
def _found(_language: str, msgid: str) -> str:
    return str(get_translations().ugettext(msgid))


@lru_cache(maxsize=8192)
def _found_safe(language: str, msgid: str) -> Markup:
    return Markup(_found(language, msgid))  # noqa: S704  # the catalogues are ours


def gettext(msgid: str, /, **facts: Any) -> str:
    """The text with its facts."""
    found = _found(language(), msgid)
    return found % facts if facts else found


def ngettext(one: str, many: str, number: int, /, **facts: Any) -> str:
    """The text for so many, who are its fact `num`."""
    return str(get_translations().ungettext(one, many, number)) % {"num": number, **facts}


def lazy_gettext(msgid: str, /, **facts: Any) -> LazyString:
    """A text that finds its language when it is shown."""
    return LazyString(gettext, msgid, **facts)


_QUOTES = re.compile("(?<=«) | (?=»)")


def in_one_piece(words: str) -> str:
    """What somebody typed, its French quotation marks never alone at the end or the beginning of a line."""
    return _QUOTES.sub("\u202f", words)


def name_words(stored: str) -> str:
    """The name of a rule set, `salle_standard`, as people read it: Salle standard."""
    words = stored.replace("_", " ")
    return words[:1].upper() + words[1:]


@pass_eval_context
def text(context: EvalContext, msgid: str, /, **facts: Any) -> str:
    """A text of a template: in HTML its facts are escaped, the text itself is not."""
    if not context.autoescape:
        return _found(language(), msgid) % facts
    found = _found_safe(language(), msgid)
    return found % facts if facts or "%" in found else found
