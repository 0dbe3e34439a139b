"""One study: what came, what it came to, where that went, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from m3net.uids import StudyInstanceUID
from node.core.states import State
from node.listed.cautions import judged
from node.listed.diary import folded
from node.persistence.rows import DeliveryRow, FetchRow, JobRow, StudyRow
from node.web.access.person import Person
from node.web.page.acting import Acts, Button
from node.web.page.report import pictures_of, read_report
from node.web.page.studies import shown_study
from node.web.services import Services
from node.web.viewer import link_of

STATE_KINDS: Mapping[State, str] = {
    State.QUEUED: "busy",
    State.RUNNING: "busy",
    State.DONE: "good",
    State.DEAD: "bad",
    State.CANCELLED: "over",
}
"""Which shape and colour stand for the state of a piece of work."""


MOST_LINES = 300
"""Of the diary that are shown: the page is made again whenever something changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryLine:
    """One sentence; without a time it tells of now."""

    at: datetime | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWork:
    """One job, delivery or fetch.

    kind : which shape and colour stand for its state
    says : its headline, or why it waits or has failed
    """

    number: int
    of: str
    state: str
    kind: str
    tries: str
    made_at: datetime
    settled_at: datetime | None
    next_try: datetime | None
    says: str
    acts: Sequence[Button] = ()


def study(services: Services, row: StudyRow, person: Person) -> Mapping[str, Any]:
    """What the page of one study shows; it names the patient, as no list does."""
    acts = Acts(services, person)
    uid, store = row.study_instance_uid, services.store
    came = judged(store, row)
    fetches = store.list_fetches(uid)
    diary = _diary(services, uid, row, came.deliveries, fetches)
    return {
        "study": shown_study(row),
        "row": row,
        "identity": row.identity,
        "acts": acts.of_study(uid),
        "viewer": link_of(services, uid),
        "series": store.list_series(uid),
        "report": read_report(came.results, services.spool),
        "has_results": bool(came.results),
        "cautions": came.cautions,
        "pictures": pictures_of(came.results),
        "jobs": [shown_job(job, acts) for job in came.jobs],
        "deliveries": [shown_delivery(each, acts) for each in came.deliveries],
        "fetches": [shown_fetch(each) for each in fetches],
        "diary": diary[:MOST_LINES],
        "lines_left_out": len(diary) - MOST_LINES,
    }


def _diary(
    services: Services,
    uid: StudyInstanceUID,
    row: StudyRow,
    deliveries: Sequence[DeliveryRow],
    fetches: Sequence[FetchRow],
) -> Sequence[DiaryLine]:
    """What is true now first, then what happened, the last first."""
    now = [f"waiting: {row.waiting_for}"] if row.waiting_for else []
    now += [
        f"delivery {each.delivery_id} to {each.destination} waits for its next try: {each.error}"
        for each in deliveries
        if each.waits
    ]
    now += [
        f"fetch {each.number} from {each.source} waits for its next try: {each.error}"
        for each in fetches
        if each.waits
    ]
    return [
        *(DiaryLine(at=None, sentence=each) for each in now),
        *(
            DiaryLine(at=line.until, sentence=line.says)
            for line in reversed(folded(services.store.diary(uid)))
        ),
    ]


def shown_job(row: JobRow, acts: Acts) -> ShownWork:
    """The job, in words."""
    return _shown(
        row,
        number=row.job_id,
        of=str(row.revision),
        says=row.says or "",
        acts=acts.of_job(row.job_id, row.state),
    )


def shown_delivery(row: DeliveryRow, acts: Acts) -> ShownWork:
    """The delivery, in words."""
    stored = f"{row.delivered} objects stored"
    return _shown(
        row,
        number=row.delivery_id,
        of=row.destination,
        says=stored if row.state is State.DONE else row.error or "",
        acts=acts.of_delivery(row.delivery_id, row.state),
    )


def shown_fetch(row: FetchRow) -> ShownWork:
    """The question to a source, in words."""
    return _shown(row, number=row.number, of=row.source, says=row.error or "")


def _shown(
    row: JobRow | DeliveryRow | FetchRow,
    *,
    number: int,
    of: str,
    says: str,
    acts: Sequence[Button] = (),
) -> ShownWork:
    return ShownWork(
        number=number,
        of=of,
        state="waits" if row.waits else row.state.value,
        kind="waits" if row.waits else STATE_KINDS[row.state],
        tries=f"{row.tries} of {row.max_attempts}",
        made_at=row.created_at,
        settled_at=row.settled_at,
        next_try=row.not_before if row.waits else None,
        says=says,
        acts=acts,
    )
