"""Associations become senders; what queries ask for leaves the JSON; work says its study."""

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
    _senders()
    _instances()
    _work()
    _withdraw_outdated()


def _senders() -> None:
    op.create_table(
        "sender",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("called", sa.Text(), nullable=True),
        sa.Column("peer", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender")),
    )
    # Files that were taken in passed for an association of "INGEST".
    file = "calling_ae = 'INGEST' AND peer = 'this machine'"
    op.execute(
        "INSERT INTO sender "
        "(id, kind, name, called, peer, owner, opened_at, alive_at, closed_at) "
        f"SELECT id, CASE WHEN {file} THEN 'file' ELSE 'dimse' END, "
        f"CASE WHEN {file} THEN 'm3node ingest' ELSE calling_ae END, "
        f"CASE WHEN {file} THEN NULL ELSE called_ae END, "
        f"CASE WHEN {file} THEN NULL ELSE peer END, "
        "owner, opened_at, opened_at, closed_at FROM association"
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(
            "SELECT setval(pg_get_serial_sequence('sender', 'id'), "
            "coalesce(max(id), 0) + 1, false) FROM sender"
        )
    op.rename_table("contribution", "contribution_before")
    if postgresql:
        op.execute("ALTER INDEX pk_contribution RENAME TO pk_contribution_before")
    op.create_table(
        "contribution",
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("same", sa.Integer(), nullable=False),
        sa.Column("newer", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["sender.id"], name=op.f("fk_contribution_sender_id")
        ),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["study.study_instance_uid"],
            name=op.f("fk_contribution_study_instance_uid"),
        ),
        sa.PrimaryKeyConstraint("sender_id", "study_instance_uid", name=op.f("pk_contribution")),
    )
    op.execute(
        "INSERT INTO contribution "
        'SELECT association_id, study_instance_uid, "new", "same", "newer" FROM contribution_before'
    )
    op.drop_table("contribution_before")
    op.drop_table("association")
    op.create_index("ix_contribution_study_instance_uid", "contribution", ["study_instance_uid"])
    _partial_index("ix_sender_open", "sender", ["closed_at"], "closed_at IS NULL")


_OUT_OF_JSON = ("series_instance_uid", "sop_class_uid", "transfer_syntax_uid", "role", "kind")
_IN_COLUMNS_ALREADY = ("study_instance_uid", "sop_instance_uid", "content_digest")


def _instances() -> None:
    for column in _OUT_OF_JSON:
        op.add_column("instance", sa.Column(column, sa.Text(), nullable=True))
    gone = (*_OUT_OF_JSON, *_IN_COLUMNS_ALREADY)
    if op.get_bind().dialect.name == "sqlite":
        values = [f"{name} = json_extract(facts, '$.{name}')" for name in _OUT_OF_JSON]
        paths = ", ".join(f"'$.{name}'" for name in gone)
        rest = f"json_remove(facts, {paths})"
    else:
        values = [f"{name} = facts::json ->> '{name}'" for name in _OUT_OF_JSON]
        rest = "(facts::jsonb" + "".join(f" - '{name}'" for name in gone) + ")::text"
    op.execute(f"UPDATE instance SET {', '.join(values)}, facts = {rest}")
    with op.batch_alter_table("instance") as instance:
        for column in _OUT_OF_JSON:
            instance.alter_column(column, existing_type=sa.Text(), nullable=False)


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
    outdated = connection.execute(
        sa.text(
            "SELECT delivery.id, delivery.job_id, delivery.study_instance_uid, "
            "delivery.destination, CASE WHEN job.state = 'done' "
            "AND delivery.outcome = 'technical_failure' THEN 'the job has a result now' "
            "ELSE 'outdated: a later revision of the study has been reported' END AS reason "
            "FROM delivery JOIN job ON job.id = delivery.job_id "
            "WHERE delivery.state IN ('queued', 'dead') AND ("
            " (delivery.outcome = 'technical_failure' AND job.state = 'done')"
            " OR EXISTS (SELECT 1 FROM job AS later"
            "            WHERE later.study_instance_uid = job.study_instance_uid"
            "            AND later.revision > job.revision AND (later.state = 'done'"
            "            OR EXISTS (SELECT 1 FROM artifact WHERE artifact.job_id = later.id"
            "                       AND artifact.outcome = 'technical_failure'))))"
            " ORDER BY delivery.id"
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
            .values(state="cancelled", settled_at=now, error=row.reason)
        )
        connection.execute(
            sa.insert(event).values(
                at=now,
                study_instance_uid=row.study_instance_uid,
                job_id=row.job_id,
                delivery_id=row.id,
                kind="delivery.cancelled",
                details={"destination": row.destination, "error": row.reason},
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
