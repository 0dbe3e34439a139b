"""What people do to the work, over page and API alike: each an entry of one table.

They call what the verbs of the command line call; the diary says who it was.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from m3net.uids import StudyInstanceUID
from node.core.errors import DestinationError, NodeError, NotAllowed, UnknownEntry
from node.core.fetching import Scope, Wanted
from node.core.states import State
from node.dicom.header_text import is_uid
from node.keeping.erasure import erase
from node.listed.diary import in_local_time
from node.persistence.asked import DeliveriesAsked
from node.persistence.rows import DeliveryRow, JobRow
from node.web.problems import Problem
from node.web.services import Services

_MOST_DIGITS = 9
"""Of the number of a job or delivery; databases have a limit."""


class Target(StrEnum):
    """What an action is done to, and what stands for it in an address."""

    JOB = "job"
    DELIVERY = "delivery"
    STUDY = "study"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it.

    study : whose page shows more; None if it is of no one study
    """

    sentence: str
    study: StudyInstanceUID | None = None


Act = Callable[[Services, str, str], Done]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that an operator may do.

    title : on its button
    asks  : what it will do, to be confirmed; of "{target}"
    done  : that it is done
    risky : whether it cannot be taken back
    takes : what it takes away, to be confirmed; raises NodeError
    act   : does it to the target, for whoever is named; raises NodeError
    """

    name: str
    target: Target
    title: str
    asks: str
    done: str
    act: Act
    risky: bool = False
    takes: Callable[[Services, str], Sequence[str]] = lambda _services, _target: ()


def _requeue(services: Services, target: str, by: str) -> Done:
    job = _job(services, target)
    requeued = services.store.requeue_job(
        job.job_id,
        analysis_id=services.analysis_id(),
        now=services.clock(),
        by=by,
        outbox=services.outbox,
    )
    return Done(sentence=requeued.sentence, study=job.study_instance_uid)


def _cancel(services: Services, target: str, by: str) -> Done:
    job = _job(services, target)
    services.store.cancel_job(job.job_id, now=services.clock(), by=by)
    return Done(sentence=f"job {job.job_id} is cancelled", study=job.study_instance_uid)


def _send_again(services: Services, target: str, by: str) -> Done:
    row = _delivery(services, target)
    queued = services.store.requeue_delivery(row.delivery_id, now=services.clock(), by=by)
    return Done(
        sentence=f"delivery {queued} to {row.destination} is queued",
        study=row.study_instance_uid,
    )


def _cancel_delivery(services: Services, target: str, by: str) -> Done:
    row = _delivery(services, target)
    services.store.cancel_delivery(row.delivery_id, now=services.clock(), by=by)
    return Done(
        sentence=f"delivery {row.delivery_id} to {row.destination} is cancelled",
        study=row.study_instance_uid,
    )


def _send_dead_again(services: Services, target: str, by: str) -> Done:
    _require_destination(services, target)
    dead = services.store.deliveries(DeliveriesAsked(destination=target, states=[State.DEAD])).rows
    if not dead:
        raise NotAllowed(f"no delivery to {target} is dead: nothing is to be sent again")
    refused: list[str] = []
    for row in dead:
        try:
            services.store.requeue_delivery(row.delivery_id, now=services.clock(), by=by)
        except (NotAllowed, UnknownEntry) as error:
            # Overtaken by a later result, or erased: the others are sent all the same.
            refused.append(str(error))
    queued = len(dead) - len(refused)
    if not queued:
        raise NotAllowed(f"none of {len(dead)} dead deliveries is sent again: {refused[0]}")
    told = f"; {len(refused)} are not: {refused[0]}" if refused else ""
    return Done(sentence=f"{queued} of {len(dead)} dead deliveries are queued{told}")


def _fetch(services: Services, target: str, by: str) -> Done:
    sources = services.config.sources
    if not sources:
        raise NotAllowed("no source is configured: add [[sources]] to the configuration")
    if not is_uid(target):
        raise UnknownEntry("that is no Study Instance UID")
    study = StudyInstanceUID(target)
    number = services.store.ask_for_study(
        study,
        sources[0].name,
        Wanted(scope=Scope.STUDY, content="asked for by a person"),
        max_attempts=services.config.pull.max_attempts,
        now=services.clock(),
        by=by,
    )
    return Done(sentence=f"fetch {number} from {sources[0].name} is queued", study=study)


def _delete(services: Services, target: str, by: str) -> Done:
    study = services.store.find_study(target).study_instance_uid
    taken = erase(services.store, services.spool, study, by=by, now=services.clock())
    return Done(sentence=f"the study is erased: {taken.objects} objects, {taken.files} files")


def _what_deleting_takes(services: Services, target: str) -> Sequence[str]:
    row = services.store.find_study(target)
    taken = services.store.what_erasing_takes(row.study_instance_uid)
    return [
        f"accession number {row.identity.accession_number or 'none'}, last arrival "
        f"{in_local_time(row.last_arrival_at)}",
        f"{taken.objects} objects received and {taken.results} made: {taken.files} files, "
        f"{taken.size / 1e6:.1f} MB",
        *(f"not delivered: {each}" for each in taken.undelivered),
    ]


def _echo(services: Services, target: str, by: str) -> Done:
    del by  # nothing is changed
    _require_destination(services, target)
    try:
        services.echo(target)
    except DestinationError as error:
        raise NotAllowed(f"{target} does not answer: {error}") from error
    return Done(sentence=f"{target} answers")


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action(
            name="requeue-job",
            target=Target.JOB,
            title="Requeue",
            asks="Job {target} runs again. If it is done, its stored results are sent again as "
            "they are, or, if model, template or settings have changed, the study is analysed "
            "anew.",
            done="Requeued. What happened says what follows.",
            act=_requeue,
        ),
        Action(
            name="cancel-job",
            target=Target.JOB,
            title="Cancel",
            asks="Job {target} will not run. There will be no report of it, unless it is requeued.",
            done="Cancelled.",
            act=_cancel,
        ),
        Action(
            name="send-again",
            target=Target.DELIVERY,
            title="Send again",
            asks="What delivery {target} sends is sent again: the same stored objects, under the "
            "same UIDs.",
            done="Queued to be sent again.",
            act=_send_again,
        ),
        Action(
            name="cancel-delivery",
            target=Target.DELIVERY,
            title="Cancel",
            asks="What delivery {target} has not sent yet is not sent, unless it is sent again.",
            done="Cancelled.",
            act=_cancel_delivery,
        ),
        Action(
            name="send-dead-again",
            target=Target.DESTINATION,
            title="Send all dead again",
            asks="Every dead delivery to {target} is sent again. What a later result has "
            "overtaken is left out.",
            done="They are queued again, but for those that a later result has overtaken.",
            act=_send_dead_again,
        ),
        Action(
            name="fetch",
            target=Target.STUDY,
            title="Fetch",
            asks="The first configured source is asked for every CT series and every annotation "
            "of study {target} that is not here whole.",
            done="The source is asked.",
            act=_fetch,
        ),
        Action(
            name="delete-study",
            target=Target.STUDY,
            title="Delete",
            asks="Everything that this node holds of study {target} is erased, and cannot be "
            "brought back. What destinations and backups hold stays there. It is refused if "
            "something is not delivered: `m3node study delete --force` erases all the same.",
            done="The study is erased.",
            act=_delete,
            risky=True,
            takes=_what_deleting_takes,
        ),
        Action(
            name="echo",
            target=Target.DESTINATION,
            title="Echo",
            asks="{target} is asked whether it answers; nothing is sent.",
            done="It answers.",
            act=_echo,
        ),
    )
}


def perform(action: Action, services: Services, target: str, by: str) -> Done:
    """The action is done, for whoever is named.  Raises Problem(404), or (409) if it cannot be."""
    with _refusals():
        return action.act(services, target, by)


def taken_by(action: Action, services: Services, target: str) -> Sequence[str]:
    """What the action would take away, in sentences.  Raises Problem as `perform` does.

    The target is there: what an address says instead of one is not put into a question.
    """
    with _refusals():
        _REQUIRED[action.target](services, target)
        return action.takes(services, target)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnknownEntry as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
    except NodeError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error


def _number(target: str) -> int:
    if not (target.isascii() and target.isdigit() and len(target) <= _MOST_DIGITS):
        raise UnknownEntry("there is nothing of that number")
    return int(target)


def _job(services: Services, target: str) -> JobRow:
    return services.store.job(_number(target))


def _delivery(services: Services, target: str) -> DeliveryRow:
    number = _number(target)
    for row in services.store.deliveries(DeliveriesAsked(ids=[number])).rows:
        return row
    raise UnknownEntry(f"there is no delivery {number}")


def _require_destination(services: Services, name: str) -> None:
    if name not in {each.name for each in services.config.destinations}:
        raise UnknownEntry("no destination of that name is configured")


_REQUIRED: Mapping[Target, Callable[[Services, str], object]] = {
    Target.JOB: _job,
    Target.DELIVERY: _delivery,
    Target.STUDY: lambda services, target: services.store.find_study(target),
    Target.DESTINATION: _require_destination,
}
"""Raise UnknownEntry of a target that is not there."""
