"""The transactions of an erasure request: every row of a study, and its files with them."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, false, func, insert, or_, select

from m3net.uids import StudyInstanceUID
from node.core.errors import NotAllowed, UnknownEntry
from node.core.keeping import Erased
from node.core.states import State
from node.persistence.arrivals import open_senders
from node.persistence.conditions import in_states, is_open
from node.persistence.retention import files_of, note_removals
from node.persistence.schema import (
    Artifact,
    Base,
    Contribution,
    Delivery,
    Erasure,
    Fetching,
    Instance,
    Job,
    Sender,
    Study,
)
from node.persistence.transactions import Transactions, lock_study

_STUDY = "study_instance_uid"


class Erasures(Transactions):
    """What is erased."""

    def what_erasing_takes(self, study: StudyInstanceUID) -> Erased:
        """What `erase_study` would take.  Raises UnknownEntry."""
        with self._read() as connection:
            return _taken(connection, study)

    def erase_study(
        self, study: StudyInstanceUID, *, by: str, forced: bool = False, now: datetime
    ) -> Erased:
        """No row tells of the study any more, but for one that something was erased.

        Its files are noted to be removed; those that another study needs stay until none does.
        by     : who asked for it
        forced : also if something of it is not delivered

        Raises UnknownEntry; NotAllowed if something of it is being received, analysed, fetched or
        sent at this moment, or is not delivered and it is not `forced`.
        """
        with self._write() as connection:
            lock_study(connection, study)
            taken = _taken(connection, study)
            if busy := list(_under_way(connection, study)):
                raise NotAllowed(
                    f"study {study} cannot be erased now: {', '.join(busy)}; try again in a minute"
                )
            if taken.undelivered and not forced:
                raise NotAllowed(
                    f"study {study} is not erased: {'; '.join(taken.undelivered)}; --force erases "
                    "it all the same"
                )
            paths = [
                path
                for table in (Instance, Artifact)
                for path in connection.execute(
                    select(table.path).where(table.study_instance_uid == study)
                ).scalars()
            ]
            note_removals(connection, paths, now)
            _delete_rows(connection, study)
            connection.execute(
                insert(Erasure).values(
                    at=now,
                    by=by,
                    study_digest=_digest(study),
                    objects=taken.objects,
                    results=taken.results,
                )
            )
            return taken

    def erased(self, study: str) -> tuple[datetime, str] | None:
        """When a study of this UID was last erased, and by whom; None if none was."""
        with self._read() as connection:
            return when_erased(connection, study)


def when_erased(connection: Connection, study: str) -> tuple[datetime, str] | None:
    """When a study of this UID was last erased, and by whom; None if none was."""
    row = connection.execute(
        select(Erasure.at, Erasure.by)
        .where(Erasure.study_digest == _digest(study))
        .order_by(Erasure.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.at, row.by)


def _digest(study: str) -> str:
    return hashlib.sha256(study.encode()).hexdigest()


def _taken(connection: Connection, study: StudyInstanceUID) -> Erased:
    known = connection.execute(
        select(Study.waiting_for, Study.judge_at, Study.expired_at).where(
            Study.study_instance_uid == study
        )
    ).one_or_none()
    if known is None:
        raise UnknownEntry(f"no study {study} has been received")
    objects, results = (
        connection.execute(
            select(func.count()).where(table.study_instance_uid == study)
        ).scalar_one()
        for table in (Instance, Artifact)
    )
    files, size = files_of(connection, study, (Instance, Artifact))
    undelivered = list(_undelivered(connection, study))
    if known.waiting_for is not None and known.expired_at is None:
        undelivered.append(f"it waits {known.waiting_for}")
    elif known.judge_at is not None:
        undelivered.append("it is still to be judged")
    return Erased(
        study_instance_uid=study,
        objects=objects,
        results=results,
        files=files,
        size=size,
        undelivered=tuple(undelivered),
    )


def _undelivered(connection: Connection, study: str) -> Iterator[str]:
    """What is still to come of the study, or has not come."""
    for work, name in ((Job, "analyses"), (Delivery, "deliveries"), (Fetching, "fetches")):
        for state in (State.QUEUED, State.RUNNING, State.DEAD):
            if work is Fetching and state is State.DEAD:
                continue
            number = connection.execute(
                select(func.count()).where(
                    work.study_instance_uid == study, in_states(work.state, {state})
                )
            ).scalar_one()
            if number:
                yield f"{number} {name} {state}"


def _under_way(connection: Connection, study: StudyInstanceUID) -> Iterator[str]:
    """What is being done with the study at this moment."""
    if open_senders(connection, [study]):
        yield "objects of it are being received"
    for work, doing in ((Job, "analysed"), (Delivery, "sent"), (Fetching, "fetched")):
        running = connection.execute(
            select(func.count()).where(
                work.study_instance_uid == study,
                is_open(work),
                in_states(work.state, {State.RUNNING}),
            )
        ).scalar_one()
        if running:
            yield f"it is being {doing}"


def _delete_rows(connection: Connection, study: str) -> None:
    """Of every table that says of which study a row is, and of those that refer to such rows.

    Whatever table comes to be added, it is among them.
    """
    senders = select(Contribution.sender_id).where(Contribution.study_instance_uid == study)
    of_it = list(connection.execute(senders).scalars())
    tables = Base.metadata.sorted_tables
    for table in reversed(tables):
        connection.execute(delete(table).where(_is_of(table, study)))
    # Who sent it, if nothing else.
    others = select(Contribution.sender_id)
    connection.execute(
        delete(Sender).where(
            Sender.id.in_(of_it), Sender.id.not_in(others), Sender.closed_at.is_not(None)
        )
    )


def _is_of(table: Table, study: str) -> ColumnElement[bool]:
    if _STUDY in table.c:
        return table.c[_STUDY] == study
    return or_(
        false(),
        *(
            key.parent.in_(select(key.column).where(key.column.table.c[_STUDY] == study))
            for key in table.foreign_keys
            if _STUDY in key.column.table.c
        ),
    )
