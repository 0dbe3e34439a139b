"""From arrivals to jobs, through intake, the spool, the store and the judge as they are."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from m3net.uids import StudyInstanceUID
from node.config import ReceiverConfig
from node.core.completeness import StudyRules, StudySnapshot, WhenUnannotated
from node.core.diary import sentence
from node.core.standing import Standing
from node.inbound.intake import Intake
from node.inbound.reading import Reading
from node.persistence.process_identity import this_process
from node.persistence.rows import JobResult, JobTerms, Outbox
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from node.work.planner import Planner
from node.work.scheduler import run
from sr_templates.findings import Outcome
from tests.node.core.facts_of import STUDY
from tests.node.inbound.test_intake import encoded
from tests.node.objects import ct_image

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = StudyRules(quiet_period_s=60, max_wait_s=600, when_unannotated=WhenUnannotated.REPORT)


class Node:
    """Intake and planner on one store, and a clock that is set by hand."""

    def __init__(self, directory: Path) -> None:
        self.now = NOON
        self.spool = Spool(directory / "spool")
        self.store = open_store(f"sqlite:///{directory / 'm3node.sqlite'}")
        self.intake = Intake(
            spool=self.spool, store=self.store, min_free_bytes=0, clock=lambda: self.now
        )

        self.reading = Reading(self.store, self.spool, config=ReceiverConfig())

    def receive(self, *images: Dataset) -> None:
        for image in images:
            self.intake.accept(
                encoded(image),
                sop_class_uid=str(image.SOPClassUID),
                sop_instance_uid=str(image.SOPInstanceUID),
                transfer_syntax_uid=ExplicitVRLittleEndian,
                sender_id=None,
            )

    def plan_after(self, seconds: float, *, analysis_id: str = "model-1") -> list[int]:
        self.now += timedelta(seconds=seconds)
        return self.planner(analysis_id).plan(self.now)

    def planner(self, analysis_id: str = "model-1") -> Planner:
        terms = JobTerms(analysis_id=analysis_id, max_attempts=3)
        return Planner(self.store, self.reading, rules=RULES, terms=terms)

    def work(self) -> None:
        lease = self.store.claim_job(owner=this_process(), lease_s=60, now=self.now)
        assert lease is not None
        self.store.finish_job(
            lease,
            result=JobResult(
                outcome=Outcome.NOT_ANNOTATED,
                headline="nothing was assessed",
                summary={},
                artifacts=(),
            ),
            outbox=Outbox(destinations=(), max_attempts=3),
            now=self.now,
        )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.store.close()


def revisions(store: Store) -> list[int]:
    return sorted(row.revision for row in store.list_jobs())


def test_a_quiet_study_becomes_one_job_however_often_it_is_looked_at(node: Node) -> None:
    node.receive(ct_image(0), ct_image(1))
    assert node.plan_after(59) == []
    assert node.plan_after(1) == [1]
    assert node.plan_after(1) == []
    assert [sentence(event) for event in node.store.diary(STUDY)] == [
        "waiting: until nothing has come for 60 s",
        "job 1 queued (revision 1): CT series 3 (2 slices, 2.50 mm apart, kernel B30f) was chosen "
        "because of the study's CT series it has the thinnest slices, and of those the most.",
        "complete: the CT is here and nobody has annotated it",
    ]


def test_an_unannotated_ct_expires_in_the_list_and_is_taken_up_when_something_comes(
    node: Node,
) -> None:
    waits = replace(RULES, when_unannotated=WhenUnannotated.WAIT, unannotated_expires_s=3600)
    terms = JobTerms(analysis_id="model-1", max_attempts=3)
    planner = Planner(node.store, node.reading, rules=waits, terms=terms)
    node.receive(ct_image(0), ct_image(1))
    for seconds, standing in ((60, Standing.WAITING), (3540, Standing.EXPIRED)):
        node.now += timedelta(seconds=seconds)
        planner.plan(node.now)
        (row,) = node.store.list_studies()
        assert (row.standing, row.standing is Standing.EXPIRED) == (
            standing,
            row.expired_at == node.now,
        )
    assert row.look_again_at is None
    assert node.store.judge_waiting_again(node.now) == 0  # a start of the node leaves it expired
    said = [sentence(event) for event in node.store.diary(STUDY)]
    assert said[-1] == (
        "expired: it waits for an annotation, and none came within 1 hour after the last arrival: "
        "nothing in this CT has been assessed; when an annotation comes it will be"
    )
    node.receive(ct_image(2))
    planner.plan(node.now + timedelta(seconds=60))
    (row,) = node.store.list_studies()
    assert (row.standing, row.expired_at) == (Standing.WAITING, None)


def test_a_study_that_waits_is_judged_by_the_rules_of_the_next_start(node: Node) -> None:
    waits = replace(RULES, when_unannotated=WhenUnannotated.WAIT)
    terms = JobTerms(analysis_id="model-1", max_attempts=3)
    node.receive(ct_image(0), ct_image(1))
    node.now += timedelta(seconds=60)
    assert Planner(node.store, node.reading, rules=waits, terms=terms).plan(node.now) == []
    assert node.plan_after(1) == []
    assert node.store.judge_waiting_again(node.now) == 1
    assert node.plan_after(0) == [1]


def test_everything_sent_twice_changes_nothing(node: Node) -> None:
    node.receive(ct_image(0), ct_image(1))
    node.plan_after(60)
    node.work()
    node.receive(ct_image(0), ct_image(1))
    assert node.plan_after(60) == []
    assert revisions(node.store) == [1]
    assert "these inputs are those of job 1" in sentence(node.store.diary(STUDY)[-2])


def test_a_late_slice_makes_a_new_job_that_knows_its_predecessor(node: Node) -> None:
    node.receive(ct_image(0), ct_image(1))
    node.plan_after(60)
    node.work()
    node.receive(ct_image(2))
    assert node.plan_after(60) == [2]
    lease = node.store.claim_job(owner=this_process(), lease_s=60, now=node.now)
    assert lease is not None
    assert lease.predecessor is not None
    assert lease.predecessor.job_id == 1


def test_a_corrected_name_under_the_same_uids_makes_a_new_job(node: Node) -> None:
    node.receive(ct_image(0), ct_image(1))
    node.plan_after(60)
    node.work()
    node.receive(ct_image(0, PatientName="Mueller^Joerg"), ct_image(1, PatientName="Mueller^Joerg"))
    assert node.plan_after(60) == [2]
    assert node.store.find_study(STUDY).identity.patient_name == "Mueller^Joerg"


def test_a_dose_report_makes_no_new_job(node: Node) -> None:
    node.receive(ct_image(0), ct_image(1))
    node.plan_after(60)
    node.work()
    node.receive(ct_image(9, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67", SeriesInstanceUID="9.9"))
    assert node.plan_after(60) == []


def test_the_same_study_sent_to_another_model_is_analysed_anew(node: Node) -> None:
    node.receive(ct_image(0), ct_image(1))
    node.plan_after(60)
    node.work()
    assert node.plan_after(60, analysis_id="model-2") == []
    node.receive(ct_image(0), ct_image(1))
    assert node.plan_after(60, analysis_id="model-2") == [2]


def test_a_study_that_cannot_be_judged_holds_up_no_other(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.receive(ct_image(0, StudyInstanceUID="1.2.4"), ct_image(0))
    whole = node.store.study_snapshot

    def damaged(study: StudyInstanceUID) -> StudySnapshot:
        if study == "1.2.4":
            raise ValueError("a row that nobody expected")
        return whole(study)

    monkeypatch.setattr(node.store, "study_snapshot", damaged)
    assert node.plan_after(60) == [1]
    assert [sentence(each) for each in node.store.diary(StudyInstanceUID("1.2.4"))] == [
        "waiting: for a repair: it could not be judged (unexpected ValueError; the log has where)"
    ]
    monkeypatch.undo()
    assert node.plan_after(59) == []
    assert node.plan_after(1) == [2]


def test_a_study_that_is_erased_while_it_is_judged_holds_up_no_other(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.receive(ct_image(0, StudyInstanceUID="1.2.4"), ct_image(0))
    whole = node.store.study_snapshot

    def erased(study: StudyInstanceUID) -> StudySnapshot:
        if study == "1.2.4":
            node.store.erase_study(study, by="alice", forced=True, now=node.now)
        return whole(study)

    monkeypatch.setattr(node.store, "study_snapshot", erased)
    assert node.plan_after(60) == [1]
    assert [row.study_instance_uid for row in node.store.list_studies()] == [STUDY]


def test_a_study_whose_stored_file_is_gone_waits_to_be_sent_again(node: Node) -> None:
    node.receive(ct_image(0), ct_image(1))
    path = node.spool.locate(node.store.list_instances(STUDY)[1].path)
    path.unlink()
    assert node.plan_after(60) == []
    assert [sentence(each) for each in node.store.diary(STUDY)] == [
        f"waiting: for a repair: it could not be judged ({path}: No such file or directory; "
        "send the study again)"
    ]
    node.receive(ct_image(0), ct_image(1))
    assert node.plan_after(60) == [1]


def test_a_study_whose_quiet_period_ends_is_judged_then_and_not_at_the_next_look(
    node: Node,
) -> None:
    """The next look would come in an hour."""
    node.receive(ct_image(0), ct_image(1))
    quiet_at = node.now + timedelta(seconds=60)
    node.now = quiet_at - timedelta(seconds=0.3)
    began, stop = time.monotonic(), threading.Event()

    def clock() -> datetime:
        return node.now + timedelta(seconds=time.monotonic() - began)

    def wait_for_the_job() -> None:
        while not node.store.list_jobs() and time.monotonic() - began < 20:
            stop.wait(0.02)
        stop.set()

    watching = threading.Thread(target=wait_for_the_job)
    watching.start()
    run(
        node.planner(),
        reading=node.reading,
        store=node.store,
        spool=node.spool,
        keep=lambda: None,
        longest_pause_s=3600,
        look_every_s=3600,
        clock=clock,
        stop=stop,
    )
    watching.join()
    (job,) = node.store.list_jobs()
    assert timedelta(0) <= job.created_at - quiet_at < timedelta(seconds=5)


def test_the_ticks_plan_release_and_sweep_and_survive_a_failure(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.receive(ct_image(0), ct_image(1))
    node.now += timedelta(seconds=60)
    part = node.spool.directory / "parts" / "1-1-1.part"
    part.write_bytes(b"half")
    stop, failures = threading.Event(), iter([OSError("the database is away")])
    judged = node.store.studies_to_judge

    def unsteady(now: datetime) -> list[object]:
        for failure in failures:
            raise failure
        found: list[object] = list(judged(now))
        if not found and not part.exists():
            stop.set()
        return found

    monkeypatch.setattr(node.store, "studies_to_judge", unsteady)
    monkeypatch.setattr("node.work.scheduler.PART_AGE", timedelta(days=-36500))
    run(
        node.planner(),
        reading=node.reading,
        store=node.store,
        spool=node.spool,
        keep=lambda: None,
        longest_pause_s=3600,
        look_every_s=0.02,
        clock=lambda: node.now,
        stop=stop,
    )
    assert revisions(node.store) == [1]
    assert not part.exists()
