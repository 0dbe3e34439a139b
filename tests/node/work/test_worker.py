import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from m3net.errors import InferenceError
from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.predict import TorchClassifier
from m3net.prediction import Prediction
from m3net.volume import CTVolume
from m3net.weights import load_classifier
from node.config import ReceiverConfig, WorkerConfig
from node.core.completeness import StudyRules, WhenUnannotated
from node.core.objects import ResultSettings
from node.core.results import ArtifactKind
from node.core.states import State
from node.inbound.intake import Intake
from node.inbound.reading import Reading
from node.persistence.rows import JobRow, JobTerms, Outbox
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from node.work.planner import Planner
from node.work.worker import Analyst, Worker
from sr_templates.findings import Outcome
from tests import synthetic
from tests.taken_in import take_in

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SHAPE = (60, 24, 24)
SETTINGS = ResultSettings(
    report_series_number=9101,
    capture_series_number=9102,
    max_frames=2,
    max_capture_bytes=100_000_000,
    indeterminate_half_width=0.15,
    manufacturer="m3node",
    device_model="m3node",
    device_serial="1",
    software_version="0.1.0",
)


@dataclass
class Node:
    """A node's disk and its worker, at a time that the test sets."""

    store: Store
    spool: Spool
    intake: Intake
    worker: Worker
    now: datetime = NOON

    def receive(self, datasets: Sequence[Dataset]) -> None:
        for dataset in datasets:
            take_in(self.intake, dataset)

    def plan(self) -> list[int]:
        rules = StudyRules(quiet_period_s=0, max_wait_s=0, when_unannotated=WhenUnannotated.WAIT)
        terms = JobTerms(analysis_id="analysis", max_attempts=2)
        reading = Reading(self.store, self.spool, config=ReceiverConfig())
        reading.read(within_s=600)  # what a tick's second leaves unread on a busy machine too
        return Planner(self.store, reading, rules=rules, terms=terms).plan(self.now)

    def job(self) -> JobRow:
        (row,) = self.store.list_jobs()
        return row

    def report(self) -> Dataset:
        """The report as the next delivery would send it."""
        lease = self.store.claim_delivery(
            destination="pacs", owner="test:1:1", lease_s=30, now=self.now
        )
        assert lease is not None
        (report,) = [a for a in lease.artifacts if a.kind is ArtifactKind.REPORT]
        self.store.finish_delivery(lease, now=self.now)
        return dcmread(self.spool.locate(report.path))


class Failing:
    """The real classifier, but for what happens when it is asked."""

    def __init__(self, inner: TorchClassifier, fail: Callable[[], None]) -> None:
        self._inner = inner
        self._fail = fail
        self.card = inner.card
        self.fingerprint = inner.fingerprint

    def box_needed(self, volume: CTVolume, nodule: Nodule) -> GridBox:
        return self._inner.box_needed(volume, nodule)

    def classify(
        self,
        volume: CTVolume,
        nodules: Sequence[Nodule],
        *,
        on_nodule: Callable[[int], None] | None = None,
    ) -> list[Prediction]:
        self._fail()
        return self._inner.classify(volume, nodules, on_nodule=on_nodule)


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("untrained", device="cpu")


def node(directory: Path, classifier: TorchClassifier | Failing) -> Node:
    store = open_store(f"sqlite:///{directory / 'm3node.sqlite'}")
    spool = Spool(directory / "spool")
    made = Node(store, spool, None, None)
    made.intake = Intake(spool=spool, store=store, min_free_bytes=0, clock=lambda: made.now)
    made.worker = Worker(
        WorkerConfig(max_attempts=2, retry_base_s=10),
        store=store,
        spool=spool,
        analyst=Analyst(classifier=classifier, settings=SETTINGS),
        outbox=Outbox(destinations=["pacs"], max_attempts=3),
        clock=lambda: made.now,
        rng=Random(0),
    )
    return made


def study() -> list[Dataset]:
    ct = synthetic.ct_series(shape=SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[28:31, 10:14, 6:10] = True
    return [*ct, synthetic.segmentation(ct, [mask])]


def test_a_study_goes_from_the_disk_to_a_queued_delivery(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    it = node(tmp_path, classifier)
    it.receive(study())
    it.plan()
    assert it.worker.work_one()
    job = it.job()
    assert (job.state, job.outcome) == (State.DONE, Outcome.ANALYSED)
    (row,) = job.summary["nodules"]
    assert row["centre_index"] == pytest.approx([29, 11.5, 7.5])
    assert it.report().PatientID == "SYN-1"
    assert not it.worker.work_one()


def test_a_transient_failure_is_tried_again_after_a_pause(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    failures = [MemoryError()]

    def fail() -> None:
        if failures:
            raise failures.pop()

    it = node(tmp_path, Failing(classifier, fail))
    it.receive(study())
    it.plan()
    it.worker.work_one()
    job = it.job()
    assert (job.state, job.error) == (State.QUEUED, "unexpected MemoryError; the log has where")
    assert not it.worker.work_one(), "not before the pause is over"
    it.now += timedelta(seconds=10)
    it.worker.work_one()
    assert it.job().state is State.DONE


def test_a_job_that_keeps_failing_is_dead_and_its_study_has_a_report_that_says_so(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    def fail() -> None:
        raise InferenceError("the network gave no finite number")

    it = node(tmp_path, Failing(classifier, fail))
    it.receive(study())
    it.plan()
    it.worker.work_one()
    it.now += timedelta(seconds=60)
    it.worker.work_one()
    assert it.job().state is State.DEAD
    assert it.worker.work_one(), "the report of the failure"
    assert not it.worker.work_one()
    assert it.report().ContentSequence[0].TextValue == (
        "Technical failure, nothing was assessed: the network gave no finite number "
        "(try 2, the last)."
    )


def test_a_failure_that_cannot_be_reported_holds_up_no_other(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    def fail() -> None:
        raise InferenceError("the network gave no finite number")

    it = node(tmp_path, Failing(classifier, fail))
    for uid in ("1.2.826.0.1.1", "1.2.826.0.1.2"):
        datasets = study()
        for dataset in datasets:
            dataset.StudyInstanceUID = uid
        it.receive(datasets)
    it.plan()
    first, second = sorted(row.job_id for row in it.store.list_jobs())
    lease = it.store.claim_job(owner="test:1:1", lease_s=30, now=it.now)
    assert lease is not None
    assert lease.job_id == first
    held = [it.spool.locate(path) for path in lease.paths.values()]
    it.store.bury(lease, error="its files are gone", now=it.now)
    kept = {path: path.read_bytes() for path in held}
    for path in held:
        path.unlink()
    for _ in range(2):
        assert it.worker.work_one(), "the second job's tries"
        it.now += timedelta(seconds=20)
    assert it.worker.work_one(), "the first failure's report fails"
    assert it.worker.work_one(), "the second failure's report"
    assert not it.worker.work_one(), "the first pauses"
    assert [row.job_id for row in it.store.list_deliveries()] == [second]
    for path, content in kept.items():
        path.write_bytes(content)
    it.now += timedelta(seconds=60)
    assert it.worker.work_one(), "the files are back"
    assert sorted(row.job_id for row in it.store.list_deliveries()) == [first, second]


def test_a_worker_whose_lease_was_taken_changes_nothing(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    it: Node

    def overtaken() -> None:
        it.now += timedelta(seconds=3600)
        assert it.store.claim_job(owner="other:1:1", lease_s=30, now=it.now) is not None

    it = node(tmp_path, Failing(classifier, overtaken))
    it.receive(study())
    it.plan()
    it.worker.work_one()
    job = it.job()
    assert (job.state, job.owner) == (State.RUNNING, "other:1:1")
    assert it.store.list_deliveries() == []


def test_a_corrected_name_makes_a_report_that_names_its_predecessor(
    tmp_path: Path, classifier: TorchClassifier
) -> None:
    it = node(tmp_path, classifier)
    first = study()
    it.receive(first)
    it.plan()
    it.worker.work_one()
    before = it.report()
    for dataset in first:
        del dataset.PatientName
        dataset.PatientName = "Corrected^Name"
    it.now += timedelta(minutes=1)
    it.receive(first)
    assert len(it.plan()) == 1
    it.worker.work_one()
    after = it.report()
    named = after.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert named.SeriesInstanceUID == before.SeriesInstanceUID
    assert after.SeriesInstanceUID != before.SeriesInstanceUID, "a list tells them apart"
    assert before.SeriesDescription == "AI nodule report (research use)"
    assert after.SeriesDescription == "AI nodule report, revision 2 (research use)"
    told = after.ContentSequence[1].TextValue
    assert re.fullmatch(
        r"Revision 2 of 2 Jan 2026 \d\d:\d\d, replaces revision 1 of 2 Jan 2026 \d\d:\d\d\.", told
    )
    assert after.PatientName == "Corrected^Name"
    assert (before.InstanceNumber, after.InstanceNumber) == (1, 2)


def test_the_same_again_makes_no_job(tmp_path: Path, classifier: TorchClassifier) -> None:
    it = node(tmp_path, classifier)
    same = study()
    it.receive(same)
    assert len(it.plan()) == 1
    it.worker.work_one()
    it.now += timedelta(minutes=1)
    it.receive(same)
    assert it.plan() == []
    assert not it.worker.work_one()
