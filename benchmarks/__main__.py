"""`python -m benchmarks`: loads databases of several sizes, measures every page and call, says what is reached."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from benchmarks import loading, measures, pooling, report
from benchmarks.measures import Figure, Weight
from benchmarks.serving import serving
from tests import servers

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
DATABASES = ("sqlite", "postgresql")


@dataclass
class Findings:
    """Everything measured in one run."""

    figures: list[Figure] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    imports: dict[str, float] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)

    def add(self, figure: Figure) -> Figure:
        self.figures.append(figure)
        print(report.line(figure, self.figures), flush=True)
        return figure


def main() -> int:
    """Measure, print, and answer 1 when a target is missed."""
    args = _arguments()
    folder = servers.make_run_folder(on_disk=True)
    try:
        findings = _measure(args, folder)
    finally:
        servers.end_run(folder)
    print()
    return report.verdict(findings.figures, findings.weights, findings.imports, findings.prices, findings.memory)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", help=f"of {','.join(SIZES)}, by default all; without the last when --quick")
    parser.add_argument("--databases", default=",".join(DATABASES), help="of %(default)s")
    parser.add_argument("--quick", action="store_true", help="one second a measure")
    parser.add_argument("--seconds", type=float, default=3.0, help="a measure")
    parser.add_argument("--no-import", action="store_true", help="leave the import out")
    args = parser.parse_args()
    if args.quick:
        args.seconds = 1.0
    names = args.sizes.split(",") if args.sizes else list(SIZES)[: 2 if args.quick else 3]
    args.sizes = [SIZES[name] for name in names]
    args.databases = args.databases.split(",")
    return args


def _measure(args: argparse.Namespace, folder: Path) -> Findings:
    findings = Findings()
    print(f"# load of the machine before: {os.getloadavg()[0]:.1f}; the figures count on one that is at rest")
    print(report.HEAD)
    for figure in measures.floor_page(folder, f"sqlite:///{folder}/floor.db", args.seconds):
        findings.add(figure)
    for database in args.databases:
        if database == "postgresql":
            servers.ensure_postgres(folder, os.getpid(), durable=True)
        for size in args.sizes:
            _one(args, findings, folder, database, size)
        if not args.no_import:
            url = _empty(folder, database, "imported")
            town = loading.prepare(measures.application(url, folder), url, folder)
            findings.imports[database] = measures.import_seconds(url, town, folder)
            print(f"# {database}: {measures.IMPORTED} reservations imported in {findings.imports[database]:.1f} s")
    return findings


def _one(args: argparse.Namespace, findings: Findings, folder: Path, database: str, size: int) -> None:
    """One database of one size: load, measure, throw away."""
    since = time.perf_counter()
    url = _empty(folder, database, f"bench_{size}")
    app = measures.application(url, folder)
    town = loading.prepare(app, url, folder)
    loading.load(url, town, size)
    print(f"# {database}, {size}: loaded in {time.perf_counter() - since:.0f} s", flush=True)
    if size == args.sizes[0]:
        for figure in measures.floor_insert(database, url, args.seconds):
            findings.add(figure)
        timing = measures.calendar_service(app, town, 50)
        findings.add(Figure(database, size, report.CALENDAR, 1, timing, 0.0))
    timing = measures.search_service(app, town, 200)
    findings.add(Figure(database, size, "search, service alone", 1, timing, 0.0))
    for what, timing in measures.series_service(app, town, 10):
        findings.add(Figure(database, size, what, 1, timing, 0.0))
    if size == args.sizes[0]:
        findings.prices[database] = pooling.import_seconds(url, folder)
        print(f"# {database}: {pooling.LISTED} articles imported in {findings.prices[database]:.1f} s", flush=True)
        with app.app_context(), measures.transaction() as session:
            pooling.build(session, town.now)
    with serving("app", url, folder) as server:
        if size == args.sizes[0]:
            for what, timing in pooling.timings(server, measures.cookie(app), 40):
                findings.add(Figure(database, size, what, 1, timing, 0.0))
        if database == args.databases[0]:
            findings.weights += measures.weights(size, town, app, server)
        for figure in measures.http(database, size, town, app, server, args.seconds):
            findings.add(figure)
        findings.memory += server.megabytes()
    with app.app_context():
        measures.db.engine.dispose()
    _drop(folder, database, f"bench_{size}")


def _empty(folder: Path, database: str, name: str) -> str:
    """The address of a database without tables."""
    if database == "sqlite":
        (folder / name).mkdir()
        return f"sqlite:///{folder / name / 'sharebank.db'}"
    _sql(folder, f"CREATE DATABASE {name} TEMPLATE template0")
    return servers.postgres_url(folder, name)


def _drop(folder: Path, database: str, name: str) -> None:
    if database == "sqlite":
        shutil.rmtree(folder / name)
    else:
        _sql(folder, f"DROP DATABASE {name} WITH (FORCE)")


def _sql(folder: Path, statement: str) -> None:
    engine = create_engine(servers.postgres_url(folder), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


if __name__ == "__main__":
    sys.exit(main())
