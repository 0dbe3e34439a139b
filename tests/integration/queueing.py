"""A real store with one job's results, queued for destinations."""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import UID

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.inputs import Intent, StudyInputs
from node.core.results import Artifact
from node.inbound.intake import Intake
from node.persistence.rows import JobResult, JobTerms, Outbox, StoredArtifact
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from node.work.worker import store_artifact
from sr_templates.findings import Outcome
from tests.results import STUDY_UID, OldArtifact, every_variant, one_set
from tests.taken_in import take_in

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def now_utc() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def open_node(directory: Path, *, min_free_bytes: int = 0) -> tuple[Store, Spool, Intake]:
    """An empty node's disk."""
    directory.mkdir(exist_ok=True)
    store = open_store(f"sqlite:///{directory / 'm3node.sqlite'}")
    spool = Spool(directory / "spool")
    return (
        store,
        spool,
        Intake(spool=spool, store=store, min_free_bytes=min_free_bytes, clock=now_utc),
    )


def queue_results(
    store: Store,
    spool: Spool,
    intake: Intake,
    destinations: Sequence[str],
    *,
    max_attempts: int = 5,
    revision: int = 1,
    companions: Sequence[Artifact] = (),
    before: bool = False,
    follows: str | None = None,
) -> None:
    """`tests.results.one_set` is done and waits for its destinations.

    Objects of a later revision have UIDs of their own: "." and the revision are added.

    companions : what the job leaves between captures and report
    before     : the job was done by a version before, which left `tests.results.every_variant`
    follows    : SOP Instance UID of the report in its richest form that this one names as replaced
    """
    *captures, report = one_set(follows=follows)
    objects: list[Artifact | OldArtifact] = [*captures, *companions, report]
    if before:
        objects = list(every_variant())
    if revision > 1:
        for dataset in (each.dataset for each in objects):
            dataset.SOPInstanceUID = UID(f"{dataset.SOPInstanceUID}.{revision}")
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    written = [
        store_artifact(each, spool) if isinstance(each, Artifact) else _stored_before(each, spool)
        for each in objects
    ]
    first = objects[0].dataset
    take_in(intake, first)
    inputs = StudyInputs(
        study_instance_uid=StudyInstanceUID(STUDY_UID),
        intent=Intent.REPORT_NOT_ANNOTATED,
        series=None,
        ct=(),
        annotations=(),
    )
    terms = JobTerms(analysis_id="a", max_attempts=3)
    store.enqueue(inputs, digest=f"d{revision}", terms=terms, now=NOON)
    lease = store.claim_job(owner="test:1:1", lease_s=30, now=NOON)
    assert lease is not None
    store.finish_job(
        lease,
        result=JobResult(
            outcome=Outcome.ANALYSED,
            headline="one nodule",
            summary={},
            artifacts=written,
        ),
        outbox=Outbox(destinations=destinations, max_attempts=max_attempts),
        now=NOON,
    )


def _stored_before(artifact: OldArtifact, spool: Spool) -> StoredArtifact:
    dataset = artifact.dataset
    file = spool.write([_encoded(dataset)])
    return StoredArtifact(
        kind=artifact.kind,
        report_variant=artifact.report_variant,
        capture_variant=artifact.capture_variant,
        sop_class_uid=SOPClassUID(dataset.SOPClassUID),
        sop_instance_uid=SOPInstanceUID(dataset.SOPInstanceUID),
        series_instance_uid=SeriesInstanceUID(dataset.SeriesInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        path=file.path,
        sha256=file.sha256,
        size=file.size,
    )


def _encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
