"""Objects that claim, repeat or place beyond all measure, among studies that mean what they say."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import Dataset

from node.demo.annotations import segmentation
from node.demo.phantom import Phantom
from node.demo.reading import read_report
from tests.acceptance import studies
from tests.acceptance.bed import Bed
from tests.encodings import Drawn, OnImages, Words, presentation_state

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]

MOST_MB = 1000
"""Of any process of the node; one that has analysed a plain phantom holds about 370."""


def claims_more_than_it_holds(phantom: Phantom) -> Sequence[Dataset]:
    seg = segmentation(phantom, [studies.NODULE])
    seg.Rows = seg.Columns = 8192
    return [*phantom.ct, seg]


def has_a_slice_a_hundred_kilometres_away(phantom: Phantom) -> Sequence[Dataset]:
    *near, last = phantom.ct
    far = deepcopy(last)
    far.ImagePositionPatient = [*last.ImagePositionPatient[:2], "100000000"]
    return [*near, far, segmentation(phantom, [studies.NODULE])]


def draws_the_same_arrow_a_thousand_times(phantom: Phantom) -> Sequence[Dataset]:
    arrow = Drawn(shape="POLYLINE", points=[(10, 10), (20, 10), (20, 20), (10, 10)])
    on = OnImages(graphics=[arrow] * 1000, texts=[Words(value="nodule")], images=[phantom.ct[30]])
    return [*phantom.ct, presentation_state(phantom.ct, [on])]


def describes_itself_in_16_megabytes(phantom: Phantom) -> Sequence[Dataset]:
    seg = segmentation(phantom, [studies.NODULE])
    seg.SegmentSequence[0].add_new("SegmentDescription", "UT", "nodule Doe^Jane " * (1 << 20))
    return [*phantom.ct, seg]


SAID: dict[Callable[[Phantom], Sequence[Dataset]], str] = {
    claims_more_than_it_holds: (
        "Not analysed: Segmentation: the segmentation's pixels are too few: 8192 bytes for "
    ),
    has_a_slice_a_hundred_kilometres_away: "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed.",
    draws_the_same_arrow_a_thousand_times: "Not analysed: it is drawn as a triangle or less",
    describes_itself_in_16_megabytes: "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed.",
}


def peak_mb(pid: int) -> int:
    """The most memory that the process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def test_each_hostile_object_gets_one_reason_and_costs_no_other_study_anything(own: Bed):
    own.start()
    sent = {}
    for number, make in enumerate(SAID):
        phantom = studies.phantom(f"hostile {number}")
        own.send(make(phantom))
        sent[make] = studies.study_uid(phantom)
    good = studies.phantom("good")
    own.send(studies.marked(good))
    for make, said in SAID.items():
        (report,) = own.wait_for_reports(sent[make])
        told = read_report(report, {})
        assert told.headline.startswith(said), make.__name__
        assert sum(map(len, told.remarks)) < 2000, make.__name__
        assert "Doe" not in str(report)
    (report,) = own.wait_for_reports(studies.study_uid(good))
    assert read_report(report, {}).headline == "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed."
    used = {name: peak_mb(pid) for pid, name in own.processes().items()}
    assert max(used.values()) < MOST_MB, used
