"""Studies and their series, as they are shown.

Of what is delivered the last delivery to each destination counts: a study whose report reached
nobody is not merely "analysed".
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from node.core.standing import Standing
from node.core.states import SETTLED, State

if TYPE_CHECKING:
    from node.persistence.rows import SeriesRow, StudyRow

SHORTEST = 12
"""So many characters of a UID are shown at least."""
CUT = "\N{HORIZONTAL ELLIPSIS}"


def state_of(row: "StudyRow") -> str:
    """In one word, what a study is at: the outcome of what is done, else where it stands."""
    if row.standing is Standing.DONE and row.last_outcome is not None:
        return row.last_outcome.value
    return row.standing.value


def state_in_words(row: "StudyRow") -> str:
    """The same with what became of the deliveries: "analysed, 5 of 6 deliveries dead"."""
    said = state_of(row).replace("_", " ")
    sent = deliveries_in_words(row.deliveries)
    return f"{said}, {sent}" if sent else said


def deliveries_in_words(deliveries: Mapping[State, int]) -> str:
    """What has become of them, the worst first; empty if there are none.

    deliveries : how many destinations' last deliveries stand in each state
    """
    number = sum(deliveries.values())
    if number and deliveries.get(State.DONE, 0) == number:
        return "delivered"
    said: list[str] = []
    under_way = sum(count for state, count in deliveries.items() if state not in SETTLED)
    for count, how in (
        (deliveries.get(State.DEAD, 0), "dead"),
        (under_way, "under way"),
        (deliveries.get(State.CANCELLED, 0), "cancelled"),
    ):
        if count:
            of = "" if said else f" of {number} {'delivery' if number == 1 else 'deliveries'}"
            said.append(f"{count}{of} {how}")
    return ", ".join(said)


def uid_ends(uids: Collection[str]) -> dict[str, str]:
    """Of each UID its end, as short as tells it from the others; the dots say that it is cut.

    `Store.find_study` and every verb take it in the place of the whole.
    """
    different = len(set(uids))
    length = SHORTEST
    while len({uid[-length:] for uid in uids}) < different:
        length += 1
    return {uid: uid if len(uid) <= length + 1 else f"{CUT}{uid[-length:]}" for uid in uids}


def series_json(series: "Iterable[SeriesRow]") -> list[dict[str, Any]]:
    """The series for programs."""
    return [
        {
            "series_instance_uid": each.series_instance_uid,
            "modality": each.modality,
            "series_number": each.number,
            "series_description": each.description,
            "instances": each.instances,
            "kinds": dict(each.kinds),
        }
        for each in series
    ]


def study_json(row: "StudyRow", *, phi: bool) -> dict[str, Any]:
    """The row for programs; patients are named with `phi` alone."""
    data: dict[str, Any] = {
        "study_instance_uid": row.study_instance_uid,
        "accession_number": row.identity.accession_number,
        "instances": row.instances,
        "bytes": row.bytes,
        "first_arrival_at": row.first_arrival_at,
        "last_arrival_at": row.last_arrival_at,
        "open_senders": row.open_senders,
        "standing": row.standing,
        "state": state_of(row),
        "says": row.says,
        "deliveries_by_state": {state.value: number for state, number in row.deliveries.items()},
        "waiting_for": row.waiting_for,
        "expired_at": row.expired_at,
        "look_again_at": row.look_again_at,
        "jobs": row.jobs,
        "last_job_state": row.last_job_state,
        "last_outcome": row.last_outcome,
        "last_headline": row.last_headline,
    }
    if phi:
        data |= {
            "patient_id": row.identity.patient_id,
            "patient_name": row.identity.patient_name,
            "study_date": row.identity.study_date,
        }
    return data
