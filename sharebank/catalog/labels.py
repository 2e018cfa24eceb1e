"""QR labels: what a phone reads on a thing, and a sheet of 24 to print."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import segno

from sharebank.catalog.service import Thing

A_SHEET = 24
"""3 × 8 labels of 70 × 37 mm on A4."""


def qr_svg(text: str) -> bytes:
    """A QR code, black on white whatever the page's colours; a scratch over 15 % of it does no harm."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", border=2, light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    return out.getvalue()


def qr_data(text: str) -> str:
    """The same as an address that holds the picture: a sheet of them asks the server nothing more."""
    return f"data:image/svg+xml;base64,{base64.b64encode(qr_svg(text)).decode()}"


def places(things: Sequence[Thing], start: int) -> list[Thing | None]:
    """The places of the sheets in reading order; `start` (from 1) leaves those before it empty."""
    return [*(None for _ in range(start - 1)), *things]
