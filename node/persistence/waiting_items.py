"""Work items that wait for a job: they become it, or are given up; parts of the planner's work.

An item is given up, for good, where no job will come: its source did not answer or holds nothing,
or what is here is nothing for this node.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update

from m3net.uids import StudyInstanceUID
from node.core.diary import Kind
from node.core.fetching import Scope, Wanted
from node.core.states import SETTLED
from node.persistence.codec import findings_from_json, wanted_from_json
from node.persistence.conditions import in_states
from node.persistence.fetches import open_of, queue_fetch
from node.persistence.schema import Fetching, RequestedItem
from node.persistence.transactions import judge_again, record

A_WORK_ITEM = "a client who created a work item"
"""Who asks for a job again."""
THE_STUDY = Wanted(scope=Scope.STUDY, content="asked for by a client")
"""What is asked of a source for an item."""


Item = Row[*tuple[Any, ...]]
"""A row of `requested_item`."""


def is_waiting() -> ColumnElement[bool]:
    """The words of the index `ix_requested_item_waiting`."""
    return and_(RequestedItem.job_id.is_(None), RequestedItem.cancelled_at.is_(None))


def waiting_items(connection: Connection, study: str) -> Sequence[Item]:
    """The study's items whose source has answered, or that ask none."""
    return [each for each in _waiting(connection, study) if _asks_for_all(each)]


def items_of(connection: Connection, jobs: Collection[int]) -> Sequence[Item]:
    """The items that are these jobs."""
    if not jobs:
        return ()
    return connection.execute(
        select(*RequestedItem.__table__.columns)
        .where(RequestedItem.job_id.in_(jobs))
        .order_by(RequestedItem.id)
    ).all()


def become(connection: Connection, items: Sequence[Item], job_id: int, *, now: datetime) -> None:
    """The items are this job from now on."""
    for item in items:
        _set(connection, item, job_id=job_id)
        record(
            connection,
            Kind.WORK_ITEM_IS_JOB,
            study=item.study_instance_uid,
            now=now,
            job_id=job_id,
            uid=item.uid,
        )


def cancel(connection: Connection, item: Item, *, reason: str, now: datetime) -> None:
    """The item will not become a job."""
    _set(connection, item, cancelled_at=now, reason=reason)
    record(
        connection,
        Kind.WORK_ITEM_CANCELLED,
        study=item.study_instance_uid,
        now=now,
        uid=item.uid,
        reason=reason,
    )


def go_on_waiting(
    connection: Connection,
    study: StudyInstanceUID,
    *,
    reason: str,
    ended: bool,
    at_rest: bool,
    now: datetime,
) -> None:
    """The study has been judged: each item that is no job goes on waiting with reason, or ends.

    reason  : of the judgement
    ended   : what is here is nothing for this node, or was waited for long enough
    at_rest : only something that arrives can change the judgement
    """
    for item in _waiting(connection, study):
        if not _asks_for_all(item):
            _ask_for_all(connection, study, item, now)
            continue
        failed = None if item.fetch_id is None else _why_nothing_came(item)
        if ended or (failed is not None and at_rest):
            cancel(connection, item, reason="; ".join(filter(None, (failed, reason))), now=now)


def _waiting(connection: Connection, study: str) -> Sequence[Item]:
    """The study's items that wait for no answer, and what was asked for them."""
    return connection.execute(
        select(
            *RequestedItem.__table__.columns,
            Fetching.source,
            Fetching.wanted,
            Fetching.findings,
            Fetching.error,
            Fetching.max_attempts,
        )
        .outerjoin(Fetching, Fetching.id == RequestedItem.fetch_id)
        .where(
            RequestedItem.study_instance_uid == study,
            is_waiting(),
            or_(RequestedItem.fetch_id.is_(None), in_states(Fetching.state, SETTLED)),
        )
        .order_by(RequestedItem.id)
    ).all()


def _asks_for_all(item: Item) -> bool:
    """Whether what was asked for it was not less: an open question for some slices was joined."""
    return item.fetch_id is None or wanted_from_json(item.wanted).scope is Scope.STUDY


def _ask_for_all(
    connection: Connection, study: StudyInstanceUID, item: Item, now: datetime
) -> None:
    number = open_of(connection, study)
    asked = number is None
    if number is None:
        number = queue_fetch(
            connection,
            study,
            item.source,
            THE_STUDY,
            because=f"work item {item.uid} needs all of the study",
            max_attempts=item.max_attempts,
            now=now,
        )
    _set(connection, item, fetch_id=number, asked=asked)
    judge_again(connection, study, now)


def _why_nothing_came(item: Item) -> str | None:
    """Of a question that is settled; None if something may have come."""
    if item.findings is None:
        return f"it could not be fetched from {item.source}: {item.error}"
    if not findings_from_json(item.findings).series:
        return f"{item.source} holds nothing of this study"
    return None


def _set(connection: Connection, item: Item, **values: Any) -> None:
    connection.execute(update(RequestedItem).where(RequestedItem.id == item.id).values(**values))
