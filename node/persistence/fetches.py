"""The puller's transactions: questions to sources, and what came of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import AN_OPERATOR
from node.core.errors import NotAllowed, UnknownEntry
from node.core.fetching import Fetch, Findings, Wanted
from node.core.states import State, Step
from node.persistence import work
from node.persistence.codec import (
    findings_from_json,
    findings_to_json,
    wanted_from_json,
    wanted_to_json,
)
from node.persistence.conditions import is_open
from node.persistence.leases import Leases
from node.persistence.meant import backwards
from node.persistence.rows import FetchLease
from node.persistence.schema import Fetching, Instance, Study
from node.persistence.transactions import inserted, judge_again, lock_study


class Fetches(Leases):
    """What is asked of sources."""

    def ask_source(
        self,
        study: StudyInstanceUID,
        source: str,
        wanted: Wanted,
        *,
        by_itself: bool,
        because: str,
        max_attempts: int,
        now: datetime,
    ) -> int | None:
        """The question is queued; its number, or None if the study has an open one already."""
        with self._write() as connection:
            lock_study(connection, study)
            if open_of(connection, study) is not None:
                return None
            return queue_fetch(
                connection,
                study,
                source,
                wanted,
                by_itself=by_itself,
                because=because,
                max_attempts=max_attempts,
                now=now,
            )

    def ask_for_study(
        self,
        study: StudyInstanceUID,
        source: str,
        wanted: Wanted,
        *,
        max_attempts: int,
        now: datetime,
        by: str = AN_OPERATOR,
    ) -> int:
        """A person's question is queued, of a study that may be unknown here; its number.

        Raises NotAllowed if the study has an open question.

        by : who asks, for the diary
        """
        with self._write() as connection:
            know_study(connection, study, now)
            if open_of(connection, study) is not None:
                raise NotAllowed(
                    "this study is being fetched already; `m3node why` says how it stands"
                )
            number = queue_fetch(
                connection,
                study,
                source,
                wanted,
                because=f"{by} asked for it",
                max_attempts=max_attempts,
                now=now,
            )
            judge_again(connection, study, now)
            return number

    def cancel_fetch(self, number: int, *, now: datetime, by: str = AN_OPERATOR) -> None:
        """The source is not asked, or what it sends is no answer; the study goes on without it.

        Raises UnknownEntry, and NotAllowed for one that is done or cancelled.

        by : who asks, for the diary
        """
        with self._write() as connection:
            study = connection.execute(
                select(Fetching.study_instance_uid).where(Fetching.id == number)
            ).scalar_one_or_none()
            if study is None:
                raise UnknownEntry(f"there is no fetch {number}")
            lock_study(connection, study)
            row = connection.execute(
                select(*Fetching.__table__.columns).where(Fetching.id == number).with_for_update()
            ).one()
            error = f"by {by}"
            if not work.cancel_one(
                connection, row, Fetching, error=error, now=now, line=work.Line({"error": error})
            ):
                raise NotAllowed(
                    f"fetch {number} is {row.state}; only what is queued, running or dead can be "
                    "cancelled"
                )
            judge_again(connection, study, now)

    def claim_fetch(
        self, *, source: str, owner: str, lease_s: float, now: datetime
    ) -> FetchLease | None:
        """The source's next question is this owner's for `lease_s`; None if there is none."""
        with self._write() as connection:
            row = work.claim(
                connection, Fetching, _CLAIMS, owner=owner, lease_s=lease_s, now=now, asked=source
            )
        if row is None:
            return None
        return FetchLease(
            work=Fetching,
            number=row.id,
            attempt=row.attempt,
            tries=row.tries,
            max_attempts=row.max_attempts,
            owner=owner,
            study_instance_uid=StudyInstanceUID(row.study_instance_uid),
            source=source,
            wanted=wanted_from_json(row.wanted),
        )

    def finish_fetch(
        self, lease: FetchLease, findings: Findings, *, says: str, now: datetime
    ) -> None:
        """The source has answered; the study is judged anew.  Raises LeaseLost."""
        with self._write() as connection:
            lock_study(connection, lease.study_instance_uid)
            work.settle(
                connection,
                lease,
                Step.FINISH,
                now=now,
                line=work.Line({"says": says}),
                findings=findings_to_json(findings),
                error=None,
            )
            judge_again(connection, lease.study_instance_uid, now)

    def instances_here(
        self, study: StudyInstanceUID
    ) -> dict[SeriesInstanceUID, frozenset[SOPInstanceUID]]:
        """The current instances of each series of the study, read or not."""
        found: dict[SeriesInstanceUID, set[SOPInstanceUID]] = {}
        with self._read() as connection:
            rows = connection.execute(
                select(Instance.series_instance_uid, Instance.sop_instance_uid).where(
                    Instance.study_instance_uid == study,
                    Instance.current,
                    Instance.freed_at.is_(None),
                )
            )
            for series, instance in rows:
                found.setdefault(SeriesInstanceUID(series), set()).add(SOPInstanceUID(instance))
        return {series: frozenset(uids) for series, uids in found.items()}

    def patient_of(self, study: StudyInstanceUID) -> str:
        """The Patient ID that the study goes by, to compare and not to show; empty if none is."""
        with self._read() as connection:
            return str(
                connection.execute(
                    select(Study.patient_id).where(Study.study_instance_uid == study)
                ).scalar_one()
            )


_CLAIMS = work.claims(
    Fetching, eligible=lambda candidate: (candidate.source == bindparam("asked"),)
)


def fetches_of(connection: Connection, study: str) -> tuple[Fetch, ...]:
    """What was asked about the study, oldest first, as completeness judges it."""
    return tuple(
        Fetch(
            number=row.id,
            source=row.source,
            content=row.content,
            by_itself=row.by_itself,
            state=State(row.state),
            findings=row.findings and findings_from_json(row.findings),
        )
        for row in rows_of(connection, study)
    )


def rows_of(connection: Connection, study: str) -> Sequence[Row[Any]]:
    """The rows of the study's questions, oldest first."""
    return connection.execute(
        select(*Fetching.__table__.columns)
        .where(Fetching.study_instance_uid == study)
        .order_by(Fetching.id)
    ).all()


def know_study(connection: Connection, study: StudyInstanceUID, now: datetime) -> None:
    """The study has a row, perhaps one without any object, and nobody else changes it meanwhile."""
    inserted(
        connection,
        Study,
        study_instance_uid=study,
        uid_backwards=backwards(study),
        patient_id="",
        patient_name="",
        accession_number="",
        study_date="",
        first_arrival_at=now,
        last_arrival_at=now,
        change=1,
    )
    lock_study(connection, study)


def queue_fetch(
    connection: Connection,
    study: StudyInstanceUID,
    source: str,
    wanted: Wanted,
    *,
    by_itself: bool = False,
    because: str,
    max_attempts: int,
    now: datetime,
) -> int:
    """The question is queued; its number.  `open_of` the locked study is None."""
    return work.add(
        connection,
        Fetching,
        max_attempts=max_attempts,
        now=now,
        line=work.Line({"because": because}),
        study_instance_uid=study,
        source=source,
        content=wanted.content,
        by_itself=by_itself,
        wanted=wanted_to_json(wanted),
    )


def open_of(connection: Connection, study: str) -> int | None:
    """The study's question that is not settled yet."""
    return connection.execute(
        select(Fetching.id).where(Fetching.study_instance_uid == study, is_open(Fetching))
    ).scalar_one_or_none()
