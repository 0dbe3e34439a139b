"""A job stores one set of results; what a destination holds is kept by its SOP Instance UID.

Objects in poorer forms are derived when they are sent, and have no row of their own: `delivered`
says itself what was confirmed.  Studies that have results keep the numbers of their series.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the tables, keep every row."""
    _delivered()
    with op.batch_alter_table(
        "artifact",
        table_args=(
            sa.CheckConstraint(
                "(kind = 'report') = (report_variant IS NOT NULL)",
                name=op.f("ck_artifact_variant"),
            ),
        ),
    ) as artifact:
        artifact.alter_column("capture_variant", existing_type=sa.Text(), nullable=True)
        artifact.create_check_constraint(
            op.f("ck_artifact_captures"),
            "(kind IN ('report', 'capture')) = (capture_variant IS NOT NULL)",
        )
    op.add_column("study", sa.Column("numbered_above", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE study SET numbered_above = 0 WHERE EXISTS (SELECT 1 FROM artifact "
        "JOIN job ON job.id = artifact.job_id "
        "WHERE job.study_instance_uid = study.study_instance_uid)"
    )


def _delivered() -> None:
    op.rename_table("delivered", "delivered_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_delivered RENAME TO pk_delivered_before")
    op.create_table(
        "delivered",
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivered_delivery_id")
        ),
        sa.PrimaryKeyConstraint("delivery_id", "sop_instance_uid", name=op.f("pk_delivered")),
    )
    op.execute(
        "INSERT INTO delivered (delivery_id, sop_instance_uid, kind, sop_class_uid, "
        'series_instance_uid, status, "at") '
        "SELECT delivery_id, sop_instance_uid, kind, sop_class_uid, series_instance_uid, "
        'status, "at" FROM delivered_before '
        "JOIN artifact ON artifact.id = delivered_before.artifact_id"
    )
    op.drop_table("delivered_before")
