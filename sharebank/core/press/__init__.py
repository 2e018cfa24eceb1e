"""The press: a document of plain values in, the PDF out, in a process of its own.

The typesetter keeps its fonts and caches (35 MB), and some texts make it fall over; a web worker neither carries the
one nor is hurt by the other. It is given one fixed source, the document as data, an empty folder and no network to
want: no package is named.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sharebank.core.errors import N_, Refused
from sharebank.core.press.printable import made_printable
from sharebank.core.turns import aside

PATIENCE = 60
"""Seconds; a page takes less than half of one."""
_WORKSHOP = Path(__file__).with_name("workshop.py")


class NotPrinted(Refused):
    """The press failed; what was frozen is kept, and it is tried again."""

    status = 503
    code = "not_printed"
    sentence = N_("The document cannot be printed just now. Nothing is lost: try again in a moment.")


def pdf(document: Mapping[str, Any], issued_at: datetime) -> bytes:
    """A tagged PDF (PDF/UA-1); the same document and instant give the same bytes. Raises NotPrinted."""
    return _pressed(document, issued_at, "pdf")[0]


def pictures(document: Mapping[str, Any], issued_at: datetime) -> list[bytes]:
    """Each page as PNG, for a preview. Raises NotPrinted."""
    return _pressed(document, issued_at, "png")


def _pressed(document: Mapping[str, Any], issued_at: datetime, form: str) -> list[bytes]:
    """Rather with the letters of every script; should one of them not be there after all, with Latin ones."""
    trouble = ""
    for latin_only in (False, True):
        job = {
            "data": json.dumps(made_printable(dict(document), latin_only=latin_only), ensure_ascii=False),
            "at": int(issued_at.timestamp()),
            "form": form,
        }
        try:
            with aside():
                done = subprocess.run(  # noqa: S603  # our own interpreter, our own file
                    [sys.executable, "-I", str(_WORKSHOP)],
                    input=json.dumps(job).encode(),
                    capture_output=True,
                    timeout=PATIENCE,
                    check=False,
                    env={},
                )
        except subprocess.TimeoutExpired:
            trouble = "timeout"
            continue
        if done.returncode == 0:
            return _sheets(done.stdout)
        trouble = done.stderr.decode("utf-8", "replace")[-400:]
    raise NotPrinted(trouble=trouble)


def _sheets(data: bytes) -> list[bytes]:
    """Each after its length on a line."""
    sheets, at = [], 0
    while at < len(data):
        end = data.index(b"\n", at)
        length = int(data[at:end])
        sheets.append(data[end + 1 : end + 1 + length])
        at = end + 1 + length
    return sheets
