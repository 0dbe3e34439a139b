"""The diary of a study: what happened, as values, and each as a sentence for `m3node why`.

Details hold UIDs, counts and titles of application entities; never a name, an ID or a birth date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from m3net.uids import StudyInstanceUID
from node.core.states import Step

AN_OPERATOR = "an operator"
"""Who did it, if it is not known who of them."""


def client_at(address: str) -> str:
    """Who did it, of somebody who asked over DICOMweb."""
    return f"a client at {address}"


class Kind(StrEnum):
    """What can happen beside the steps of leased work, which `step_entry` names."""

    ASSOCIATION_OPENED = "association.opened"
    ASSOCIATION_CLOSED = "association.closed"
    TRANSACTION_OPENED = "transaction.opened"
    TRANSACTION_CLOSED = "transaction.closed"
    FILES_OPENED = "files.opened"
    FILES_CLOSED = "files.closed"
    SOURCE_OPENED = "source.opened"
    SOURCE_CLOSED = "source.closed"
    INSTANCE_REPLACED = "instance.replaced"
    STUDY_WAITS = "study.waits"
    STUDY_EXPIRED = "study.expired"
    STUDY_COMPLETE = "study.complete"
    STUDY_UNCHANGED = "study.unchanged"
    STUDY_IGNORED = "study.ignored"
    STUDY_FREED = "study.freed"
    JOB_SUPERSEDED = "job.superseded"
    JOB_CANCELLED_BY_CLIENT = "job.cancelled_by_client"
    JOB_REPORTED_DEAD = "job.reported_dead"
    WORK_ITEM_REQUESTED = "work_item.requested"
    WORK_ITEM_IS_JOB = "work_item.is_job"
    WORK_ITEM_CANCELLED = "work_item.cancelled"
    DELIVERY_VARIANT = "delivery.variant"
    DELIVERY_LEFT_OUT = "delivery.left_out"
    DELIVERY_REJECTS = "delivery.rejects"
    DELIVERY_CANCELLED_BY = "delivery.cancelled_by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the diary.

    kind : a `Kind`, or a step of leased work: "job.claimed", "delivery.dead"
    """

    at: datetime
    study_instance_uid: StudyInstanceUID
    kind: str
    job_id: int | None = None
    delivery_id: int | None = None
    details: Mapping[str, Any]


_STEPS: Mapping[Step, tuple[str, str]] = {
    Step.CLAIM: ("claimed", "{work} taken by {owner}, try {tries} of {max_attempts}"),
    Step.FINISH: ("done", "{work} done"),
    Step.RETRY: ("retried", "{work} failed, next try not before {not_before}: {error}"),
    Step.RELEASE: ("released", "{work} taken back: {error}"),
    Step.BURY: ("dead", "{work} is dead and waits for a person: {error}"),
    Step.REQUEUE: ("requeued", "{work} requeued by {by}"),
    Step.CANCEL: ("cancelled", "{work} cancelled: {error}"),
    Step.STOP: ("stopped", "{work} cancelled while it ran: {error}"),
}
"""What a step leaves in the diary, whatever kind of work takes it."""
_QUEUED = ("queued", "{work} queued")
_WORK: Mapping[str, str] = {
    "job": "job {job_id}",
    "delivery": "delivery {delivery_id} to {destination}",
    "fetch": "fetch {number} from {source}",
}
"""What a piece of work is called; else by its kind and its number."""

_SENTENCES: Mapping[str, str] = {
    Kind.ASSOCIATION_OPENED: "{calling_ae} at {peer} began to send to {called_ae}",
    Kind.ASSOCIATION_CLOSED: (
        "{calling_ae} {ending}: {new} new, {same} known, {newer} newer versions of known instances"
    ),
    Kind.TRANSACTION_OPENED: "{peer} began to send over {name}",
    Kind.TRANSACTION_CLOSED: (
        "{peer} {ending}: {new} new, {same} known, {newer} newer versions of known instances"
    ),
    Kind.FILES_OPENED: "{name} began to take in files",
    Kind.FILES_CLOSED: (
        "{name} {ending}: {new} new, {same} known, {newer} newer versions of known instances"
    ),
    Kind.SOURCE_OPENED: "{name} began to send what it was asked for",
    Kind.SOURCE_CLOSED: (
        "{name} {ending}: {new} new, {same} known, {newer} newer versions of known instances"
    ),
    Kind.INSTANCE_REPLACED: (
        "instance {sop_instance_uid} came again with other content: version {version} is current, "
        "the earlier ones are kept"
    ),
    Kind.STUDY_WAITS: "waiting: {reason}",
    Kind.STUDY_EXPIRED: "expired: it waits {reason}",
    Kind.STUDY_COMPLETE: "complete: {reason}",
    Kind.STUDY_UNCHANGED: "nothing new for the model: these inputs are those of job {job}",
    Kind.STUDY_IGNORED: "nothing to do: {reason}",
    Kind.STUDY_FREED: "{files} files of {what} freed ({megabytes:.1f} MB), {because}, by {by}; "
    "what they said is kept",
    "job.queued": "{work} queued (revision {revision}): {because}",
    "job.done": "{work} done: {headline}",
    "job.cancelled": "{work} cancelled by {by}",
    "job.stopped": "{work} cancelled by {by} while it ran: nothing of it is kept or sent",
    Kind.JOB_CANCELLED_BY_CLIENT: "{work} cancelled by a client at {client}",
    Kind.JOB_SUPERSEDED: "{work} cancelled before it ran: job {by} has newer inputs",
    Kind.JOB_REPORTED_DEAD: "a technical failure report was written for {work}",
    Kind.WORK_ITEM_REQUESTED: "{by} asked for an analysis of this study: work item {uid}",
    Kind.WORK_ITEM_IS_JOB: "work item {uid} is job {job_id} now",
    Kind.WORK_ITEM_CANCELLED: "work item {uid} cancelled: {reason}",
    "delivery.queued": "delivery {delivery_id} of job {job_id} to {destination} queued{asked}",
    "delivery.claimed": "{work} begins, try {tries} of {max_attempts}",
    Kind.DELIVERY_VARIANT: "{work} uses report form {report_variant} with captures "
    "{capture_variant}",
    Kind.DELIVERY_LEFT_OUT: "{work} goes without {artifact}: {because}",
    Kind.DELIVERY_REJECTS: "{work} rejected {rejected} earlier objects there",
    "delivery.done": "{work} done: {delivered} objects stored",
    "fetch.queued": "{work} queued: {because}",
    "fetch.done": "{work} done: {says}",
    "fetch.dead": "{work} given up, the study goes on without it: {error}",
    "delivery.cancelled": "{work} withdrawn: {error}",
    Kind.DELIVERY_CANCELLED_BY: "{work} cancelled by {by}: what had not been sent is not sent",
}
"""What has words of its own."""


def step_entry(work: str, step: Step) -> str:
    """The entry that a step of leased work leaves: "job.claimed"."""
    return f"{work}.{_STEPS[step][0]}"


def queued_entry(work: str) -> str:
    """The entry of new work: "job.queued"."""
    return f"{work}.{_QUEUED[0]}"


_BY_NAME = dict([_QUEUED, *_STEPS.values()])


def sentence(event: Event) -> str:
    """The event in words, without its time.

    One line that another version wrote, and this one cannot read, hides no other.
    """
    try:
        return _in_words(event)
    except (LookupError, ValueError, TypeError):
        return f"{event.kind}, for which this version has no words"


def _in_words(event: Event) -> str:
    work, _, what = event.kind.partition(".")
    by = event.details.get("by")
    values = {
        "by": AN_OPERATOR,
        **event.details,
        "asked": f", asked for by {by}" if by else "",
        "job_id": event.job_id,
        "delivery_id": event.delivery_id,
    }
    if "not_before" in event.details:  # as every time is shown: of this machine's zone
        at = datetime.fromisoformat(event.details["not_before"]).astimezone()
        values["not_before"] = at.strftime("%Y-%m-%d %H:%M:%S")
    if work in _WORK:
        values["work"] = _WORK[work].format_map(values)
    elif "number" in values:
        values["work"] = f"{work.replace('_', ' ')} {values['number']}"
    return (_SENTENCES.get(event.kind) or _BY_NAME[what]).format_map(values)
