"""Which earlier CT a job compares with, whatever has happened to that CT since."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import Table, create_engine, update

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind
from node.core.digest import inputs_digest
from node.core.inputs import InstanceFacts, Intent
from node.core.keeping import Files
from node.dicom.searchable import Described
from node.persistence.rows import JobLease, JobResult, JobTerms, Outbox
from node.persistence.schema import Instance, Job
from node.persistence.store import Store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import ct_slice
from tests.node.persistence.filling import IDENTITY, MODEL, NOON, arrive, inputs_of

TODAY = StudyInstanceUID("1.2.99")
JANE = {"issuer_of_patient_id": "CITY", "patient_birth_date": "19500102", "patient_sex": "F"}


def slices_of(study: StudyInstanceUID) -> list[InstanceFacts]:
    return [
        replace(
            ct_slice(number),
            study_instance_uid=study,
            series_instance_uid=SeriesInstanceUID(f"{study}.1"),
            sop_instance_uid=SOPInstanceUID(f"{study}.1.{number}"),
            content_digest=f"{study} {number}",
        )
        for number in (0, 1)
    ]


def queue(
    store: Store, study: StudyInstanceUID, *, day: str, patient_id: str = "4711", **said: str
) -> None:
    """A job of a study of that day; `said` is what differs from Jane's."""
    queue_of(store, study, slices_of(study), day=day, patient_id=patient_id, **said)


def queue_of(
    store: Store,
    study: StudyInstanceUID,
    slices: list[InstanceFacts],
    *,
    day: str,
    patient_id: str = "4711",
    **said: str,
) -> None:
    identity = replace(IDENTITY, patient_id=patient_id, study_date=day)
    says = Described(study={**JANE, **said}, series={}, instance={})
    for each in slices:
        arrive(store, each, identity=identity, says=says)
    inputs = replace(inputs_of(*slices, study=study), intent=Intent.ANALYSE, missing=frozenset())
    assert store.enqueue(
        inputs,
        digest=inputs_digest(inputs),
        terms=JobTerms(analysis_id=MODEL, max_attempts=3),
        now=NOON,
    )


def claim(store: Store, *, compares: bool = True, now: datetime = NOON) -> JobLease:
    lease = store.claim_job(owner="host-a:1:1", lease_s=60, now=now, compares=compares)
    assert lease is not None
    return lease


def finish(store: Store, lease: JobLease, *, outcome: Outcome = Outcome.ANALYSED) -> None:
    nodules = [
        {"tracking_uid": "2.25.1", "probability": 0.4},
        {"tracking_uid": "2.25.2", "probability": None},
    ]
    store.finish_job(
        lease,
        result=JobResult(
            outcome=outcome,
            headline="",
            summary={"nodules": nodules if outcome is Outcome.ANALYSED else []},
            artifacts=[],
        ),
        outbox=Outbox(destinations=(), max_attempts=3),
        now=NOON,
    )


def earlier(
    store: Store, number: int, *, day: str, outcome: Outcome = Outcome.ANALYSED, **said: str
) -> StudyInstanceUID:
    """A study that was judged."""
    study = StudyInstanceUID(f"1.2.{number}")
    queue(store, study, day=day, **said)
    finish(store, claim(store), outcome=outcome)
    return study


def test_the_latest_earlier_study_whose_nodules_were_judged_is_compared_with(store: Store) -> None:
    earlier(store, 1, day="20240101")
    judged = earlier(store, 2, day="20250101")
    earlier(store, 3, day="20250601", outcome=Outcome.NOT_ANALYSED)
    earlier(store, 4, day="20260220")  # ten days before
    earlier(store, 5, day="20260401")  # later
    queue(store, TODAY, day="20260301")
    lease = claim(store)
    assert lease.inputs.prior is not None
    assert lease.inputs.prior.inputs.ct == tuple(slices_of(judged))
    assert lease.inputs.prior.judged == {"2.25.1"}
    assert sorted(lease.paths) == ["1.2.2.1.0", "1.2.2.1.1", "1.2.99.1.0", "1.2.99.1.1"]


NOT_SURELY_OF_THE_PATIENT: tuple[dict[str, str], ...] = (
    {"patient_id": "4712"},
    {"patient_id": ""},
    {"issuer_of_patient_id": "TOWN"},
    {"issuer_of_patient_id": ""},
    {"patient_birth_date": "19500103"},
    {"patient_sex": "M"},
    {"day": ""},
)


def test_a_study_that_is_not_surely_an_earlier_one_of_the_patient_is_not_compared_with(
    store: Store,
) -> None:
    for number, said in enumerate(NOT_SURELY_OF_THE_PATIENT):
        earlier(store, number, **{"day": "20250101", **said})
    queue(store, TODAY, day="20260301")
    assert claim(store).inputs.prior is None
    queue(store, StudyInstanceUID("1.2.98"), day="20260301", patient_id="")
    assert claim(store).inputs.prior is None


LATER = NOON + timedelta(hours=1)


def tried_in_vain(store: Store) -> None:
    """Today's study waits for its second try, and would have been compared with an earlier CT."""
    queue(store, TODAY, day="20260301")
    lease = claim(store)
    assert lease.inputs.prior is not None
    store.retry(lease, error="no memory", not_before=LATER, now=NOON)


def test_what_is_judged_between_two_tries_is_compared_with(store: Store) -> None:
    earlier(store, 1, day="20240101")
    tried_in_vain(store)
    closer = earlier(store, 2, day="20250101")
    again = claim(store, now=LATER)
    assert again.inputs.prior is not None
    assert again.inputs.prior.inputs.study_instance_uid == closer


def test_what_was_judged_otherwise_between_two_tries_is_compared_with_as_it_is_now(
    store: Store,
) -> None:
    study = earlier(store, 1, day="20250101")
    tried_in_vain(store)
    queue_of(store, study, slices_of(study)[:1], day="20250101")
    finish(store, claim(store))
    again = claim(store, now=LATER)
    assert again.inputs.prior is not None
    assert again.inputs.prior.inputs.ct == tuple(slices_of(study)[:1])


def more_comes(store: Store, study: StudyInstanceUID) -> None:
    arrive(
        store,
        replace(slices_of(study)[0], sop_instance_uid=SOPInstanceUID(f"{study}.1.9")),
        identity=replace(IDENTITY, study_date="20250101"),
        says=Described(study=JANE, series={}, instance={}),
    )


def more_waits(store: Store, study: StudyInstanceUID) -> None:
    more_comes(store, study)
    judged(store, study, Kind.STUDY_WAITS, "for 3 slices")


def more_is_queued(store: Store, study: StudyInstanceUID) -> None:
    queue_of(store, study, slices_of(study)[:1], day="20250101")
    judged(store, study, Kind.STUDY_COMPLETE, "all is here")


def more_is_cancelled(store: Store, study: StudyInstanceUID) -> None:
    more_is_queued(store, study)
    store.cancel_job(3, now=NOON)


def more_is_taken_back(store: Store, study: StudyInstanceUID) -> None:
    more_is_queued(store, study)
    inputs = replace(inputs_of(*slices_of(study), study=study), intent=Intent.ANALYSE)
    inputs = replace(inputs, missing=frozenset())
    terms = JobTerms(analysis_id=MODEL, max_attempts=3)
    assert store.enqueue(inputs, digest=inputs_digest(inputs), terms=terms, now=NOON) is None


def nothing_comes(store: Store, study: StudyInstanceUID) -> None:
    pass


def judged(store: Store, study: StudyInstanceUID, kind: Kind, reason: str) -> None:
    store.note_judgement(
        store.study_pulse(study), kind=kind, reason=reason, look_again_at=None, now=NOON
    )


@pytest.mark.parametrize(
    ("happens", "newer"),
    [
        (nothing_comes, False),
        (more_comes, True),
        (more_waits, True),
        (more_is_queued, True),
        (more_is_cancelled, True),
        (more_is_taken_back, False),
    ],
)
def test_it_is_known_whether_more_has_come_of_the_earlier_study_than_was_judged(
    store: Store, happens: Callable[[Store, StudyInstanceUID], None], newer: bool
) -> None:
    study = earlier(store, 1, day="20250101")
    judged(store, study, Kind.STUDY_COMPLETE, "all is here")
    queue(store, TODAY, day="20260301")
    happens(store, study)
    lease = claim(store)
    assert lease.study_instance_uid == TODAY
    assert lease.inputs.prior is not None
    assert lease.inputs.prior.inputs.ct == tuple(slices_of(study))
    assert lease.inputs.prior.newer is newer


def test_a_report_that_was_taken_back_between_two_tries_is_not_compared_with(store: Store) -> None:
    study = earlier(store, 1, day="20250101")
    tried_in_vain(store)
    queue_of(store, study, slices_of(study)[:1], day="20250101")
    finish(store, claim(store), outcome=Outcome.NOT_ANALYSED)
    assert claim(store, now=LATER).inputs.prior is None


def test_what_was_freed_between_two_tries_is_not_compared_with(store: Store) -> None:
    study = earlier(store, 1, day="20250101")
    tried_in_vain(store)
    store.note_judgement(
        store.study_pulse(study),
        kind=Kind.STUDY_COMPLETE,
        reason="test",
        look_again_at=None,
        now=NOON,
    )
    assert store.free(study, Files.RECEIVED, because="test", by="test", now=NOON) is not None
    assert claim(store, now=LATER).inputs.prior is None


def test_nothing_is_compared_once_that_is_switched_off(store: Store) -> None:
    earlier(store, 1, day="20250101")
    tried_in_vain(store)
    assert claim(store, compares=False, now=LATER).inputs.prior is None


FROM_ANOTHER_VERSION: tuple[tuple[Table, Mapping[str, object]], ...] = (
    (cast(Table, Instance.__table__), {"facts": '{"of": "another version"}'}),
    (cast(Table, Job.__table__), {"inputs": {"of": "another version"}}),
    (cast(Table, Job.__table__), {"summary": {"nodules": [{"of": "another version"}]}}),
)


@pytest.mark.parametrize(("table", "stored"), FROM_ANOTHER_VERSION)
def test_what_another_version_stored_of_an_earlier_ct_holds_up_no_report(
    store: Store, url: str, table: Table, stored: Mapping[str, object]
) -> None:
    readable = earlier(store, 1, day="20240101")
    unreadable = earlier(store, 2, day="20250101")
    engine = create_engine(url)
    with engine.begin() as connection:
        of_it = table.c.study_instance_uid == unreadable
        connection.execute(update(table).where(of_it).values(stored))
    engine.dispose()
    queue(store, TODAY, day="20260301")
    lease = claim(store)
    assert lease.study_instance_uid == TODAY
    assert lease.inputs.prior is not None
    assert lease.inputs.prior.inputs.study_instance_uid == readable


def test_the_last_try_compares_nothing_lest_the_earlier_ct_is_what_the_others_failed_at(
    store: Store,
) -> None:
    earlier(store, 1, day="20250101")
    queue(store, TODAY, day="20260301")
    compared = []
    for _ in range(3):
        lease = claim(store)
        compared.append(lease.inputs.prior is not None)
        store.retry(lease, error="killed", not_before=NOON, now=NOON)
    assert compared == [True, True, False]


def test_a_report_stays_as_it_is_when_the_earlier_ct_comes_later(store: Store) -> None:
    queue(store, TODAY, day="20260301")
    finish(store, claim(store))
    earlier(store, 1, day="20250101")
    inputs = replace(
        inputs_of(*slices_of(TODAY), study=TODAY), intent=Intent.ANALYSE, missing=frozenset()
    )
    terms = JobTerms(analysis_id=MODEL, max_attempts=3)
    assert store.enqueue(inputs, digest=inputs_digest(inputs), terms=terms, now=NOON) is None


def test_an_earlier_ct_that_was_erased_between_two_tries_is_not_compared_with(
    store: Store,
) -> None:
    gone = earlier(store, 1, day="20250101")
    queue(store, TODAY, day="20260301")
    store.retry(claim(store), error="no memory", not_before=NOON, now=NOON)
    store.erase_study(gone, by="test", forced=True, now=NOON)
    queue(store, StudyInstanceUID("1.2.8"), day="20250201", patient_id="somebody else")
    leases = [claim(store), claim(store)]
    assert {lease.study_instance_uid for lease in leases} == {TODAY, "1.2.8"}
    assert [lease.inputs.prior for lease in leases] == [None, None]
