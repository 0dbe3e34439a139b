"""Lists: what they are asked for is what they show, and a page says what it is part of."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from m3net.uids import StudyInstanceUID
from node.core.diary import Kind
from node.core.errors import Ambiguous, UnknownEntry
from node.core.standing import Standing
from node.core.states import State
from node.persistence.asked import (
    DeliveriesAsked,
    FetchesAsked,
    StudiesAsked,
    StudyOrder,
    WorkAsked,
)
from node.persistence.process_identity import this_process
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import ct_slice
from tests.node.persistence.filling import IDENTITY, NOON, SCANNER, arrive, at
from tests.node.persistence.history import fill


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Sixty studies with a past, and one that stands in each of the other ways."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('lists') / 'm3node.sqlite'}")
    fill(store._engine, 60)
    for number, kind in ((1, Kind.STUDY_WAITS), (2, Kind.STUDY_IGNORED), (3, None)):
        came(store, f"9.9.{number}", accession=f"B{number}")
        if kind is not None:
            store.note_judgement(
                store.study_pulse(StudyInstanceUID(f"9.9.{number}")),
                kind=kind,
                reason="because",
                look_again_at=None,
                now=NOON,
            )
    sender = store.open_sender(SCANNER, owner=this_process(), now=NOON)
    came(store, "9.9.4", accession="B4", sender_id=sender)
    yield store
    store.close()


def came(store: Store, uid: str, *, accession: str, sender_id: int | None = None) -> None:
    arrive(
        store,
        replace(ct_slice(0), study_instance_uid=StudyInstanceUID(uid)),
        content=uid,
        sender_id=sender_id,
        identity=replace(IDENTITY, accession_number=accession),
        now=at(int(uid[-1])),
    )


@pytest.mark.parametrize("standing", Standing)
def test_studies_that_are_asked_for_by_where_they_stand_are_those_that_say_so(
    hospital: Store, standing: Standing
) -> None:
    everything = hospital.list_studies()
    wanted = [row.study_instance_uid for row in everything if row.standing is standing]
    page = hospital.studies(StudiesAsked(standings=[standing]))
    assert [row.study_instance_uid for row in page.rows] == wanted
    assert page.total == len(wanted)
    assert (standing in NOT_THERE) == (not wanted)


NOT_THERE = {Standing.EXPIRED, Standing.QUEUED, Standing.RUNNING}


def test_several_ways_to_stand_are_asked_for_at_once(hospital: Store) -> None:
    page = hospital.studies(StudiesAsked(standings=[Standing.WAITING, Standing.IGNORED]))
    assert [row.identity.accession_number for row in page.rows] == ["B2", "B1"]
    assert [row.says for row in page.rows] == ["because", "because"]


def test_a_page_says_how_many_there_are(hospital: Store) -> None:
    page = hospital.studies(StudiesAsked(limit=10, offset=60))
    assert (len(page.rows), page.total, page.offset) == (4, 64, 60)
    jobs = hospital.jobs(WorkAsked(states=[State.DEAD], limit=4, offset=4))
    assert ([row.job_id for row in jobs.rows], jobs.total) == ([18, 8], 6)
    assert hospital.deliveries(DeliveriesAsked(destination="pacs", limit=1)).total == 54
    assert hospital.fetches(FetchesAsked()).total == 0


def test_studies_are_sorted_either_way(hospital: Store) -> None:
    asked = StudiesAsked(order=StudyOrder.ACCESSION, forwards=True, limit=3)
    found = [row.identity.accession_number for row in hospital.studies(asked).rows]
    assert found == ["A1", "A10", "A11"]
    last = hospital.studies(replace(asked, forwards=False)).rows
    assert [row.identity.accession_number for row in last] == ["B4", "B3", "B2"]


@pytest.mark.parametrize(
    ("said", "accessions"),
    [
        ("B3", ["B3"]),
        ("A5", ["A5", *(f"A5{n}" for n in range(10))]),  # how an accession number begins
        ("1.2.3.4.17", ["A17"]),  # a whole UID
        ("2.3.4.17", ["A17"]),  # how a UID ends
        ("\N{HORIZONTAL ELLIPSIS}2.3.4.17", ["A17"]),  # ... as a list shows it
        ("SCANNER", ["B4"]),
        ("scanner", ["B4"]),
        ("17", []),  # a Patient ID, and too short for the end of a UID
        ("%", []),
        ("'", []),
    ],
)
def test_a_search_finds_what_a_person_would_type(
    hospital: Store, said: str, accessions: list[str]
) -> None:
    page = hospital.studies(StudiesAsked(search=said, limit=20))
    assert sorted(row.identity.accession_number for row in page.rows) == sorted(accessions)
    numbers = {int(name[1:]) for name in accessions if name[0] == "A"}
    assert {row.job_id for row in hospital.jobs(WorkAsked(search=said)).rows} == numbers


def test_a_patient_id_is_found_only_by_who_may_see_it(hospital: Store) -> None:
    assert hospital.studies(StudiesAsked(search="17")).total == 0
    (row,) = hospital.studies(StudiesAsked(search="17", with_patients=True)).rows
    assert row.identity.accession_number == "A17"


def test_one_study_goes_by_its_uid_its_accession_number_or_the_end_of_its_uid(
    hospital: Store,
) -> None:
    for said in ("9.9.2", "B2", "1.2.3.4.7", "A7", "2.3.4.7", "...2.3.4.7"):
        assert hospital.find_study(said).identity.accession_number in ("B2", "A7")
    for said in ("", "9.2", "C1", "\N{HORIZONTAL ELLIPSIS}"):
        with pytest.raises(UnknownEntry, match="no study of that accession number"):
            hospital.find_study(said)


def test_what_two_studies_go_by_names_neither_and_lists_both(store: Store) -> None:
    came(store, "8.8.8.8.8.1", accession="TWINS")
    came(store, "8.8.8.8.8.2", accession="TWINS")
    came(store, "8.8.8.9.8888.1", accession="8.8.8.8.8.1")  # another's UID
    came(store, "7.8.8.8.8.8.1", accession="")
    with pytest.raises(Ambiguous, match="2 studies go by that") as told:
        store.find_study("TWINS")
    assert [uid for uid, _ in told.value.studies] == ["8.8.8.8.8.2", "8.8.8.8.8.1"]
    assert store.find_study("8.8.8.8.8.1").identity.accession_number == "TWINS"
    with pytest.raises(Ambiguous):
        store.find_study(".8.8.8.8.1")


def test_studies_with_a_dead_delivery_are_found_until_it_is_sent_again(store: Store) -> None:
    fill(store._engine, 3)
    lease = store.requeue_delivery(2, now=NOON)
    assert store.studies(StudiesAsked(delivery_states=[State.QUEUED])).total == 1
    taken = store.claim_delivery(destination="pacs", owner=this_process(), lease_s=60, now=at(1))
    assert taken is not None
    assert taken.number == lease
    store.bury(taken, error="refused", now=at(2))
    dead = StudiesAsked(delivery_states=[State.DEAD])
    (row,) = store.studies(dead).rows
    assert (row.identity.accession_number, row.deliveries) == ("A2", {State.DEAD: 1})
    store.requeue_delivery(taken.number, now=at(3))
    assert store.studies(dead).total == 0
