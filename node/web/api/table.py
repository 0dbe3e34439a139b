"""Every operation, once: its address, what it asks and answers, who may, and what it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from node.core.errors import Ambiguous, UnknownEntry
from node.core.people import Role
from node.listed.cautions import judged
from node.listed.diary import event_json
from node.listed.studies import series_json, study_json
from node.persistence import asked as lists
from node.persistence.asked import Page
from node.persistence.rows import DeliveryRow, FetchRow, JobRow
from node.watch.sign import worst
from node.web.access.person import Person
from node.web.actions import ACTIONS, perform
from node.web.api.answers import (
    ActionAnswer,
    DestinationAnswer,
    DoneAnswer,
    HealthAnswer,
    Rows,
    StudyAnswer,
    WholeStudyAnswer,
)
from node.web.api.asked import (
    Asked,
    DeliveriesAsked,
    ListAsked,
    Nothing,
    StudiesAsked,
    WorkAsked,
)
from node.web.page.destinations import destinations
from node.web.problems import Problem
from node.web.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, read: what the path and the query say, and who asks."""

    path: Mapping[str, Any]
    query: Any
    person: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    path   : below /api; names in braces are of `parameters`
    answer : the type of what `act` gives, which is checked against it
    fails  : with which statuses beside those that every operation has
    """

    method: str = "GET"
    path: str
    summary: str
    answer: Any
    act: Callable[[Services, Request], Any]
    query: type[Asked] = Nothing
    parameters: Mapping[str, Any] = field(default_factory=dict)
    role: Role = Role.VIEWER
    fails: Sequence[HTTPStatus] = ()


def _studies(services: Services, request: Request) -> Any:
    asked: StudiesAsked = request.query
    page = services.store.studies(
        lists.StudiesAsked(
            **_of_list(asked),
            standings=asked.standing,
            delivery_states=asked.delivery_state,
            order=asked.sort,
        )
    )
    rows = [study_json(row, phi=False) for row in page.rows]
    return {"rows": rows, "total": page.total, "offset": page.offset}


def _study(services: Services, request: Request) -> Any:
    store = services.store
    try:
        row = store.find_study(request.path["study"])
    except (UnknownEntry, Ambiguous) as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
    uid = row.study_instance_uid
    came = judged(store, row)
    return {
        **study_json(row, phi=True),
        "job_in_force": came.job_in_force,
        "cautions": [asdict(each) for each in came.cautions],
        "series": series_json(store.list_series(uid)),
        "job_list": came.jobs,
        "deliveries": came.deliveries,
        "fetches": store.list_fetches(uid),
        "events": [event_json(event) for event in store.diary(uid)],
    }


def _jobs(services: Services, request: Request) -> Any:
    asked: WorkAsked = request.query
    return _paged(services.store.jobs(lists.WorkAsked(**_of_work(asked))))


def _job(services: Services, request: Request) -> Any:
    try:
        return services.store.job(request.path["job"])
    except UnknownEntry as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error


def _deliveries(services: Services, request: Request) -> Any:
    asked: DeliveriesAsked = request.query
    return _paged(
        services.store.deliveries(
            lists.DeliveriesAsked(**_of_work(asked), destination=asked.destination or None)
        )
    )


def _fetches(services: Services, request: Request) -> Any:
    asked: WorkAsked = request.query
    return _paged(services.store.fetches(lists.FetchesAsked(**_of_work(asked))))


def _destinations(services: Services, request: Request) -> Any:
    return [
        {
            "name": row.name,
            "configured": row.configured,
            "last_success_at": row.last_success,
            "under_way": row.waiting,
            "oldest_waiting_at": row.oldest,
            "dead": row.dead,
            "error": row.error,
        }
        for row in destinations(services, request.person)["rows"]
    ]


def _health(services: Services, request: Request) -> Any:
    del request
    signs = services.lookout.signs()
    return {"status": worst(signs) or "ok", "signs": [asdict(each) for each in signs]}


def _actions(services: Services, request: Request) -> Any:
    del services, request
    return [
        {"name": each.name, "target": each.target, "title": each.title, "asks": each.asks}
        for each in ACTIONS.values()
    ]


def _act(services: Services, request: Request) -> Any:
    action = ACTIONS[request.path["action"]]
    done = perform(action, services, request.path["target"], request.person.signature)
    return {"sentence": done.sentence, "study_instance_uid": done.study}


_TEXT = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[^\x00/]+$"}
_STUDY = {**_TEXT, "description": "An accession number, a Study Instance UID, or how it ends."}
_ACTION = {"type": "string", "enum": list(ACTIONS)}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}

OPERATIONS: Sequence[Operation] = (
    Operation(
        path="/studies",
        summary="Studies, the last to receive something first",
        query=StudiesAsked,
        answer=Rows[StudyAnswer],
        act=_studies,
    ),
    Operation(
        path="/studies/{study}",
        summary="One study with its series, work and diary; it names the patient",
        answer=WholeStudyAnswer,
        act=_study,
        parameters={"study": _STUDY},
        fails=(HTTPStatus.NOT_FOUND,),
    ),
    Operation(
        path="/jobs",
        summary="Analyses, newest first",
        query=WorkAsked,
        answer=Rows[JobRow],
        act=_jobs,
    ),
    Operation(
        path="/jobs/{job}",
        summary="One analysis",
        answer=JobRow,
        act=_job,
        parameters={"job": _NUMBER},
        fails=(HTTPStatus.NOT_FOUND,),
    ),
    Operation(
        path="/deliveries",
        summary="Deliveries, newest first",
        query=DeliveriesAsked,
        answer=Rows[DeliveryRow],
        act=_deliveries,
    ),
    Operation(
        path="/fetches",
        summary="Questions to sources, newest first",
        query=WorkAsked,
        answer=Rows[FetchRow],
        act=_fetches,
    ),
    Operation(
        path="/destinations",
        summary="Where results go: the last success, what waits, what is dead",
        answer=list[DestinationAnswer],
        act=_destinations,
    ),
    Operation(
        path="/health",
        summary="Everything that is wrong now",
        answer=HealthAnswer,
        act=_health,
    ),
    Operation(
        path="/actions",
        summary="What an operator may do",
        answer=list[ActionAnswer],
        act=_actions,
    ),
    Operation(
        method="POST",
        path="/actions/{action}/{target}",
        summary="Do it: to a job or delivery by number, a study by UID, a destination by name",
        answer=DoneAnswer,
        act=_act,
        parameters={"action": _ACTION, "target": _TEXT},
        role=Role.OPERATOR,
        fails=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
)


def _of_list(asked: ListAsked) -> dict[str, Any]:
    return {
        "search": asked.search,
        "forwards": asked.forwards,
        "limit": asked.limit,
        "offset": asked.offset,
    }


def _of_work(asked: WorkAsked) -> dict[str, Any]:
    return {**_of_list(asked), "states": asked.state, "order": asked.sort}


def _paged(page: Page[Any]) -> dict[str, Any]:
    return {"rows": page.rows, "total": page.total, "offset": page.offset}
