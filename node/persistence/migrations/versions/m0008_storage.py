"""The database knows which storage directory it is of."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table; the directory is adopted by the first node that opens both."""
    op.create_table(
        "storage",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number = 1", name=op.f("ck_storage_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_storage")),
    )
