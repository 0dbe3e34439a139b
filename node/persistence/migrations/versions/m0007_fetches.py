"""What is missing of a study is asked of sources."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_OPEN = "state IN ('queued', 'running')"
_RUNNING = "state = 'running'"
_SETTLED = "state IN ('done', 'dead', 'cancelled')"


def upgrade() -> None:
    """Change the tables, keep every row."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "fetch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", time, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", time, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("settled_at", time, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("by_itself", sa.Boolean(), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'dead', 'cancelled')",
            name=op.f("ck_fetch_state"),
        ),
        sa.CheckConstraint(
            "(state IN ('running')) = (lease_until IS NOT NULL)", name=op.f("ck_fetch_lease")
        ),
        sa.CheckConstraint(
            "(state IN ('running')) = (owner IS NOT NULL)", name=op.f("ck_fetch_owner")
        ),
        sa.CheckConstraint(
            f"({_SETTLED}) = (settled_at IS NOT NULL)", name=op.f("ck_fetch_settled")
        ),
        sa.CheckConstraint("tries BETWEEN 0 AND max_attempts", name=op.f("ck_fetch_tries")),
        sa.CheckConstraint("attempt >= tries", name=op.f("ck_fetch_attempt")),
        sa.CheckConstraint(
            "(state = 'done') = (findings IS NOT NULL)", name=op.f("ck_fetch_findings")
        ),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["study.study_instance_uid"],
            name=op.f("fk_fetch_study_instance_uid"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetch")),
    )
    op.create_index("ix_fetch_state", "fetch", ["state", "id"])
    op.create_index("ix_fetch_created_at", "fetch", ["created_at"])
    op.create_index("ix_fetch_study_instance_uid", "fetch", ["study_instance_uid"])
    _partial("ix_fetch_open", ["source", "state", "not_before"], _OPEN)
    _partial("ix_fetch_running", ["state", "lease_until"], _RUNNING)
    _partial("uq_fetch_of_study", ["study_instance_uid"], _OPEN, unique=True)


def _partial(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(
        name,
        "fetch",
        columns,
        unique=unique,
        postgresql_where=sa.text(where),
        sqlite_where=sa.text(where),
    )
