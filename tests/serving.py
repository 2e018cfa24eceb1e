"""The real server, as `sharebank serve` starts it, in a process group of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECRET = "served-0aG7Kp2Wq9ZtBx5Rm3VnLc8YdEf6HsJu1TiO"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Served:
    """Two workers on loopback, over one database; `module` may be another that ends in the same command line."""

    def __init__(self, url: str, folder: Path, *, module: str = "sharebank", port: int | None = None) -> None:
        self.port = port or free_port()
        environ = {
            **os.environ,
            "SHAREBANK_DATABASE_URL": url,
            "SHAREBANK_SECRET_KEY": SECRET,
            "SHAREBANK_MAIL_URL": f"file:{folder}/mail",
        }
        command = [sys.executable, "-m", module, "serve", "--no-scheduler", "--workers", "2", "--port", str(self.port)]
        with (folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"sharebank serves on http://127.0.0.1:{self.port}\n"

    def kill(self) -> None:
        """kill -9, master and workers at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Client:
    """A program that books over one connection."""

    def __init__(self, port: int, token: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, body: dict[str, Any]) -> tuple[int, Any]:
        """POST /api/v1/reservations; the status and what was answered."""
        self.connection.request("POST", "/api/v1/reservations", json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


def post_all(port: int, token: str, bodies: Iterable[dict[str, Any]]) -> list[tuple[int, Any]]:
    """One client's share, one after the other."""
    client = Client(port, token)
    return [client.post(body) for body in bodies]
