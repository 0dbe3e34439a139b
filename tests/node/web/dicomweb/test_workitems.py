"""UPS-RS: every analysis is a work item, and its state is the job's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
import requests

from m3net.uids import StudyInstanceUID
from node.core.diary import sentence
from node.core.uids import job_of_work_item, work_item_uid
from node.persistence.store import Store
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import at, claimed, finish, queued
from tests.node.web.serving import Served, serving

UID, STATE, STUDY_UID, PROGRESS = "00080018", "00741000", "0020000D", "00741002"
PERFORMED, OUTPUT = "00741216", "00404033"


class About(TypedDict):
    study: StudyInstanceUID
    input_digest: str
    analysis_id: str


ABOUT = About(study=STUDY, input_digest="d", analysis_id="a")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def store(served: Served) -> Store:
    return served.services.store


def items(served: Served, query: str = "") -> list[dict[str, Any]]:
    answer = served.get(f"/dicom-web/workitems{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def state(served: Served) -> str:
    (item,) = items(served)
    (again,) = served.get(f"/dicom-web/workitems/{item[UID]['Value'][0]}").json()
    assert again == item
    said: str = item[STATE]["Value"][0]
    return said


def cancelled(served: Served, uid: str) -> int:
    url = f"http://127.0.0.1:{served.port}/dicom-web/workitems/{uid}/cancelrequest"
    return requests.post(url, timeout=30).status_code


def test_a_work_item_goes_through_the_states_of_its_job(served: Served, store: Store) -> None:
    assert items(served) == []
    queued(store, 0)
    assert state(served) == "SCHEDULED"
    lease = claimed(store, now=at(60))
    assert state(served) == "IN PROGRESS"
    finish(store, lease, now=at(90))
    assert state(served) == "COMPLETED"
    (item,) = items(served)
    assert item["00404005"]["Value"] == ["20260301120000+0000"]
    (progress,) = item[PROGRESS]["Value"]
    assert progress["00741004"]["Value"] == [100]
    assert progress["00741006"]["Value"] == ["No annotation received, nothing was assessed"]
    (performed,) = item[PERFORMED]["Value"]
    assert performed["00404050"]["Value"] == ["20260301120100+0000"]
    assert performed["00404051"]["Value"] == ["20260301120130+0000"]
    (output,) = performed[OUTPUT]["Value"]
    assert len(output["00081199"]["Value"]) == 2
    (where,) = output["0040E025"]["Value"]
    assert where["00081190"]["Value"] == [f"{served.url}/studies/{STUDY}/series/2.25.1"]
    (source,) = item["00404021"]["Value"]
    assert source["0020000E"]["Value"] == ["1.2.3.10"]
    assert item["00100020"]["Value"] == ["4711"]


def test_what_has_failed_is_cancelled_with_its_reason(served: Served, store: Store) -> None:
    queued(store, 0)
    store.bury(claimed(store), error="the GPU is on fire", now=at(1))
    assert state(served) == "CANCELED"
    (item,) = items(served)
    (progress,) = item[PROGRESS]["Value"]
    assert progress["00741238"]["Value"] == ["the GPU is on fire"]
    assert cancelled(served, item[UID]["Value"][0]) == 409, "it stays for a person to see"
    assert store.job(1).state == "dead"


def test_overtaken_results_are_no_output(served: Served, store: Store) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    queued(store, 0, 1)
    finish(store, claimed(store))
    newer, older = items(served)
    assert newer[PERFORMED]["Value"][0][OUTPUT]["Value"]
    assert older[PERFORMED]["Value"][0][OUTPUT] == {"vr": "SQ"}


def test_work_items_are_found_by(served: Served, store: Store) -> None:
    queued(store, 0)
    finish(store, claimed(store))
    queued(store, 0, 1)
    both = [each[UID]["Value"][0] for each in items(served)]
    assert len(both) == 2
    for query, expected in {
        "?ProcedureStepState=SCHEDULED": both[:1],
        "?00741000=COMPLETED,SCHEDULED": both,
        "?ProcedureStepState=CANCELED": [],
        "?StudyInstanceUID=1.2.3": both,
        "?StudyInstanceUID=1.2.4": [],
        "?ReferencedRequestSequence.AccessionNumber=A17": both,
        "?0040A370.0020000D=1.2.3&PatientID=4711": both,
        "?PatientID=4712": [],
        f"?SOPInstanceUID={both[1]}": both[1:],
        "?SOPInstanceUID=1.2.3": [],
        "?limit=1": both[:1],
        "?limit=1&offset=1": both[1:],
        "?PatientID=*": both,
        "?WorklistLabel=AI": both,
    }.items():
        assert [each[UID]["Value"][0] for each in items(served, query)] == expected, query
    for query in ("?ProcedureStepState=DONE", "?StudyInstanceUID=x", "?limit=x", "?PatientID=47*"):
        assert served.get(f"/dicom-web/workitems{query}").status_code == 400


def test_what_is_scheduled_can_be_cancelled_and_nothing_else(served: Served, store: Store) -> None:
    queued(store, 0)
    (item,) = items(served)
    uid = item[UID]["Value"][0]
    assert cancelled(served, uid) == 202
    assert state(served) == "CANCELED"
    assert [sentence(event) for event in store.diary(STUDY)][-1] == (
        "job 1 cancelled by a client at 127.0.0.1"
    )
    assert cancelled(served, uid) == 409
    queued(store, 0, 1)
    lease = claimed(store)
    running = items(served, "?ProcedureStepState=IN%20PROGRESS")[0][UID]["Value"][0]
    assert cancelled(served, running) == 409
    finish(store, lease)
    for nobody in ("2.25.1", "1.2.3", work_item_uid(1, **ABOUT)):
        assert cancelled(served, nobody) == 404
        assert served.get(f"/dicom-web/workitems/{nobody}").status_code == 404
    assert cancelled(served, "not-a-uid") == 400


def test_who_may_not_send_may_not_cancel(tmp_path: Path) -> None:
    receiver = {"allowed_peers": ["192.0.2.0/24"]}
    with serving(tmp_path, receiver=receiver) as served:
        queued(served.services.store, 0)
        (item,) = items(served)
        assert cancelled(served, item[UID]["Value"][0]) == 403
        assert state(served) == "SCHEDULED"


def test_the_uid_of_a_work_item_holds_its_job_and_is_derived() -> None:
    uid = work_item_uid(17, **ABOUT)
    assert uid == work_item_uid(17, **ABOUT)
    assert uid != work_item_uid(17, study=STUDY, input_digest="e", analysis_id="a")
    assert job_of_work_item(uid) == 17
    assert len(uid) <= 64
    assert job_of_work_item(work_item_uid((1 << 62) - 1, **ABOUT)) == (1 << 62) - 1
    for other in ("2.25.1", "1.2.3", "2.25.", "2.25." + "9" * 39, "2.25.x", ""):
        assert job_of_work_item(other) is None
