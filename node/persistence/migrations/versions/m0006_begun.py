"""What was begun to be sent to a destination is kept before it is answered: it may be there.

`delivered.status` is null until the answer has come.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change the table, keep every row."""
    with op.batch_alter_table("delivered") as delivered:
        delivered.alter_column("status", existing_type=sa.Integer(), nullable=True)
