"""The transactions of whoever reads what stored instances say: which, and what it was."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from sqlalchemy import Table, bindparam, select, text, update

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.inputs import InstanceFacts
from node.persistence.codec import facts_to_row
from node.persistence.rows import UnreadInstance
from node.persistence.schema import UNREAD, Instance, Study
from node.persistence.transactions import Transactions


class Readings(Transactions):
    """What stored instances say."""

    def unread(
        self,
        study: StudyInstanceUID | None = None,
        *,
        most: int,
        apart_from: Collection[int] = (),
    ) -> list[UnreadInstance]:
        """Instances whose facts are still to be read, of one study or of all; the oldest first.

        apart_from : numbers of those that are passed by

        That it is begun to read them is noted before they are returned.  One that was begun before
        and is not read has taken its reader with it, perhaps: it comes alone.
        """
        query = select(*Instance.__table__.columns).where(
            text(UNREAD), Instance.id.not_in(apart_from)
        )
        if study is not None:
            query = query.where(Instance.study_instance_uid == study)
        with self._read() as connection:
            rows = connection.execute(query.order_by(Instance.id).limit(most)).all()
        rows = next(([row] for row in rows if row.read_tries), rows)
        if not rows:
            return []
        with self._write() as connection:
            connection.execute(
                update(Instance)
                .where(Instance.id.in_([row.id for row in rows]))
                .values(read_tries=Instance.read_tries + 1)
            )
        return [
            UnreadInstance(
                number=row.id,
                study_instance_uid=StudyInstanceUID(row.study_instance_uid),
                series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
                sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
                sop_class_uid=SOPClassUID(row.sop_class_uid),
                transfer_syntax_uid=row.transfer_syntax_uid,
                path=row.path,
                tries=row.read_tries,
            )
            for row in rows
        ]

    def note_facts(self, read: Mapping[int, InstanceFacts], *, out_of_reach: Sequence[int]) -> None:
        """The facts of these instances are known; a judgement made before does not stand.

        out_of_reach : instances whose files did not answer; that counts as no try
        """
        studies = sorted({facts.study_instance_uid for facts in read.values()})
        with self._write() as connection:
            for study in studies:
                connection.execute(_CHANGE, {"study": study})
            for number, facts in read.items():
                row = facts_to_row(facts)
                connection.execute(_NOTE, {"number": number, **{n: row[n] for n in _READ}})
            if out_of_reach:
                connection.execute(
                    update(Instance)
                    .where(Instance.id.in_(out_of_reach))
                    .values(read_tries=Instance.read_tries - 1)
                )


_INSTANCES = cast(Table, Instance.__table__)
_STUDIES = cast(Table, Study.__table__)
_READ = ("role", "kind", "content_digest", "facts")
_NOTE = update(_INSTANCES).where(_INSTANCES.c.id == bindparam("number"))
_CHANGE = (
    update(_STUDIES)
    .where(_STUDIES.c.study_instance_uid == bindparam("study"))
    .values(change=_STUDIES.c.change + 1)
)
