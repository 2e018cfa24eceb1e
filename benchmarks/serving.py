"""The server that is measured, as `sharebank serve` runs it: two workers; or, on the same server, an empty page."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from config import ROOT, Settings
from sharebank.app import create_app
from sharebank.core.server import Serving, serve

WORKERS, THREADS = 2, 4
SECRET = secrets.token_urlsafe(48)


@dataclass(frozen=True, slots=True)
class Server:
    """A server under way."""

    port: int
    process: int

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        return [int(child) for child in Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()]

    def cpu_seconds(self) -> float:
        """What the workers have used of the processors so far."""
        fields = [Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split() for worker in self.workers]
        return sum(int(own[11]) + int(own[12]) for own in fields) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> list[float]:
        """Memory of each worker, what it shares with others divided among them (PSS)."""
        found = []
        for worker in self.workers:
            lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
            found.append(next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024)
        return found


def settings(url: str, folder: Path, port: int = 5000) -> dict[str, str]:
    """The environment of an installation."""
    return {
        "SHAREBANK_DATABASE_URL": url,
        "SHAREBANK_SECRET_KEY": SECRET,
        "SHAREBANK_BASE_URL": f"http://127.0.0.1:{port}",
        "SHAREBANK_MAIL_URL": f"file:{folder / 'mail'}",
    }


@contextmanager
def serving(what: str, url: str, folder: Path) -> Iterator[Server]:
    """Serve `app` or `floor` while the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.serving", what, str(port), str(folder)]
    environ = {**os.environ, **settings(url, folder, port), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if "serves" not in process.stdout.readline():
            raise RuntimeError(f"the {what} server did not start")
        yield Server(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _app(folder: Path) -> Flask:
    return create_app(Settings.from_environ(os.environ, folder / "instance"))


def _floor() -> Flask:
    app = Flask("floor")
    app.add_url_rule("/", "page", lambda: "")
    return app


if __name__ == "__main__":
    what, port, folder = sys.argv[1:]
    create = {"app": lambda: _app(Path(folder)), "floor": _floor}[what]
    serve(create, Serving("127.0.0.1", int(port), WORKERS, THREADS, None))
