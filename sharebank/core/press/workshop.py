"""Run by the press as a program of its own: a job as JSON on stdin, sheets on stdout. Imports nothing of ours."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Set one document."""
    import typst  # noqa: PLC0415  # here only: nobody else pays for it

    job = json.load(sys.stdin.buffer)
    with tempfile.TemporaryDirectory() as empty:
        compiler = typst.Compiler(
            Path(__file__).with_name("document.typ").read_bytes(),
            root=empty,
            font_paths=typst.Fonts(include_system_fonts=False, include_embedded_fonts=True),
            ignore_system_fonts=True,
            sys_inputs={"data": job["data"]},
            package_path=empty,
            package_cache_path=empty,
        )
        made: Any = compiler.compile(
            format=job["form"],
            ppi=110,
            pdf_standards=["ua-1"] if job["form"] == "pdf" else [],
            timestamp=job["at"],
        )
    for sheet in made if isinstance(made, list) else [made]:
        sys.stdout.buffer.write(b"%d\n" % len(sheet) + sheet)


if __name__ == "__main__":
    main()
