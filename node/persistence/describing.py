"""What versions before have stored without keeping what it says for searches."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select, text, tuple_, update

from node.core.inputs import Role
from node.core.uids import is_own_series
from node.dicom.searchable import Described
from node.dicom.sop_classes import names_study
from node.persistence.in_force import hand_out_in_force
from node.persistence.readings import count_tries
from node.persistence.rows import NotDescribed
from node.persistence.schema import NOT_DESCRIBED, RESULT_NOT_DESCRIBED, Artifact, Instance
from node.persistence.searched import describe_series, describe_study, recount
from node.persistence.transactions import Transactions


class Describing(Transactions):
    """What is still to be read of them: the newest first, since that is looked for most."""

    def not_described(
        self, *, most: int, apart_from: Collection[NotDescribed] = ()
    ) -> list[NotDescribed]:
        """Received instances, then results, that no search finds before they have been read.

        apart_from : those that are passed by

        That it is begun to read instances is noted before they are returned.  One that was begun
        before has taken its reader with it, perhaps: it comes alone.
        """
        passed = {
            made: [each.number for each in apart_from if each.made is made]
            for made in (False, True)
        }
        with self._read() as connection:
            rows = connection.execute(
                select(Instance.id, Instance.path, Instance.read_tries)
                .where(text(NOT_DESCRIBED), Instance.id.not_in(passed[False]))
                .order_by(Instance.id.desc())
                .limit(most)
            ).all()
            results = (
                ()
                if rows
                else connection.execute(
                    select(Artifact.id, Artifact.path)
                    .where(text(RESULT_NOT_DESCRIBED), Artifact.id.not_in(passed[True]))
                    .order_by(Artifact.id.desc())
                    .limit(most)
                ).all()
            )
        rows = next(([row] for row in rows if row.read_tries), rows)
        if rows:
            with self._write() as connection:
                count_tries(connection, [(row.id, row.path) for row in rows], 1)
        return [
            *(
                NotDescribed(number=row.id, made=False, path=row.path, tries=row.read_tries)
                for row in rows
            ),
            *(NotDescribed(number=row.id, made=True, path=row.path, tries=0) for row in results),
        ]

    def note_described(
        self,
        read: Mapping[NotDescribed, tuple[Described, str]],
        *,
        out_of_reach: Collection[NotDescribed],
    ) -> None:
        """They are found from now on.

        read         : what each says, and its transfer syntax
        out_of_reach : whose files did not answer; that counts as no try
        """
        with self._write() as connection:
            received = {
                (each.number, each.path): says for each, (says, _) in read.items() if not each.made
            }
            for study in sorted(_note_received(connection, received)):
                recount(connection, study)
            made = {(each.number, each.path): says for each, says in read.items() if each.made}
            for study in sorted(_note_made(connection, made)):
                hand_out_in_force(connection, study)
            silent = [(each.number, each.path) for each in out_of_reach if not each.made]
            if silent:
                count_tries(connection, silent, -1)


_Stored = tuple[int, str]
"""Its number and its file: what was erased meanwhile may have left its number to another."""


def _note_received(connection: Connection, read: Mapping[_Stored, Described]) -> set[str]:
    """Of which studies they are."""
    studies = set()
    rows = connection.execute(
        select(
            Instance.id,
            Instance.path,
            Instance.study_instance_uid,
            Instance.series_instance_uid,
            Instance.sop_class_uid,
            Instance.role,
            Instance.current,
        ).where(tuple_(Instance.id, Instance.path).in_(list(read)))
    ).all()
    for row in rows:
        study, series, says = (
            row.study_instance_uid,
            row.series_instance_uid,
            read[row.id, row.path],
        )
        own = row.role == Role.OWN_RESULT or is_own_series(study, series)
        connection.execute(
            update(Instance).where(Instance.id == row.id).values(findable=not own, **says.instance)
        )
        if row.current and not own:
            studies.add(study)
            describe_study(connection, study, says, names=names_study(row.sop_class_uid))
            describe_series(connection, study, series, says)
    return studies


def _note_made(connection: Connection, read: Mapping[_Stored, tuple[Described, str]]) -> set[str]:
    studies = set()
    rows = connection.execute(
        select(
            Artifact.id,
            Artifact.path,
            Artifact.study_instance_uid,
            Artifact.series_instance_uid,
        ).where(tuple_(Artifact.id, Artifact.path).in_(list(read)))
    ).all()
    for row in rows:
        says, syntax = read[row.id, row.path]
        connection.execute(
            update(Artifact)
            .where(Artifact.id == row.id)
            .values(transfer_syntax_uid=syntax, **says.instance)
        )
        describe_series(connection, row.study_instance_uid, row.series_instance_uid, says)
        studies.add(row.study_instance_uid)
    return studies
