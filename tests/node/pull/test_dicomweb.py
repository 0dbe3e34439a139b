"""A source over QIDO-RS and WADO-RS, as it should be and as it should not."""

from pathlib import Path

import pytest

from node.core.fetching import SourceCount
from node.core.inputs import Intent
from node.core.states import State
from tests.node.pull.bench import CT, MARK, STUDY, Node, of_another_patient
from tests.node.pull.web_pacs import WebPacs, running

ALL = SourceCount(source="WEB", here=8, there=8)


def test_missing_slices_are_asked_for_one_by_one(tmp_path: Path) -> None:
    with running(WebPacs(holds=CT)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:3], *CT[5:], MARK)
        inputs = node.settle()
    assert (inputs.intent, inputs.at_source) == (Intent.ANALYSE, ALL)
    series = f"/dicom-web/studies/{STUDY}/series/{CT[0].SeriesInstanceUID}"
    assert {path for path in pacs.asked if "?" not in path} == {
        f"{series}/instances/{each.SOPInstanceUID}" for each in CT[3:5]
    }


@pytest.mark.parametrize("pages", [True, False])
def test_a_ct_that_did_not_come_is_asked_for_as_a_series(tmp_path: Path, pages: bool) -> None:
    with running(WebPacs(holds=[*CT, MARK], pages=pages)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(MARK)
        inputs = node.settle()
    assert (len(inputs.ct), inputs.at_source) == (8, ALL)
    assert [path for path in pacs.asked if "?" not in path] == [
        f"/dicom-web/studies/{STUDY}/series/{CT[0].SeriesInstanceUID}"
    ]


def test_what_is_of_another_patient_is_not_taken_and_said(tmp_path: Path) -> None:
    with running(WebPacs(holds=[*CT[:6], *map(of_another_patient, CT[6:])])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:6], MARK)
        inputs = node.settle()
    assert (len(inputs.ct), node.here()) == (6, 7)
    assert inputs.remarks[-1] == "2 objects that WEB sent were not taken: of another patient."


def test_what_came_before_an_answer_broke_off_is_not_asked_for_again(tmp_path: Path) -> None:
    with running(WebPacs(holds=CT, cut_after=5_000)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(MARK)
        inputs = node.settle()
    (row,) = node.store.list_fetches(STUDY)
    assert (row.state, row.tries) == (State.DONE, 2)
    assert inputs.at_source == ALL
    (broken_off,) = (line for line in node.diary() if "its last boundary is missing" in line)
    assert "fetch 1 from WEB failed, next try not before" in broken_off
    asked = [path for path in pacs.asked if "?" not in path]
    assert 1 < len(asked) < 9
    assert all("/instances/" in path for path in asked[1:])


def test_one_that_drips_is_given_up(tmp_path: Path) -> None:
    with running(WebPacs(holds=CT, drip_s=0.02)) as pacs:
        node = Node(tmp_path, pacs.source(timeout_s=0.2))
        node.receive(*CT[:7], MARK)
        node.plan()
        node.fetch()
    (row,) = node.store.list_fetches(STUDY)
    assert row.state is State.DEAD
    assert "its answer came slower than slowest_kb_s" in str(row.error)


def test_one_that_has_more_to_say_behind_the_last_part_is_not_listened_to(tmp_path: Path) -> None:
    with running(WebPacs(holds=CT, behind=b"x" * 100_000)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:7], MARK)
        node.plan()
        node.fetch()
    assert node.here() == 9
    (row,) = node.store.list_fetches(STUDY)
    assert row.error == "sends more behind the last part of an answer"


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ((200, "text/html", b"<html>log in</html>"), "with a web page (text/html)"),
        ((200, "application/dicom+json", b"{"), "something that is no JSON"),
        ((200, "application/dicom+json", b'{"a": 1}'), "JSON that is no list of matches"),
        ((503, "text/plain", b""), "answered HTTP 503"),
        ((401, "text/plain", b""), "the credentials in headers_file are not taken"),
    ],
)
def test_an_answer_that_is_none_is_named(
    tmp_path: Path, instead: tuple[int, str, bytes], said: str
) -> None:
    with running(WebPacs(holds=CT, instead=instead)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT, MARK)
        node.plan()
        node.fetch()
    (row,) = node.store.list_fetches(STUDY)
    assert row.state is State.DEAD
    assert said in str(row.error)


def test_a_study_is_found_by_its_accession_number(tmp_path: Path) -> None:
    from node.pull.connect import connect

    with running(WebPacs(holds=CT)) as pacs:
        assert connect(pacs.source()).find_studies("A1") == (STUDY,)
        assert connect(pacs.source()).find_studies("A2") == ()
