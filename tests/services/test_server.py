"""`sharebank serve`: pages, the scheduler beside them, and nothing left behind when it ends."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.request import urlopen

import pytest

from sharebank.core import server

PROGRAM = dedent("""\
    import os, sys, time
    from flask import Flask
    from sharebank.core import server

    def create():
        app = Flask("small")
        app.add_url_rule("/", "pid", view_func=lambda: str(os.getpid()))
        app.add_url_rule("/slow", "slow", view_func=lambda: time.sleep(1) or "whole")
        return app

    server.RESTART_SECONDS = 0.1
    port, pids = sys.argv[1:]
    beside = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\\\n'); parent = os.getppid()\\n" \\
             "while os.getppid() == parent: time.sleep(0.1)"
    server.serve(create, server.Serving("127.0.0.1", int(port), 2, 2, (sys.executable, "-c", beside, pids)))
    """)


def until(true: Callable[[], object], seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it did not come to pass"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


class Served:
    """A server under test."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.pids = folder / "schedulers"
        self.pids.touch()
        command = [sys.executable, "-c", PROGRAM, str(self.port), str(self.pids)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"sharebank serves on http://127.0.0.1:{self.port}\n"
        until(self.schedulers)
        self.worker = int(self.get("/"))

    def get(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def schedulers(self) -> list[int]:
        return [int(pid) for pid in self.pids.read_text().split()]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A small application, served."""
    served = Served(tmp_path)
    yield served
    for pid in (served.process.pid, *served.schedulers()):
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    served.process.wait()


def test_one_scheduler_runs_and_is_started_again(served: Served) -> None:
    assert len(served.schedulers()) == 1
    os.kill(served.schedulers()[0], signal.SIGKILL)
    until(lambda: len(served.schedulers()) == 2)
    assert alive(served.schedulers()[1])
    assert not alive(served.schedulers()[0])


def test_told_to_stop_it_answers_what_is_under_way(served: Served) -> None:
    slow = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from urllib.request import *; print(urlopen('http://127.0.0.1:{served.port}/slow').read())",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.6)
    served.process.terminate()
    assert served.process.wait(20) == 0
    assert slow.communicate(timeout=20)[0] == "b'whole'\n"
    until(lambda: not alive(served.schedulers()[0]))


def test_killed_it_leaves_no_process(served: Served) -> None:
    served.process.kill()
    until(lambda: not alive(served.worker) and not alive(served.schedulers()[0]))


def test_threads_of_a_process_answer_in_turn_but_read_together() -> None:
    inside, most = 0, 0
    arriving, sent = threading.Event(), threading.Event()

    def answer(environ: Any, _start: Any) -> list[bytes]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        body = environ["wsgi.input"].read()
        time.sleep(0)  # lets another thread try
        inside -= 1
        return [body]

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            arriving.set()
            assert sent.wait(20)
            return super().read(size)

    turns = server.in_turn(answer, largest=4)

    def ask(body: io.BytesIO) -> bytes:
        return b"".join(turns({"wsgi.input": body}, lambda *_: lambda _data: None))

    with ThreadPoolExecutor(9) as pool:
        slow = pool.submit(ask, Slow(b"slow"))
        assert arriving.wait(20)
        bodies = [bytes([number]) for number in range(200)]
        assert list(pool.map(ask, map(io.BytesIO, bodies))) == bodies, "an upload under way holds nobody up"
        sent.set()
        assert slow.result() == b"slow"
    assert most == 1
    assert ask(io.BytesIO(b"123456789")) == b"12345", "one byte more than is taken says that it is too much"
