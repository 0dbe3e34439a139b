"""What annotations say of their marks, as far as it reaches reports, captures and rows."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pydicom.config
import pytest
from pydicom import Dataset

from m3net.predict import TorchClassifier
from m3net.weights import load_classifier
from node.core.pipeline import analyse
from node.core.results import ArtifactKind, Results
from sr_templates.findings import Outcome
from tests import others, synthetic
from tests.encodings import ROI, Contour, structure_set
from tests.node.core.test_pipeline import SETTINGS, SHAPE, Files, files, in_bytes, mask, run
from tests.viewer_reports import (
    ANGLE,
    CENTRE,
    LENGTH,
    finding,
    group,
    number,
    scoord,
    site,
    text,
    tracking,
    viewer_report,
)

MARKER = "ZXQWSMITH"
NODULE = ("27925004", "SCT", "Nodule")
MIDDLE = [[8.0, 12.0]]
TISSUE = ("85756007", "SCT", "Tissue")


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("untrained", device="cpu")


@pytest.fixture(autouse=True)
def as_the_node_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)


@pytest.fixture(scope="module")
def ct() -> list[Dataset]:
    return synthetic.ct_series(shape=SHAPE)


def judged_unlabelled(given: Files, classifier: TorchClassifier) -> Results:
    return analyse(
        given.inputs,
        paths=given.paths,
        classifier=classifier,
        stamp=given.stamp,
        settings=replace(SETTINGS, judge_unlabelled=True),
    )


def test_five_measurements_of_a_viewer_are_no_nodules(
    ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    report = others.of_this_patient(others.read("sr/dcmjs__structured_report.dcm"), ct)
    results = run(files(tmp_path, ct, report), classifier)
    assert results.outcome is Outcome.NOTHING_MARKED
    assert results.headline == (
        "Annotation read, nothing in it was judged. 6 measurements without a finding were not "
        "judged."
    )
    assert (
        "Measurement groups 1 to 6 are measurements without a finding, not judged."
        in results.remarks
    )
    assert len(results.artifacts) == 1


def test_a_site_may_have_unlabelled_arrows_judged_and_its_report_is_another(
    ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    arrow = group(
        tracking("cornerstoneTools@^4.0.0:ArrowAnnotate"),
        number(CENTRE, scoord(ct[30], "POINT", MIDDLE)),
    )
    ruler = group(number(LENGTH, scoord(ct[30], "POLYLINE", [[4, 12], [12, 12]]), value="9"))
    given = files(tmp_path, ct, viewer_report(ct, [arrow, ruler]))
    assert [n.probability for n in run(given, classifier).nodules] == []
    results = judged_unlabelled(given, classifier)
    assert [n.tracking_id for n in results.nodules] == ["Nodule 1"]
    assert results.headline.endswith("1 measurement without a finding was not judged.")


def test_a_label_in_a_language_that_the_site_does_not_speak_makes_no_nodule(
    ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    given = files(tmp_path, ct, brushed(ct, "Rundherd"))
    assert len(run(given, classifier).nodules) == 1
    results = analyse(
        given.inputs,
        paths=given.paths,
        classifier=classifier,
        stamp=given.stamp,
        settings=replace(SETTINGS, languages=("en", "fr")),
    )
    assert list(results.nodules) == []
    assert results.headline.endswith("1 segment was not read as a nodule: Tissue.")


def brushed(ct: list[Dataset], *labels: str) -> Dataset:
    """A SEG as a viewer's brush writes it: every segment Tissue, what it is in its label."""
    masks = [mask(slice(20 + 4 * n, 22 + 4 * n)) for n in range(len(labels))]
    seg = synthetic.segmentation(
        ct,
        masks,
        tracking_uids=[None] * len(labels),
        property_category=synthetic.hd.sr.CodedConcept(*TISSUE),
        property_type=synthetic.hd.sr.CodedConcept(*TISSUE),
    )
    for segment, label in zip(seg.SegmentSequence, labels, strict=True):
        segment.SegmentLabel = label
    return seg


@pytest.mark.parametrize(
    ("labels", "outcome", "says"),
    [
        (
            ("Segment 1",),
            Outcome.NOTHING_MARKED,
            "Annotation read, nothing in it was judged. "
            "1 segment was not read as a nodule: Tissue.",
        ),
        (
            ("LN 4R", "Liver", "Aorta", "Segment 4", "Heart"),
            Outcome.NOTHING_MARKED,
            "Annotation read, nothing in it was judged. 5 segments were not read as nodules: "
            "lymph node, liver, aorta and 2 more.",
        ),
        (
            ("Nodule 1", "LN 4R"),
            Outcome.ANALYSED,
            "UNTRAINED, NOT A RESULT. 1 of 1 nodule analysed. "
            "1 segment was not read as a nodule: lymph node.",
        ),
    ],
)
def test_the_headline_says_what_was_drawn_and_not_read_as_a_nodule(
    ct: list[Dataset], labels, outcome, says, tmp_path: Path, classifier: TorchClassifier
) -> None:
    results = run(files(tmp_path, ct, brushed(ct, *labels)), classifier)
    assert results.outcome is outcome
    assert results.headline == says


def test_an_annotation_in_which_nothing_is_drawn_marks_no_nodule(
    ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    results = run(files(tmp_path, ct, viewer_report(ct, [group(finding(NODULE))])), classifier)
    assert results.headline == "Annotation read, it marks no nodule."
    assert "Measurement group 1 marks no place." in results.remarks


def test_an_angle_that_is_called_a_nodule_is_refused_and_says_why(
    ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    bend = scoord(ct[30], "POLYLINE", [[4, 10], [8, 10], [8, 14]])
    drawn = group(finding(NODULE), number(ANGLE, bend, value="90"))
    results = run(files(tmp_path, ct, viewer_report(ct, [drawn])), classifier)
    assert results.headline == (
        "Not analysed: what is drawn is an angle, which is no nodule's outline."
    )


@pytest.mark.parametrize(
    "image_type",
    [["ORIGINAL", "PRIMARY", "LOCALIZER"], ["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"]],
)
def test_a_mark_on_a_scout_or_a_mip_says_so(
    image_type: list[str], ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    scout = deepcopy(ct[0])
    scout.ImageType = image_type
    scout.SOPInstanceUID, scout.SeriesInstanceUID = synthetic.uid("scout"), synthetic.uid("scouts")
    on_scout = group(finding(NODULE), number(CENTRE, scoord(scout, "POINT", MIDDLE)))
    results = run(files(tmp_path, [*ct, scout], viewer_report(ct, [on_scout])), classifier)
    assert results.headline == (
        "Not analysed: it is drawn on a scout or a projection, "
        "which does not tell how deep it lies."
    )


def test_an_organ_that_cannot_be_decoded_leaves_the_study_wholly_analysed(
    ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    organ = brushed(ct, "Liver")
    organ.SOPInstanceUID = organ.file_meta.MediaStorageSOPInstanceUID = synthetic.uid("organ")
    organ.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.106"
    organ.PixelData = pydicom.encaps.encapsulate([b"\0\1" * 20])
    organ["PixelData"].is_undefined_length = True
    results = run(files(tmp_path, ct, brushed(ct, "Nodule 1"), organ), classifier)
    assert results.outcome is Outcome.ANALYSED
    assert results.headline.endswith("1 segment was not read as a nodule: liver.")


def annotations_with_the_marker(ct: list[Dataset]) -> list[Dataset]:
    """Every place in which a user may type, with a word that must not come out again."""
    typed = ("CORNERSTONEFREETEXT", "CST4", f"{MARKER} nodule")
    other = ("x", f"99{MARKER}"[:16], f"{MARKER} liver")
    point = scoord(ct[40], "POINT", MIDDLE)
    report = viewer_report(
        ct,
        [
            group(tracking(f"{MARKER} 1", "1.2.3.1"), finding(typed), number(CENTRE, point)),
            group(
                tracking(MARKER, "1.2.3.2"),
                text(f"lesion {MARKER}"),
                scoord(ct[50], "POINT", MIDDLE),
            ),
            group(tracking(MARKER, "1.2.3.3"), finding(other), scoord(ct[50], "POINT", MIDDLE)),
            group(tracking(MARKER, "1.2.3.4"), text(MARKER), scoord(ct[50], "POINT", MIDDLE)),
            group(finding(NODULE), site(other), scoord(ct[50], "POINT", MIDDLE)),
            group(
                tracking(f"nodule {MARKER}", "1.2.3.5"),
                finding(NODULE),
                number(
                    (MARKER, "99X", f"angle {MARKER}"),
                    scoord(ct[50], "POLYLINE", [[1, 1], [2, 2], [3, 1]]),
                ),
            ),
            group(finding(typed)),
        ],
    )
    seg = brushed(ct, f"nodule {MARKER}", f"aorta {MARKER}", MARKER)
    for segment in seg.SegmentSequence:
        segment.SegmentDescription = MARKER
        segment.TrackingID, segment.TrackingUID = (
            f"{MARKER} mass",
            synthetic.uid(segment.SegmentNumber),
        )
    seg.SeriesDescription = seg.ContentLabel = seg.ContentDescription = MARKER
    square = [[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]]
    rois = [
        ROI(name=f"{MARKER} nodule", contours=[Contour(points_mm=placed(ct[10], square))]),
        ROI(name=f"{MARKER} heart", contours=[Contour(points_mm=placed(ct[10], square))]),
        ROI(name=MARKER, contours=[]),
    ]
    return [report, seg, structure_set(ct, rois)]


def placed(header: Dataset, points: list[list[float]]):
    from tests.encodings import to_mm

    return to_mm(header, points)


def test_nothing_that_a_user_typed_reaches_a_result(
    ct: list[Dataset], tmp_path: Path, classifier: TorchClassifier
) -> None:
    given = files(tmp_path, ct, *annotations_with_the_marker(ct))
    for results in (run(given, classifier), judged_unlabelled(given, classifier)):
        assert "NOT read" not in results.headline
        assert len(results.nodules) >= 4
        assert any(n.probability is None for n in results.nodules)
        assert any(n.probability is not None for n in results.nodules)
        told = [results.headline, *results.remarks]
        told += [f"{n.tracking_id} {n.reason}" for n in results.nodules]
        assert MARKER not in " ".join(told)
        for artifact in results.artifacts:
            if artifact.kind is ArtifactKind.REPORT or artifact.kind is ArtifactKind.CAPTURE:
                assert MARKER.encode() not in in_bytes(artifact.dataset)
