"""A load client that leaves the cores to the server: raw sockets kept open, one loop, as little parsing as can be."""

from __future__ import annotations

import itertools
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

END = b"\r\n\r\n"
VISIT = 20
"""Requests a visitor makes before the next one comes, on a new connection: a worker does not keep the same ones."""


class BadAnswer(Exception):
    """The server answered something else than was expected; carries the beginning of it."""


@dataclass(slots=True)
class Timing:
    """How long each answer took (seconds), and how long they took together."""

    times: list[float] = field(default_factory=list)
    elapsed: float = 0.0

    def at(self, share: float) -> float:
        """The time in ms that a share of the answers stayed within."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("nan")

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.elapsed if self.elapsed else 0.0


@dataclass(slots=True)
class _Line:
    """One connection and the answer it waits for."""

    socket: socket.socket
    since: float = 0.0
    asked: int = 0
    answer: bytearray = field(default_factory=bytearray)
    length: int = -1


def request(
    port: int, path: str, headers: dict[str, str] | None = None, body: bytes | None = None, method: str = ""
) -> bytes:
    """An HTTP request as it goes over the wire."""
    lines = [f"{method or ('GET' if body is None else 'POST')} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + END + (body or b"")


def fetch(port: int, message: bytes) -> tuple[int, bytes, bytes]:
    """Status, headers and body of one answer."""
    with socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(message)
        answer = bytearray()
        while not _complete(answer):
            piece = line.recv(1 << 18)
            if not piece:
                break
            answer += piece
    head, _, body = bytes(answer).partition(END)
    return int(head[9:12]), head, body


def _complete(answer: bytearray) -> bool:
    head = answer.find(END)
    return head >= 0 and len(answer) >= head + 4 + _length(answer, head)


def _length(answer: bytearray, head: int) -> int:
    at = answer.lower().find(b"content-length:", 0, head)
    if at < 0:
        raise BadAnswer(bytes(answer[:300]))
    return int(answer[at + 15 : answer.find(b"\r\n", at)])


def load(port: int, messages: Iterator[bytes], clients: int, seconds: float, expect: int, warm: float = 0.5) -> Timing:
    """Keep `clients` connections busy for a while; what comes in the first `warm` seconds is not counted.

    Raises BadAnswer as soon as an answer has another status than `expect`.
    """
    status = b"HTTP/1.1 %d" % expect
    selector, timing = selectors.DefaultSelector(), Timing()
    now = time.perf_counter()
    counted, until = now + warm, now + warm + seconds
    for _ in range(clients):
        _send(_open(port, selector), messages)
    busy = clients
    while busy:
        for key, _ in selector.select(30) or _nothing():
            line = key.data
            if not _receive(line):
                continue
            now = time.perf_counter()
            if not line.answer.startswith(status):
                raise BadAnswer(bytes(line.answer[:1500]).decode(errors="replace"))
            if line.since >= counted and now <= until:
                timing.times.append(now - line.since)
            if now >= until or line.asked == VISIT:
                selector.unregister(line.socket)
                line.socket.close()
            if now >= until:
                busy -= 1
            elif line.asked == VISIT:
                _send(_open(port, selector), messages)
            else:
                _send(line, messages)
    timing.elapsed = seconds
    return timing


def _open(port: int, selector: selectors.BaseSelector) -> _Line:
    line = _Line(socket.create_connection(("127.0.0.1", port), 30))
    line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    selector.register(line.socket, selectors.EVENT_READ, line)
    return line


def _nothing() -> list[tuple[selectors.SelectorKey, int]]:
    raise BadAnswer("no answer within 30 seconds")


def _send(line: _Line, messages: Iterator[bytes]) -> None:
    line.answer.clear()
    line.length = -1
    line.asked += 1
    message = next(messages)
    line.since = time.perf_counter()
    line.socket.sendall(message)


def _receive(line: _Line) -> bool:
    """Take what has come; is the answer whole?"""
    piece = line.socket.recv(1 << 18)
    if not piece:
        raise BadAnswer(f"the server hung up after {bytes(line.answer[:300])!r}")
    line.answer += piece
    if line.length < 0:
        head = line.answer.find(END)
        if head < 0:
            return False
        line.length = head + 4 + _length(line.answer, head)
    return len(line.answer) >= line.length


def again(message: bytes) -> Iterator[bytes]:
    """The same request for ever."""
    return itertools.repeat(message)
