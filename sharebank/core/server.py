"""The web server: gunicorn inside this program, and the scheduler beside it."""

from __future__ import annotations

import gc
import math
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from sharebank.core import turns

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LARGEST_BODY = 48_000_000
"""Bytes any request may carry; most pages take fewer."""
IN_MEMORY = 1 << 20
"""A larger body waits for its turn in a file."""

RESTART_SECONDS = 5
"""A scheduler that ended is started again, not more often than this."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve: `workers` processes of `threads` threads each, and the `scheduler` command beside them."""

    host: str
    port: int
    workers: int
    threads: int
    scheduler: tuple[str, ...] | None

    def gunicorn(self) -> dict[str, Any]:
        """The same as gunicorn's own settings."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        memory = Path("/dev/shm")  # noqa: S108  # workers' signs of life; on a slow disk they would look dead
        return {
            "bind": f"{host}:{self.port}",
            "workers": self.workers,
            "threads": self.threads,
            "worker_class": "gthread",
            # Each worker makes its own application, so that no database connection is shared across a fork.
            "preload_app": False,
            "graceful_timeout": 30,
            "timeout": 60,
            "keepalive": 5,
            "accesslog": None,
            "loglevel": "warning",
            "control_socket_disable": True,
            "worker_tmp_dir": str(memory) if memory.is_dir() else None,
            "when_ready": lambda _: click.echo(f"sharebank serves on http://{host}:{self.port}"),
        }


def in_turn(answer: WSGIApplication, largest: int = LARGEST_BODY) -> WSGIApplication:
    """Let the threads of one process answer one at a time.

    An interpreter runs one thread at a time anyway: four that answer at once only take it from each other, and a
    booking then holds the database's lock while it waits for the interpreter. What may take long is left outside:
    the body is read before (at most one byte more than is taken), the answer is sent after.
    """

    def answer_in_turn(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with SpooledTemporaryFile(IN_MEMORY) as body:
            coming, left = environ["wsgi.input"], largest + 1
            while left and (piece := coming.read(min(left, IN_MEMORY))):
                left -= body.write(piece)
            body.seek(0)
            environ["wsgi.input"] = body
            with turns.taken():
                return answer(environ, start_response)

    return answer_in_turn


class _Application(BaseApplication):
    """What gunicorn serves: the application, made in each worker."""

    def __init__(self, create: Callable[[], Flask], serving: Serving) -> None:
        self.create = create
        self.serving = serving
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.serving.gunicorn().items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        app = self.create()
        # What is there now stays: looked at again by every collection, it took one in fifteen samples of a busy worker.
        gc.collect()
        gc.freeze()
        gc.set_threshold(3_000, 10, 3)
        # With PostgreSQL threads wait for a server of its own, for locks too: there they had better not take turns.
        on_sqlite = app.config.get("SQLALCHEMY_DATABASE_URI", "").startswith("sqlite")
        return in_turn(app.wsgi_app) if on_sqlite else app


class _Master(Arbiter):
    """gunicorn's master process, which also keeps one scheduler alive, in a process of its own."""

    def __init__(self, application: _Application, command: tuple[str, ...]) -> None:
        self.command = command
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.started = -math.inf
        super().__init__(application)

    def manage_workers(self) -> None:
        """Called about every second by the master's loop."""
        super().manage_workers()
        running = self.scheduler is not None and self.scheduler.poll() is None
        if not running and time.monotonic() - self.started >= RESTART_SECONDS:
            # A new program rather than a fork: nothing of the master's state comes along.
            self.scheduler = subprocess.Popen(self.command)  # noqa: S603
            self.started = time.monotonic()

    def stop(self, graceful: bool = True) -> None:
        """End the scheduler with the workers."""
        if self.scheduler is not None:
            self.scheduler.terminate()
        super().stop(graceful)


def serve(create: Callable[[], Flask], serving: Serving) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C); requests under way are answered first."""
    application = _Application(create, serving)
    master = _Master(application, serving.scheduler) if serving.scheduler else Arbiter(application)
    master.run()
