"""Numbers that people are told are never given again, not even after an erasure.

SQLite gives the number after the highest that is there; with AUTOINCREMENT, that ever was.  Which a
table can only be made with, so that it is copied.  PostgreSQL's sequences never go back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

TABLES = ("job", "delivery", "fetch")


def upgrade() -> None:
    """Copy the tables, keep every row."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for table in TABLES:
            _copy(connection, table)


def _copy(connection: sa.Connection, table: str) -> None:
    made = connection.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table"),
        {"table": table},
    ).scalar_one()
    indexes = connection.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table"),
        {"table": table},
    ).scalars()
    again = [sql for sql in indexes if sql is not None]  # those of constraints come with the table
    body = made[made.index("(") :]
    for old, new in (
        ("\tid INTEGER NOT NULL,", "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"),
        (f"CONSTRAINT pk_{table} PRIMARY KEY (id),", ""),
    ):
        if body.count(old) != 1:
            raise RuntimeError(f"table {table} is not as the steps before have made it")
        body = body.replace(old, new)
    connection.exec_driver_sql(f'CREATE TABLE "numbered" {body}')
    connection.exec_driver_sql(f'INSERT INTO "numbered" SELECT * FROM "{table}"')
    connection.exec_driver_sql(f'DROP TABLE "{table}"')
    connection.exec_driver_sql(f'ALTER TABLE "numbered" RENAME TO "{table}"')
    for sql in again:
        connection.exec_driver_sql(sql)
