"""Clients ask for analyses: work items that are no jobs yet."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_WAITING = "job_id IS NULL AND cancelled_at IS NULL"


def upgrade() -> None:
    """Add the table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "requested_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("fetch_id", sa.Integer(), nullable=True),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("cancelled_at", time, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "job_id IS NULL OR cancelled_at IS NULL", name=op.f("ck_requested_item_is_a_job")
        ),
        sa.CheckConstraint(
            "(cancelled_at IS NULL) = (reason IS NULL)", name=op.f("ck_requested_item_cancelled")
        ),
        sa.CheckConstraint(
            "fetch_id IS NOT NULL OR NOT asked", name=op.f("ck_requested_item_asked")
        ),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["study.study_instance_uid"],
            name=op.f("fk_requested_item_study_instance_uid"),
        ),
        sa.ForeignKeyConstraint(
            ["fetch_id"], ["fetch.id"], name=op.f("fk_requested_item_fetch_id")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_requested_item_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requested_item")),
        sa.UniqueConstraint("uid", name=op.f("uq_requested_item_uid")),
    )
    table = "requested_item"
    op.create_index("ix_requested_item_study_instance_uid", table, ["study_instance_uid"])
    op.create_index("ix_requested_item_fetch_id", table, ["fetch_id"])
    op.create_index("ix_requested_item_job", table, ["job_id", "created_at"])
    op.create_index(
        "ix_requested_item_waiting",
        table,
        ["study_instance_uid"],
        postgresql_where=sa.text(_WAITING),
        sqlite_where=sa.text(_WAITING),
    )
