"""A database of SQLite as a program of an earlier version would have left it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from node.persistence.upgrading import MIGRATIONS


def make_earlier(file: Path, revision: str) -> None:
    """The rows of the database, which nobody has open, are in the tables of that revision."""
    old = file.with_suffix(".earlier")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{old}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(old)) as database:
        database.execute("ATTACH ? AS today", [str(file)])
        for (table,) in database.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " AND name <> 'alembic_version'"
        ).fetchall():
            kept = _columns(database, "main", table) & _columns(database, "today", table)
            names = ", ".join(f'"{name}"' for name in sorted(kept))
            database.execute(
                f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM today."{table}"'
            )
        database.commit()
    old.replace(file)


def revision_of(file: Path) -> str:
    """The revision that it is at."""
    with closing(sqlite3.connect(file)) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _columns(database: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {row[1] for row in database.execute(f'PRAGMA {schema}.table_info("{table}")')}
