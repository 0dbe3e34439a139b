"""The queue: analyses, deliveries and questions to sources, whichever study they are of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from node.core.states import State
from node.persistence.asked import DeliveriesAsked, FetchesAsked, Page, WorkAsked, WorkOrder
from node.persistence.rows import DeliveryRow, FetchRow, JobRow
from node.persistence.store import Store
from node.web.access.person import Person
from node.web.page.acting import Acts
from node.web.page.paging import A_PAGE, ListAsked, Listed
from node.web.page.studies import Choice
from node.web.page.study import ShownWork, shown_delivery, shown_fetch, shown_job
from node.web.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkKind:
    """One kind of work, as the page names it."""

    value: str
    title: str
    noun: str
    of: str


Row = TypeVar("Row", JobRow, DeliveryRow, FetchRow)

_KINDS = {
    "job": WorkKind(value="job", title="Analyses", noun="Job", of="Revision"),
    "delivery": WorkKind(value="delivery", title="Deliveries", noun="Delivery", of="Destination"),
    "fetch": WorkKind(value="fetch", title="Fetches", noun="Fetch", of="Source"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One line: the work, and the study that it is of."""

    uid: str
    accession: str
    work: ShownWork


def queue(services: Services, query: Mapping[str, str], person: Person) -> Mapping[str, Any]:
    """What the page of the queue shows."""
    destinations = _destinations(services) if query.get("kind") == "delivery" else []
    asked = ListAsked.of(
        f"{services.config.web.root}/queue",
        query,
        filters={
            "kind": list(_KINDS),
            "state": [each.value for each in State],
            "destination": destinations,
        },
        orders=[WorkOrder.NUMBER, WorkOrder.STATE],
    )
    kind = _KINDS[asked.filters["kind"] or "job"]
    acts = Acts(services, person)
    rows, found = _found(services.store, kind.value, asked, acts)
    return {
        "rows": rows,
        "list": Listed.of(asked, found),
        "kind": kind,
        "kinds": list(_KINDS.values()),
        "states": [Choice(value=each.value, title=each.value) for each in State],
        "destinations": destinations,
    }


def _destinations(services: Services) -> list[str]:
    """The configured ones, and those that something was sent to before."""
    names = [each.name for each in services.config.destinations]
    return names + [row.name for row in services.store.destination_rows() if row.name not in names]


def _found(
    store: Store, kind: str, asked: ListAsked, acts: Acts
) -> tuple[Sequence[QueueRow], Page[Any]]:
    said: dict[str, Any] = {
        "search": asked.search,
        "states": [State(asked.filters["state"])] if asked.filters["state"] else (),
        "order": WorkOrder(asked.order),
        "forwards": asked.forwards,
        "limit": A_PAGE,
        "offset": asked.offset,
    }
    if kind == "job":
        jobs = store.jobs(WorkAsked(**said))
        return _rows(jobs.rows, lambda row: shown_job(row, acts)), jobs
    if kind == "delivery":
        destination = asked.filters["destination"] or None
        deliveries = store.deliveries(DeliveriesAsked(**said, destination=destination))
        return _rows(deliveries.rows, lambda row: shown_delivery(row, acts)), deliveries
    fetches = store.fetches(FetchesAsked(**said))
    return _rows(fetches.rows, shown_fetch), fetches


def _rows(rows: Sequence[Row], shown: Callable[[Row], ShownWork]) -> Sequence[QueueRow]:
    return [
        QueueRow(uid=row.study_instance_uid, accession=row.accession_number, work=shown(row))
        for row in rows
    ]
