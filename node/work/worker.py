"""Analyses studies: claims a job, runs the pipeline, leaves results in the spool.

Result files are written first and are harmless until one transaction makes them the job's: a crash
in between writes the same bytes under the same names again.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Protocol

from m3net.prediction import Classifier
from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.config import WorkerConfig
from node.core.digest import results_digest
from node.core.objects import ResultSettings, Stamp, revision_in_words
from node.core.pipeline import Paths, analyse, report_failure
from node.core.results import COMPANIONS, Artifact, ArtifactKind, Results
from node.core.variants import RICHEST, form_of
from node.dicom.compression import compressed
from node.dicom.described import described
from node.lease_holder import Clock, KeepsLeases, LeaseHolder, keep_working, log
from node.persistence.process_identity import this_process
from node.persistence.rows import JobLease, JobResult, Outbox, StoredArtifact
from node.persistence.spool import Spool
from node.watch.pulse import Moved, unseen
from sr_templates.findings import PredecessorReference

UNREPORTED_PAUSE = timedelta(minutes=1)
"""A failure whose report cannot be written is tried again so much later, after all others."""


class KeepsJobs(KeepsLeases, Protocol):
    """What the worker asks of the store."""

    def claim_job(
        self, *, owner: str, lease_s: float, now: datetime, compares: bool
    ) -> JobLease | None:
        """The next job is this owner's."""
        ...

    def finish_job(
        self, lease: JobLease, *, result: JobResult, outbox: Outbox, now: datetime
    ) -> None:
        """The job is done and its results are queued for the destinations."""
        ...

    def unreported_failure(self, *, except_for: Collection[int] = ()) -> JobLease | None:
        """A dead job whose report is still to be written."""
        ...

    def report_failure(
        self,
        dead: JobLease,
        *,
        artifacts: Sequence[StoredArtifact],
        outbox: Outbox,
        now: datetime,
    ) -> bool:
        """The dead job has its report."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyst:
    """Makes results of jobs: a network, and how its results look."""

    classifier: Classifier
    settings: ResultSettings

    def analyse(
        self, job: JobLease, paths: Paths, on_nodule: Callable[[int], None] | None = None
    ) -> Results:
        """What the node says of the job's study."""
        return analyse(
            job.inputs,
            paths=paths,
            classifier=self.classifier,
            stamp=stamp_of(job),
            settings=self.settings,
            on_nodule=on_nodule,
        )

    def report_failure(self, dead: JobLease, paths: Paths) -> Results:
        """What it says of a job that died."""
        return report_failure(
            dead.inputs,
            reason=dead.failed or "the analysis stopped without a message",
            paths=paths,
            card=self.classifier.card,
            fingerprint=self.classifier.fingerprint,
            stamp=stamp_of(dead),
            settings=self.settings,
        )


def run(
    config: WorkerConfig,
    *,
    store: KeepsJobs,
    spool: Spool,
    analyst: Analyst,
    outbox: Outbox,
    stop: threading.Event,
    compares: bool = False,
    moved: Moved = unseen,
) -> None:
    """Analyse until `stop` is set; what is being analysed then is finished.

    compares : whether nodules are looked for in an earlier CT of the patient
    """
    worker = Worker(
        config,
        store=store,
        spool=spool,
        analyst=analyst,
        outbox=outbox,
        compares=compares,
        moved=moved,
    )
    keep_working(
        worker.work_one,
        poll_s=config.poll_s,
        stop=stop,
        interrupted="job.interrupted",
        moved=moved,
    )


class Worker:
    """One job at a time."""

    def __init__(
        self,
        config: WorkerConfig,
        *,
        store: KeepsJobs,
        spool: Spool,
        analyst: Analyst,
        outbox: Outbox,
        compares: bool = False,
        clock: Clock = lambda: datetime.now(UTC),
        rng: Random | None = None,
        moved: Moved = unseen,
    ) -> None:
        self._moved = moved
        self._compares = compares
        self._lease_s = config.lease_s
        self._store = store
        self._spool = spool
        self._analyst = analyst
        self._outbox = outbox
        self._clock = clock
        self._holder = LeaseHolder(config, store, clock=clock, rng=rng)
        self._pauses: dict[int, datetime] = {}

    def work_one(self) -> bool:
        """Claim, analyse and settle one job, or report one that died; False if there is none."""
        lease = self._store.claim_job(
            owner=this_process(),
            lease_s=self._lease_s,
            now=self._clock(),
            compares=self._compares,
        )
        if lease is not None:
            self._holder.hold(lease, lambda: self._work(lease))
            return True
        now = self._clock()
        pausing = [job_id for job_id, until in self._pauses.items() if now < until]
        dead = self._store.unreported_failure(except_for=pausing)
        if dead is None:
            return False
        try:
            self._report_failure(dead)
        except Exception as error:
            # What killed the job may keep its report from being written too (a file that is gone);
            # the failures of other studies must not wait for that.
            self._pauses[dead.number] = now + UNREPORTED_PAUSE
            log("failure_unreported", dead, level=logging.ERROR, error=error)
        else:
            self._pauses.pop(dead.number, None)
        return True

    def _work(self, lease: JobLease) -> Mapping[str, object]:
        """The job is analysed and finished; what the log says of it."""
        started = time.monotonic()
        doing = f"job {lease.number}"
        self._moved(doing)
        results = self._analyst.analyse(
            lease, self._paths(lease), on_nodule=lambda _: self._moved(doing)
        )
        self._store.finish_job(
            lease,
            result=JobResult(
                outcome=results.outcome,
                headline=results.headline,
                summary=summary_of(results),
                artifacts=self._stored(results),
            ),
            outbox=self._outbox,
            now=self._clock(),
        )
        return {
            "outcome": results.outcome,
            "nodules": len(results.nodules),
            "seconds": round(time.monotonic() - started, 2),
            **({"left_out": list(results.left_out)} if results.left_out else {}),
        }

    def _report_failure(self, dead: JobLease) -> None:
        """A dead job is not silence: its study gets a report that says so."""
        results = self._analyst.report_failure(dead, self._paths(dead))
        reported = self._store.report_failure(
            dead, artifacts=self._stored(results), outbox=self._outbox, now=self._clock()
        )
        if reported:
            log("failure_reported", dead)

    def _paths(self, lease: JobLease) -> dict[SOPInstanceUID, Path]:
        return {uid: self._spool.locate(path) for uid, path in lease.paths.items()}

    def _stored(self, results: Results) -> list[StoredArtifact]:
        return [store_artifact(artifact, self._spool) for artifact in results.artifacts]


def stamp_of(lease: JobLease) -> Stamp:
    """What results take from the job's row, and nothing from now."""
    return Stamp(
        study_instance_uid=lease.study_instance_uid,
        input_digest=results_digest(lease.input_digest, lease.inputs.prior),
        analysis_id=lease.analysis_id,
        revision=lease.revision,
        at=lease.created_at.astimezone(),
        predecessor=_predecessor(lease),
        numbered_above=lease.numbered_above,
    )


def _predecessor(lease: JobLease) -> PredecessorReference | None:
    """The report that this job's replaces, in its richest form that there is."""
    before = lease.predecessor
    reports = [a for a in before.artifacts if a.kind is ArtifactKind.REPORT] if before else []
    if before is None or not reports:
        return None
    report = next((a for a in reports if form_of(a) == RICHEST), reports[0])
    return PredecessorReference(
        study_instance_uid=lease.study_instance_uid,
        series_instance_uid=report.series_instance_uid,
        sop_class_uid=report.sop_class_uid,
        sop_instance_uid=report.sop_instance_uid,
        in_words=revision_in_words(before.revision, before.created_at.astimezone()),
    )


def store_artifact(artifact: Artifact, spool: Spool) -> StoredArtifact:
    """The object is durable in the spool, its pixels compressed."""
    buffer = BytesIO()
    dataset = compressed(artifact.dataset)
    dataset.save_as(buffer, enforce_file_format=True)
    file = spool.write([buffer.getbuffer()])
    return StoredArtifact(
        kind=artifact.kind,
        report_variant=RICHEST.report if artifact.kind is ArtifactKind.REPORT else None,
        capture_variant=None if artifact.kind in COMPANIONS else RICHEST.captures,
        sop_class_uid=SOPClassUID(artifact.dataset.SOPClassUID),
        sop_instance_uid=SOPInstanceUID(artifact.dataset.SOPInstanceUID),
        series_instance_uid=SeriesInstanceUID(artifact.dataset.SeriesInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        says=described(artifact.dataset),
        path=file.path,
        sha256=file.sha256,
        size=file.size,
    )


def summary_of(results: Results) -> dict[str, object]:
    """What `m3node study show` prints, as plain JSON."""
    return {
        "remarks": list(results.remarks),
        "nodules": [asdict(nodule) for nodule in results.nodules],
        **({"left_out": list(results.left_out)} if results.left_out else {}),
    }
