"""Work says its study, what a claim looks for has an index, and a dead job's report is noted."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_STATES = "state IN ('queued', 'running', 'done', 'dead', 'cancelled')"
_WORK_CHECKS = {
    "state": _STATES,
    "lease": "(state IN ('running')) = (lease_until IS NOT NULL)",
    "owner": "(state IN ('running')) = (owner IS NOT NULL)",
    "settled": "(state IN ('done', 'dead', 'cancelled')) = (settled_at IS NOT NULL)",
    "tries": "tries BETWEEN 0 AND max_attempts",
    "attempt": "attempt >= tries",
}


def upgrade() -> None:
    """Change the tables, keep every row."""
    _work()
    _withdraw_outdated()


def _work() -> None:
    op.add_column("job", sa.Column("failure_reported", sa.Boolean(), nullable=True))
    op.execute(
        "UPDATE job SET failure_reported = (state = 'dead' AND ("
        " EXISTS (SELECT 1 FROM artifact WHERE artifact.job_id = job.id"
        "         AND artifact.outcome = 'technical_failure')"
        " OR EXISTS (SELECT 1 FROM job AS later"
        "            WHERE later.study_instance_uid = job.study_instance_uid"
        "            AND later.revision > job.revision AND later.state = 'done')))"
    )
    checks = {**_WORK_CHECKS, "outcome": "(state = 'done') = (outcome IS NOT NULL)"}
    with op.batch_alter_table("job", table_args=_constraints("job", checks)) as job:
        job.alter_column("failure_reported", nullable=False)

    op.add_column("delivery", sa.Column("study_instance_uid", sa.Text(), nullable=True))
    op.execute(
        "UPDATE delivery SET study_instance_uid = "
        "(SELECT job.study_instance_uid FROM job WHERE job.id = delivery.job_id)"
    )
    with op.batch_alter_table(
        "delivery", table_args=_constraints("delivery", _WORK_CHECKS)
    ) as delivery:
        delivery.alter_column("study_instance_uid", nullable=False)
        delivery.create_foreign_key(
            op.f("fk_delivery_study_instance_uid"),
            "study",
            ["study_instance_uid"],
            ["study_instance_uid"],
        )
    op.create_index("ix_delivery_study_instance_uid", "delivery", ["study_instance_uid"])
    op.create_index("ix_delivery_destination", "delivery", ["destination", "id"])
    for table in ("job", "delivery"):
        op.create_index(f"ix_{table}_state", table, ["state", "id"])
        op.create_index(f"ix_{table}_created_at", table, ["created_at"])
        _partial_index(f"ix_{table}_running", table, ["state", "lease_until"], "state = 'running'")
    _partial_index("ix_job_unreported", "job", ["failure_reported", "id"], "state = 'dead'")
    op.create_index("ix_study_last_arrival_at", "study", ["last_arrival_at"])


def _withdraw_outdated() -> None:
    """What the version before would still have sent after a newer report is withdrawn.

    Deliveries of revisions that a later one has overtaken, and "technical failures" of jobs that
    have a result.  What is running is withdrawn when its lease is given up.
    """
    connection = op.get_bind()
    reason = "outdated: a later revision of the study has been reported"
    outdated = connection.execute(
        sa.text(
            "SELECT delivery.id, delivery.job_id, delivery.study_instance_uid, "
            "delivery.destination FROM delivery JOIN job ON job.id = delivery.job_id "
            "WHERE delivery.state IN ('queued', 'dead') AND ("
            " (delivery.outcome = 'technical_failure' AND job.state = 'done')"
            " OR EXISTS (SELECT 1 FROM job AS later"
            "            WHERE later.study_instance_uid = job.study_instance_uid"
            "            AND later.revision > job.revision AND (later.state = 'done'"
            "            OR EXISTS (SELECT 1 FROM artifact WHERE artifact.job_id = later.id"
            "                       AND artifact.outcome = 'technical_failure'))))"
        )
    ).all()
    now = datetime.now(UTC)
    if connection.dialect.name == "sqlite":
        now = now.replace(tzinfo=None)
    delivery = sa.table(
        "delivery",
        sa.column("settled_at", sa.DateTime(timezone=True)),
        *map(sa.column, ("id", "state", "error")),
    )
    event = sa.table(
        "event",
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("details", sa.JSON()),
        *map(sa.column, ("study_instance_uid", "job_id", "delivery_id", "kind")),
    )
    for row in outdated:
        connection.execute(
            sa.update(delivery)
            .where(delivery.c.id == row.id)
            .values(state="cancelled", settled_at=now, error=reason)
        )
        connection.execute(
            sa.insert(event).values(
                at=now,
                study_instance_uid=row.study_instance_uid,
                job_id=row.job_id,
                delivery_id=row.id,
                kind="delivery.cancelled",
                details={"destination": row.destination, "error": reason},
            )
        )


def _constraints(table: str, checks: dict[str, str]) -> tuple[sa.CheckConstraint, ...]:
    """SQLite copies a table to change it, and knows nothing of its checks."""
    return tuple(
        sa.CheckConstraint(text, name=op.f(f"ck_{table}_{name}")) for name, text in checks.items()
    )


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
    )


def downgrade() -> None:
    """There is no way back: the version before could not read what is kept now."""
    raise NotImplementedError("restore the backup that was made before")
