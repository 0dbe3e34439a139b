"""What is handed out and searched is known without opening a file.

What stored objects say for it is read again, newest first, by whoever reads what comes
(`node.inbound.reading`): until then a search does not find them.
"""

import sqlalchemy as sa
from alembic import op

from node.dicom.searchable import name_key

revision = "0005"
down_revision = "0004"

_NEW_OF_STUDY = (
    "patient_name_key",
    "study_time",
    "study_id",
    "study_description",
    "referring_physician_name",
    "referring_physician_name_key",
    "timezone",
    "patient_birth_date",
    "patient_sex",
    "issuer_of_patient_id",
    "modalities",
)
_OF_SERIES = (
    "modality",
    "series_description",
    "series_date",
    "series_time",
    "body_part_examined",
    "protocol_name",
    "manufacturer",
    "station_name",
    "performed_date",
    "performed_time",
    "scheduled_step_id",
    "requested_procedure_id",
)
_NUMBERS = ("instance_number", "rows", "columns", "bits_allocated", "number_of_frames")
_AN_OBJECT = ["study_instance_uid", "series_instance_uid", "sop_instance_uid"]


def upgrade() -> None:
    """Change the tables, keep every row."""
    _study()
    _series()
    _instance()
    _artifact()


def _text() -> sa.types.TypeEngine[str]:
    """Sorted by its bytes, so that an index serves how it begins."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    return sa.Text(collation="C") if postgresql else sa.Text()


def _searched(name: str) -> sa.Column[str]:
    return sa.Column(name, _text(), server_default="", nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _study() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for column in ("patient_id", "accession_number", "study_date"):
            op.alter_column("study", column, type_=_text())
    for column in _NEW_OF_STUDY:
        op.add_column("study", _searched(column))
    op.add_column("study", _number("number_of_series"))
    op.add_column("study", _number("number_of_instances"))
    study = sa.table(
        "study", *map(sa.column, ("study_instance_uid", "patient_name", "patient_name_key"))
    )
    connection = op.get_bind()
    for uid, name in connection.execute(
        sa.select(study.c.study_instance_uid, study.c.patient_name)
    ).all():
        connection.execute(
            sa.update(study)
            .where(study.c.study_instance_uid == uid)
            .values(patient_name_key=name_key(name))
        )
    newest = ["study_date", "study_time", "study_instance_uid", "modalities"]
    op.create_index("ix_study_newest", "study", newest)
    for column in ("patient_id", "patient_name_key", "referring_physician_name_key"):
        op.create_index(f"ix_study_{column}", "study", [column])


def _series() -> None:
    op.create_table(
        "series",
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("series_number", sa.Integer(), nullable=True),
        *map(_searched, _OF_SERIES),
        _number("number_of_instances"),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["study.study_instance_uid"],
            name=op.f("fk_series_study_instance_uid"),
        ),
        sa.PrimaryKeyConstraint(
            "study_instance_uid", "series_instance_uid", name=op.f("pk_series")
        ),
    )
    op.create_index("ix_series_series_instance_uid", "series", ["series_instance_uid"])
    by_modality = ["modality", "study_instance_uid", "series_instance_uid"]
    op.create_index(
        "ix_series_modality_study_instance_uid_series_instance_uid", "series", by_modality
    )


def _instance() -> None:
    op.add_column("instance", sa.Column("findable", sa.Boolean(), nullable=True))
    for column in _NUMBERS:
        op.add_column("instance", sa.Column(column, sa.Integer(), nullable=True))
    # Tries to read what they say have been successful, and are counted anew.
    op.execute("UPDATE instance SET read_tries = 0 WHERE facts IS NOT NULL")
    not_described = "findable IS NULL AND facts IS NOT NULL"
    _partial_index("ix_instance_not_described", "instance", ["id"], not_described)
    _partial_index("ix_instance_found", "instance", _AN_OBJECT, "current AND findable")
    by_uid = ["sop_instance_uid"]
    _partial_index("ix_instance_found_uid", "instance", by_uid, "current AND findable")


def _artifact() -> None:
    op.add_column("artifact", sa.Column("study_instance_uid", sa.Text(), nullable=True))
    op.add_column("artifact", sa.Column("transfer_syntax_uid", sa.Text(), nullable=True))
    op.add_column("artifact", sa.Column("in_force", sa.Boolean(), nullable=True))
    for column in _NUMBERS:
        op.add_column("artifact", sa.Column(column, sa.Integer(), nullable=True))
    nothing = "0" if op.get_bind().dialect.name == "sqlite" else "false"
    op.execute(
        f"UPDATE artifact SET in_force = {nothing}, study_instance_uid = "
        "(SELECT job.study_instance_uid FROM job WHERE job.id = artifact.job_id)"
    )
    # SQLite copies a table to change it, and knows nothing of its checks.
    kept = {
        "variant": "(kind = 'report') = (report_variant IS NOT NULL)",
        "captures": "(kind IN ('report', 'capture')) = (capture_variant IS NOT NULL)",
    }
    constraints = (
        sa.CheckConstraint(check, name=op.f(f"ck_artifact_{name}")) for name, check in kept.items()
    )
    with op.batch_alter_table("artifact", table_args=tuple(constraints)) as artifact:
        artifact.alter_column("study_instance_uid", existing_type=sa.Text(), nullable=False)
        artifact.alter_column("in_force", existing_type=sa.Boolean(), nullable=False)
        artifact.create_foreign_key(
            op.f("fk_artifact_study_instance_uid"),
            "study",
            ["study_instance_uid"],
            ["study_instance_uid"],
        )
        artifact.create_check_constraint(
            op.f("ck_artifact_in_force"), "NOT in_force OR transfer_syntax_uid IS NOT NULL"
        )
    not_described = "transfer_syntax_uid IS NULL"
    _partial_index("ix_artifact_not_described", "artifact", ["id"], not_described)
    _partial_index("ix_artifact_found", "artifact", _AN_OBJECT, "in_force")
    _partial_index("ix_artifact_found_uid", "artifact", ["sop_instance_uid"], "in_force")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
    )
