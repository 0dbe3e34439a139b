"""The list of studies: accession numbers, times and AE titles, and nobody's name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from node.core.standing import Standing
from node.core.states import State
from node.listed.studies import deliveries_in_words, state_of, uid_ends
from node.persistence.asked import StudiesAsked, StudyOrder
from node.persistence.rows import StudyRow
from node.web.page.paging import A_PAGE, ListAsked, Listed
from node.web.services import Services
from sr_templates.findings import Outcome

_UNDELIVERED = "undelivered"
_STATES = {
    **{each.value: each.value for each in Standing},
    _UNDELIVERED: "a delivery is dead",
}
_KINDS: Mapping[Standing, str] = {
    Standing.RECEIVING: "busy",
    Standing.WAITING: "waits",
    Standing.EXPIRED: "waits",
    Standing.RECEIVED: "busy",
    Standing.IGNORED: "over",
    Standing.QUEUED: "busy",
    Standing.RUNNING: "busy",
    Standing.DONE: "good",
    Standing.DEAD: "bad",
    Standing.CANCELLED: "over",
}
_NO_RESULT = frozenset({Outcome.NOT_ANALYSED, Outcome.TECHNICAL_FAILURE, Outcome.NOT_ANNOTATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a filter."""

    value: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStudy:
    """One line of the list.

    kind            : which shape and colour stand for its state
    deliveries_kind : the same of what became of its deliveries
    """

    uid: str
    accession: str
    last_arrival: datetime
    state: str
    kind: str
    deliveries: str
    deliveries_kind: str
    says: str
    senders: str
    instances: int


def studies(services: Services, query: Mapping[str, str]) -> Mapping[str, Any]:
    """What the list shows."""
    asked = ListAsked.of(
        f"{services.config.web.root}/",
        query,
        filters={"state": list(_STATES)},
        orders=[StudyOrder.ARRIVAL, StudyOrder.ACCESSION, StudyOrder.DATE],
    )
    state = asked.filters["state"]
    found = services.store.studies(
        StudiesAsked(
            search=asked.search,
            standings=[Standing(state)] if state and state != _UNDELIVERED else (),
            delivery_states=[State.DEAD] if state == _UNDELIVERED else (),
            order=StudyOrder(asked.order),
            forwards=asked.forwards,
            limit=A_PAGE,
            offset=asked.offset,
        )
    )
    return {
        "rows": [shown_study(row) for row in found.rows],
        "uid_ends": uid_ends([row.study_instance_uid for row in found.rows]),
        "list": Listed.of(asked, found),
        "states": [Choice(value=value, title=title) for value, title in _STATES.items()],
    }


def shown_study(row: StudyRow) -> ShownStudy:
    """The row, in words."""
    return ShownStudy(
        uid=row.study_instance_uid,
        accession=row.identity.accession_number,
        last_arrival=row.last_arrival_at,
        state=state_of(row).replace("_", " "),
        kind=_kind(row),
        deliveries=deliveries_in_words(row.deliveries),
        deliveries_kind=_kind_of_deliveries(row.deliveries),
        says=row.says or "",
        senders=", ".join(row.senders),
        instances=row.instances,
    )


def _kind_of_deliveries(states: Mapping[State, int]) -> str:
    """A report that reached nobody is not shown as one that did."""
    if states.get(State.DEAD):
        return "bad"
    return "good" if set(states) <= {State.DONE} else "busy"


def _kind(row: StudyRow) -> str:
    """A result that says that there is none is not shown as a good one."""
    if row.standing is Standing.DONE and row.last_outcome in _NO_RESULT:
        return "waits"
    return _KINDS[row.standing]
