"""What an instance says is read after it is here: until then there is nothing of it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_READ = ("role", "kind", "content_digest")


def upgrade() -> None:
    """Change the table, keep every row."""
    op.add_column("instance", sa.Column("read_tries", sa.Integer(), nullable=True))
    op.execute("UPDATE instance SET read_tries = 0")
    with op.batch_alter_table("instance") as instance:
        instance.alter_column("read_tries", existing_type=sa.Integer(), nullable=False)
        for column in (*_READ, "facts"):
            instance.alter_column(column, existing_type=sa.Text(), nullable=True)
        for column in _READ:
            instance.create_check_constraint(
                op.f(f"ck_instance_{column}_is_read"), f"({column} IS NULL) = (facts IS NULL)"
            )
    where = sa.text("facts IS NULL")
    op.create_index(
        "ix_instance_unread",
        "instance",
        ["study_instance_uid", "id"],
        postgresql_where=where,
        sqlite_where=where,
    )
