"""Intake's transactions: senders, and instances that have arrived."""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Row, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine.interfaces import DBAPICursor

from node.core.diary import Kind
from node.core.sender import Sender as SenderFacts
from node.core.sender import SenderKind
from node.dicom.searchable import name_key
from node.persistence.meant import backwards
from node.persistence.prepared import Prepared
from node.persistence.process_identity import is_dead_here, is_of_this_host
from node.persistence.rows import Arrival, ReceivedInstance
from node.persistence.schema import Contribution, Instance, Sender, Study
from node.persistence.searched import recount
from node.persistence.transactions import Transactions, files_stay, judge_again, record

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
                    _close(
                        connection,
                        sender_id,
                        ending="was cut off (its process here died)",
                        now=now,
                    )
        return len(dead)

    def record_instances(self, received: Sequence[ReceivedInstance]) -> list[Arrival]:
        """The instances are here for good, in one transaction; their senders may be told so.

        The same bytes again change nothing but the time of the last arrival.  Other bytes under a
        known UID become a newer version.  The last to arrive is current: bytes that were replaced
        and come once more are current again, since the sender's last word counts.
        """
        brought: dict[tuple[int, str], Counter[Arrival]] = {}
        arrivals = []
        with self._write() as connection, closing(connection.connection.cursor()) as cursor:
            files_stay(connection)
            for study, of_it in _by_study(received).items():
                _upsert_study(connection, cursor, study, of_it)
            for each in received:
                arrival = _record(connection, cursor, each)
                arrivals.append(arrival)
                if each.sender_id is not None:
                    key = each.sender_id, each.study_instance_uid
                    brought.setdefault(key, Counter())[arrival] += 1
            for (sender_id, study), counts in brought.items():
                _contribute(connection, cursor, sender_id, study, counts, received[-1].at)
            for each in received:
                each.require()
        return arrivals


def _by_study(received: Sequence[ReceivedInstance]) -> dict[str, list[ReceivedInstance]]:
    found: dict[str, list[ReceivedInstance]] = {}
    for each in received:
        found.setdefault(each.study_instance_uid, []).append(each)
    return found


_STUDY_SEEN = ("last_arrival_at", "judge_at")
_STUDY_NAMED = (
    "patient_id",
    "patient_name",
    "patient_name_key",
    "accession_number",
    "study_date",
)
_STUDIES = cast(Table, Study.__table__)


def _study_upsert(insert_into: Any) -> Prepared:
    statement = insert_into(_STUDIES).values(change=1)
    upsert = statement.on_conflict_do_update(
        index_elements=["study_instance_uid"],
        set_={
            **{name: statement.excluded[name] for name in _STUDY_SEEN},
            "change": _STUDIES.c.change + 1,
        },
    ).returning(*(_STUDIES.c[name] for name in _STUDY_NAMED))
    columns = (
        "study_instance_uid",
        "uid_backwards",
        *_STUDY_NAMED,
        "first_arrival_at",
        *_STUDY_SEEN,
        "change",
    )
    return Prepared(upsert, columns=columns)


_UPSERTS = {
    dialect: _study_upsert(insert_into)
    for dialect, insert_into in (("sqlite", sqlite_insert), ("postgresql", postgresql_insert))
}
_RENAME = Prepared(
    update(_STUDIES)
    .where(_STUDIES.c.study_instance_uid == bindparam("study_instance_uid"))
    .values({name: bindparam(name) for name in _STUDY_NAMED})
)
_INSTANCES = cast(Table, Instance.__table__)
_CONTRIBUTIONS = cast(Table, Contribution.__table__)
_ITSELF = (
    _INSTANCES.c.study_instance_uid == bindparam("study"),
    _INSTANCES.c.sop_instance_uid == bindparam("sop"),
)
_KNOWN = Prepared(
    select(
        _INSTANCES.c.id,
        _INSTANCES.c.version,
        _INSTANCES.c.current,
        _INSTANCES.c.sha256,
        _INSTANCES.c.freed_at.is_not(None),
    ).where(*_ITSELF)
)
_SUPERSEDE = Prepared(
    update(_INSTANCES).where(*_ITSELF, _INSTANCES.c.current).values(current=False)
)
_INSERT = Prepared(
    insert(_INSTANCES),
    columns=(
        "study_instance_uid",
        "series_instance_uid",
        "sop_instance_uid",
        "sop_class_uid",
        "transfer_syntax_uid",
        "version",
        "current",
        "sha256",
        "path",
        "size",
        "received_at",
        "read_tries",
    ),
)
_COUNT = Prepared(
    update(_CONTRIBUTIONS)
    .where(
        _CONTRIBUTIONS.c.sender_id == bindparam("sender"),
        _CONTRIBUTIONS.c.study_instance_uid == bindparam("study"),
    )
    .values(
        {
            name: _CONTRIBUTIONS.c[name] + bindparam(f"more_{name}")
            for name in ("new", "same", "newer")
        }
    )
)
PREPARED = (_KNOWN, _SUPERSEDE, _INSERT, _COUNT)
"""What is executed for every object."""


def _upsert_study(
    connection: Connection, cursor: DBAPICursor, study: str, of_it: list[ReceivedInstance]
) -> None:
    """The row is there, locked for this transaction, and will be judged again."""
    naming = [each for each in of_it if each.names_study]
    last = (naming or of_it)[-1]
    now = of_it[-1].at
    values = {
        "study_instance_uid": study,
        "uid_backwards": backwards(study),
        "patient_id": last.identity.patient_id,
        "patient_name": last.identity.patient_name,
        "patient_name_key": name_key(last.identity.patient_name),
        "accession_number": last.identity.accession_number,
        "study_date": last.identity.study_date,
        "first_arrival_at": now,
        "last_arrival_at": now,
        "judge_at": now,
    }
    row = _UPSERTS[connection.dialect.name].execute(connection, cursor, values).fetchone()
    if naming and row != tuple(values[name] for name in _STUDY_NAMED):
        # Only then: an index is written anew with every column that is set, changed or not.
        _RENAME.execute(connection, cursor, values)


class _Known(NamedTuple):
    """A version that is here."""

    id: int
    version: int
    current: bool
    sha256: str
    freed: bool


def _record(connection: Connection, cursor: DBAPICursor, received: ReceivedInstance) -> Arrival:
    study, sop, file = received.study_instance_uid, received.sop_instance_uid, received.file
    itself = {"study": study, "sop": sop}
    known = [_Known(*row) for row in _KNOWN.execute(connection, cursor, itself).fetchall()]
    same = next((row for row in known if row.sha256 == file.sha256), None)
    if same is not None and same.freed:
        return _back(connection, cursor, received, same)
    if same is not None and same.current:
        return Arrival.SAME
    version = 1 + max((row.version for row in known), default=0)
    if known:
        _SUPERSEDE.execute(connection, cursor, itself)
    if same is not None:
        connection.execute(
            update(Instance)
            .where(Instance.id == same.id)
            .values(current=True, version=version, received_at=received.at)
        )
        recount(connection, study)
    else:
        _INSERT.execute(
            connection,
            cursor,
            {
                "study_instance_uid": study,
                "series_instance_uid": received.series_instance_uid,
                "sop_instance_uid": sop,
                "sop_class_uid": received.sop_class_uid,
                "transfer_syntax_uid": received.transfer_syntax_uid,
                "version": version,
                "current": True,
                "sha256": file.sha256,
                "path": file.path,
                "size": file.size,
                "received_at": received.at,
                "read_tries": 0,
            },
        )
    if known and received.sender_id is None:
        record(
            connection,
            Kind.INSTANCE_REPLACED,
            study=study,
            now=received.at,
            sop_instance_uid=sop,
            version=version,
        )
    return Arrival.NEWER_VERSION if known else Arrival.NEW


def _back(
    connection: Connection, cursor: DBAPICursor, received: ReceivedInstance, same: _Known
) -> Arrival:
    """A version whose file was freed has one again; it is read anew."""
    if not same.current:
        itself = {"study": received.study_instance_uid, "sop": received.sop_instance_uid}
        _SUPERSEDE.execute(connection, cursor, itself)
    unread = ("role", "kind", "content_digest", "facts", "findable", "freed_at")
    connection.execute(
        update(Instance)
        .where(Instance.id == same.id)
        .values(**dict.fromkeys(unread), current=True, read_tries=0, received_at=received.at)
    )
    return Arrival.NEW


def _contribute(
    connection: Connection,
    cursor: DBAPICursor,
    sender_id: int,
    study: str,
    counts: Counter[Arrival],
    now: datetime,
) -> None:
    more = {
        "new": counts[Arrival.NEW],
        "same": counts[Arrival.SAME],
        "newer": counts[Arrival.NEWER_VERSION],
    }
    counted = _COUNT.execute(
        connection,
        cursor,
        {
            "sender": sender_id,
            "study": study,
            **{f"more_{name}": number for name, number in more.items()},
        },
    )
    if counted.rowcount:
        return
    connection.execute(
        insert(Contribution).values(sender_id=sender_id, study_instance_uid=study, **more)
    )
    sender = _sender(connection, sender_id)
    entry, _ = _ENTRIES[sender.kind]
    record(connection, entry, study=study, now=now, **sender.told())


_ENTRIES = {
    SenderKind.DIMSE: (Kind.ASSOCIATION_OPENED, Kind.ASSOCIATION_CLOSED),
    SenderKind.DICOMWEB: (Kind.TRANSACTION_OPENED, Kind.TRANSACTION_CLOSED),
    SenderKind.FILE: (Kind.FILES_OPENED, Kind.FILES_CLOSED),
    SenderKind.SOURCE: (Kind.SOURCE_OPENED, Kind.SOURCE_CLOSED),
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
        judge_again(connection, row.study_instance_uid, now)


def open_senders(connection: Connection, studies: Collection[str]) -> dict[str, int]:
    """Of each of the studies, how many that brought something to it are still sending."""
    rows = connection.execute(
        select(Contribution.study_instance_uid, func.count().label("number"))
        .join(Sender, Sender.id == Contribution.sender_id)
        .where(Contribution.study_instance_uid.in_(studies), Sender.closed_at.is_(None))
        .group_by(Contribution.study_instance_uid)
    )
    return {row.study_instance_uid: row.number for row in rows}
