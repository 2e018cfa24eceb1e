"""What goes along with a letter: named bytes, made when the letter is written out.

`Kind.attach` of a letter (`rules.LETTERS`) names what goes along. A room that knows how to make it says so in
`app.extensions["letter_attachments"]` (`app.create_app`), name to `Maker`. It is given the letter's facts, which
never change, and when it was posted, and must make the same bytes of the same facts: a letter that is tried again is
the same.
What costs more to make, or must not change when the program does, is stored by its room and named by a fact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from sharebank.notifications.rules import one_line

MOST_BYTES = 10_000_000
"""Beyond it many mail servers refuse the whole letter."""
_KIND = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_PARAMETER = re.compile(r"[A-Za-z0-9-]+")


class CannotAttach(ValueError):
    """A name, kind or size no letter may carry."""


class NotReady(Exception):
    """What goes along cannot be made just now: the letter is tried again."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a letter; `parameters` are those of its media type."""

    name: str
    media_type: str
    content: bytes
    parameters: Mapping[str, str] = field(default_factory=dict)


Maker = Callable[[Mapping[str, Any], datetime], Attachment | None]
"""(the letter's facts, when it was posted) -> what goes along, in the language in force; None when nothing does."""


def attach(message: EmailMessage, one: Attachment) -> None:
    """Put it into the message; raises CannotAttach for what could be read as something else than it is."""
    words = (*one.parameters, *one.parameters.values())
    if not _KIND.fullmatch(one.media_type) or not all(_PARAMETER.fullmatch(word) for word in words):
        raise CannotAttach(f"{one.media_type!r} is no media type")
    if len(one.content) > MOST_BYTES:
        raise CannotAttach(f"{len(one.content)} bytes are too many")
    main, _, sub = one.media_type.partition("/")
    message.add_attachment(
        one.content, maintype=main, subtype=sub, cte="base64", filename=file_name(one.name), params=dict(one.parameters)
    )


def file_name(name: str) -> str:
    """Fit for any disk: no path, no mark a system gives a meaning, nothing that begins with a dot."""
    return re.sub(r'[\\/:*?"<>|=]+', "-", one_line(name)).strip(" .-")[:100].rstrip(" .-") or "file"
