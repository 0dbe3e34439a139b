"""What a person asks for stands in the diary, with who it was."""

from node.core.diary import sentence
from node.core.fetching import Scope, Wanted
from node.persistence.store import Store
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import MODEL, NOON, claimed, finish, queued

ANNA = "anna (operator)"


def last_sentences(store: Store, number: int) -> list[str]:
    return [sentence(event) for event in store.diary(STUDY)][-number:]


def test_who_cancels_a_job_and_who_requeues_it(store: Store) -> None:
    job = queued(store)
    store.cancel_job(job, now=NOON, by=ANNA)
    store.requeue_job(job, analysis_id=MODEL, now=NOON, by=ANNA)
    assert last_sentences(store, 2) == [
        "job 1 cancelled by anna (operator)",
        "job 1 requeued by anna (operator)",
    ]


def test_who_has_results_sent_again(store: Store) -> None:
    queued(store)
    finish(store, claimed(store), destinations=("pacs",))
    assert last_sentences(store, 1) == ["delivery 1 of job 1 to pacs queued"]
    lease = store.claim_delivery(destination="pacs", owner="a:1:1", lease_s=60, now=NOON)
    assert lease is not None
    store.finish_delivery(lease, now=NOON)
    store.requeue_delivery(1, now=NOON, by=ANNA)
    assert last_sentences(store, 1) == [
        "delivery 2 of job 1 to pacs queued, asked for by anna (operator)"
    ]


def test_who_has_a_changed_model_analyse_anew(store: Store) -> None:
    queued(store)
    finish(store, claimed(store))
    store.requeue_job(1, analysis_id="model-2", now=NOON, by=ANNA)
    assert last_sentences(store, 1) == [
        "job 2 queued (revision 2): anna (operator) asked for job 1 again, and the model has "
        "changed since"
    ]


def test_who_has_a_study_fetched(store: Store) -> None:
    wanted = Wanted(scope=Scope.STUDY, content="asked for by a person")
    store.ask_for_study(STUDY, "archive", wanted, max_attempts=3, now=NOON, by=ANNA)
    assert last_sentences(store, 1) == ["fetch 1 from archive queued: anna (operator) asked for it"]
