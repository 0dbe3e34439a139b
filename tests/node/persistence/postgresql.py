"""A PostgreSQL server of Debian's, for one test session: in a temporary directory, on a socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, inspect, text

from tests.new_databases import COPIES
from tests.required import unavailable

_BIN = Path("/usr/lib/postgresql")


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database on a running server; the test is skipped if there is none."""
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
            yield f"postgresql+psycopg://m3node@/postgres?host={home}"
        finally:
            _call(as_user, bin_ / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home)


def emptied(url: str) -> str:
    """The server's database without a row in it; without a table where tests ask for `migrates`."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        if COPIES.leave_tables() and "alembic_version" in tables:
            filled = ", ".join(f'"{name}"' for name in tables if name != "alembic_version")
            connection.execute(text(f"TRUNCATE {filled} RESTART IDENTITY CASCADE"))
        else:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


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
