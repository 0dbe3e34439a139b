from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence

from m3net.annotations.measurement_report import (
    MEASUREMENT_REPORT_READER,
    is_measurement_report,
)
from m3net.annotations.readers import recognise
from tests import synthetic
from tests.encodings import item
from tests.m3net.annotations.scene import (
    BOX_CENTRE_MM,
    OUTLINE,
    as_received,
    box,
    found,
    outlined,
    planes_of,
)
from tests.m3net.ct.test_series import OBLIQUE
from tests.viewer_reports import content, finding, group, number, scoord3d, viewer_report

CIRCLE = [[6.5, 5.5], [6.5, 8.5]]
"""About the box's centre; 3 rows = 2.1 mm of radius."""


def report_with(ct: list[Dataset], region: Any, **group: Any) -> Dataset:
    regions = region if isinstance(region, list) else [region]
    tracking: dict[str, Any] = {"tracking_id": "Nodule A", "tracking_uid": synthetic.uid("a")}
    made = synthetic.measurement_group(regions, **(tracking | group))
    return as_received(synthetic.measurement_report(ct, [made]))


def region_3d(ct: list[Dataset], shape: str, points: Any) -> hd.sr.ImageRegion3D:
    return hd.sr.ImageRegion3D(
        graphic_type=shape,
        graphic_data=np.asarray(points, dtype=np.float64),
        frame_of_reference_uid=ct[0].FrameOfReferenceUID,
    )


def group_of(report: Dataset) -> Dataset:
    for child in report.ContentSequence:
        if child.ConceptNameCodeSequence[0].CodeValue == "126010":
            first: Dataset = child.ContentSequence[0]
            return first
    raise AssertionError("the report has no measurements")


def child(parent: Dataset, value_type: str) -> Dataset:
    found_child: Dataset = next(c for c in parent.ContentSequence if c.ValueType == value_type)
    return found_child


def centre_of(ct: list[Dataset], report: Dataset) -> tuple[float, float, float]:
    result = found(ct, report)
    assert result.refused == ()
    (nodule,) = result.nodules
    return nodule.centre_mm


def titled(title: str, *, template: str | None = None, container: str | None = None) -> Dataset:
    def coded(value: str) -> list[Dataset]:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", "x"
        return [code]

    report = Dataset()
    report.ConceptNameCodeSequence = coded(title)
    if template is not None:
        report.ContentTemplateSequence = [Dataset()]
        report.ContentTemplateSequence[0].TemplateIdentifier = template
    if container is not None:
        report.ContentSequence = [Dataset()]
        report.ContentSequence[0].ConceptNameCodeSequence = coded(container)
    return report


@pytest.mark.parametrize(
    ("report", "is_one"),
    [
        (titled("121049", template="1500"), True),
        (titled("121049", template="4100"), False),
        (titled("126000"), True),
        (titled("126000", template="2000"), True),
        (titled("125007"), True),
        (titled("121049", container="126010"), True),
        (titled("121049", container="121070"), False),
        (titled("121049"), False),
    ],
)
def test_a_measurement_report_is_known_by_template_title_or_container(
    report: Dataset, is_one: bool
) -> None:
    assert is_measurement_report(report) is is_one


def test_every_encoding_of_one_nodule_has_the_same_centre() -> None:
    ct = synthetic.ct_series()
    x, y, z = BOX_CENTRE_MM
    ellipsoid = np.array([x, y, z]) + np.array(
        [[-2, 0, 0], [2, 0, 0], [0, -2, 0], [0, 2, 0], [0, 0, -4], [0, 0, 4.0]]
    )
    corners = np.array([[-2, -1.75], [2, -1.75], [2, 1.75], [-2, 1.75], [-2, -1.75]])
    polygon = np.column_stack([corners + np.array([x, y]), np.full(5, z)])
    ends = np.array([[3.5, 5.5], [9.5, 5.5], [6.5, 3.5], [6.5, 7.5]])
    reports = {
        "seg": synthetic.segmentation(ct, [box()]),
        "polylines": outlined(ct, tracking_uid=synthetic.uid("a")),
        "circle": report_with(ct, synthetic.scoord(ct[3], "CIRCLE", CIRCLE)),
        "ellipse": report_with(ct, synthetic.scoord(ct[3], "ELLIPSE", ends)),
        "point": report_with(ct, synthetic.scoord(ct[3], "POINT", [[6.5, 5.5]])),
        "point 3d": report_with(ct, region_3d(ct, "POINT", [BOX_CENTRE_MM])),
        "polygon 3d": report_with(ct, region_3d(ct, "POLYGON", polygon)),
        "ellipsoid": report_with(ct, region_3d(ct, "POLYLINE", ellipsoid)),
    }
    child(group_of(reports["ellipsoid"]), "SCOORD3D").GraphicType = "ELLIPSOID"
    for name, report in reports.items():
        assert centre_of(ct, report) == pytest.approx(BOX_CENTRE_MM, abs=0.05), name


def test_a_circle_on_an_oblique_slice_stands_on_that_slice() -> None:
    ct = synthetic.ct_series(orientation=OBLIQUE)
    report = report_with(ct, synthetic.scoord(ct[3], "CIRCLE", CIRCLE))
    expected = (
        np.array([float(v) for v in ct[3].ImagePositionPatient])
        + 6 * 0.8 * np.array(OBLIQUE[:3])
        + 5 * 0.7 * np.array(OBLIQUE[3:])
    )
    assert centre_of(ct, report) == pytest.approx(expected, abs=1e-4)


def test_the_tracking_identifiers_are_copied() -> None:
    ct = synthetic.ct_series()
    (nodule,) = found(ct, outlined(ct, tracking_uid="1.2.3.4")).nodules
    assert (nodule.tracking_uid, nodule.tracking_id) == ("1.2.3.4", "Nodule A")
    assert nodule.sources[0].place == "measurement group 1"


@pytest.mark.parametrize(("stated", "expected"), [(None, 4.2), (7.5, 7.5)], ids=["drawn", "stated"])
def test_a_circles_diameter_is_the_stated_one_or_the_drawn_one(
    stated: float | None, expected: float
) -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, synthetic.scoord(ct[3], "CIRCLE", CIRCLE), diameter_mm=stated)
    (nodule,) = found(ct, report).nodules
    assert nodule.diameter_mm == pytest.approx(expected)
    assert nodule.mask is None


def test_a_bare_point_has_no_diameter() -> None:
    ct = synthetic.ct_series()
    (nodule,) = found(ct, report_with(ct, synthetic.scoord(ct[3], "POINT", [[6.5, 5.5]]))).nodules
    assert (nodule.diameter_mm, nodule.mask) == (None, None)


def test_outlines_become_a_mask_and_a_longest_extent() -> None:
    ct = synthetic.ct_series()
    (nodule,) = found(ct, outlined(ct, tracking_uid="1.2")).nodules
    assert nodule.mask is not None
    assert nodule.mask.voxels.shape == (3, 5, 5)
    assert nodule.mask.voxels.all()
    # between the middles of the outer edges of opposite corner pixels: (4.5 * .8, 4 * .7) ...
    assert nodule.diameter_mm == pytest.approx(np.hypot(5 * 0.8, 4 * 0.7), abs=1e-6)


def test_a_line_is_a_long_axis() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, synthetic.scoord(ct[3], "POLYLINE", [[4, 3], [9, 8]]))
    (nodule,) = found(ct, report).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.diameter_mm == pytest.approx(np.hypot(4.0, 3.5))


def test_a_region_under_its_measurement_is_found() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, synthetic.scoord(ct[3], "CIRCLE", CIRCLE), diameter_mm=5)
    group = group_of(report)
    region = child(group, "SCOORD")
    group.ContentSequence = DicomSequence([c for c in group.ContentSequence if c is not region])
    region.RelationshipType = "INFERRED FROM"
    child(group, "NUM").ContentSequence = DicomSequence([region])
    assert centre_of(ct, report) == pytest.approx(BOX_CENTRE_MM)


def test_an_image_given_by_reference_is_found() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, synthetic.scoord(ct[3], "CIRCLE", CIRCLE))
    region = child(group_of(report), "SCOORD")
    image = region.ContentSequence[0]
    report.ContentSequence.append(image)
    reference = Dataset()
    reference.RelationshipType = "SELECTED FROM"
    reference.ReferencedContentItemIdentifier = [1, len(report.ContentSequence)]
    region.ContentSequence = DicomSequence([reference])
    assert centre_of(ct, report) == pytest.approx(BOX_CENTRE_MM)


def test_a_viewers_text_position_is_no_mark() -> None:
    ct = synthetic.ct_series()
    regions = [
        synthetic.scoord(ct[3], "CIRCLE", CIRCLE),
        synthetic.scoord(ct[3], "POINT", [[1, 1]]),
    ]
    report = report_with(ct, regions)
    points = [c for c in group_of(report).ContentSequence if c.get("GraphicType") == "POINT"]
    name = points[0].ConceptNameCodeSequence[0]
    name.CodeValue, name.CodingSchemeDesignator = "TextPosition", "99CS3D"
    name.CodeMeaning = "Text Position"
    assert centre_of(ct, report) == pytest.approx(BOX_CENTRE_MM)


def test_a_mark_on_an_image_that_is_no_ct_slice_here_is_refused() -> None:
    ct = synthetic.ct_series()
    other = synthetic.ct_series(series="other")
    report = report_with(other, synthetic.scoord(other[3], "CIRCLE", CIRCLE))
    (refusal,) = found(ct, report).refused
    assert refusal.reason == (
        f"it is drawn on image {other[3].SOPInstanceUID}, which is not a CT slice of this study"
    )
    assert refusal.tracking_uid == synthetic.uid("a")


def test_a_mark_in_another_frame_of_reference_is_refused() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, region_3d(ct, "POINT", [BOX_CENTRE_MM]))
    child(group_of(report), "SCOORD3D").ReferencedFrameOfReferenceUID = "1.2.3"
    (refusal,) = found(ct, report).refused
    assert refusal.reason.startswith("it is marked in a foreign frame of reference, 1.2.3; ")


def test_several_points_do_not_say_which_is_the_nodule() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, synthetic.scoord(ct[3], "POLYLINE", [[2, 2], [9, 9]]))
    child(group_of(report), "SCOORD").GraphicType = "MULTIPOINT"
    (refusal,) = found(ct, report).refused
    assert refusal.reason == "it is marked by 2 points, and which is its centre is not said"


def test_a_finding_elsewhere_is_ignored_and_named() -> None:
    ct = synthetic.ct_series()
    report = report_with(
        ct,
        synthetic.scoord(ct[3], "CIRCLE", CIRCLE),
        finding=hd.sr.CodedConcept("15825003", "SCT", "Aorta"),
    )
    result = found(ct, report)
    assert result.nodules == ()
    (other,) = result.passed_over
    assert (other.place, other.says, other.unsaid) == ("measurement group 1", "Aorta", False)


def test_a_typed_label_is_never_repeated() -> None:
    ct = synthetic.ct_series()
    report = report_with(
        ct,
        synthetic.scoord(ct[3], "CIRCLE", CIRCLE),
        finding=hd.sr.CodedConcept("CORNERSTONEFREETEXT", "CORNERSTONEJS", "Mr Smith's aorta"),
    )
    (other,) = found(ct, report).passed_over
    assert (other.place, other.says, other.unsaid) == ("measurement group 1", "aorta", False)


def test_a_group_without_place_is_ignored_and_named() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, synthetic.scoord(ct[3], "CIRCLE", CIRCLE))
    about = group_of(report)
    about.ContentSequence = DicomSequence(
        [c for c in about.ContentSequence if c.ValueType != "SCOORD"]
    )
    assert found(ct, report).ignored == ("Measurement group 1 marks no place.",)


NODULE = ("27925004", "SCT", "Nodule")


@pytest.mark.parametrize("stated", [7.5, None])
def test_a_group_about_a_segment_marks_it_with_what_it_states(stated: float | None) -> None:
    ct = synthetic.ct_series()
    segment = item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.66.4",
        ReferencedSOPInstanceUID="1.7",
        ReferencedSegmentNumber=3,
    )
    parts = [finding(NODULE), content("IMAGE", None, ReferencedSOPSequence=[segment])]
    if stated is not None:
        parts.append(number(("81827009", "SCT", "Diameter"), value=str(stated)))
    report = as_received(viewer_report(ct, [group(*parts)]))
    (marking,) = MEASUREMENT_REPORT_READER.read(report, planes_of(ct)).markings
    assert marking.segment is not None
    assert marking.segment.place == "segment 3"
    assert marking.stated_mm == stated


def test_a_nodule_in_two_frames_of_reference_is_refused_and_is_in_none_of_them() -> None:
    ct = synthetic.ct_series()
    square = [(x, y, -92.5) for x, y in ((-8, -18), (-3, -18), (-3, -14), (-8, -14), (-8, -18))]
    both = [scoord3d(frame, "POLYGON", square) for frame in ("1.2.3", "1.2.4")]
    report = as_received(viewer_report(ct, [group(finding(NODULE), *both)]))
    (refusal,) = found(ct, report).refused
    assert refusal.reason == "it is marked in 2 frames of reference"
    assert MEASUREMENT_REPORT_READER.references(report).frame_of_reference_uid is None


def test_an_oblique_outline_is_its_middle() -> None:
    ct = synthetic.ct_series()
    x, y, z = BOX_CENTRE_MM
    square = [[x - 2, y, z - 4], [x + 2, y, z - 4], [x + 2, y, z + 4], [x - 2, y, z + 4]]
    report = report_with(ct, region_3d(ct, "POLYGON", [*square, square[0]]))
    (nodule,) = found(ct, report).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.diameter_mm == pytest.approx(np.hypot(4, 8))


def test_a_report_marks_its_slices_and_knows_their_series() -> None:
    ct = synthetic.ct_series()
    references = MEASUREMENT_REPORT_READER.references(outlined(ct, tracking_uid="1.2"))
    assert references.frame_of_reference_uid is None
    assert references.series_instance_uids == {ct[0].SeriesInstanceUID}
    marked = {ds.SOPInstanceUID for ds in ct[2:5]}
    assert references.sop_instance_uids == references.marked_images == marked


def test_a_report_that_marks_no_nodule_names_the_series_that_it_is_about() -> None:
    ct = synthetic.ct_series()
    liver = synthetic.measurement_group(
        [synthetic.scoord(ct[3], "CIRCLE", CIRCLE)],
        tracking_id="Finding",
        tracking_uid="1.2",
        finding=hd.sr.CodedConcept("10200004", "SCT", "Liver"),
    )
    references = MEASUREMENT_REPORT_READER.references(synthetic.measurement_report(ct, [liver]))
    assert not references.marked
    assert references.series_instance_uids == {ct[0].SeriesInstanceUID}


def test_points_in_the_patient_are_known_from_the_report_alone() -> None:
    ct = synthetic.ct_series()
    references = MEASUREMENT_REPORT_READER.references(
        report_with(ct, region_3d(ct, "POINT", [BOX_CENTRE_MM]))
    )
    assert references.frame_of_reference_uid == ct[0].FrameOfReferenceUID
    assert references.centres_mm[0] == pytest.approx(BOX_CENTRE_MM)


def test_only_measurement_reports_are_annotations() -> None:
    ct = synthetic.ct_series()
    report = outlined(ct, tracking_uid="1.2")
    assert recognise(report) is not None
    dose = Dataset()
    dose.SOPClassUID = report.SOPClassUID
    dose.ConceptNameCodeSequence = DicomSequence([Dataset()])
    dose.ConceptNameCodeSequence[0].CodeValue = "113701"
    dose.ConceptNameCodeSequence[0].CodingSchemeDesignator = "DCM"
    dose.ContentSequence = DicomSequence()
    assert recognise(dose) is None
    assert recognise(ct[0]) is None


def test_a_loop_of_references_ends() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, synthetic.scoord(ct[3], "CIRCLE", CIRCLE))
    loop = Dataset()
    loop.RelationshipType = "CONTAINS"
    loop.ReferencedContentItemIdentifier = [1]
    group_of(report).ContentSequence.append(loop)
    assert centre_of(ct, report) == pytest.approx(BOX_CENTRE_MM)


def test_codes_of_old_writers_are_understood() -> None:
    ct = synthetic.ct_series()
    report = report_with(
        ct,
        synthetic.scoord(ct[3], "CIRCLE", CIRCLE),
        diameter_mm=0.6,
        finding=hd.sr.CodedConcept("M-03010", "SRT", "Noduli"),
    )
    number = child(group_of(report), "NUM")
    number.ConceptNameCodeSequence = DicomSequence(
        [hd.sr.CodedConcept("M-02550", "SRT", "Diameter")]
    )
    value = number.MeasuredValueSequence[0]
    value.MeasurementUnitsCodeSequence = DicomSequence([hd.sr.CodedConcept("cm", "UCUM", "cm")])
    (nodule,) = found(ct, report).nodules
    assert nodule.diameter_mm == pytest.approx(6.0)


def test_an_open_line_is_no_outline() -> None:
    ct = synthetic.ct_series()
    report = report_with(ct, [synthetic.scoord(ct[z], "POLYLINE", OUTLINE[:-1]) for z in (2, 3, 4)])
    result = found(ct, report)
    assert result.nodules == ()
    (refusal,) = result.refused
    assert refusal.reason == "its POLYLINE of 4 points is open, and outlines nothing"
