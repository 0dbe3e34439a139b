"""dwv 0.36: it draws a report's outlines over the CT and writes their short labels beside them."""

import pytest

from tests.viewers.conftest import Seen
from tests.viewers.test_ohif import PIXEL_MM, slice_at

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]
shows = pytest.mark.shows

DRAWN = [
    pytest.param("judged", marks=shows("Comprehensive 3D SR", "dwv", "drawn")),
    pytest.param("untrained", marks=shows("Comprehensive SR", "dwv", "drawn")),
]


@pytest.mark.parametrize("study", DRAWN)
def test_each_nodule_is_drawn_on_its_slice_where_it_lies(seen: Seen, study: str) -> None:
    centres_mm = seen.studies[study].given.centres_mm
    findings = seen.by("dwv", study)["findings"]
    assert len(findings) == 2
    assert {one["tracking_uid"] for one in findings} == set(centres_mm)
    for one in findings:
        expected = centres_mm[one["tracking_uid"]]
        assert one["centre_mm"] == pytest.approx(expected, abs=PIXEL_MM)
        assert one["sop_instance_uid"] == slice_at(seen.studies[study], expected[2])
        assert one["shown_instance_uid"] == one["sop_instance_uid"]
        assert one["visible"] == 1


@shows("Comprehensive 3D SR", "dwv", "its probability beside it")
def test_beside_the_outline_stands_which_nodule_it_is_and_its_probability(seen: Seen) -> None:
    lines = [line for one in seen.by("dwv", "judged")["findings"] for line in one["lines"]]
    assert sorted(line.partition(": ")[0] for line in lines) == ["Nodule 1", "Nodule 3"]
    assert all(line.endswith(" %") for line in lines)


@shows("Comprehensive SR", "dwv", "UNTRAINED beside it")
def test_untrained_weights_give_no_probability_beside_the_outline(seen: Seen) -> None:
    lines = [line for one in seen.by("dwv", "untrained")["findings"] for line in one["lines"]]
    assert sorted(lines) == [
        "Nodule 1: UNTRAINED, NOT A RESULT",
        "Nodule 2: UNTRAINED, NOT A RESULT",
    ]


@shows("Report without any nodule", "dwv", "not shown")
def test_a_report_without_any_nodule_is_not_shown_and_dwv_says_so(seen: Seen) -> None:
    assert seen.by("dwv", "refused") == {
        "findings": [],
        "warnings": ["Not a dwv supported annotation"],
    }
