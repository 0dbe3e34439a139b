"""What all tables have in common: their types, and how constraints and indexes are named."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Index,
    MetaData,
    Text,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

SORTED_BY_BYTES = Text().with_variant(Text(collation="C"), "postgresql")
"""Of text that is searched by how it begins, or by ranges: an index serves both."""


AN_OBJECT = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime; in the database UTC, on SQLite without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        assert value.tzinfo is not None, "times have a zone"  # noqa: S101
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  # the base class names it
    ) -> datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables; constraints have predictable names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy reads it from the class
        str: Text(),
        datetime: UTCDateTime(),
        dict[str, Any]: JSON(),
    }


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows of which `where` is true."""
    return Index(
        name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where)
    )


ON_DISK = "freed_at IS NULL"
"""Of what has a file: the file is there."""
FREED = "freed_at IS NOT NULL"


def file_indexes(table: str) -> tuple[Index, ...]:
    """What is asked of the files of a table: who needs one, and what of a study there is."""
    return (
        partial_index(f"ix_{table}_path", "path", where=ON_DISK),
        partial_index(f"ix_{table}_on_disk", "study_instance_uid", "size", where=ON_DISK),
        partial_index(f"ix_{table}_freed", "study_instance_uid", where=FREED),
    )


def searched_text() -> Mapped[str]:
    """Text that a search asks for; empty if nothing is said."""
    return mapped_column(SORTED_BY_BYTES, server_default="")
