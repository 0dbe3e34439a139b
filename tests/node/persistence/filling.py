"""A store with something in it."""

import hashlib
from datetime import UTC, datetime, timedelta

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.digest import inputs_digest
from node.core.inputs import InstanceFacts, Intent, Role, SeriesChoice, StudyIdentity, StudyInputs
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.sender import Sender, SenderKind
from node.dicom.searchable import NOTHING_SAID, Described
from node.persistence.rows import (
    Arrival,
    JobLease,
    JobResult,
    JobTerms,
    Outbox,
    ReadInstance,
    ReceivedInstance,
    SentObject,
    StoredArtifact,
)
from node.persistence.spool import StoredFile
from node.persistence.store import Store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import STUDY, THICK, ct_slice

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IDENTITY = StudyIdentity(
    patient_id="4711", patient_name="Doe^Jane", accession_number="A17", study_date="20260301"
)
MODEL = "model-1"
SCANNER = Sender(kind=SenderKind.DIMSE, name="SCANNER", called="M3NODE", peer="127.0.0.1")


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def stored(content: str) -> StoredFile:
    """The file that such a content would lie in."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return StoredFile(path=f"{digest[:2]}/{digest}.dcm", sha256=digest, size=len(content))


def arrive(
    store: Store,
    facts: InstanceFacts,
    *,
    content: str | None = None,
    sender_id: int | None = None,
    now: datetime = NOON,
    identity: StudyIdentity = IDENTITY,
    says: Described = NOTHING_SAID,
) -> Arrival:
    """The instance is received, and read."""
    (arrival,) = store.record_instances(
        [
            ReceivedInstance(
                study_instance_uid=facts.study_instance_uid,
                series_instance_uid=facts.series_instance_uid,
                sop_instance_uid=facts.sop_instance_uid,
                sop_class_uid=facts.sop_class_uid,
                transfer_syntax_uid=facts.transfer_syntax_uid,
                identity=identity,
                names_study=facts.role in (Role.CT, Role.LOCALIZER),
                file=stored(content or facts.content_digest),
                sender_id=sender_id,
                at=now,
            )
        ]
    )
    unread = store.unread(facts.study_instance_uid, most=1)
    store.note_facts(
        {each: ReadInstance(facts=facts, says=says) for each in unread}, out_of_reach=[]
    )
    return arrival


def inputs_of(*slices: InstanceFacts, study: StudyInstanceUID = STUDY) -> StudyInputs:
    """A job on these slices."""
    return StudyInputs(
        study_instance_uid=study,
        intent=Intent.REPORT_NOT_ANNOTATED,
        series=SeriesChoice(series_instance_uid=THICK, because="it is the only one"),
        ct=slices,
        annotations=(),
        missing=frozenset({SOPInstanceUID("9.9")}),
        unread=("RT Structure Set not supported yet.",),
    )


def queued(
    store: Store,
    *numbers: int,
    identity: str = "identity",
    analysis_id: str = MODEL,
    max_attempts: int = 3,
    now: datetime = NOON,
) -> int:
    """A job on slices of these numbers, which have arrived."""
    slices = [ct_slice(number, identity=identity) for number in numbers or (0, 1)]
    for item in slices:
        arrive(store, item, now=now)
    inputs = inputs_of(*slices)
    job_id = store.enqueue(
        inputs,
        digest=inputs_digest(inputs),
        terms=JobTerms(analysis_id=analysis_id, max_attempts=max_attempts),
        now=now,
    )
    assert job_id is not None
    return job_id


def claimed(store: Store, *, owner: str = "host-a:1:1", now: datetime = NOON) -> JobLease:
    """The next job, for a minute."""
    lease = store.claim_job(owner=owner, lease_s=60, now=now)
    assert lease is not None
    return lease


def artifact(name: str, *, kind: ArtifactKind = ArtifactKind.REPORT) -> StoredArtifact:
    """A result object in the spool."""
    file = stored(name)
    report = kind is ArtifactKind.REPORT
    return StoredArtifact(
        kind=kind,
        report_variant=ReportVariant.COMPREHENSIVE_3D if report else None,
        capture_variant=CaptureVariant.MULTI_FRAME,
        sop_class_uid=SOPClassUID("1.2.840.10008.5.1.4.1.1.88.34"),
        sop_instance_uid=SOPInstanceUID(f"2.25.{int(file.sha256[:12], 16)}"),
        series_instance_uid=SeriesInstanceUID("2.25.1"),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=file.path,
        sha256=file.sha256,
        size=file.size,
    )


def sent(artifact: StoredArtifact) -> SentObject:
    """The object as it is sent."""
    return SentObject(
        kind=artifact.kind,
        sop_class_uid=artifact.sop_class_uid,
        sop_instance_uid=artifact.sop_instance_uid,
        series_instance_uid=artifact.series_instance_uid,
    )


def finish(
    store: Store,
    lease: JobLease,
    *,
    destinations: tuple[str, ...] = ("pacs",),
    now: datetime = NOON,
) -> None:
    """The job ends with a report and a capture."""
    store.finish_job(
        lease,
        result=JobResult(
            outcome=Outcome.NOT_ANNOTATED,
            headline="No annotation received, nothing was assessed",
            summary={"nodules": []},
            artifacts=[
                artifact(f"capture of {lease.job_id}", kind=ArtifactKind.CAPTURE),
                artifact(f"report of {lease.job_id}"),
            ],
        ),
        outbox=Outbox(destinations=destinations, max_attempts=3),
        now=now,
    )
