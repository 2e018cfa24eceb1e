"""Documents as they come in: their content decides what they are, never their name."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass

from PIL import Image

from sharebank.insurance.rules import BadDocument, DocumentTooHeavy

MOST_BYTES = 10_000_000
MOST_PIXELS = 60_000_000
MOST_DOCUMENTS = 10
PICTURES = {"JPEG": ("image/jpeg", ".jpg"), "PNG": ("image/png", ".png"), "WEBP": ("image/webp", ".webp")}
TAIL = 2048
"""A PDF ends with where its table of contents begins; some programs write a little behind it."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A document ready to be kept as it was sent."""

    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Its checksum."""
        return hashlib.sha256(self.content).hexdigest()


def read(data: bytes, name: str) -> Paper:
    """A PDF or a picture, under a name that says which; raises BadDocument, DocumentTooHeavy."""
    name = clean_name(name)
    if len(data) > MOST_BYTES:
        raise DocumentTooHeavy("file", name=name, most=MOST_BYTES // 1_000_000)
    try:
        media_type, ending = _kind(data)
    except Exception as error:  # a broken file breaks its decoder in any way it likes
        raise BadDocument("file", name=name) from error
    stem = name[: -len(ending)] if name.lower().endswith(ending) else name.rpartition(".")[0] or name
    return Paper(stem[: 200 - len(ending)] + ending, media_type, data)


def clean_name(name: str) -> str:
    """The last part of a file's name, without what a header or a disk could take for something else."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(letter if letter.isprintable() else " " for letter in last)
    return " ".join(re.sub(r'[<>:"|?*;%]', " ", plain).split()).strip(". ")[:120] or "document"


def _kind(data: bytes) -> tuple[str, str]:
    """The media type and the ending of what a file is; raises whatever its decoder does."""
    if data.startswith(b"%PDF-"):
        if not _is_pdf(data):
            raise ValueError("a PDF in name only")
        return "application/pdf", ".pdf"
    # Read twice: verify() looks at the structure, load() at the pixels, and neither does the other's work.
    with Image.open(io.BytesIO(data), formats=tuple(PICTURES)) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        picture.verify()
    with Image.open(io.BytesIO(data), formats=tuple(PICTURES)) as picture:
        picture.load()
        return PICTURES[str(picture.format)]


def _is_pdf(data: bytes) -> bool:
    """A version, an object, a table of contents that is where the end says it is."""
    tail = data[-TAIL:]
    found = re.search(rb"startxref\s+(\d{1,10})\s+%%EOF", tail)
    if not re.match(rb"%PDF-[12]\.\d", data) or found is None:
        return False
    # The table is a classical one (`xref`) or a stream, which is an object (`12 0 obj`).
    table = data[int(found[1]) :][:40]
    return re.match(rb"\s*(xref\b|\d+\s+\d+\s+obj\b)", table) is not None and b" obj" in data
