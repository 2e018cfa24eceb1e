"""Two pages of one process write while the clock writes: none waits for what the other holds."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

from flask import Flask

from sharebank.core import turns
from sharebank.core.db import db, transaction
from tests.conftest import make_app

SECONDS = 20


def busy(file: Path) -> bool:
    """Has somebody this lock?"""
    with file.open("a") as own:
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_who_stepped_aside_gets_its_turn_back(sqlite_url: str, tmp_path: Path, frozen: None) -> None:
    """The first page has the file and wants its turn; the second must not wait for the file with that turn."""
    app = make_app(sqlite_url, tmp_path)
    file = Path(f"{sqlite_url.removeprefix('sqlite:///')}.turn")
    clock_writes, asks, let_go = (threading.Event() for _ in range(3))

    def clock(app: Flask) -> None:
        with app.app_context(), transaction():
            clock_writes.set()
            let_go.wait(SECONDS)

    def first(app: Flask) -> None:
        with app.app_context(), turns.taken():
            asks.set()
            with transaction():
                pass

    def second(app: Flask) -> None:
        with app.app_context(), turns.taken():
            let_go.set()
            while not busy(file):  # until the first one has it
                pass
            with transaction():
                pass

    threads = [threading.Thread(target=work, args=(app,), daemon=True) for work in (clock, first, second)]
    threads[0].start()
    assert clock_writes.wait(SECONDS)
    threads[1].start()
    assert asks.wait(SECONDS)
    while turns._turn.locked():  # until it stepped aside
        pass
    threads[2].start()
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    with app.app_context():
        db.engine.dispose()
