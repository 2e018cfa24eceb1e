"""`python -m benchmarks`: loads databases of several sizes, measures every page and call, says what is reached."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from benchmarks import loading, measures, pooling, report
from benchmarks.measures import Figure
from benchmarks.report import LARGE, SMALL, Findings
from benchmarks.serving import serving
from benchmarks.town import Town
from tests import servers

SIZES = {"10k": SMALL, "100k": 100_000, "1m": LARGE}
DATABASES = ("sqlite", "postgresql")


def main() -> int:
    """Measure, print, and answer 1 when a target is missed."""
    args = _arguments()
    folder = servers.make_run_folder(on_disk=True)
    try:
        findings = _measure(args, folder)
    finally:
        servers.end_run(folder)
    print()
    return report.verdict(findings)


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
        towns = {size: _one(args, findings, folder, database, size) for size in args.sizes}
        if SMALL in towns and LARGE in towns:
            _compare(findings, folder, database, towns[SMALL])
        for size in args.sizes:
            _drop(folder, database, _name(size))
        if not args.no_import:
            url = _empty(folder, database, "imported")
            town = loading.prepare(measures.application(url, folder), url, folder)
            findings.imports[database] = measures.import_seconds(url, town, folder)
            print(f"# {database}: {measures.IMPORTED} reservations imported in {findings.imports[database]:.1f} s")
    return findings


def _name(size: int) -> str:
    return f"bench_{size}"


def _one(args: argparse.Namespace, findings: Findings, folder: Path, database: str, size: int) -> Town:
    """One database of one size: load it and measure."""
    since = time.perf_counter()
    url = _empty(folder, database, _name(size))
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
    return town


def _compare(findings: Findings, folder: Path, database: str, town: Town) -> None:
    """The same pages with much history and with little; both databases have the same town and the same window."""
    urls = [_url(folder, database, _name(size)) for size in (SMALL, LARGE)]
    signed = measures.cookie(measures.application(urls[0], folder))
    with serving("app", urls[0], folder) as little, serving("app", urls[1], folder) as much:
        for view, ratio in measures.in_turn(little, much, town, signed):
            findings.ratios[database, view] = ratio
            print(f"# {database}: {view}, asked in turn, takes {ratio:.2f} x at 1 million", flush=True)


def _url(folder: Path, database: str, name: str) -> str:
    if database == "sqlite":
        return f"sqlite:///{folder / name / 'sharebank.db'}"
    return servers.postgres_url(folder, name)


def _empty(folder: Path, database: str, name: str) -> str:
    """The address of a database without tables."""
    if database == "sqlite":
        (folder / name).mkdir()
    else:
        _sql(folder, f"CREATE DATABASE {name} TEMPLATE template0")
    return _url(folder, database, name)


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
