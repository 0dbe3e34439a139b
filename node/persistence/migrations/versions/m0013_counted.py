"""What is counted as it happens, and indexes by which the rest is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the table and the indexes."""
    op.create_table(
        "tally",
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("metric", "label", "bucket", name=op.f("pk_tally")),
    )
    op.create_index("ix_job_outcome", "job", ["outcome"])
    op.create_index("ix_delivery_counted", "delivery", ["destination", "state"])
