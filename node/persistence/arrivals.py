"""Intake's transactions: associations, and instances that have arrived."""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from node.core.diary import Kind
from node.core.inputs import InstanceFacts, Role, StudyIdentity
from node.persistence.codec import facts_to_json
from node.persistence.process_identity import is_dead_here, is_of_this_host
from node.persistence.rows import Arrival
from node.persistence.schema import Association, Contribution, Instance, Study
from node.persistence.spool import StoredFile
from node.persistence.transactions import Transactions, record

_NAMING = frozenset({Role.CT, Role.LOCALIZER, Role.UNSUPPORTED_CT})
"""The scanner's objects name the study; a stray annotation of somebody else does not."""


class Arrivals(Transactions):
    """What comes in."""

    def open_association(
        self, *, calling_ae: str, called_ae: str, peer: str, owner: str, now: datetime
    ) -> int:
        """An association is known; studies that it brings something to are not quiet."""
        with self._write() as connection:
            return connection.execute(
                insert(Association)
                .values(
                    calling_ae=calling_ae,
                    called_ae=called_ae,
                    peer=peer,
                    owner=owner,
                    opened_at=now,
                )
                .returning(Association.id)
            ).scalar_one()

    def close_association(self, association_id: int, now: datetime) -> None:
        """The association keeps no study from being quiet; closing it twice is closing it once."""
        with self._write() as connection:
            _close(connection, association_id, ending="has ended", now=now)

    def close_associations_of_dead(self, now: datetime, *, starting: bool = False) -> int:
        """Associations whose process on this host runs no more are closed; how many were.

        A node that is `starting` on SQLite closes those of other hosts as well: its disk is its
        own, so they are of a container that this one has replaced, and nobody else ever would.
        """
        with self._write() as connection:
            replaced = starting and connection.dialect.name == "sqlite"
            opened = connection.execute(
                select(Association.id, Association.owner).where(Association.closed_at.is_(None))
            ).all()
            dead = [
                row.id
                for row in opened
                if is_dead_here(row.owner) or (replaced and not is_of_this_host(row.owner))
            ]
            for association_id in dead:
                _close(connection, association_id, ending="was cut off (receiver died)", now=now)
            return len(dead)

    def record_instance(
        self,
        *,
        facts: InstanceFacts,
        file: StoredFile,
        identity: StudyIdentity,
        association_id: int | None,
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
                            study_instance_uid=study,
                            sop_instance_uid=sop,
                            version=version,
                            current=True,
                            content_digest=facts.content_digest,
                            sha256=file.sha256,
                            path=file.path,
                            size=file.size,
                            facts=facts_to_json(facts),
                            received_at=now,
                        )
                    )
            if association_id is not None:
                _contribute(connection, association_id, study, arrival, now)
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
    connection: Connection, association_id: int, study: str, arrival: Arrival, now: datetime
) -> None:
    counts = {
        "new": int(arrival is Arrival.NEW),
        "same": int(arrival is Arrival.SAME),
        "newer": int(arrival is Arrival.NEWER_VERSION),
    }
    counted = connection.execute(
        update(Contribution)
        .where(
            Contribution.association_id == association_id,
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
        insert(Contribution).values(
            association_id=association_id, study_instance_uid=study, **counts
        )
    )
    sender = connection.execute(
        select(Association.calling_ae, Association.called_ae, Association.peer).where(
            Association.id == association_id
        )
    ).one()
    record(connection, Kind.ASSOCIATION_OPENED, study=study, now=now, **dict(sender._mapping))


def _close(connection: Connection, association_id: int, *, ending: str, now: datetime) -> None:
    closed = connection.execute(
        update(Association)
        .where(Association.id == association_id, Association.closed_at.is_(None))
        .values(closed_at=now)
        .returning(Association.calling_ae)
    ).scalar_one_or_none()
    if closed is None:
        return
    for row in connection.execute(
        select(
            Contribution.study_instance_uid, Contribution.new, Contribution.same, Contribution.newer
        ).where(Contribution.association_id == association_id)
    ).all():
        record(
            connection,
            Kind.ASSOCIATION_CLOSED,
            study=row.study_instance_uid,
            now=now,
            calling_ae=closed,
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


def open_associations(connection: Connection, study: str) -> int:
    """How many associations that brought something to the study are still open."""
    return connection.execute(
        select(func.count())
        .select_from(Contribution)
        .join(Association, Association.id == Contribution.association_id)
        .where(Contribution.study_instance_uid == study, Association.closed_at.is_(None))
    ).scalar_one()
