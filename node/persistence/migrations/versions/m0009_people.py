"""Users and tokens of machines, and who is logged in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Change the tables, keep every row."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("ends_at", time, nullable=True),
        sa.Column("used_at", time, nullable=True),
        sa.CheckConstraint("kind IN ('user', 'token')", name=op.f("ck_account_kind")),
        sa.CheckConstraint(
            "role IN ('viewer', 'operator', 'sender')", name=op.f("ck_account_role")
        ),
        sa.CheckConstraint(
            "kind = 'user' OR secret IS NOT NULL", name=op.f("ck_account_token_has_secret")
        ),
        sa.CheckConstraint(
            "kind = 'token' OR ends_at IS NULL", name=op.f("ck_account_users_do_not_end")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name_key", name=op.f("uq_account_name_key")),
        sa.UniqueConstraint("secret", name=op.f("uq_account_secret")),
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("opened_at", time, nullable=False),
        sa.Column("seen_at", time, nullable=False),
        sa.Column("ends_at", time, nullable=False),
        sa.Column("ended_at", time, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_session_account_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session")),
    )
    op.create_index("ix_session_account_id_address", "session", ["account_id", "address"])
    op.create_index("ix_session_ends_at", "session", ["ends_at"])
