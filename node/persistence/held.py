"""The stored objects that are handed out to whoever asks for them (WADO-RS): which, and where.

Of what was received: the current version of each instance.  Of what was made: the results that are
in force, in the richest form, and no others.  An object of ours that somebody has sent back is not
handed out as received: it may be an outdated report, and stand beside the one that replaced it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.inputs import Role
from node.core.results import COMPANIONS, ArtifactKind
from node.core.uids import is_own_series
from node.core.variants import RICHEST, choose
from node.persistence.artifacts import artifacts_of
from node.persistence.outdated import in_force
from node.persistence.rows import StoredArtifact
from node.persistence.schema import Instance
from node.persistence.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One stored object that is handed out.

    path     : in the spool
    received : whether it came from outside; else this node made it
    """

    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID
    sop_instance_uid: SOPInstanceUID
    sop_class_uid: SOPClassUID
    transfer_syntax_uid: str
    path: str
    size: int
    received: bool


class HeldObjects(Transactions):
    """What is handed out."""

    def held(
        self,
        study_instance_uid: StudyInstanceUID,
        series_instance_uid: SeriesInstanceUID | None = None,
        sop_instance_uid: SOPInstanceUID | None = None,
    ) -> list[Held]:
        """What there is of a study, a series or an instance; empty if there is nothing.

        What was received comes first, in the order in which it came; then the results, the report
        last.
        """
        query: Select[*tuple[Any, ...]] = select(
            Instance.study_instance_uid,
            Instance.series_instance_uid,
            Instance.sop_instance_uid,
            Instance.sop_class_uid,
            Instance.transfer_syntax_uid,
            Instance.role,
            Instance.path,
            Instance.size,
        ).where(Instance.study_instance_uid == study_instance_uid, Instance.current)
        if series_instance_uid is not None:
            query = query.where(Instance.series_instance_uid == series_instance_uid)
        if sop_instance_uid is not None:
            query = query.where(Instance.sop_instance_uid == sop_instance_uid)
        with self._read() as connection:
            rows = connection.execute(query.order_by(Instance.id)).all()
            received = [_received(row) for row in rows if not _is_own(row)]
            if received and sop_instance_uid is not None:
                return received
            return received + [
                made
                for made in _results(connection, study_instance_uid)
                if series_instance_uid in (None, made.series_instance_uid)
                and sop_instance_uid in (None, made.sop_instance_uid)
            ]


_SCANS = (Role.CT, Role.LOCALIZER)


def _is_own(row: Row[Any]) -> bool:
    """Whether a received object is a result of this node, read yet or not."""
    if row.role is None or Role(row.role) not in _SCANS:
        own = is_own_series(row.study_instance_uid, row.series_instance_uid)
        return own or row.role == Role.OWN_RESULT
    return False


def _received(row: Row[Any]) -> Held:
    return Held(
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        series_instance_uid=SeriesInstanceUID(row.series_instance_uid),
        sop_instance_uid=SOPInstanceUID(row.sop_instance_uid),
        sop_class_uid=SOPClassUID(row.sop_class_uid),
        transfer_syntax_uid=row.transfer_syntax_uid,
        path=row.path,
        size=row.size,
        received=True,
    )


def _results(connection: Connection, study: StudyInstanceUID) -> list[Held]:
    """The results in force, in the order of sending."""
    found = in_force(connection, study)
    artifacts = () if found is None else artifacts_of(connection, *found)
    if not any(each.kind is ArtifactKind.REPORT for each in artifacts):
        return []
    chosen = choose(artifacts, RICHEST, COMPANIONS)
    return [
        _made(study, each, each.transfer_syntax_uid)
        for each in (*chosen.captures, *chosen.companions, chosen.report)
        if each.transfer_syntax_uid is not None
    ]


def _made(study: StudyInstanceUID, artifact: StoredArtifact, transfer_syntax_uid: str) -> Held:
    return Held(
        study_instance_uid=study,
        series_instance_uid=artifact.series_instance_uid,
        sop_instance_uid=artifact.sop_instance_uid,
        sop_class_uid=artifact.sop_class_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        path=artifact.path,
        size=artifact.size,
        received=False,
    )
