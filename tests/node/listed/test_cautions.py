"""Beside a report that may not be the last word it is said so, however that comes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.core.diary import Kind
from node.core.states import State
from node.listed.cautions import cautions
from node.persistence.asked import DeliveriesAsked, WorkAsked
from node.persistence.rows import Outbox
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import (
    MODEL,
    SCANNER,
    arrive,
    artifact,
    at,
    claimed,
    finish,
    queued,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """One job is done and judged to its end; its report was delivered."""
    opened = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    queued(opened, 0)
    finish(opened, claimed(opened))
    delivered(opened)
    judged(opened, Kind.STUDY_COMPLETE, "all is here")
    yield opened
    opened.close()


def judged(store: Store, kind: Kind, reason: str) -> None:
    store.note_judgement(
        store.study_snapshot(STUDY), kind=kind, reason=reason, look_again_at=None, now=at(9)
    )


def delivered(store: Store, *, seconds: float = 5) -> None:
    now = at(seconds)
    lease = store.claim_delivery(destination="pacs", owner="a:1:1", lease_s=60, now=now)
    assert lease is not None
    store.finish_delivery(lease, now=now)


def said(store: Store) -> dict[str, str]:
    """By name, in order."""
    return {
        each.name.value: each.says
        for each in cautions(
            store.find_study(STUDY),
            store.last_report(STUDY),
            store.jobs(WorkAsked(study=STUDY)).rows,
            store.deliveries(DeliveriesAsked(study=STUDY)).rows,
        )
    }


def newer(store: Store) -> int:
    """A slice more has come and is to be judged."""
    number = queued(store, 0, 1)
    judged(store, Kind.STUDY_COMPLETE, "all is here")
    return number


def test_beside_a_report_of_all_that_came_nothing_is_said(store: Store) -> None:
    assert said(store) == {}


def arriving(store: Store) -> None:
    arrive(store, ct_slice(7), sender_id=store.open_sender(SCANNER, owner="host:1:1", now=at(8)))


def waiting(store: Store) -> None:
    arrive(store, ct_slice(7))
    judged(store, Kind.STUDY_WAITS, "for 3 slices")


def expired(store: Store) -> None:
    arrive(store, ct_slice(7))
    judged(store, Kind.STUDY_EXPIRED, "for 3 slices")


def held(store: Store) -> None:
    arrive(store, ct_slice(7))
    store.hold_everything(because="restored from a backup", by="root", now=at(10))


def running(store: Store) -> None:
    newer(store)
    claimed(store)


def other_model(store: Store) -> None:
    store.requeue_job(1, analysis_id="model-2", now=at(10))


def dead(store: Store) -> None:
    newer(store)
    store.bury(claimed(store), error="the disk is full", now=at(11))


def cancelled(store: Store) -> None:
    store.cancel_job(newer(store), now=at(11), by="anna (operator)")


def held_job(store: Store) -> None:
    newer(store)
    store.hold_everything(because="restored from a backup", by="root", now=at(10))


def failed(store: Store) -> None:
    dead(store)
    lease = store.unreported_failure()
    assert lease is not None
    store.report_failure(
        lease,
        artifacts=[artifact("failure")],
        outbox=Outbox(destinations=(), max_attempts=3),
        now=at(12),
    )


def tried_again(store: Store) -> None:
    failed(store)
    store.requeue_job(2, analysis_id=MODEL, now=at(13))


def revised(store: Store) -> None:
    newer(store)
    finish(store, claimed(store))


def revised_and_delivered(store: Store) -> None:
    revised(store)
    delivered(store)


def revised_and_sent_nowhere(store: Store) -> None:
    newer(store)
    finish(store, claimed(store), destinations=())


def failed_and_told(store: Store) -> None:
    """Also the destination was told of the failure, and what it came to at last was not."""
    newer(store)
    store.bury(claimed(store), error="the disk is full", now=at(11))
    lease = store.unreported_failure()
    assert lease is not None
    store.report_failure(
        lease,
        artifacts=[artifact("failure")],
        outbox=Outbox(destinations=("pacs",), max_attempts=3),
        now=at(12),
    )
    delivered(store, seconds=12)
    store.requeue_job(2, analysis_id=MODEL, now=at(13))
    finish(store, claimed(store, now=at(14)), now=at(15))


def freed(store: Store) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE artifact SET freed_at = '2026-03-02', in_force = 0")


EVERY_WAY = pytest.mark.parametrize(
    ("happens", "expected"),
    [
        (
            arriving,
            {
                "arriving": "Objects of this study are arriving now. The report that stands knows "
                "nothing of them. A revised report may follow."
            },
        ),
        (lambda store: arrive(store, ct_slice(7)), {"not_judged": "have not been judged yet."}),
        (waiting, {"waiting": "Newer objects of this study wait: for 3 slices."}),
        (expired, {"expired": "no revised report follows by itself"}),
        (held, {"held": "This study is held; it waits for somebody to send it again"}),
        (newer, {"under_way": "What came since is being judged (job 2, revision 2, queued)."}),
        (running, {"under_way": "What came since is being judged (job 2, revision 2, running)."}),
        (other_model, {"under_way": "by another model or other settings, is being judged"}),
        (dead, {"failed": "could not be judged (job 2, revision 2, dead): the disk is full."}),
        (cancelled, {"cancelled": "not judged (job 2, revision 2): cancelled by anna"}),
        (held_job, {"held": "held: restored from a backup"}),
        (
            failed,
            {
                "withdrawn": "what came since could not be judged. No probability stands.",
                "earlier_elsewhere": "pacs still holds the earlier report, revision 1: the one "
                "that stands is not to be sent there.",
            },
        ),
        (
            tried_again,
            {
                "under_way": "The analysis that failed is tried again (job 2, revision 2, queued)",
                "withdrawn": "is withdrawn",
                "earlier_elsewhere": "pacs still holds the earlier report",
            },
        ),
        (
            revised,
            {
                "revised": "The report that stands is a revised one (job 2, revision 2, of ",
                "earlier_elsewhere": "has not arrived there (delivery 2, queued).",
            },
        ),
        (revised_and_delivered, {"revised": "it replaces that of job 1, revision 1, of "}),
        (
            failed_and_told,
            {
                "revised": "it replaces that of job 1",
                "earlier_elsewhere": 'pacs still holds the report of a "technical failure", '
                "revision 2: the one that stands has not arrived there (delivery 3, queued).",
            },
        ),
        (
            revised_and_sent_nowhere,
            {"revised": "it replaces", "earlier_elsewhere": "is not to be sent there."},
        ),
    ],
)


@EVERY_WAY
def test_every_way_in_which_it_may_not_be_the_last_word_is_said(
    store: Store, happens: Callable[[Store], object], expected: dict[str, str]
) -> None:
    happens(store)
    found = said(store)
    assert list(found) == list(expected)
    for name, part in expected.items():
        assert part in found[name]


@EVERY_WAY
def test_all_of_it_is_said_as_well_where_the_files_of_the_report_were_freed(
    store: Store, happens: Callable[[Store], object], expected: dict[str, str]
) -> None:
    happens(store)
    before = said(store)
    freed(store)
    found = said(store)
    assert list(found) == [*before, "not_here"]
    assert {name: says for name, says in found.items() if name != "not_here"} == before


def test_of_a_report_whose_files_were_freed_it_is_said_what_it_was(store: Store) -> None:
    freed(store)
    assert said(store)["not_here"].startswith("A report was made (job 1, revision 1, of ")
    assert (
        '), headed "No annotation received, nothing was assessed", and is '
        in said(store)["not_here"]
    )
    failed(store)
    freed(store)
    assert "(job 2, revision 2, dead), headed a technical failure, " in said(store)["not_here"]


def test_a_correction_that_is_taken_back_leaves_the_report_the_last_word(store: Store) -> None:
    newer(store)
    assert queued_again(store) == [State.CANCELLED, State.DONE]
    assert said(store) == {}


def queued_again(store: Store) -> list[State]:
    """The first inputs are judged once more; the jobs' states, the newest first."""
    with pytest.raises(AssertionError):  # no job of it is made
        queued(store, 0)
    judged(store, Kind.STUDY_COMPLETE, "all is here")
    return [job.state for job in store.jobs(WorkAsked(study=STUDY)).rows]


def test_what_is_reported_between_two_looks_is_not_passed_over(store: Store) -> None:
    before = store.last_report(STUDY)
    revised(store)
    found = cautions(store.find_study(STUDY), before, store.jobs(WorkAsked(study=STUDY)).rows, [])
    assert [each.name for each in found] == ["reported"]


def test_of_a_study_that_was_never_reported_nothing_is_said_beside(tmp_path: Path) -> None:
    unreported = open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    queued(unreported)
    assert said(unreported) == {}
    unreported.close()
