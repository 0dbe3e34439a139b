"""The transactions that free files: which may go, that they are marked, and that they are gone.

The rows of a study stay, marked as freed; its files are noted in `removal` in the same transaction,
and only then removed.  So a crash leaves a file whose removal is noted, never a row that is not
marked without its file.  A file that another row needs, or that was written again since it was
noted, is not removed.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import aliased

from m3net.uids import StudyInstanceUID
from node.core.diary import Kind
from node.core.inputs import Role
from node.core.keeping import Files, Freeable
from node.core.states import State
from node.persistence.conditions import in_states, is_open
from node.persistence.schema import (
    IN_FORCE,
    ON_DISK,
    UNREAD,
    Artifact,
    Contribution,
    Delivery,
    Fetching,
    Instance,
    Job,
    Removal,
    Sender,
    Study,
    UTCDateTime,
)
from node.persistence.searched import recount
from node.persistence.transactions import Transactions, files_go, lock_study, record

_TABLES: dict[Files, type[Instance] | type[Artifact]] = {
    Files.RECEIVED: Instance,
    Files.RESULTS: Artifact,
}
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A file that no row needs; `since` is when it was noted."""

    path: str
    since: datetime


class Retention(Transactions):
    """What is freed."""

    def stored_bytes(self) -> int:
        """Of all files that rows need; one that several need counts for each."""
        with self._read() as connection:
            return sum(
                int(
                    connection.execute(
                        select(func.coalesce(func.sum(table.size), 0)).where(text(ON_DISK))
                    ).scalar_one()
                )
                for table in _TABLES.values()
            )

    def freeable(
        self,
        what: Files,
        *,
        before: datetime | None = None,
        answered: bool | None = None,
        most: int,
        after: Freeable | None = None,
    ) -> list[Freeable]:
        """Studies whose files of that kind may be freed, the oldest first.

        answered : only those of which there was nothing to say, or it has been said; False: only
                   those that were given up before: expired, or their analysis cancelled or held
        before : only what has been here for as long, and nothing was settled of it since: what a
                 restore holds is there for somebody to ask for it
        after  : only those that come after this one

        Never of a study of which something is still to come, to be judged or to be sent.
        """
        with self._read() as connection:
            query = _may_go(what)
            if answered is not None:
                query = query.where(_given_up() if not answered else ~_given_up())
            if before is not None:
                # Nothing is sent before it came: an index finds those that came after.
                query = query.where(
                    Study.last_arrival_at < before, _since(what) < before, *_calm_since(before)
                )
            if after is not None:
                query = query.where(
                    tuple_(Study.last_arrival_at, Study.study_instance_uid)
                    > tuple_(
                        literal(after.last_arrival_at, UTCDateTime()),
                        literal(after.study_instance_uid),
                    )
                )
            rows = connection.execute(
                query.order_by(Study.last_arrival_at, Study.study_instance_uid).limit(most)
            ).all()
            return [_freeable(connection, row, what) for row in rows]

    def free(
        self, study: StudyInstanceUID, what: Files, *, because: str, by: str, now: datetime
    ) -> Freeable | None:
        """The files of the study are marked as freed, and will be removed; the diary says why.

        None if they may not go any more.
        """
        table = _TABLES[what]
        with self._write() as connection:
            lock_study(connection, study)
            row = connection.execute(
                _may_go(what).where(Study.study_instance_uid == study)
            ).one_or_none()
            if row is None:
                return None
            freed = _freeable(connection, row, what)
            its_own = [
                table.study_instance_uid == study,
                table.freed_at.is_(None),
                *_expendable(what),
            ]
            paths = list(
                connection.execute(select(table.path).where(*its_own).distinct()).scalars()
            )
            connection.execute(
                update(table).where(*its_own).values({"freed_at": now, **_NOT_FOUND[what]})
            )
            note_removals(connection, paths, now)
            recount(connection, study)
            record(
                connection,
                Kind.STUDY_FREED,
                study=study,
                now=now,
                what=what.words,
                files=freed.files,
                megabytes=freed.size / 1e6,
                because=because,
                by=by,
            )
            return freed

    def when_freed(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> datetime | None:
        """When what is named there was freed; None if nothing of it was."""
        with self._read() as connection:
            moments = []
            for table in _TABLES.values():
                query = select(func.max(table.freed_at)).where(
                    table.study_instance_uid == study, table.freed_at.is_not(None)
                )
                if series is not None:
                    query = query.where(table.series_instance_uid == series)
                if instance is not None:
                    query = query.where(table.sop_instance_uid == instance)
                moments.append(connection.execute(query).scalar_one())
            return max((each for each in moments if each is not None), default=None)

    @contextmanager
    def removing(self, most: int) -> Iterator[Sequence[Marked]]:
        """Files that no row needs; when the block is left, none of them is marked any more.

        Within it nobody records that a file is here.
        """
        with self._write() as connection:
            files_go(connection)
            marked = connection.execute(
                select(Removal.path, Removal.since).order_by(Removal.path).limit(most)
            ).all()
            paths = [row.path for row in marked]
            needed = _needed(connection, paths)
            yield [
                Marked(path=row.path, since=row.since) for row in marked if row.path not in needed
            ]
            connection.execute(delete(Removal).where(Removal.path.in_(paths)))

    def is_removing(self) -> bool:
        """Whether files are noted to be removed."""
        with self._read() as connection:
            return connection.execute(select(Removal.path).limit(1)).first() is not None

    def unknown(self, paths: Collection[str]) -> set[str]:
        """Those of the paths that no row needs."""
        with self._read() as connection:
            return set(paths) - _needed(connection, paths)

    def note_unknown(self, paths: Collection[str], *, now: datetime) -> int:
        """Of these files, those that no row needs will be removed; how many they are."""
        unknown = self.unknown(paths)
        if unknown:
            with self._write() as connection:
                note_removals(connection, unknown, now)
        return len(unknown)


_NOT_FOUND: dict[Files, dict[str, Any]] = {
    Files.RECEIVED: {"findable": False},
    Files.RESULTS: {
        "in_force": False,
        # Nobody will read it again: what a version before wrote is described as saying nothing.
        "transfer_syntax_uid": func.coalesce(Artifact.transfer_syntax_uid, ""),
    },
}
"""What of a row says that it is found."""


def note_removals(connection: Connection, paths: Collection[str], now: datetime) -> None:
    """The files will be removed, unless a row needs them then."""
    insert_into = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    rows = [{"path": path, "since": now} for path in sorted(set(paths))]
    if rows:
        connection.execute(insert_into(Removal).on_conflict_do_nothing(), rows)


def files_of(
    connection: Connection,
    study: str,
    tables: Collection[type[Instance] | type[Artifact]],
    *only: ColumnElement[bool],
) -> tuple[int, int]:
    """How many files of the study, or `only` which of them, no other needs, and their bytes."""
    files = size = 0
    for table in tables:
        others = [
            exists().where(
                other.path == table.path,
                other.freed_at.is_(None),
                other.study_instance_uid != study,
            )
            for other in map(aliased, _TABLES.values())
        ]
        own = connection.execute(
            select(table.path, table.size)
            .where(
                table.study_instance_uid == study,
                table.freed_at.is_(None),
                *(~each for each in others),
                *only,
            )
            .distinct()
        ).all()
        files, size = files + len(own), size + sum(row.size for row in own)
    return files, size


def _freeable(connection: Connection, row: Any, what: Files) -> Freeable:
    files, size = files_of(connection, row.study_instance_uid, [_TABLES[what]], *_expendable(what))
    return Freeable(
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        what=what,
        last_arrival_at=row.last_arrival_at,
        since=row.since,
        files=files,
        size=size,
    )


def _needed(connection: Connection, paths: Collection[str]) -> set[str]:
    """Those of the paths that a row needs."""
    found: set[str] = set()
    listed = sorted(paths)
    for start in range(0, len(listed), _AT_ONCE):
        some = listed[start : start + _AT_ONCE]
        found.update(
            connection.execute(
                union(
                    *(
                        select(table.path).where(table.path.in_(some), table.freed_at.is_(None))
                        for table in _TABLES.values()
                    )
                )
            ).scalars()
        )
    return found


def _since(what: Files) -> ColumnElement[datetime]:
    if what is Files.RECEIVED:
        return cast(ColumnElement[datetime], Study.last_arrival_at)
    return cast(
        ColumnElement[datetime],
        select(func.max(Delivery.settled_at))
        .where(
            Delivery.study_instance_uid == Study.study_instance_uid,
            in_states(Delivery.state, {State.DONE}),
        )
        .correlate(Study)
        .scalar_subquery(),
    )


def _calm_since(before: datetime) -> list[ColumnElement[bool]]:
    """Nothing of the study was given up, or came to its end, since then."""
    return [
        or_(Study.expired_at.is_(None), Study.expired_at < before),
        *(
            ~exists().where(
                work.study_instance_uid == Study.study_instance_uid, work.settled_at >= before
            )
            for work in (Job, Delivery)
        ),
    ]


def _expendable(what: Files) -> list[ColumnElement[bool]]:
    """Of what was received all but results of this node that it does not know to have made: a
    rebuild found them, and nobody knows whether anybody else has them.
    """
    if what is Files.RESULTS:
        return []
    # By way of the jobs, which have an index by study, and artifacts one by job.
    known = exists().where(
        Job.study_instance_uid == Instance.study_instance_uid,
        Artifact.job_id == Job.id,
        Artifact.sop_instance_uid == Instance.sop_instance_uid,
    )
    return [or_(Instance.role != Role.OWN_RESULT, known)]


def _without_a_result_since(state: State) -> ColumnElement[bool]:
    """A job of the study has come to that, and none after it to a result."""
    later = aliased(Job)
    return exists().where(
        Job.study_instance_uid == Study.study_instance_uid,
        in_states(Job.state, {state}),
        ~exists().where(
            later.study_instance_uid == Job.study_instance_uid,
            later.revision > Job.revision,
            in_states(later.state, {State.DONE}),
        ),
    )


def _given_up() -> ColumnElement[bool]:
    """Something was still to be said of the study, and will be only if somebody asks for it."""
    return or_(Study.expired_at.is_not(None), _without_a_result_since(State.CANCELLED))


def _may_go(what: Files) -> Select[*tuple[Any, ...]]:
    """Studies of which nothing is under way, and which have files of that kind."""
    table = _TABLES[what]
    of_study = Study.study_instance_uid
    being_sent = exists().where(
        Contribution.study_instance_uid == of_study,
        Contribution.sender_id == Sender.id,
        Sender.closed_at.is_(None),
    )
    query: Select[*tuple[Any, ...]] = select(
        of_study, Study.last_arrival_at, _since(what).label("since")
    ).where(
        Study.judge_at.is_(None),
        or_(Study.waiting_for.is_(None), Study.expired_at.is_not(None)),
        exists().where(
            table.study_instance_uid == of_study, table.freed_at.is_(None), *_expendable(what)
        ),
        ~exists().where(Instance.study_instance_uid == of_study, text(UNREAD)),
        ~being_sent,
        ~exists().where(Job.study_instance_uid == of_study, is_open(Job)),
        ~_without_a_result_since(State.DEAD),
        ~exists().where(
            Delivery.study_instance_uid == of_study,
            in_states(Delivery.state, {State.QUEUED, State.RUNNING, State.DEAD}),
        ),
        ~exists().where(Fetching.study_instance_uid == of_study, is_open(Fetching)),
    )
    if what is Files.RESULTS:
        # Somebody has them: where nothing is sent, they are here and nowhere else.
        sent = exists().where(
            Delivery.study_instance_uid == of_study, in_states(Delivery.state, {State.DONE})
        )
        kept_here = exists().where(
            Artifact.study_instance_uid == of_study,
            text(IN_FORCE),
            ~exists().where(
                Delivery.job_id == Artifact.job_id, in_states(Delivery.state, {State.DONE})
            ),
        )
        query = query.where(sent, ~kept_here)
    return query
