"""Studies are found by the end of their UID, and say where they stand when nothing is done."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

AT_ONCE = 1000


def upgrade() -> None:
    """Change the tables, keep every row; what was said of a study that is ignored is kept too."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    time = sa.DateTime(timezone=True)
    with op.batch_alter_table("study") as study:
        study.add_column(sa.Column("uid_backwards", text, nullable=False, server_default=""))
        study.add_column(sa.Column("expired_at", time, nullable=True))
        study.add_column(sa.Column("ignored_because", sa.Text(), nullable=True))
    connection = op.get_bind()
    uids = connection.execute(sa.text("SELECT study_instance_uid FROM study")).scalars().all()
    fill = sa.text("UPDATE study SET uid_backwards = :backwards WHERE study_instance_uid = :uid")
    for start in range(0, len(uids), AT_ONCE):
        connection.execute(
            fill, [{"uid": uid, "backwards": uid[::-1]} for uid in uids[start : start + AT_ONCE]]
        )
    said = connection.execute(
        sa.text(
            "SELECT study_instance_uid, details FROM event WHERE kind = 'study.ignored' AND NOT "
            "EXISTS (SELECT 1 FROM job WHERE job.study_instance_uid = event.study_instance_uid) "
            "ORDER BY id"
        )
    ).all()
    for uid, details in said:
        connection.execute(
            sa.text(
                "UPDATE study SET ignored_because = :because WHERE study_instance_uid = :uid "
                "AND waiting_for IS NULL"
            ),
            {"uid": uid, "because": _as_mapping(details)["reason"]},
        )
    op.create_index("ix_study_uid_backwards", "study", ["uid_backwards"])
    for name, column in (
        ("ix_study_waiting", "waiting_for"),
        ("ix_study_expired", "expired_at"),
        ("ix_study_ignored", "ignored_because"),
    ):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            name, "study", ["last_arrival_at"], postgresql_where=where, sqlite_where=where
        )
    op.create_index("ix_sender_name", "sender", ["name"])
    op.create_index("ix_fetch_source", "fetch", ["source", "id"])
    op.drop_index("ix_delivery_study_instance_uid", "delivery")
    op.create_index("ix_delivery_of_study", "delivery", ["study_instance_uid", "destination", "id"])


def _as_mapping(details: Any) -> Any:
    return json.loads(details) if isinstance(details, str) else details
