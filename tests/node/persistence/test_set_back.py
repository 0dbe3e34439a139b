"""A clock that is set back by an hour delays no study and no work by an hour."""

from datetime import timedelta

from node.persistence.store import Store
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import arrive, at, claimed, queued

PAUSE = timedelta(hours=1)


def test_a_study_that_came_in_the_future_came_now(store: Store) -> None:
    arrive(store, ct_slice(0), now=at(3600))
    assert store.next_judgement() == at(3600)
    assert store.forget_future(longest_pause=PAUSE, now=at(0)) == 1
    assert store.next_judgement() == at(0)
    assert store.study_snapshot(STUDY).last_arrival_at == at(0)
    assert store.forget_future(longest_pause=PAUSE, now=at(0)) == 0


def test_work_pauses_no_longer_than_the_longest_pause(store: Store) -> None:
    queued(store)
    lease = claimed(store)
    store.retry(lease, error="away", not_before=at(9 * 3600), now=at(0))
    assert store.forget_future(longest_pause=timedelta(hours=9), now=at(0)) == 0
    assert store.forget_future(longest_pause=PAUSE, now=at(0)) == 1
    assert claimed(store, now=at(1)).number == lease.number


def test_nothing_is_changed_where_the_clock_is_right(store: Store) -> None:
    arrive(store, ct_slice(0), now=at(3))
    assert store.forget_future(longest_pause=PAUSE, now=at(0)) == 0
