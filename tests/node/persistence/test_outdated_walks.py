"""Whatever happens in whatever order, each destination gets a study's reports in their order.

Random walks over everything that receivers, workers, couriers and operators can ask of the store.
"""

import contextlib
from pathlib import Path
from random import Random

import pytest

from node.core.digest import inputs_digest
from node.core.errors import LeaseLost, NotAllowed
from node.core.states import State
from node.dicom.searchable import ATTRIBUTES, Level
from node.persistence.rows import DeliveryLease, JobLease, JobTerms, Outbox
from node.persistence.search import Search
from node.persistence.store import open_store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import MODEL, arrive, artifact, at, finish, inputs_of

DESTINATIONS = ("pacs", "viewer")
_KNOWN = {each.keyword: each for level in Level for each in ATTRIBUTES[level]}
COUNTS = Search(
    level=Level.STUDY,
    answered=(
        _KNOWN["NumberOfStudyRelatedSeries"],
        _KNOWN["NumberOfStudyRelatedInstances"],
    ),
    limit=10,
)
INSTANCES = Search(
    level=Level.INSTANCE, study=STUDY, answered=(_KNOWN["SOPInstanceUID"],), limit=100
)
STEPS = 150


class Walk:
    """One study, two destinations, and everybody who works on them."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.rng = Random(seed)
        self.store = open_store(f"sqlite:///{directory / f'{seed}.sqlite'}")
        self.seconds = 0.0
        self.job: JobLease | None = None
        self.dead: list[JobLease] = []
        self.sending: dict[str, DeliveryLease] = {}
        self.received: dict[str, list[tuple[int, bool]]] = {name: [] for name in DESTINATIONS}
        arrive(self.store, ct_slice(0))

    def step(self) -> None:
        self.seconds += self.rng.choice((1, 1, 1, 30, 61))
        self.rng.choice(
            (
                self.inputs_change,
                self.claim_job,
                self.claim_job,
                self.settle_job,
                self.settle_job,
                self.report_failure,
                self.claim_delivery,
                self.claim_delivery,
                self.settle_delivery,
                self.settle_delivery,
                self.release,
                self.requeue_a_job,
                self.requeue_a_delivery,
            )
        )()

    def inputs_change(self) -> None:
        numbers = self.rng.choice(((0,), (0, 1), (0, 1, 2)))
        slices = [ct_slice(number) for number in numbers]
        for each in slices:
            arrive(self.store, each, now=at(self.seconds))
        inputs = inputs_of(*slices)
        terms = JobTerms(analysis_id=MODEL, max_attempts=3)
        digest = inputs_digest(inputs)
        self.store.enqueue(inputs, digest=digest, terms=terms, now=at(self.seconds))

    def claim_job(self) -> None:
        lease = self.store.claim_job(owner="w:1:1", lease_s=60, now=at(self.seconds))
        self.job = lease or self.job

    def settle_job(self) -> None:
        if self.job is None:
            return
        lease, self.job = self.job, None
        now = at(self.seconds)
        try:
            match self.rng.choice(("finish", "finish", "retry", "bury")):
                case "finish":
                    finish(self.store, lease, destinations=DESTINATIONS, now=now)
                case "retry":
                    self.store.retry(lease, error="x", not_before=now, now=now)
                case "bury":
                    self.store.bury(lease, error="x", now=now)
        except LeaseLost:
            pass

    def report_failure(self) -> None:
        """Of a job that was dead when somebody looked, some time ago."""
        found = self.store.unreported_failure()
        if found is not None:
            self.dead.append(found)
        if self.dead and self.rng.random() < 0.5:
            dead = self.dead.pop(self.rng.randrange(len(self.dead)))
            self.store.report_failure(
                dead,
                artifacts=[artifact(f"failure of {dead.number}")],
                outbox=Outbox(destinations=DESTINATIONS, max_attempts=3),
                now=at(self.seconds),
            )

    def claim_delivery(self) -> None:
        name = self.rng.choice(DESTINATIONS)
        lease = self.store.claim_delivery(
            destination=name, owner="d:1:1", lease_s=60, now=at(self.seconds)
        )
        if lease is not None:
            self.sending[name] = lease

    def settle_delivery(self) -> None:
        name = self.rng.choice(DESTINATIONS)
        lease = self.sending.pop(name, None)
        if lease is None:
            return
        now = at(self.seconds)
        try:
            match self.rng.choice(("finish", "finish", "retry", "bury")):
                case "finish":
                    self.store.finish_delivery(lease, now=now)
                    failed = lease.outcome is Outcome.TECHNICAL_FAILURE
                    self.received[name].append((self.store.job(lease.job_id).revision, not failed))
                case "retry":
                    self.store.retry(lease, error="x", not_before=now, now=now)
                case "bury":
                    self.store.bury(lease, error="x", now=now)
        except LeaseLost:
            pass

    def release(self) -> None:
        self.store.release_leases(now=at(self.seconds))

    def requeue_a_job(self) -> None:
        jobs = self.store.list_jobs()
        if jobs:
            model = self.rng.choice((MODEL, MODEL, "model-2"))
            with contextlib.suppress(NotAllowed):
                self.store.requeue_job(
                    self.rng.choice(jobs).job_id, analysis_id=model, now=at(self.seconds)
                )

    def requeue_a_delivery(self) -> None:
        deliveries = self.store.list_deliveries()
        if deliveries:
            with contextlib.suppress(NotAllowed):
                self.store.requeue_delivery(
                    self.rng.choice(deliveries).delivery_id, now=at(self.seconds)
                )

    def drain(self) -> None:
        """Everything that can still be sent is sent."""
        self.seconds += 10_000
        self.store.release_leases(now=at(self.seconds))
        self.sending.clear()
        for name in DESTINATIONS:
            while lease := self.store.claim_delivery(
                destination=name, owner="d:1:1", lease_s=60, now=at(self.seconds)
            ):
                self.store.finish_delivery(lease, now=at(self.seconds))
                failed = lease.outcome is Outcome.TECHNICAL_FAILURE
                self.received[name].append((self.store.job(lease.job_id).revision, not failed))

    def newest_results(self) -> set[str]:
        """The files of the last revision that is done, or whose failure has been reported."""
        for job in sorted(self.store.list_jobs(), key=lambda job: -job.revision):
            files = {each.path for each in self.store.artifacts(job.job_id)}
            if files:
                return files
        return set()


@pytest.mark.parametrize("seed", range(6, 8))
def test_no_outdated_result_is_ever_handed_out_or_found(tmp_path: Path, seed: int) -> None:
    walk = Walk(tmp_path, seed)
    seen = set()
    for _ in range(STEPS):
        walk.step()
        newest = walk.newest_results()
        held = walk.store.held(STUDY)
        assert {each.path for each in held if not each.received} == newest
        (study,) = walk.store.search(COUNTS).rows
        assert study == (1 + bool(newest), len(held))
        instances = walk.store.search(INSTANCES).rows
        assert {uid for (uid,) in instances} == {each.sop_instance_uid for each in held}
        seen.add(frozenset(newest))
    assert len(seen) > 3, "results came and were replaced"
    walk.store.close()


@pytest.mark.parametrize("seed", range(6))
def test_reports_arrive_in_the_order_of_their_revisions(tmp_path: Path, seed: int) -> None:
    walk = Walk(tmp_path, seed)
    for _ in range(STEPS):
        walk.step()
    walk.drain()
    for name, reports in walk.received.items():
        # Within a revision the failure (False) comes before the result (True).
        assert reports == sorted(reports), (name, reports)
        queued_still = walk.store.list_deliveries(destination=name, states=[State.QUEUED])
        assert queued_still == [], "nothing waits that will never be sent"
    assert walk.store.find_study(STUDY).jobs > 0
    walk.store.close()
