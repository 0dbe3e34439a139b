"""Analyses studies: claims a job, runs the pipeline, leaves results in the spool.

Result files are written first and are harmless until one transaction makes them the job's: a crash
in between writes the same bytes under the same names again.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random

from m3net.prediction import Classifier
from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.config import WorkerConfig
from node.core.errors import LeaseLost
from node.core.objects import ResultSettings, Stamp, Variant
from node.core.pipeline import analyse, report_failure
from node.core.results import Artifact, Results
from node.core.retry import RetryPolicy
from node.core.states import State
from node.lease_holder import Heartbeat, settle_failure
from node.logs import event
from node.persistence.owner import this_process
from node.persistence.rows import JobLease, StoredArtifact
from node.persistence.spool import Spool
from node.persistence.store import Store
from sr_templates.findings import PredecessorReference

Clock = Callable[[], datetime]

UNREPORTED_PAUSE = timedelta(minutes=1)
"""A failure whose report cannot be written is tried again so much later, after all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Where results go: one delivery per destination."""

    destinations: Sequence[str]
    max_attempts: int


def run(
    config: WorkerConfig,
    *,
    store: Store,
    spool: Spool,
    classifier: Classifier,
    settings: ResultSettings,
    outbox: Outbox,
    stop: threading.Event,
) -> None:
    """Analyse until `stop` is set; what is being analysed then is finished."""
    worker = Worker(
        config,
        store=store,
        spool=spool,
        classifier=classifier,
        settings=settings,
        outbox=outbox,
    )
    while not stop.is_set():
        try:
            worked = worker.work_one()
        except Exception as error:
            # The outer loop: the lease lapses and the job is claimed again.
            event("job.interrupted", level=logging.ERROR, error=error)
            worked = False
        if not worked:
            stop.wait(config.poll_s)


class Worker:
    """One job at a time."""

    def __init__(
        self,
        config: WorkerConfig,
        *,
        store: Store,
        spool: Spool,
        classifier: Classifier,
        settings: ResultSettings,
        outbox: Outbox,
        clock: Clock = lambda: datetime.now(UTC),
        rng: Random | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._spool = spool
        self._classifier = classifier
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._rng = rng or Random()
        self._pauses: dict[int, datetime] = {}
        self._retry = RetryPolicy(
            max_attempts=config.max_attempts, base_s=config.retry_base_s, cap_s=config.retry_cap_s
        )

    def work_one(self) -> bool:
        """Claim, analyse and settle one job, or report one that died; False if there is none."""
        lease = self._store.claim_job(
            owner=this_process(), lease_s=self._config.lease_s, now=self._clock()
        )
        if lease is not None:
            with Heartbeat(self._store, lease, lease_s=self._config.lease_s, clock=self._clock):
                self._work(lease)
            return True
        now = self._clock()
        pausing = [job_id for job_id, until in self._pauses.items() if now < until]
        dead = self._store.unreported_failure(but=pausing)
        if dead is None:
            return False
        try:
            self._report_failure(dead)
        except Exception as error:
            # What killed the job may keep its report from being written too (a file that is gone);
            # the failures of other studies must not wait for that.
            self._pauses[dead.job_id] = now + UNREPORTED_PAUSE
            self._log("job.failure_unreported", dead, level=logging.ERROR, error=error)
        else:
            self._pauses.pop(dead.job_id, None)
        return True

    def _work(self, lease: JobLease) -> None:
        started = time.monotonic()
        try:
            results = analyse(
                lease.inputs,
                paths=self._paths(lease),
                classifier=self._classifier,
                stamp=stamp_of(lease),
                settings=self._settings,
            )
            self._store.finish_job(
                lease,
                outcome=results.outcome,
                headline=results.headline,
                summary=summary_of(results),
                artifacts=self._stored(results),
                destinations=self._outbox.destinations,
                delivery_max_attempts=self._outbox.max_attempts,
                now=self._clock(),
            )
        except LeaseLost:
            self._log("job.lost", lease, level=logging.WARNING)
        except Exception as error:
            self._settle_failure(lease, error)
        else:
            self._log(
                "job.done",
                lease,
                outcome=results.outcome,
                nodules=len(results.nodules),
                seconds=round(time.monotonic() - started, 2),
            )

    def _settle_failure(self, lease: JobLease, error: Exception) -> None:
        try:
            state = settle_failure(
                lease,
                error,
                bury=self._store.bury_job,
                retry_later=self._store.retry_job,
                policy=self._retry,
                rng=self._rng,
                now=self._clock(),
            )
        except LeaseLost:
            self._log("job.lost", lease, level=logging.WARNING)
            return
        if state is State.DEAD:
            self._log("job.dead", lease, level=logging.ERROR, error=error)
        else:
            self._log("job.failed", lease, level=logging.WARNING, error=error)

    def _report_failure(self, dead: JobLease) -> None:
        """A dead job is not silence: its study gets a report that says so."""
        results = report_failure(
            dead.inputs,
            reason=dead.failed or "the analysis stopped without a message",
            paths=self._paths(dead),
            card=self._classifier.card,
            fingerprint=self._classifier.fingerprint,
            stamp=stamp_of(dead),
            settings=self._settings,
        )
        self._store.attach_artifacts(
            dead.job_id,
            artifacts=self._stored(results),
            destinations=self._outbox.destinations,
            delivery_max_attempts=self._outbox.max_attempts,
            now=self._clock(),
        )
        self._log("job.failure_reported", dead)

    def _paths(self, lease: JobLease) -> dict[SOPInstanceUID, Path]:
        return {uid: self._spool.locate(path) for uid, path in lease.paths.items()}

    def _stored(self, results: Results) -> list[StoredArtifact]:
        return [store_artifact(artifact, self._spool) for artifact in results.artifacts]

    def _log(
        self,
        action: str,
        lease: JobLease,
        *,
        level: int = logging.INFO,
        error: Exception | None = None,
        **fields: object,
    ) -> None:
        event(
            action,
            level=level,
            error=error,
            job=lease.job_id,
            study=lease.study_instance_uid,
            tries=lease.tries,
            **fields,
        )


def stamp_of(lease: JobLease) -> Stamp:
    """What results take from the job's row, and nothing from now."""
    return Stamp(
        study_instance_uid=lease.study_instance_uid,
        input_digest=lease.input_digest,
        analysis_id=lease.analysis_id,
        revision=lease.revision,
        at=lease.created_at.astimezone(),
        predecessors=_predecessors(lease),
    )


def _predecessors(lease: JobLease) -> dict[Variant, PredecessorReference]:
    if lease.predecessor is None:
        return {}
    return {
        (artifact.report_variant, artifact.capture_variant): PredecessorReference(
            study_instance_uid=lease.study_instance_uid,
            series_instance_uid=artifact.series_instance_uid,
            sop_class_uid=artifact.sop_class_uid,
            sop_instance_uid=artifact.sop_instance_uid,
        )
        for artifact in lease.predecessor.artifacts
        if artifact.report_variant is not None
    }


def store_artifact(artifact: Artifact, spool: Spool) -> StoredArtifact:
    """The object is durable in the spool."""
    buffer = BytesIO()
    artifact.dataset.save_as(buffer, enforce_file_format=True)
    file = spool.write([buffer.getvalue()])
    return StoredArtifact(
        kind=artifact.kind,
        report_variant=artifact.report_variant,
        capture_variant=artifact.capture_variant,
        sop_class_uid=SOPClassUID(artifact.dataset.SOPClassUID),
        sop_instance_uid=SOPInstanceUID(artifact.dataset.SOPInstanceUID),
        series_instance_uid=SeriesInstanceUID(artifact.dataset.SeriesInstanceUID),
        path=file.path,
        sha256=file.sha256,
        size=file.size,
    )


def summary_of(results: Results) -> dict[str, object]:
    """What `m3node study show` prints, as plain JSON."""
    return {
        "remarks": list(results.remarks),
        "nodules": [asdict(nodule) for nodule in results.nodules],
    }
