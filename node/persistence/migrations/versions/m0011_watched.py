"""Processes say that they run, and what is wrong is kept until it is over."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "process_pulse",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("tick", sa.Double(), nullable=False),
        sa.Column("moved_tick", sa.Double(), nullable=False),
        sa.Column("doing", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("host", "role", name=op.f("pk_process_pulse")),
    )
    op.create_table(
        "standing_sign",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("since", time, nullable=False),
        sa.Column("seen_at", time, nullable=False),
        sa.Column("over_at", time, nullable=True),
        sa.PrimaryKeyConstraint("name", "subject", name=op.f("pk_standing_sign")),
    )
    op.create_table(
        "told_sign",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("told_at", time, nullable=False),
        sa.PrimaryKeyConstraint("name", "subject", "recipient", name=op.f("pk_told_sign")),
    )
