"""OHIF 3.12: what a radiologist meets who opens a study that the node has answered."""

import pytest

from tests.viewers.conftest import Answered, Seen, of_kind
from tests.viewers.kinds import each
from tests.viewers.studies import BEYOND_OURS, STUDIES

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]
shows = pytest.mark.shows

DRAWN = [
    pytest.param("judged", marks=shows("Comprehensive 3D SR", "OHIF", "drawn")),
    pytest.param("untrained", marks=shows("Comprehensive SR", "OHIF", "drawn")),
]
PIXEL_MM = 3.0
"""Of the phantom's CT, rounded up: an outline on its grid has its middle within one pixel."""


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_opens_on_the_ct_whatever_its_series_number(seen: Seen, study: str) -> None:
    number = int(seen.studies[study].given.ct[0].SeriesNumber)
    assert seen.by("ohif", study)["opened"] == {"modality": "CT", "series_number": number}
    if study == "judged":
        assert number == BEYOND_OURS


@pytest.mark.parametrize("study", DRAWN)
def test_each_nodule_is_drawn_on_its_slice_where_it_lies(seen: Seen, study: str) -> None:
    centres_mm = seen.studies[study].given.centres_mm
    findings = drawn(seen, study)
    assert len(findings) == 2
    assert {one["tracking_uid"] for one in findings} == set(centres_mm)
    for one in findings:
        expected = centres_mm[one["tracking_uid"]]
        assert one["centre_mm"] == pytest.approx(expected, abs=PIXEL_MM)
        assert one["sop_instance_uid"] == slice_at(seen.studies[study], expected[2])


@shows("Comprehensive 3D SR", "OHIF", "its probability beside it")
def test_beside_the_outline_stands_the_probability(seen: Seen) -> None:
    for one in drawn(seen, "judged"):
        assert one["lines"][0].startswith("Probability of cancer: ")
        assert one["lines"][0].endswith(" %")


@shows("Comprehensive SR", "OHIF", "UNTRAINED beside it")
def test_untrained_weights_give_no_probability_beside_the_outline(seen: Seen) -> None:
    for one in drawn(seen, "untrained"):
        assert one["lines"][0].startswith("UNTRAINED, NOT A RESULT: ")
        assert not any("robability" in line for line in one["lines"])


@shows("Report without any nodule", "OHIF", "as text")
def test_a_report_without_any_nodule_is_text_that_begins_with_its_headline(seen: Seen) -> None:
    (report,) = seen.by("ohif", "refused")["reports"]
    headline = seen.studies["refused"].headline
    assert headline.startswith("Not analysed: ")
    assert headline in report["text"][: len(headline) + 100]
    assert report["findings"] == []


@each(("Multi-frame capture",), "OHIF", "every frame")
def test_every_frame_of_a_capture_is_reached_by_the_wheel(seen: Seen, kind: str) -> None:
    pages = [
        [(frame["sop_instance_uid"], frame["frame"]) for frame in one["frames"]]
        for one in seen.by("ohif", "judged")["pictures"]
    ]
    assert sorted(pages) == sorted(
        [(str(one.SOPInstanceUID), number) for number in range(1, one.NumberOfFrames + 1)]
        for one in of_kind(seen.studies, kind)
    )


@each(("Single-frame capture",), "OHIF", "every image")
def test_single_frames_are_one_series_that_the_wheel_goes_through(seen: Seen, kind: str) -> None:
    (pictures,) = seen.by("ohif", "untrained")["pictures"]
    assert [frame["sop_instance_uid"] for frame in pictures["frames"]] == [
        str(one.SOPInstanceUID) for one in of_kind(seen.studies, kind)
    ]


@each(("PDF",), "OHIF", "opened")
def test_the_document_is_opened(seen: Seen, kind: str) -> None:
    (document,) = seen.by("ohif", "judged")["documents"]
    (pdf,) = of_kind(seen.studies, kind)
    assert document == {"bytes": len(pdf.EncapsulatedDocument), "begins": "%PDF-"}


@each(("Presentation state", "Key objects"), "OHIF", "listed as unsupported")
def test_what_it_cannot_show_it_marks(seen: Seen, kind: str) -> None:
    modalities = {one.Modality for one in of_kind(seen.studies, kind)}
    assert modalities <= set(seen.by("ohif", "judged")["unsupported"])


@each(("Parametric map",), "OHIF", "its CT, not the map")
def test_of_a_heat_map_the_ct_is_opened(seen: Seen, kind: str) -> None:
    (opened,) = seen.by("ohif", "judged")["maps"]
    assert of_kind(seen.studies, kind)
    assert opened["modality"] == "PMAP"
    ct = {str(image.SOPInstanceUID) for image in seen.studies["judged"].given.ct}
    assert opened["sop_instance_uid"] in ct


def drawn(seen: Seen, study: str) -> list[dict]:
    """The findings of the study's one report."""
    (report,) = seen.by("ohif", study)["reports"]
    assert not report["text"]
    return report["findings"]


def slice_at(study: Answered, z_mm: float) -> str:
    """The SOP Instance UID of the CT's slice there."""
    nearest = min(study.given.ct, key=lambda image: abs(image.ImagePositionPatient[2] - z_mm))
    return str(nearest.SOPInstanceUID)
