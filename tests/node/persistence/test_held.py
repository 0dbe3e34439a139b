"""What the node hands out: the current version of what came, and the results that stand."""

import pytest

from m3net.uids import SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.core.inputs import Role
from node.core.results import ArtifactKind
from node.core.uids import result_series_uid
from node.persistence.held import Held
from node.persistence.rows import Outbox
from node.persistence.store import Store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import STUDY, THICK, THIN, ct_slice, facts
from tests.node.persistence.filling import (
    MODEL,
    NOON,
    arrive,
    artifact,
    claimed,
    finish,
    queued,
    stored,
)

NOWHERE = Outbox(destinations=(), max_attempts=1)


def made(held: list[Held]) -> list[str]:
    """The files of results among them."""
    return [each.path for each in held if not each.received]


def files_of(job_id: int) -> list[str]:
    """Of the results with which `finish` ends a job."""
    return [stored(f"{what} of {job_id}").path for what in ("capture", "report")]


def die(store: Store) -> None:
    """The next job is dead, its technical failure not written yet."""
    store.bury(claimed(store), error="x", now=NOON)


def report_failure(store: Store, name: str) -> None:
    dead = store.unreported_failure()
    assert dead is not None
    assert store.report_failure(dead, artifacts=[artifact(name)], outbox=NOWHERE, now=NOON)


def test_an_instance_is_handed_out_as_soon_as_it_is_here(store: Store) -> None:
    arrive(store, ct_slice(0), content="a slice")
    assert store.held(STUDY) == [
        Held(
            study_instance_uid=STUDY,
            series_instance_uid=THICK,
            sop_instance_uid=SOPInstanceUID("1.2.3.10.0"),
            sop_class_uid=SOPClassUID("1.2.840.10008.5.1.4.1.1.2"),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            path=stored("a slice").path,
            size=7,
            received=True,
        )
    ]


def test_only_the_version_that_came_last_is_handed_out(store: Store) -> None:
    arrive(store, ct_slice(0), content="first")
    arrive(store, ct_slice(0), content="second")
    assert [each.path for each in store.held(STUDY)] == [stored("second").path]
    arrive(store, ct_slice(0), content="first")
    assert [each.path for each in store.held(STUDY)] == [stored("first").path]


def test_a_series_and_an_instance_are_found_in_their_study_alone(store: Store) -> None:
    for each in (ct_slice(0), ct_slice(1), ct_slice(0, series=THIN)):
        arrive(store, each)
    thin = SOPInstanceUID(f"{THIN}.0")
    assert len(store.held(STUDY)) == 3
    assert [each.sop_instance_uid for each in store.held(STUDY, THIN)] == [thin]
    assert [each.sop_instance_uid for each in store.held(STUDY, THIN, thin)] == [thin]
    assert store.held(STUDY, THICK, thin) == []
    assert store.held(StudyInstanceUID("1.2.4")) == []


def test_results_are_handed_out_once_their_job_is_done(store: Store) -> None:
    job = queued(store, 0)
    assert made(store.held(STUDY)) == []
    finish(store, claimed(store))
    assert made(store.held(STUDY)) == files_of(job)
    assert [each.received for each in store.held(STUDY)] == [True, False, False]


def test_a_newer_report_stands_alone_and_the_older_one_until_it_is_here(store: Store) -> None:
    first = queued(store, 0)
    finish(store, claimed(store))
    second = queued(store, 0, 1)
    assert made(store.held(STUDY)) == files_of(first)
    lease = claimed(store)
    assert made(store.held(STUDY)) == files_of(first)
    finish(store, lease)
    assert made(store.held(STUDY)) == files_of(second)
    outdated = artifact(f"report of {first}")
    assert store.held(STUDY, None, outdated.sop_instance_uid) == []


def test_a_technical_failure_replaces_the_report_before_it(store: Store) -> None:
    first = queued(store, 0)
    finish(store, claimed(store))
    second = queued(store, 0, 1)
    die(store)
    assert made(store.held(STUDY)) == files_of(first), "nothing newer is said yet"
    report_failure(store, "failure")
    assert made(store.held(STUDY)) == [stored("failure").path]
    store.requeue_job(second, analysis_id=MODEL, now=NOON)
    assert made(store.held(STUDY)) == [stored("failure").path]
    finish(store, claimed(store))
    assert made(store.held(STUDY)) == files_of(second)


@pytest.mark.parametrize("read_as", [Role.OWN_RESULT, Role.UNSUPPORTED_ANNOTATION])
def test_a_result_that_came_back_is_not_handed_out_beside_the_one_in_force(
    store: Store, read_as: Role
) -> None:
    first = queued(store, 0)
    finish(store, claimed(store))
    old = artifact(f"report of {first}")
    series = result_series_uid(STUDY, ArtifactKind.REPORT, revision=1, outcome=Outcome.ANALYSED)
    second = queued(store, 0, 1)
    finish(store, claimed(store))
    back = facts(uid=old.sop_instance_uid, series=series, sop_class=old.sop_class_uid, role=read_as)
    arrive(store, back, content="an outdated report")
    assert [each.path for each in store.held(STUDY, series)] == []
    assert stored("an outdated report").path not in [each.path for each in store.held(STUDY)]
    assert made(store.held(STUDY)) == files_of(second)
