"""For any WSGI server: `wsgi:app`. `sharebank serve` needs no such file."""

from __future__ import annotations

from sharebank.app import create_app

app = create_app()
