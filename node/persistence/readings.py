"""The transactions of whoever reads what stored instances say: which, and what it was."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, select, text, tuple_, update

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.inputs import Role
from node.dicom.searchable import READ, Described, Level
from node.dicom.sop_classes import names_study
from node.persistence.codec import facts_to_row
from node.persistence.rows import ReadInstance, UnreadInstance
from node.persistence.schema import UNREAD, Instance, Study
from node.persistence.searched import describe_series, describe_study, recount
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
            count_tries(connection, [(row.id, row.path) for row in rows], 1)
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

    def note_facts(
        self,
        read: Mapping[UnreadInstance, ReadInstance],
        *,
        out_of_reach: Collection[UnreadInstance],
    ) -> None:
        """The facts of these instances are known; a judgement made before does not stand.

        What was erased while it was read is left out, and so is what has come in its place: SQLite
        gives the number of a row that is erased to the next one, which may be another patient's, or
        the same object, corrected.  Its file tells it from that.

        out_of_reach : instances whose files did not answer; that counts as no try
        """
        studies = sorted({each.study_instance_uid for each in read})
        with self._write() as connection:
            here = [
                study for study in studies if connection.execute(_CHANGE, {"study": study}).rowcount
            ]
            stored = {
                (row.id, row.path)
                for row in connection.execute(
                    select(Instance.id, Instance.path).where(
                        Instance.id.in_([each.number for each in read])
                    )
                )
            }
            known = {each: read[each] for each in read if (each.number, each.path) in stored}
            if known:
                connection.execute(
                    _NOTE, [_noted(each.number, said) for each, said in known.items()]
                )
            _describe(connection, known.values())
            for study in here:
                recount(connection, study)
            if out_of_reach:
                count_tries(connection, [(each.number, each.path) for each in out_of_reach], -1)


_INSTANCES = cast(Table, Instance.__table__)
_STUDIES = cast(Table, Study.__table__)
_FACTS = ("role", "kind", "content_digest", "facts")
_NUMBERS = {each.column: None for each in READ[Level.INSTANCE]}
_NOTE = update(_INSTANCES).where(_INSTANCES.c.id == bindparam("number"))
_CHANGE = (
    update(_STUDIES)
    .where(_STUDIES.c.study_instance_uid == bindparam("study"))
    .values(change=_STUDIES.c.change + 1)
)


def _noted(number: int, read: ReadInstance) -> dict[str, Any]:
    row = facts_to_row(read.facts)
    return {
        "number": number,
        **{name: row[name] for name in _FACTS},
        **_NUMBERS,
        **read.says.instance,
        "findable": read.facts.role is not Role.OWN_RESULT,
    }


def _describe(connection: Connection, read: Iterable[ReadInstance]) -> None:
    """What they say of their studies and series is known: the last word of a scanner's counts."""
    studies: dict[tuple[str, bool], Described] = {}
    series: dict[tuple[str, str], Described] = {}
    for each in read:
        facts = each.facts
        if facts.role is not Role.OWN_RESULT:
            studies[facts.study_instance_uid, names_study(facts.sop_class_uid)] = each.says
            series[facts.study_instance_uid, facts.series_instance_uid] = each.says
    for (study, names), says in studies.items():
        describe_study(connection, study, says, names=names)
    for (study, uid), says in series.items():
        describe_series(connection, study, uid, says)


def count_tries(connection: Connection, stored: Collection[tuple[int, str]], more: int) -> None:
    """It was begun so many times more to read these instances, named by number and file."""
    connection.execute(
        update(Instance)
        .where(tuple_(Instance.id, Instance.path).in_(stored))
        .values(read_tries=Instance.read_tries + more)
    )
