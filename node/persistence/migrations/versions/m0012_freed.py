"""Files may be freed while their rows stay, and studies erased."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_ON_DISK = "freed_at IS NULL"
_FREED = "freed_at IS NOT NULL"


def upgrade() -> None:
    """Add columns and tables, keep every row."""
    time = sa.DateTime(timezone=True)
    for table in ("instance", "artifact"):
        op.add_column(table, sa.Column("freed_at", time, nullable=True))
        _partial(f"ix_{table}_path", table, ["path"], _ON_DISK)
        _partial(f"ix_{table}_on_disk", table, ["study_instance_uid", "size"], _ON_DISK)
        _partial(f"ix_{table}_freed", table, ["study_instance_uid"], _FREED)
    op.create_table(
        "removal",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("since", time, nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_removal")),
    )
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("study_digest", sa.Text(), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("results", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_index("ix_erasure_study_digest", "erasure", ["study_digest"])


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
    )
