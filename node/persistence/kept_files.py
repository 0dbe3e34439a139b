"""Which files the rows need, for whoever copies them or looks at each."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select, union_all

from node.persistence.schema import Artifact, Instance
from node.persistence.transactions import Transactions

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that a row needs; of several rows that need it, the study of one."""

    path: str
    sha256: str
    size: int
    study_instance_uid: str


class KeptFiles(Transactions):
    """The files of the rows."""

    def kept_files(self) -> Iterator[KeptFile]:
        """Every file that a row needs, once, in the order of their paths; as they are now."""
        after = ""
        while page := self._files_after(after):
            yield from page
            after = page[-1].path

    def _files_after(self, after: str) -> list[KeptFile]:
        with self._read() as connection:
            both = union_all(
                *(
                    select(table.path, table.sha256, table.size, table.study_instance_uid)
                    .where(table.path > after, table.freed_at.is_(None))
                    .order_by(table.path)
                    .limit(_PAGE)
                    .subquery()
                    .select()
                    for table in (Instance, Artifact)
                )
            ).subquery()
            rows = connection.execute(select(both).order_by(both.c.path).limit(_PAGE)).all()
        found = {
            row.path: KeptFile(
                path=row.path,
                sha256=row.sha256,
                size=row.size,
                study_instance_uid=row.study_instance_uid,
            )
            for row in rows
        }
        return list(found.values())
