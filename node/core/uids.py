"""Identifiers of results: derived, never drawn, so that doing it again is harmless.

Series UIDs come from the study, the kind and the revision, that of a report from its outcome too:
a series is what a PACS lists, and one that lists them under one name shows a revised report as the
old one.  A result that a PACS routes back is recognised without asking the database.  SOP Instance
UIDs come from everything that the content comes from.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal
from uuid import UUID

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from sr_templates.findings import Outcome
from sr_templates.uids import derive_uid

_NAMESPACE = "m3node"


LAST_SERIES = 64
"""Revisions from this one on share a series: few enough to know all of a study's own series."""


def result_series_uid(
    study: StudyInstanceUID,
    kind: ArtifactKind,
    *,
    revision: int = 1,
    outcome: Outcome | None = None,
) -> SeriesInstanceUID:
    """The series in which the results of one kind of one revision of a study stand.

    outcome : of a report's analysis, which the series' description tells; None for the other kinds
    """
    parts = [kind.value, str(min(revision, LAST_SERIES)), "" if outcome is None else outcome.value]
    return SeriesInstanceUID(derive_uid(_NAMESPACE, "series", study, *parts))


def is_own_series(study: StudyInstanceUID, series: SeriesInstanceUID) -> bool:
    """Whether the series is one of ours, whoever sends it back."""
    return series in _own_series(study)


@lru_cache(maxsize=64)
def _own_series(study: StudyInstanceUID) -> frozenset[SeriesInstanceUID]:
    return frozenset(
        result_series_uid(study, kind, revision=revision, outcome=outcome)
        for revision in range(1, LAST_SERIES + 1)
        for kind in ArtifactKind
        for outcome in (Outcome if kind is ArtifactKind.REPORT else (None,))
    )


def result_uid(
    what: Literal["report", "capture", "study page"],
    which: str,
    *,
    study: StudyInstanceUID,
    input_digest: str,
    analysis_id: str,
) -> SOPInstanceUID:
    """The UID of an object that a job writes, in its richest form.

    which : of a capture its nodule's tracking UID; of a page that lists all nodules its number; of
            a report its outcome, since a technical failure and the result of a later, lucky requeue
            of the same job are two documents
    """
    return SOPInstanceUID(derive_uid(_NAMESPACE, what, study, input_digest, analysis_id, which))


def companion_uid(report: SOPInstanceUID, kind: ArtifactKind, number: int = 0) -> SOPInstanceUID:
    """The UID of one companion of a report, in its richest form; `number` from 0 in its kind."""
    return SOPInstanceUID(derive_uid(_NAMESPACE, "companion", report, kind.value, str(number)))


def rejection_uid(report: SOPInstanceUID, rejected: Sequence[SOPInstanceUID]) -> SOPInstanceUID:
    """The UID of the note by which a report replaces these objects, in ascending order."""
    return SOPInstanceUID(derive_uid(_NAMESPACE, "rejection", report, *rejected))


def report_uid_in(
    report: SOPInstanceUID, *, variant: ReportVariant, captures: CaptureVariant
) -> SOPInstanceUID:
    """The UID of the report in a poorer form, from its own in the richest."""
    return SOPInstanceUID(derive_uid(_NAMESPACE, "report in", report, variant, captures))


def frame_uid(capture: SOPInstanceUID, frame: int) -> SOPInstanceUID:
    """The UID of one frame of a capture, from 1, as an object of its own."""
    return SOPInstanceUID(derive_uid(_NAMESPACE, "frame", capture, str(frame)))


def work_item_uid(
    job_id: int, *, study: StudyInstanceUID, input_digest: str, analysis_id: str
) -> SOPInstanceUID:
    """The UID under which a client watches a job; `job_of_work_item` reads the job's number of it.

    Of a UUID of version 8 (RFC 9562 5.8, PS3.5 B.2), sixty bits are a digest of what the job is
    about and the last sixty-two its number.
    """
    said = json.dumps([study, input_digest, analysis_id], separators=(",", ":"))
    digest = int.from_bytes(hashlib.sha256(said.encode()).digest()[:8]) >> 4
    number = (digest >> 12) << 80 | 8 << 76 | (digest & 0xFFF) << 64 | 2 << 62 | job_id
    return SOPInstanceUID(f"2.25.{UUID(int=number).int}")


def requested_item_uid(study: StudyInstanceUID, number: int, *, at: datetime) -> SOPInstanceUID:
    """The UID of the study's so-manieth requested work item, if its client gave it none."""
    return SOPInstanceUID(derive_uid(_NAMESPACE, "work item", study, str(number), at.isoformat()))


def job_of_work_item(uid: str) -> int | None:
    """The number that such a UID holds; None of a UID of another form."""
    root, _, digits = uid.rpartition(".")
    if root != "2.25" or not digits.isdecimal() or len(digits) > _LONGEST_UUID:
        return None
    number = int(digits)
    if number >> 128 or UUID(int=number).version != _WORK_ITEM_VERSION:
        return None
    return number & ((1 << 62) - 1)


_LONGEST_UUID = 39
_WORK_ITEM_VERSION = 8


def device_uid(software_version: str) -> str:
    """The Device UID under which this version of the node reports."""
    return derive_uid(_NAMESPACE, "device", software_version)
