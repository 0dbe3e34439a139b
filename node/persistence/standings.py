"""Where studies stand (`node.core.standing`), as conditions of SQL that indexes serve.

`StudyRow.standing` says the same of a row; a test compares the two.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, TextClause, and_, exists, select, text, union
from sqlalchemy.orm import aliased

from node.core.standing import Standing
from node.core.states import State
from node.persistence.conditions import in_states
from node.persistence.schema import (
    EXPIRED,
    IGNORED,
    WAITING,
    Contribution,
    Delivery,
    Job,
    Sender,
    Study,
)

BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
_JOBS = {Standing(state.value): state for state in State}


def stands(standings: Collection[Standing]) -> ColumnElement[bool]:
    """The study stands in one of them."""
    uid = Study.study_instance_uid
    calm = uid.not_in(_received_now())
    conditions: Mapping[Standing, Sequence[ColumnElement[bool] | TextClause]] = {
        Standing.WAITING: (text(WAITING), Study.expired_at.is_(None)),
        Standing.EXPIRED: (text(WAITING), text(EXPIRED)),
        Standing.IGNORED: (text(IGNORED), Study.waiting_for.is_(None), ~_has_job()),
        # Few, and looked up first: in whatever order a list is, it is not walked for them.
        Standing.RECEIVED: (
            uid.in_(
                select(uid).where(
                    Study.judge_at > BEFORE_ALL,
                    Study.waiting_for.is_(None),
                    Study.ignored_because.is_(None),
                    ~_has_job(),
                )
            ),
        ),
    }
    ways: list[ColumnElement[bool]] = [
        and_(*conditions[each], calm) for each in standings if each in conditions
    ]
    if Standing.RECEIVING in standings:
        ways.append(uid.in_(_received_now()))
    if states := {_JOBS[each] for each in standings if each in _JOBS}:
        ways.append(and_(uid.in_(_with_latest_job(states)), Study.waiting_for.is_(None), calm))
    if len(ways) == 1:
        return ways[0]
    # One list made of all, each along its own index; alternatives of one condition have none.
    return uid.in_(union(*(select(uid).where(way) for way in ways)))


def has_delivery(states: Collection[State]) -> ColumnElement[bool]:
    """The last delivery of the study to one destination at least stands in one of them."""
    later = aliased(Delivery)
    last = ~exists().where(
        later.study_instance_uid == Delivery.study_instance_uid,
        later.destination == Delivery.destination,
        later.id > Delivery.id,
    )
    return Study.study_instance_uid.in_(
        select(Delivery.study_instance_uid).where(in_states(Delivery.state, states), last)
    )


def _with_latest_job(states: Collection[State]) -> Select[str]:
    later = aliased(Job)
    return select(Job.study_instance_uid).where(
        in_states(Job.state, states),
        ~exists().where(
            later.study_instance_uid == Job.study_instance_uid, later.revision > Job.revision
        ),
    )


def _received_now() -> Select[str]:
    return (
        select(Contribution.study_instance_uid)
        .join(Sender, Sender.id == Contribution.sender_id)
        .where(Sender.closed_at.is_(None))
    )


def _has_job() -> ColumnElement[bool]:
    return exists().where(Job.study_instance_uid == Study.study_instance_uid)
