"""What is missing of a study is fetched from a source, and what the source says is held to."""

import threading
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import Dataset

from node.config import PullConfig
from node.core.fetching import SourceCount
from node.core.inputs import Intent
from node.core.states import State
from tests import synthetic
from tests.node.pull.bench import (
    CT,
    MARK,
    STUDY,
    Node,
    Pacs,
    dripping,
    of_another_patient,
    of_another_study,
    running,
)

ALL = SourceCount(source="PACS", here=8, there=8)


def test_missing_slices_are_fetched_and_proven_by_the_count_of_the_source(tmp_path: Path) -> None:
    with running(Pacs(holds=CT)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:3], *CT[6:], MARK)
        assert node.plan() == []
        assert node.store.find_study(STUDY).waiting_for == (
            "for PACS, which is asked what it holds of the study and for what is missing here"
        )
        assert node.fetch() == 1
        inputs = node.settle()
    assert node.here() == 9
    assert (inputs.intent, len(inputs.ct), inputs.missing) == (Intent.ANALYSE, 8, frozenset())
    assert inputs.at_source == ALL
    (asked,) = pacs.asked
    assert asked.QueryRetrieveLevel == "IMAGE"
    assert set(asked.SOPInstanceUID) == {each.SOPInstanceUID for each in CT[3:6]}
    diary = node.diary()
    assert (
        "fetch 1 from PACS queued: for 3 instances that the annotation needs; "
        "for 3 slices missing in the CT series" in diary
    )
    assert "PACS has ended: 3 new, 0 known, 0 newer versions of known instances" in diary
    assert "fetch 1 from PACS done: 8 objects in 1 series there; 3 were asked for and 3 came." in (
        diary
    )


def test_a_ct_that_did_not_come_is_fetched_whole_and_asked_about_once_more(tmp_path: Path) -> None:
    with running(Pacs(holds=[*CT, MARK])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(MARK)
        inputs = node.settle()
    assert (inputs.intent, len(inputs.ct)) == (Intent.ANALYSE, 8)
    assert inputs.at_source == ALL
    (asked,) = pacs.asked
    assert asked.QueryRetrieveLevel == "SERIES"
    assert [row.state for row in node.store.list_fetches(STUDY)] == [State.DONE]


def test_a_study_that_looks_whole_is_proven_so_without_a_transfer(tmp_path: Path) -> None:
    with running(Pacs(holds=CT)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT, MARK)
        inputs = node.settle()
    assert inputs.at_source == ALL
    assert pacs.asked == []
    assert (
        "fetch 1 from PACS done: 8 objects in 1 series there; nothing that is wanted is missing "
        "here" in node.diary()
    )


def test_slices_that_no_annotation_names_and_no_gap_tells_of_are_known_to_the_source(
    tmp_path: Path,
) -> None:
    unnamed = deepcopy(CT[7])
    unnamed.SOPInstanceUID = unnamed.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    unnamed.ImagePositionPatient = [*unnamed.ImagePositionPatient[:2], -80.0]
    with running(Pacs(holds=[*CT, unnamed])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT, MARK)
        inputs = node.settle()
    assert len(inputs.ct) == 9
    assert inputs.at_source == SourceCount(source="PACS", here=9, there=9)


def test_without_a_source_nobody_waits_for_one(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.receive(*CT, MARK)
    assert node.plan() == [1]
    assert node.store.list_fetches(STUDY) == []


def test_a_source_that_is_down_is_tried_as_often_as_is_set_and_the_report_says_so(
    tmp_path: Path,
) -> None:
    with running(Pacs(holds=CT)) as pacs:
        source = pacs.source()
    node = Node(tmp_path, source)
    node.receive(*CT[:7], MARK)
    inputs = node.settle()
    assert (inputs.intent, inputs.at_source) == (Intent.ANALYSE, None)
    assert inputs.remarks[-1] == (
        "What PACS holds of the study is not known: it could not be asked, or broke off."
    )
    (row,) = node.store.list_fetches(STUDY)
    assert (row.state, row.tries) == (State.DEAD, 2)
    assert [line for line in node.diary() if "given up" in line] == [
        "fetch 1 from PACS given up, the study goes on without it: PACS at 127.0.0.1:"
        f"{source.port} accepts no connection: nothing listens on that port, or a firewall refuses "
        "(try 2, the last)"
    ]


def test_a_source_that_never_answers_holds_the_study_up_for_so_long_and_no_longer(
    tmp_path: Path,
) -> None:
    with running(Pacs(holds=CT, silent=threading.Event())) as pacs:
        node = Node(tmp_path, pacs.source(timeout_s=0.3))
        node.receive(*CT, MARK)
        inputs = node.settle()
    assert inputs.at_source is None
    (row,) = node.store.list_fetches(STUDY)
    assert (row.state, row.tries) == (State.DEAD, 2)
    assert "no answer to a C-FIND" in str(row.error)


def test_a_source_that_holds_nothing_of_the_study_is_said_to(tmp_path: Path) -> None:
    with running(Pacs(holds=[])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(MARK)
        inputs = node.settle()
    assert inputs.reason == "the CT that the annotation refers to was not received"
    assert inputs.remarks == ("PACS was asked, and holds nothing of this study.",)
    assert "fetch 1 from PACS done: nothing of the study is there" in node.diary()


def test_a_source_that_counts_more_than_it_sends_leaves_the_study_unproven(tmp_path: Path) -> None:
    with running(Pacs(holds=CT, sends=lambda asked: asked[:1])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:5], MARK)
        inputs = node.settle()
    assert len(inputs.ct) == 6
    assert inputs.at_source == SourceCount(source="PACS", here=6, there=8)
    assert inputs.remarks[-1] == (
        "2 images of the CT series that PACS counts did not come when asked for."
    )
    assert len(node.store.list_fetches(STUDY)) == 1


def test_a_source_that_says_more_than_it_lists_is_asked_once_for_all_of_it(tmp_path: Path) -> None:
    with running(Pacs(holds=CT, says=11)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT, MARK)
        inputs = node.settle()
    assert inputs.at_source == SourceCount(source="PACS", here=8, there=11)
    assert inputs.remarks[-2:] == (
        "PACS says that the CT series has 11 images, and lists 8.",
        "3 images of the CT series that PACS counts did not come when asked for.",
    )
    assert [each.QueryRetrieveLevel for each in pacs.asked] == ["SERIES"]
    assert len(node.store.list_fetches(STUDY)) == 1


def test_a_source_that_sends_more_than_it_counts_gives_what_is_of_the_series(
    tmp_path: Path,
) -> None:
    with running(Pacs(holds=CT, lists=CT[:5])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(MARK)
        inputs = node.settle()
    assert (len(inputs.ct), inputs.missing) == (8, frozenset())
    assert inputs.at_source == SourceCount(source="PACS", here=5, there=5)
    assert inputs.remarks[-1] == "PACS sent 3 images of the CT series that it does not list."


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        (of_another_patient, "of another patient"),
        (of_another_study, "of another study"),
    ],
)
def test_what_is_of_another_patient_or_study_is_not_taken_and_said(
    tmp_path: Path, changed: Callable[[Dataset], Dataset], because: str
) -> None:
    def sends(asked: Sequence[Dataset]) -> list[Dataset]:
        return [changed(each) for each in asked]

    with running(Pacs(holds=CT, sends=sends)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:6], MARK)
        inputs = node.settle()
    assert len(inputs.ct) == 6
    assert node.here() == 7
    assert [row.study_instance_uid for row in node.store.list_studies()] == [STUDY]
    assert inputs.remarks[-2:] == (
        "2 images of the CT series that PACS counts did not come when asked for.",
        f"2 objects that PACS sent were not taken: {because}.",
    )


def test_a_ct_of_another_patient_than_the_annotation_is_not_taken_at_all(tmp_path: Path) -> None:
    with running(Pacs(holds=[of_another_patient(each) for each in CT])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(MARK)
        inputs = node.settle()
    assert node.here() == 1
    assert inputs.reason == "the CT that the annotation refers to was not received"
    assert inputs.remarks == (
        "8 images of the CT series that PACS counts did not come when asked for.",
        "8 objects that PACS sent were not taken: of another patient.",
    )


def test_what_nobody_asked_for_is_not_taken_and_what_is_here_stays_as_it_is(
    tmp_path: Path,
) -> None:
    altered = deepcopy(CT[0])
    altered.RescaleIntercept = 0
    stranger = deepcopy(CT[1])
    stranger.SOPInstanceUID = stranger.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.6"

    with running(Pacs(holds=CT, sends=lambda asked: [altered, stranger, *asked])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:6], MARK)
        inputs = node.settle()
    assert inputs.at_source == ALL
    assert node.here() == 9
    assert all(row.version == 1 for row in node.store.list_instances(STUDY))
    assert inputs.remarks[-1] == "1 object that PACS sent was not taken: not asked for."


def test_a_source_that_never_stops_sending_is_cut_off(tmp_path: Path) -> None:
    with running(Pacs(holds=CT, sends=lambda asked: [*asked] * 200)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:6], MARK)
        inputs = node.settle()
    assert len(inputs.ct) == 8
    (first, *_) = node.store.list_fetches(STUDY)
    assert first.state is State.DEAD
    assert "sends more than it was asked for" in str(first.error)


def test_a_source_that_is_at_work_for_ever_is_not_believed(tmp_path: Path) -> None:
    with running(Pacs(holds=CT, answers=1_100)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT, MARK)
        node.plan()
        node.fetch()
    (row,) = node.store.list_fetches(STUDY)
    assert (row.state, row.error) == (State.DEAD, "lists more than 1000 matches of a C-FIND")


def test_a_source_that_refuses_is_asked_no_more_than_is_set(tmp_path: Path) -> None:
    with running(Pacs(holds=CT, find_status=0xC001)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT, MARK)
        node.settle()
    (row,) = node.store.list_fetches(STUDY)
    assert row.error == "answered a C-FIND with status C001 (try 2, the last)"


def test_the_next_source_is_asked_where_the_first_does_not_have_it_whole(tmp_path: Path) -> None:
    with running(Pacs(holds=CT[:4])) as first, running(Pacs(holds=CT)) as second:
        node = Node(tmp_path, first.source("ONE"), second.source("TWO"))
        node.receive(MARK)
        inputs = node.settle()
    assert inputs.at_source == SourceCount(source="TWO", here=8, there=8)
    assert len(inputs.ct) == 8
    assert inputs.remarks == ()


def test_the_same_is_not_asked_twice_and_a_late_slice_is_asked_about_anew(tmp_path: Path) -> None:
    with running(Pacs(holds=CT[:6])) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:6], MARK)
        inputs = node.settle()
        assert inputs.at_source == SourceCount(source="PACS", here=6, there=6)
        assert len(node.store.list_fetches(STUDY)) == 1
        node.receive(CT[6])
        node.plan()
        assert node.fetch() == 1
        node.plan()
        node.plan()
        assert node.fetch() == 0
        assert len(node.store.list_fetches(STUDY)) == 2


def test_a_study_gets_so_many_fetches_by_itself_and_no_more(tmp_path: Path) -> None:
    config = PullConfig(max_fetches=2)
    with running(Pacs(holds=[])) as pacs:
        node = Node(tmp_path, pacs.source(), config=config)
        for number in range(4):
            mark = deepcopy(MARK)
            mark.SOPInstanceUID = f"1.2.3.4.{number}"
            mark.file_meta.MediaStorageSOPInstanceUID = mark.SOPInstanceUID
            node.receive(mark)
            node.plan()
            node.fetch()
        inputs = node.settle()
    assert len(node.store.list_fetches(STUDY)) == 2
    assert inputs.remarks[-1] == "No source is asked any more after 2 questions."


def test_a_source_with_other_series_of_the_study_is_said_to_have_those(tmp_path: Path) -> None:
    other = [deepcopy(each) for each in CT]
    for number, each in enumerate(other):
        each.SeriesInstanceUID = synthetic.uid("other series")
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number}"
    with running(Pacs(holds=other)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT, MARK)
        inputs = node.settle()
    assert (inputs.at_source, pacs.asked) == (None, [])
    assert inputs.remarks[-1] == "PACS holds the study, and not this CT series."


def test_one_that_drips_is_given_up_while_it_is_asked_and_while_it_sends(tmp_path: Path) -> None:
    for name, whole in (("asked", 1_000), ("sends", 4_000)):
        with running(Pacs(holds=CT)) as pacs, dripping(pacs.port, after=whole) as port:
            source = pacs.source(timeout_s=0.3).model_copy(update={"port": port})
            (tmp_path / name).mkdir()
            node = Node(tmp_path / name, source)
            node.receive(*CT[:2], MARK)
            node.plan()
            node.fetch()
        (row,) = node.store.list_fetches(STUDY)
        assert (row.state, row.tries) == (State.DEAD, 2)
        assert "too slow" in str(row.error)


def test_a_source_that_does_not_know_where_to_send_to_says_what_to_do(tmp_path: Path) -> None:
    with running(Pacs(holds=CT)) as pacs:
        source = pacs.source().model_copy(update={"retrieve": "move"})
        node = Node(tmp_path, source)
        node.receive(*CT[:2], MARK)
        node.plan()
        node.fetch()
    (row,) = node.store.list_fetches(STUDY)
    assert row.error == (
        "does not know M3NODE, to which it is to send (status A801): register this node's host and "
        "port there (try 2, the last)"
    )


def test_where_this_node_has_no_room_the_fetch_is_tried_again_and_ends(tmp_path: Path) -> None:
    with running(Pacs(holds=CT)) as pacs:
        node = Node(tmp_path, pacs.source())
        node.receive(*CT[:6], MARK)
        node.intake._min_free_bytes = 1 << 60
        node.plan()
        assert node.fetch() == 2
        (row,) = node.store.list_fetches(STUDY)
        assert row.state is State.DEAD
        assert "cannot store now (Refused); send again" in str(row.error)
        assert node.here() == 7
