"""For the proof of the letters: a mail server with faults, and processes that deliver until they are killed."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import time
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

POSTMEN = 4
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.prove.postmen", "tests.conftest", "sharebank.notifications.delivery"])


class _OnAnyPort(Controller):
    """aiosmtpd asks the port it was given whether it answers: of port 0 it must learn which one it became."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()


class MailServer:
    """Takes letters on loopback; one in ten meets a fault: told to come back, hung up on, or its reply lost."""

    def __init__(self, faults: float) -> None:
        self.faults = faults
        self.chance = random.Random(7)
        self.taken: Counter[str] = Counter()
        """How often each Message-ID was taken."""
        self.readers: dict[str, set[str]] = defaultdict(set)
        self.met: Counter[str] = Counter()
        self.controller = _OnAnyPort(self, hostname="127.0.0.1", port=0)

    def __enter__(self) -> MailServer:
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.controller.port}?tls=none"

    def _fault(self) -> str:
        fault = self.chance.choice(("later", "hangs up", "lost reply")) if self.chance.random() < self.faults else ""
        self.met[fault] += 1
        return fault

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        fault = self._fault()
        if fault == "later":
            return "451 come back later"
        if fault != "hangs up":
            head = bytes(envelope.content or b"").partition(b"\r\n\r\n")[0].decode()
            (number,) = [line for line in head.splitlines() if line.lower().startswith("message-id:")]
            self.taken[number] += 1
            self.readers[number] |= set(envelope.rcpt_tos)
        if fault:
            assert server.transport is not None
            server.transport.abort()
        return "250 taken"


def carry(url: str, folder: str, mail_url: str, now: datetime) -> None:
    """What one postman does: deliver what is due at `now` until nothing is."""
    from sharebank.core.db import db
    from sharebank.notifications import delivery
    from tests.conftest import make_app

    app = make_app(url, Path(folder), SHAREBANK_MAIL_URL=mail_url)
    while any(delivery.deliver(app, now).values()):
        pass
    with app.app_context():
        db.engine.dispose()


class Round:
    """Postmen at work at one moment of time; those who are killed are replaced."""

    def __init__(self, url: str, folder: Path, server: MailServer, now: datetime) -> None:
        self.work = (url, str(folder), server.url, now)
        self.server = server
        self.names = itertools.count()
        self.team = [self._hire() for _ in range(POSTMEN)]

    def _hire(self) -> Any:
        postman = _context.Process(target=carry, args=self.work, name=f"postman {next(self.names)}")
        postman.start()
        return postman

    def until_done(self, kills: int, every: int, chance: random.Random) -> int:
        """Kill one of them each time `every` more letters were taken, at most `kills`; how many were killed."""
        killed, mark = 0, sum(self.server.taken.values()) + every
        while any(postman.is_alive() for postman in self.team):
            if killed < kills and sum(self.server.taken.values()) >= mark:
                mark = sum(self.server.taken.values()) + every
                victim = chance.choice([each for each in range(POSTMEN) if self.team[each].is_alive()] or [0])
                if self.team[victim].is_alive():
                    time.sleep(chance.random() * 0.01)  # anywhere between claiming and marking
                    os.kill(self.team[victim].pid, signal.SIGKILL)
                    self.team[victim].join()
                    killed += 1
                    self.team[victim] = self._hire()
            time.sleep(0.002)
        for postman in self.team:
            postman.join()
            assert postman.exitcode == 0, f"{postman.name} ended with {postman.exitcode}"
        return killed
