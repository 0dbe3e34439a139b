"""A PostgreSQL server of Debian's, for one test session: in a temporary directory, on a socket."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.required import unavailable

_BIN = Path("/usr/lib/postgresql")


@contextmanager
def server() -> Iterator[str]:
    """The URL of a running server, to which a database's name is added; skips if there is none."""
    versions = sorted(_BIN.glob("*/bin/initdb"))
    if not versions:
        unavailable(
            "no PostgreSQL here: apt-get install postgresql (the store is tested on SQLite)"
        )
    bin_ = versions[-1].parent
    # A socket's path has at most 107 characters, so not under pytest's directory.
    home = Path(tempfile.mkdtemp(prefix="m3pg"))
    try:
        as_user = _unprivileged(home)
        data = home / "data"
        _call(as_user, bin_ / "initdb", "-D", data, "-U", "m3node", "-A", "trust", "-E", "UTF8")
        options = f"-k {home} -c listen_addresses= -c fsync=off -c max_connections=60"
        log = home / "log"
        _call(as_user, bin_ / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield f"postgresql+psycopg://m3node@/{{database}}?host={home}"
        finally:
            _call(as_user, bin_ / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home)


def new_database(server_url: str) -> str:
    """The URL of a new, empty database."""
    name = f"m3node_{uuid.uuid4().hex}"
    engine = create_engine(server_url.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server_url.format(database=name)


def _unprivileged(home: Path) -> list[str]:
    """PostgreSQL refuses to run as root; Debian's package makes a user for it."""
    if os.geteuid() != 0:
        return []
    shutil.chown(home, user="postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _call(prefix: list[str], *command: object) -> None:
    done = subprocess.run(
        [*prefix, *map(str, command)],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}"
