"""The diary of a study: what happened, as values, and each as a sentence for `m3node why`.

Details hold UIDs, counts and titles of application entities; never a name, an ID or a birth date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from m3net.uids import StudyInstanceUID


class Kind(StrEnum):
    """What can happen."""

    ASSOCIATION_OPENED = "association.opened"
    ASSOCIATION_CLOSED = "association.closed"
    INSTANCE_REPLACED = "instance.replaced"
    STUDY_WAITS = "study.waits"
    STUDY_COMPLETE = "study.complete"
    STUDY_UNCHANGED = "study.unchanged"
    STUDY_IGNORED = "study.ignored"
    JOB_QUEUED = "job.queued"
    JOB_CLAIMED = "job.claimed"
    JOB_DONE = "job.done"
    JOB_RETRIED = "job.retried"
    JOB_RELEASED = "job.released"
    JOB_DEAD = "job.dead"
    JOB_REQUEUED = "job.requeued"
    JOB_CANCELLED = "job.cancelled"
    JOB_SUPERSEDED = "job.superseded"
    JOB_REPORTED_DEAD = "job.reported_dead"
    DELIVERY_QUEUED = "delivery.queued"
    DELIVERY_CLAIMED = "delivery.claimed"
    DELIVERY_VARIANT = "delivery.variant"
    DELIVERY_DONE = "delivery.done"
    DELIVERY_RETRIED = "delivery.retried"
    DELIVERY_RELEASED = "delivery.released"
    DELIVERY_DEAD = "delivery.dead"
    DELIVERY_REQUEUED = "delivery.requeued"
    DELIVERY_CANCELLED = "delivery.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the diary."""

    at: datetime
    study_instance_uid: StudyInstanceUID
    kind: Kind
    job_id: int | None = None
    delivery_id: int | None = None
    details: Mapping[str, Any]


_SENTENCES: Mapping[Kind, str] = {
    Kind.ASSOCIATION_OPENED: "{calling_ae} at {peer} began to send to {called_ae}",
    Kind.ASSOCIATION_CLOSED: (
        "{calling_ae} {ending}: {new} new, {same} known, {newer} newer versions of known instances"
    ),
    Kind.INSTANCE_REPLACED: (
        "instance {sop_instance_uid} came again with other content: version {version} is current, "
        "the earlier ones are kept"
    ),
    Kind.STUDY_WAITS: "waiting: {reason}",
    Kind.STUDY_COMPLETE: "complete: {reason}",
    Kind.STUDY_UNCHANGED: "nothing new for the model: these inputs are those of job {job}",
    Kind.STUDY_IGNORED: "nothing to do: {reason}",
    Kind.JOB_QUEUED: "job {job_id} queued (revision {revision}): {because}",
    Kind.JOB_CLAIMED: "job {job_id} taken by {owner}, try {tries} of {max_attempts}",
    Kind.JOB_DONE: "job {job_id} done: {headline}",
    Kind.JOB_RETRIED: "job {job_id} failed, next try not before {not_before}: {error}",
    Kind.JOB_RELEASED: "job {job_id} taken back: {error}",
    Kind.JOB_DEAD: "job {job_id} is dead and waits for a person: {error}",
    Kind.JOB_REQUEUED: "job {job_id} requeued by an operator",
    Kind.JOB_CANCELLED: "job {job_id} cancelled by an operator",
    Kind.JOB_SUPERSEDED: "job {job_id} cancelled before it ran: job {by} has newer inputs",
    Kind.JOB_REPORTED_DEAD: "a technical failure report was written for job {job_id}",
    Kind.DELIVERY_QUEUED: "delivery {delivery_id} of job {job_id} to {destination} queued",
    Kind.DELIVERY_CLAIMED: (
        "delivery {delivery_id} to {destination} begins, try {tries} of {max_attempts}"
    ),
    Kind.DELIVERY_VARIANT: (
        "delivery {delivery_id} to {destination} uses report form {report_variant} "
        "with captures {capture_variant}"
    ),
    Kind.DELIVERY_DONE: "delivery {delivery_id} to {destination} done: {delivered} objects stored",
    Kind.DELIVERY_RETRIED: (
        "delivery {delivery_id} to {destination} failed, next try not before {not_before}: {error}"
    ),
    Kind.DELIVERY_RELEASED: "delivery {delivery_id} to {destination} taken back: {error}",
    Kind.DELIVERY_DEAD: (
        "delivery {delivery_id} to {destination} is dead and waits for a person: {error}"
    ),
    Kind.DELIVERY_REQUEUED: "delivery {delivery_id} to {destination} requeued by an operator",
    Kind.DELIVERY_CANCELLED: "delivery {delivery_id} to {destination} cancelled: {error}",
}


def sentence(event: Event) -> str:
    """The event in words, without its time."""
    values = {**event.details, "job_id": event.job_id, "delivery_id": event.delivery_id}
    return _SENTENCES[event.kind].format_map(values)
