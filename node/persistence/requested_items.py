"""Work items that clients create (UPS-RS): a study is named, and an analysis of it asked for.

Such an item waits until there is a job for its study (`waiting_items`), and is that job from then
on.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind, client_at
from node.core.errors import NotAllowed, UnknownEntry
from node.core.states import State
from node.core.uids import job_of_work_item, requested_item_uid
from node.persistence import work
from node.persistence.conditions import in_states
from node.persistence.fetches import know_study, open_of, queue_fetch
from node.persistence.schema import Fetching, Instance, RequestedItem, Study
from node.persistence.transactions import (
    Transactions,
    inserted,
    judge_again,
    lock_study,
    record,
)
from node.persistence.waiting_items import THE_STUDY, cancel, is_waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAsked:
    """What a client asks for.

    uid        : of the work item; None: it is given one
    source     : who is asked for the study; None: nobody, if anything of it is here
    otherwise  : who is asked if nothing of it is here and no source is named
    patient_id : as the client says; empty if it does not
    """

    uid: SOPInstanceUID | None
    study_instance_uid: StudyInstanceUID
    source: str | None = None
    otherwise: str | None = None
    patient_id: str = field(default="", repr=False)


class RequestedItems(Transactions):
    """What clients ask for."""

    def request_item(
        self, asked: ItemAsked, *, client: str, max_attempts: int, now: datetime
    ) -> SOPInstanceUID:
        """The work item is there, and its study is fetched or judged anew; its UID.

        A question to a source that is open is joined.  Raises NotAllowed if the UID is taken, the
        study is another patient's, or it is not here and nobody can be asked for it.

        client       : its address, for the diary
        max_attempts : of the question to a source
        """
        study, by = asked.study_instance_uid, client_at(client)
        with self._write() as connection:
            know_study(connection, study, now)
            if asked.uid is not None and job_of_work_item(asked.uid) is not None:
                raise NotAllowed("by UIDs of this form the node names work items of its own")
            _require_patient(connection, study, asked.patient_id)
            here = _is_here(connection, study)
            source = asked.source or (None if here else asked.otherwise)
            if source is None and not here:
                raise NotAllowed(
                    "nothing of this study is here, and no source is configured that could be "
                    "asked for it; send it first"
                )
            joined = None if source is None else open_of(connection, study)
            fetch = joined
            if source is not None and joined is None:
                fetch = queue_fetch(
                    connection,
                    study,
                    source,
                    THE_STUDY,
                    because=f"{by} asked for an analysis",
                    max_attempts=max_attempts,
                    now=now,
                )
            uid = asked.uid or _new_uid(connection, study, now)
            if not inserted(
                connection,
                RequestedItem,
                uid=uid,
                study_instance_uid=study,
                fetch_id=fetch,
                asked=fetch is not None and joined is None,
                created_at=now,
            ):
                raise NotAllowed("a work item has this UID already")
            record(connection, Kind.WORK_ITEM_REQUESTED, study=study, now=now, by=by, uid=uid)
            judge_again(connection, study, now)
            return uid

    def cancel_item(self, uid: str, *, client: str, now: datetime) -> None:
        """It will not become a job; what was asked of a source for it alone is withdrawn.

        Raises UnknownEntry, or NotAllowed if it is a job or cancelled already.
        """
        with self._write() as connection:
            item = _locked(connection, uid)
            if item.job_id is not None or item.cancelled_at is not None:
                raise NotAllowed("this work item is a job already, or cancelled")
            reason = f"cancelled by {client_at(client)}"
            cancel(connection, item, reason=reason, now=now)
            if item.fetch_id is not None and not _is_wanted(connection, item.fetch_id):
                withdrawn = and_(
                    Fetching.id == item.fetch_id, in_states(Fetching.state, {State.QUEUED})
                )
                work.cancel(connection, Fetching, withdrawn, error=reason, now=now)
                judge_again(connection, item.study_instance_uid, now)


def _is_wanted(connection: Connection, fetch_id: int) -> bool:
    """Whether anybody but cancelled items wants what is asked there."""
    of_it = RequestedItem.fetch_id == fetch_id
    return bool(
        connection.execute(
            select(
                or_(
                    exists().where(of_it, is_waiting()),
                    ~exists().where(of_it, RequestedItem.asked),
                )
            )
        ).scalar_one()
    )


def _locked(connection: Connection, uid: str) -> Row[Any]:
    """The item, which nobody else changes until the transaction is over."""
    columns = select(*RequestedItem.__table__.columns).where(RequestedItem.uid == uid)
    item = connection.execute(columns).one_or_none()
    if item is None:
        raise UnknownEntry("there is no such work item")
    lock_study(connection, item.study_instance_uid)
    return connection.execute(columns.with_for_update()).one()


def _require_patient(connection: Connection, study: str, patient_id: str) -> None:
    known = connection.execute(
        select(Study.patient_id).where(Study.study_instance_uid == study)
    ).scalar_one()
    if known and patient_id and known.strip() != patient_id.strip():
        raise NotAllowed("what is here of this study is of another patient than the request says")


def _is_here(connection: Connection, study: str) -> bool:
    return bool(
        connection.execute(
            select(
                exists().where(
                    Instance.study_instance_uid == study,
                    Instance.current,
                    Instance.freed_at.is_(None),
                )
            )
        ).scalar_one()
    )


def _new_uid(connection: Connection, study: StudyInstanceUID, now: datetime) -> SOPInstanceUID:
    before = connection.execute(
        select(func.count()).where(RequestedItem.study_instance_uid == study)
    ).scalar_one()
    return requested_item_uid(study, before + 1, at=now)
