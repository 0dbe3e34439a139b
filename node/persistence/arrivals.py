"""Intake's transactions: senders, and instances that have arrived."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from node.core.diary import Kind
from node.core.inputs import InstanceFacts, Role, StudyIdentity
from node.core.sender import Sender as SenderFacts
from node.core.sender import SenderKind
from node.persistence.codec import facts_to_row
from node.persistence.process_identity import is_dead_here, is_of_this_host
from node.persistence.rows import Arrival
from node.persistence.schema import Contribution, Instance, Sender, Study
from node.persistence.spool import StoredFile
from node.persistence.transactions import Transactions, record

_NAMING = frozenset({Role.CT, Role.LOCALIZER})
"""The scanner's objects name the study; a stray annotation of somebody else does not."""

SILENT_FOR = timedelta(minutes=2)
"""A process that keeps its senders says so every few seconds."""


class Arrivals(Transactions):
    """What comes in."""

    def open_sender(self, sender: SenderFacts, *, owner: str, now: datetime) -> int:
        """The sender is known; studies that it brings something to are not quiet."""
        with self._write() as connection:
            return connection.execute(
                insert(Sender)
                .values(
                    kind=sender.kind,
                    name=sender.name,
                    called=sender.called,
                    peer=sender.peer,
                    owner=owner,
                    opened_at=now,
                    alive_at=now,
                )
                .returning(Sender.id)
            ).scalar_one()

    def close_sender(self, sender_id: int, now: datetime) -> None:
        """It keeps no study from being quiet any more; closing it twice is closing it once."""
        with self._write() as connection:
            _close(connection, sender_id, ending="has ended", now=now)

    def keep_senders(self, owner: str, now: datetime) -> None:
        """The process still serves its senders: other hosts leave them open."""
        with self._read() as connection:
            mine = _open(connection, owner)
        if mine:
            with self._write() as connection:
                connection.execute(
                    update(Sender)
                    .where(Sender.id.in_([row.id for row in mine]))
                    .values(alive_at=now)
                )

    def close_senders_of_dead(self, now: datetime, *, starting: bool = False) -> int:
        """Senders whose process runs no more are closed; how many were.

        A process of this host is asked; one of another host counts as dead when it has said
        nothing for `SILENT_FOR`.  A node that is `starting` on SQLite closes those of other hosts
        at once: its disk is its own, so they are of a container that this one has replaced.
        """
        replaced = starting and self._engine.dialect.name == "sqlite"
        with self._read() as connection:
            dead = [
                row.id
                for row in _open(connection)
                if (
                    is_dead_here(row.owner)
                    if is_of_this_host(row.owner)
                    else replaced or row.alive_at < now - SILENT_FOR
                )
            ]
        if dead:
            with self._write() as connection:
                for sender_id in dead:
                    _close(connection, sender_id, ending="was cut off (receiver died)", now=now)
        return len(dead)

    def record_instance(
        self,
        *,
        facts: InstanceFacts,
        file: StoredFile,
        identity: StudyIdentity,
        sender_id: int | None,
        now: datetime,
    ) -> Arrival:
        """The instance is here for good; a sender may be told so.

        The same bytes again change nothing but the time of the last arrival.  Other bytes under a
        known UID become a newer version.  The last to arrive is current: bytes that were replaced
        and come once more are current again, since the sender's last word counts.
        """
        study, sop = facts.study_instance_uid, facts.sop_instance_uid
        with self._write() as connection:
            _upsert_study(connection, study, identity, now, rename=facts.role in _NAMING)
            known = connection.execute(
                select(Instance.id, Instance.version, Instance.current, Instance.sha256).where(
                    Instance.study_instance_uid == study, Instance.sop_instance_uid == sop
                )
            ).all()
            same = next((row for row in known if row.sha256 == file.sha256), None)
            if same is not None and same.current:
                arrival = Arrival.SAME
            else:
                arrival = Arrival.NEWER_VERSION if known else Arrival.NEW
                version = 1 + max((row.version for row in known), default=0)
                _supersede(connection, facts)
                if same is not None:
                    connection.execute(
                        update(Instance)
                        .where(Instance.id == same.id)
                        .values(current=True, version=version, received_at=now)
                    )
                else:
                    connection.execute(
                        insert(Instance).values(
                            **facts_to_row(facts),
                            version=version,
                            current=True,
                            sha256=file.sha256,
                            path=file.path,
                            size=file.size,
                            received_at=now,
                        )
                    )
            if sender_id is not None:
                _contribute(connection, sender_id, study, arrival, now)
            elif arrival is Arrival.NEWER_VERSION:
                record(
                    connection,
                    Kind.INSTANCE_REPLACED,
                    study=study,
                    now=now,
                    sop_instance_uid=sop,
                    version=version,
                )
            return arrival


def _upsert_study(
    connection: Connection, study: str, identity: StudyIdentity, now: datetime, *, rename: bool
) -> None:
    """The row is there, locked for this transaction, and will be judged again."""
    dialect_insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    named = {
        "patient_id": identity.patient_id,
        "patient_name": identity.patient_name,
        "accession_number": identity.accession_number,
        "study_date": identity.study_date,
    }
    statement = dialect_insert(Study).values(
        **named,
        study_instance_uid=study,
        first_arrival_at=now,
        last_arrival_at=now,
        change=1,
        judge_at=now,
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[Study.study_instance_uid],
            set_={
                **(named if rename else {}),
                "last_arrival_at": now,
                "change": Study.change + 1,
                "judge_at": now,
            },
        )
    )


def _supersede(connection: Connection, facts: InstanceFacts) -> None:
    connection.execute(
        update(Instance)
        .where(
            Instance.study_instance_uid == facts.study_instance_uid,
            Instance.sop_instance_uid == facts.sop_instance_uid,
            Instance.current,
        )
        .values(current=False)
    )


def _contribute(
    connection: Connection, sender_id: int, study: str, arrival: Arrival, now: datetime
) -> None:
    counts = {
        "new": int(arrival is Arrival.NEW),
        "same": int(arrival is Arrival.SAME),
        "newer": int(arrival is Arrival.NEWER_VERSION),
    }
    counted = connection.execute(
        update(Contribution)
        .where(
            Contribution.sender_id == sender_id,
            Contribution.study_instance_uid == study,
        )
        .values(
            new=Contribution.new + counts["new"],
            same=Contribution.same + counts["same"],
            newer=Contribution.newer + counts["newer"],
        )
    )
    if counted.rowcount:
        return
    connection.execute(
        insert(Contribution).values(sender_id=sender_id, study_instance_uid=study, **counts)
    )
    sender = _sender(connection, sender_id)
    entry, _ = _ENTRIES[sender.kind]
    record(connection, entry, study=study, now=now, **sender.told())


_ENTRIES = {
    SenderKind.DIMSE: (Kind.ASSOCIATION_OPENED, Kind.ASSOCIATION_CLOSED),
    SenderKind.FILE: (Kind.FILES_OPENED, Kind.FILES_CLOSED),
}
"""What the diary calls it when a sender begins and ends."""


def _sender(connection: Connection, sender_id: int) -> SenderFacts:
    row = connection.execute(
        select(Sender.kind, Sender.name, Sender.called, Sender.peer).where(Sender.id == sender_id)
    ).one()
    return SenderFacts(kind=SenderKind(row.kind), name=row.name, called=row.called, peer=row.peer)


def _open(connection: Connection, owner: str | None = None) -> Sequence[Row[Any]]:
    query = select(*Sender.__table__.columns).where(Sender.closed_at.is_(None))
    if owner is not None:
        query = query.where(Sender.owner == owner)
    return connection.execute(query.order_by(Sender.id)).all()


def _close(connection: Connection, sender_id: int, *, ending: str, now: datetime) -> None:
    closed = connection.execute(
        update(Sender)
        .where(Sender.id == sender_id, Sender.closed_at.is_(None))
        .values(closed_at=now)
    )
    if not closed.rowcount:
        return
    sender = _sender(connection, sender_id)
    _, entry = _ENTRIES[sender.kind]
    for row in connection.execute(
        select(
            Contribution.study_instance_uid, Contribution.new, Contribution.same, Contribution.newer
        ).where(Contribution.sender_id == sender_id)
    ).all():
        record(
            connection,
            entry,
            study=row.study_instance_uid,
            now=now,
            **sender.told(),
            ending=ending,
            new=row.new,
            same=row.same,
            newer=row.newer,
        )
        connection.execute(
            update(Study)
            .where(Study.study_instance_uid == row.study_instance_uid)
            .values(change=Study.change + 1, judge_at=now)
        )


def open_senders(connection: Connection, studies: Collection[str]) -> dict[str, int]:
    """Of each of the studies, how many that brought something to it are still sending."""
    rows = connection.execute(
        select(Contribution.study_instance_uid, func.count().label("number"))
        .join(Sender, Sender.id == Contribution.sender_id)
        .where(Contribution.study_instance_uid.in_(studies), Sender.closed_at.is_(None))
        .group_by(Contribution.study_instance_uid)
    )
    return {row.study_instance_uid: row.number for row in rows}
