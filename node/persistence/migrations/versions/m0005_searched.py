"""What is handed out and searched is known without opening a file."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change the tables, keep every row."""
    op.add_column("artifact", sa.Column("transfer_syntax_uid", sa.Text(), nullable=True))


def downgrade() -> None:
    """There is no way back: the version before could not read what is kept now."""
    raise NotImplementedError("restore the backup that was made before")
