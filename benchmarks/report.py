"""The figures as lines, and beside them what they have to reach."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks import pooling
from benchmarks.client import Timing
from benchmarks.measures import Figure, Weight

HEAD = f"{'':34}{'clients':>8}{'p50 ms':>9}{'p95 ms':>9}{'a second':>10}{'CPU ms':>8}   beside the floor (p50, rate)"
PAGE, INSERT = "an empty Flask page", "one raw locked insert"
CALENDAR = "1,000 events of a calendar, again"
BOOKINGS = ("booking, by staff", "request, by a member")
SMALL, LARGE = 10_000, 1_000_000


@dataclass
class Findings:
    """Everything measured in one run."""

    figures: list[Figure] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    ratios: dict[tuple[str, str], float] = field(default_factory=dict)
    """By database and view: how many times as long it takes at a million as at ten thousand."""
    imports: dict[str, float] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)

    def add(self, figure: Figure) -> Figure:
        """Keep a figure, and print it beside its floor."""
        self.figures.append(figure)
        print(line(figure, self.figures), flush=True)
        return figure


class Target(NamedTuple):
    """A figure that has to be reached: by the median of its rounds; and what the best of them was."""

    what: str
    limit: str
    found: str
    reached: bool
    best: str = ""
    reached_once: bool = False


def line(figure: Figure, all_figures: Sequence[Figure]) -> str:
    """One figure beside its floor."""
    timing = figure.timing
    where = f"{figure.database} {figure.size}, " if figure.size else f"{figure.database} " if figure.database else ""
    text = (
        f"{where + figure.what:<42}{figure.clients:>2}{timing.at(0.5):>7.2f}{timing.at(0.95):>9.2f}{timing.rate:>10.0f}"
    )
    text += f"{figure.cpu_ms:>8.2f}" if figure.cpu_ms else " " * 8
    floors = [_floor(figure, all_figures, PAGE)]
    if figure.what in BOOKINGS:
        floors.append(_floor(figure, all_figures, INSERT))
    ratios = [
        f"{timing.at(0.5) / floor.timing.at(0.5):.1f} x {floor.what}, {timing.rate / floor.timing.rate:.0%} of its rate"
        for floor in floors
        if floor and floor is not figure and figure.what not in (PAGE, INSERT) and figure.cpu_ms
    ]
    return f"{text}   {'; '.join(ratios)}".rstrip()


def _floor(figure: Figure, all_figures: Sequence[Figure], what: str) -> Figure | None:
    return next(
        (
            floor
            for floor in all_figures
            if floor.what == what and floor.clients == figure.clients and floor.database in ("", figure.database)
        ),
        None,
    )


SPEED = (
    # what, milliseconds p50 for one client, answers a second for eight
    ("day", 4, 500),
    ("week", 6, 350),
    ("month", 12, None),
    ("booking, by staff", 4, 600),
    ("search, service alone", 5, None),
    ("series of 400, previewed", 60, None),
    ("series of 400, booked", 150, None),
)


def targets(findings: Findings) -> Iterator[Target]:
    """Every target with what was found."""
    found: dict[tuple[str, int, str, int], list[Timing]] = defaultdict(list)
    for figure in findings.figures:
        found[figure.database, figure.size, figure.what, figure.clients].append(figure.timing)
    places = sorted({(f.database, f.size) for f in findings.figures if f.size})
    for database, size in places:
        for what, ms, rate in SPEED:
            label = f"{database} {size}, {what}"
            p50s = [timing.at(0.5) for timing in found[database, size, what, 1]]
            said = [f"{value:.2f} ms" for value in (statistics.median(p50s), min(p50s))]
            held = [value <= ms for value in (statistics.median(p50s), min(p50s))]
            yield Target(f"{label}, p50 for 1 client", f"<= {ms} ms", said[0], held[0], said[1], held[1])
            if rate:
                rates = [timing.rate for timing in found[database, size, what, 8]]
                said = [f"{value:.0f}/s" for value in (statistics.median(rates), max(rates))]
                held = [value >= rate for value in (statistics.median(rates), max(rates))]
                yield Target(f"{label}, rate for 8 clients", f">= {rate}/s", said[0], held[0], said[1], held[1])
    for figure in findings.figures:
        if figure.what == CALENDAR:
            p50 = figure.timing.at(0.5)
            yield Target(f"{figure.database} {figure.size}, {CALENDAR}", "<= 30 ms", f"{p50:.2f} ms", p50 <= 30)
    for (database, view), ratio in findings.ratios.items():
        yield Target(f"{database}, {view}, 1 million / 10 thousand", "<= 1.2", f"{ratio:.2f}", ratio <= 1.2)
    for database, seconds in findings.imports.items():
        yield Target(f"{database}, import of 10,000 reservations", "<= 10 s", f"{seconds:.1f} s", seconds <= 10)
    for (database, size, what, _clients), [timing, *_] in found.items():
        if what in pooling.TARGETS:
            p50, ms = timing.at(0.5), pooling.TARGETS[what]
            yield Target(f"{database} {size}, {what}, p50", f"<= {ms} ms", f"{p50:.2f} ms", p50 <= ms)
    for database, seconds in findings.prices.items():
        yield Target(f"{database}, price list of 20,000 articles", "<= 10 s", f"{seconds:.1f} s", seconds <= 10)
    if findings.memory:
        most = max(findings.memory)
        yield Target("memory of a worker", "<= 120 MB", f"{most:.0f} MB", most <= 120)
    for weight in findings.weights:
        label = f"{weight.what} planning, {weight.size}"
        yield Target(f"{label}", "<= 60 kB", f"{weight.bytes / 1000:.1f} kB", weight.bytes <= 60_000)
        zipped = weight.compressed
        yield Target(f"{label}, compressed", "<= 8 kB", f"{zipped / 1000:.1f} kB", zipped <= 8_000)
        yield Target(f"{label}, requests", "<= 6", str(weight.requests), weight.requests <= 6)


def verdict(findings: Findings) -> int:
    """Print every target; 1 when one is missed."""
    every = list(targets(findings))
    print(f"{'':56}{'to reach':>10}{'found':>11}{'best round':>12}")
    for target in every:
        word = "ok" if target.reached else "not, but in its best round" if target.reached_once else "NOT"
        print(f"{target.what:<56}{target.limit:>10}{target.found:>11}{target.best:>12}  {word}")
    missed = [target for target in every if not target.reached]
    never = sum(not target.reached_once for target in missed)
    said = (
        f"{len(missed)} targets are missed, {never} of them in every round." if missed else "Every target is reached."
    )
    print(f"\n{said}")
    return 1 if missed else 0
