"""Studies and their series, as they are shown."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from node.persistence.rows import InstanceRow, StudyRow


def state_of(row: "StudyRow") -> str | None:
    """In one word, what a study is at: what it waits for goes before what came of it."""
    if row.open_senders:
        return "receiving"
    if row.waiting_for:
        return "waiting"
    return row.last_outcome or row.last_job_state


def says(row: "StudyRow") -> str | None:
    """What it waits for, or what its last results begin with."""
    return row.waiting_for or row.last_headline


def series_json(instances: "Iterable[InstanceRow]") -> list[dict[str, Any]]:
    """The series of current instances, in the order of their arrival."""
    counted = Counter((i.series_instance_uid, i.kind) for i in instances if i.current)
    return [
        {"kind": kind or "not read yet", "series_instance_uid": uid, "instances": n}
        for (uid, kind), n in counted.items()
    ]


def study_json(row: "StudyRow", *, phi: bool) -> dict[str, Any]:
    """The row for programs; patients are named with `phi` alone."""
    data: dict[str, Any] = {
        "study_instance_uid": row.study_instance_uid,
        "instances": row.instances,
        "bytes": row.bytes,
        "first_arrival_at": row.first_arrival_at,
        "last_arrival_at": row.last_arrival_at,
        "open_senders": row.open_senders,
        "state": state_of(row),
        "waiting_for": row.waiting_for,
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
            "accession_number": row.identity.accession_number,
            "study_date": row.identity.study_date,
        }
    return data
