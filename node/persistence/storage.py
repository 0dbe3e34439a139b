"""Which storage directory the database is of, and a few of the files that it expects there."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from node.persistence.schema import Artifact, Instance, Storage
from node.persistence.transactions import Transactions


class StorageIdentity(Transactions):
    """The identity of the storage."""

    def storage_identity(self) -> str | None:
        """Of the directory that holds the files; None if none has been adopted yet."""
        with self._read() as connection:
            return connection.execute(select(Storage.identity)).scalar_one_or_none()

    def adopt_storage(self, identity: str, *, now: datetime) -> str:
        """The database has an identity: this one, unless somebody else was faster."""
        insert_into = sqlite_insert if self._engine.dialect.name == "sqlite" else postgresql_insert
        with self._write() as connection:
            connection.execute(
                insert_into(Storage)
                .values(number=1, identity=identity, adopted_at=now)
                .on_conflict_do_nothing()
            )
            return connection.execute(select(Storage.identity)).scalar_one()

    def newest_files(self, most: int) -> list[str]:
        """Paths in the spool of what came and was made last; empty if there is nothing."""
        with self._read() as connection:
            return [
                path
                for table in (Instance, Artifact)
                for path in connection.execute(
                    select(table.path).order_by(table.id.desc()).limit(most)
                ).scalars()
            ]
