"""Reports as OHIF, dwv and others write them: what a tool drew, and what somebody said of it."""

import pydicom.config
import pytest
from pydicom import DataElement, Dataset

from m3net.annotations.measurement_report import MEASUREMENT_REPORT_READER
from m3net.annotations.nodules import find_nodules
from m3net.annotations.readers import recognise
from m3net.annotations.types import PassedOver
from m3net.ct.series import read_series
from tests import synthetic
from tests.encodings import item
from tests.m3net.annotations.scene import BOX_CENTRE_MM, OUTLINE, as_received, found, planes_of
from tests.viewer_reports import (
    ANGLE,
    AREA,
    CENTRE,
    COBB,
    LENGTH,
    LONG_AXIS,
    PIXELS,
    SHORT_AXIS,
    coded,
    content,
    finding,
    group,
    number,
    scoord,
    scoord3d,
    site,
    text,
    tracking,
    viewer_report,
)

CT = synthetic.ct_series()
NODULE = ("27925004", "SCT", "Nodule")
ACROSS = [[4, 5.5], [9, 5.5]]
DOWN = [[6.5, 3], [6.5, 8]]
BEND = [[4, 3], [9, 3], [9, 8]]
MIDDLE = [[6.5, 5.5]]


@pytest.fixture(autouse=True)
def as_the_node_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that breaks a rule of its VR, such as Cornerstone's code value, is no concern."""
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)


def bidirectional(*said: Dataset, tool: str = "Cornerstone3DTools:Bidirectional") -> Dataset:
    return group(
        tracking(tool, "1.2.3"),
        *said,
        number(LONG_AXIS, scoord(CT[3], "POLYLINE", ACROSS), value="4.0"),
        number(SHORT_AXIS, scoord(CT[3], "POLYLINE", DOWN), value="3.5"),
    )


def arrow(*said: Dataset) -> Dataset:
    return group(
        tracking("cornerstoneTools@^4.0.0:ArrowAnnotate", "1.2.4"),
        *said,
        number(CENTRE, scoord(CT[3], "POINT", MIDDLE)),
    )


def ruler(*said: Dataset) -> Dataset:
    return group(
        tracking("cornerstoneTools@^4.0.0:Length", "1.2.5"),
        *said,
        number(LENGTH, scoord(CT[3], "POLYLINE", ACROSS), value="134.0"),
    )


def area(*said: Dataset) -> Dataset:
    return group(
        tracking("cornerstoneTools@^4.0.0:RectangleRoi", "1.2.6"),
        *said,
        number(AREA, scoord(CT[3], "POLYLINE", OUTLINE[:-1]), value="14"),
    )


def angle(*said: Dataset, name=ANGLE) -> Dataset:
    return group(
        tracking("Cornerstone3DTools:Angle", "1.2.7"),
        *said,
        number(name, scoord(CT[3], "POLYLINE", BEND), value="90", unit=("deg", "UCUM", "deg")),
    )


def read(*groups: Dataset):
    return found(CT, as_received(viewer_report(CT, groups)))


def bare(*said: Dataset) -> Dataset:
    """Coordinates in the group itself, without a name."""
    return group(tracking("ROI", "1.2.8"), *said, scoord(CT[3], "POLYLINE", OUTLINE))


EVERY_TOOL = [bidirectional, arrow, ruler, area, angle, bare]


@pytest.mark.parametrize("tool", EVERY_TOOL)
def test_a_measurement_without_a_finding_is_listed_and_not_judged(tool) -> None:
    result = read(tool())
    assert (result.nodules, result.refused, result.ignored) == ((), (), ())
    (other,) = result.passed_over
    assert (other.place, other.says, other.unsaid) == ("measurement group 1", "", True)


@pytest.mark.parametrize(("tool", "counts"), list(zip(EVERY_TOOL, [1, 1, 0, 0, 0, 0], strict=True)))
def test_where_a_site_will_have_it_bidirectional_and_arrow_marks_count(tool, counts) -> None:
    report = as_received(viewer_report(CT, [tool()]))
    annotation = MEASUREMENT_REPORT_READER.read(report, planes_of(CT))
    result = find_nodules([annotation], read_series(CT), judge_unlabelled=True)
    assert len(result.nodules) == counts
    assert len(result.passed_over) == 1 - counts
    assert all(nodule.tracking_id == "Nodule 1" for nodule in result.nodules)


def test_an_unlabelled_mark_elsewhere_counts_nowhere() -> None:
    liver = site(("10200004", "SCT", "Liver"))
    report = as_received(viewer_report(CT, [bidirectional(liver)]))
    annotation = MEASUREMENT_REPORT_READER.read(report, planes_of(CT))
    result = find_nodules([annotation], read_series(CT), judge_unlabelled=True)
    assert result.nodules == ()
    assert [other.says for other in result.passed_over] == ["a finding in: Liver"]


@pytest.mark.parametrize(
    "said",
    [
        finding(NODULE),
        finding(("M-03010", "SRT", "Nodule")),
        finding(("CORNERSTONEFREETEXT", "CST4", "Nodule 3")),
        finding(("CORNERSTONEFREETEXT", "CORNERSTONEJS", "Rundherd")),
        text("RUL nodule"),
        text("nodule", ("125309", "DCM", "Short label")),
        text("Lesion 2", ("111058", "DCM", "Label")),
    ],
    ids=["SCT", "SRT", "free text of v2", "free text of v3", "comment", "dwv", "any text"],
)
@pytest.mark.parametrize("tool", [bidirectional, arrow, ruler, area])
def test_whatever_says_nodule_makes_it_one(tool, said) -> None:
    result = read(tool(said))
    assert result.refused == ()
    (nodule,) = result.nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM, abs=0.41)
    assert nodule.tracking_id == "Nodule 1"


@pytest.mark.parametrize(
    "name", [ANGLE, COBB, ("1", "99X", "Winkel"), ("1", "99X", "CobbAngle"), ("1", "99X", "Ángulo")]
)
def test_an_angle_is_never_a_nodules_outline(name) -> None:
    (refusal,) = read(angle(finding(NODULE), name=name)).refused
    assert refusal.reason == "what is drawn is an angle, which is no nodule's outline"


def test_the_legs_of_an_angle_are_no_lines_wherever_they_hang() -> None:
    legs = [scoord(CT[3], "POLYLINE", ACROSS), scoord(CT[3], "POLYLINE", DOWN)]
    beside = group(finding(NODULE), number(COBB, value="12"), *legs)
    under = group(finding(NODULE), number(COBB, *legs, value="12"))
    for drawn in (beside, under):
        (refusal,) = read(drawn).refused
        assert "angle" in refusal.reason


def test_an_angle_beside_an_outline_takes_nothing_from_it() -> None:
    both = group(
        finding(NODULE),
        number(AREA, scoord(CT[3], "POLYLINE", OUTLINE), value="14"),
        number(ANGLE, scoord(CT[3], "POLYLINE", BEND), value="90"),
    )
    (nodule,) = read(both).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        ("POLYLINE", MIDDLE * 2),
        ("POLYLINE", MIDDLE * 5),
        ("CIRCLE", MIDDLE * 2),
        ("ELLIPSE", MIDDLE * 4),
        ("POINT", MIDDLE),
        ("POINT", [*MIDDLE, [12, 12]]),
    ],
    ids=["line", "outline", "circle", "ellipse", "point", "arrow of two points"],
)
def test_what_has_no_length_is_a_point_and_no_sphere(shape, points) -> None:
    (nodule,) = read(group(finding(NODULE), scoord(CT[3], shape, points))).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.diameter_mm is None
    assert nodule.mask is None


def test_an_ellipse_is_as_long_and_as_wide_as_its_axes() -> None:
    # 10 columns of 0.8 mm by 4 rows of 0.7 mm, about the middle of pixel (row 7, column 9)
    axes = [[4.5, 7.5], [14.5, 7.5], [9.5, 5.5], [9.5, 9.5]]
    (nodule,) = read(group(finding(NODULE), scoord(CT[3], "ELLIPSE", axes))).nodules
    assert nodule.centre_mm == pytest.approx((-10 + 9 * 0.8, -20 + 7 * 0.7, -92.5), abs=0.05)
    assert nodule.diameter_mm == pytest.approx(8.0, abs=0.8)
    assert nodule.mask is not None
    _, rows, columns = nodule.mask.voxels.shape
    assert (rows, columns) == (5, 11)  # what it touches: half of the outermost pixels


def test_a_flat_ellipse_is_a_line() -> None:
    flat = [[4, 5.5], [9, 5.5], [6.5, 5.5], [6.5, 5.5]]
    (nodule,) = read(group(finding(NODULE), scoord(CT[3], "ELLIPSE", flat))).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.diameter_mm == pytest.approx(4.0)


@pytest.mark.parametrize("points", [BEND, [[4, 3], [9, 3], [9, 8], [4, 8]]])
def test_an_open_line_outlines_nothing_unless_an_area_was_measured_of_it(points) -> None:
    (refusal,) = read(group(finding(NODULE), scoord(CT[3], "POLYLINE", points))).refused
    assert refusal.reason == f"its POLYLINE of {len(points)} points is open, and outlines nothing"
    measured = number(AREA, scoord(CT[3], "POLYLINE", points), value="14")
    assert len(read(group(finding(NODULE), measured)).nodules) == 1


@pytest.mark.parametrize(
    "name",
    [
        ("122438", "DCM", "Reference Points"),
        ("x", "99CS3D", "TextPosition"),
        ("x", "99CS3D", "ControlPoints"),
        ("x", "CST", "Text Annotation Position"),
    ],
)
def test_where_a_viewer_keeps_its_text_is_no_region(name) -> None:
    away = scoord(CT[3], "MULTIPOINT", [[1, 1], [15, 12]], name)
    (nodule,) = read(bidirectional(finding(NODULE), away)).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    alone = read(group(finding(NODULE), away))
    assert (alone.nodules, alone.refused) == ((), ())
    assert alone.ignored == ("Measurement group 1 marks no place.",)


def test_coordinates_under_a_code_mark_a_place() -> None:
    (nodule,) = read(group(finding(NODULE, scoord(CT[3], "POINT", MIDDLE)))).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)


def test_a_mark_made_in_a_reformat_is_in_its_own_frame_of_reference() -> None:
    line = scoord3d(
        CT[0].FrameOfReferenceUID, "POLYLINE", [[-7.2, -16.5, -92.5], [-3.2, -16.5, -92.5]]
    )
    (nodule,) = read(group(finding(NODULE), number(LENGTH, line, value="4.0"))).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert nodule.diameter_mm == pytest.approx(4.0)


@pytest.mark.parametrize("value", ["4,0", "about 4", "NaN mm", ""])
def test_a_number_that_is_none_leaves_its_own_and_every_other_group_judged(value) -> None:
    odd = group(finding(NODULE), number(LENGTH, scoord(CT[3], "POLYLINE", ACROSS), value=value))
    result = read(odd, group(finding(NODULE), scoord(CT[5], "POINT", [[15, 12]])))
    assert result.refused == ()
    assert [nodule.diameter_mm for nodule in result.nodules] == [pytest.approx(4.0), None]


def test_a_group_that_makes_no_sense_is_refused_and_the_others_are_judged() -> None:
    odd = arrow(finding(NODULE))
    segment = item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.66.4", ReferencedSOPInstanceUID="1.9"
    )
    segment.add(DataElement(0x0062000B, "LO", "one", validation_mode=pydicom.config.IGNORE))
    odd.ContentSequence = [
        *(child for child in odd.ContentSequence if child.ValueType != "NUM"),
        content("IMAGE", None, ReferencedSOPSequence=[segment]),
    ]
    result = read(odd, bidirectional(finding(NODULE)))
    assert len(result.nodules) == 1
    (refusal,) = result.refused
    assert refusal.reason == "its measurement group holds a value that it cannot have"


def test_a_length_in_pixels_is_no_diameter() -> None:
    drawn = number(LONG_AXIS, scoord(CT[3], "POLYLINE", ACROSS), value="93.9", unit=PIXELS)
    (nodule,) = read(group(finding(NODULE), drawn)).nodules
    assert nodule.diameter_mm == pytest.approx(4.0)  # 5 columns of 0.8 mm, as drawn


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_coordinate_that_is_no_number_is_said_to_be_none(bad) -> None:
    (refusal,) = read(group(finding(NODULE), scoord(CT[3], "POINT", [[bad, 5.5]]))).refused
    assert refusal.reason == "its POINT has a coordinate that is no finite number"


SHORT_LABEL = ("125309", "DCM", "Short label")
REFERENCE_GEOMETRY = ("128773", "DCM", "Reference Geometry")


def dwv_0_34(*said: Dataset, sop_class: str = "1.2.840.10008.5.1.4.1.1.88.11") -> Dataset:
    """All in one group, and what is said of a mark under its coordinates."""
    region = scoord(CT[3], "POLYLINE", OUTLINE, ("111030", "DCM", "Image Region"))
    region.ContentSequence.extend(said)
    report = viewer_report(CT, [], sop_class_uid=sop_class)
    report.ConceptNameCodeSequence = coded(("125007", "DCM", "Measurement Group"))
    report.ContentSequence = [region]
    return as_received(report)


@pytest.mark.parametrize(
    "sop_class", ["1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.34"]
)
def test_a_report_that_is_one_group_as_dwv_once_wrote_it(sop_class) -> None:
    labelled = dwv_0_34(text("nodule", SHORT_LABEL), sop_class=sop_class)
    assert recognise(labelled) is not None
    (nodule,) = found(CT, labelled).nodules
    assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM)
    tool = found(CT, dwv_0_34(text("{surface}", SHORT_LABEL), sop_class=sop_class))
    assert (tool.nodules, len(tool.passed_over)) == ((), 1)


def test_points_on_a_viewers_reformat_are_not_taken_for_the_slices() -> None:
    view = scoord3d(CT[0].FrameOfReferenceUID, "MULTIPOINT", [[1, 2, 3], [1, 0, 0], [0, 0, 1]])
    view.ConceptNameCodeSequence = coded(REFERENCE_GEOMETRY)
    (refusal,) = found(CT, dwv_0_34(text("nodule", SHORT_LABEL), view)).refused
    assert refusal.reason == (
        "it is drawn on a viewer's own view of the CT; mark the nodule on a slice"
    )


def test_a_report_in_prose_is_no_annotation() -> None:
    prose = viewer_report(CT, [], sop_class_uid="1.2.840.10008.5.1.4.1.1.88.11")
    prose.ConceptNameCodeSequence = coded(("18748-4", "LN", "Diagnostic Imaging Report"))
    prose.ContentSequence = [text("A nodule in the right upper lobe.")]
    assert recognise(as_received(prose)) is None


def test_a_report_of_pet_and_ct_waits_for_the_ct_alone() -> None:
    pet = Dataset()
    pet.SOPClassUID, pet.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.128", "1.9.1"
    values = Dataset()
    values.SOPClassUID, values.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.67", "1.9.2"
    report = viewer_report(
        CT,
        [
            bidirectional(finding(NODULE)),
            group(scoord(pet, "POINT", MIDDLE)),
            group(scoord(values, "POINT", MIDDLE)),
        ],
    )
    references = MEASUREMENT_REPORT_READER.references(as_received(report))
    assert references.sop_instance_uids == {CT[3].SOPInstanceUID}
    assert references.nodules
    only_pet = MEASUREMENT_REPORT_READER.references(
        as_received(viewer_report(CT, [group(finding(NODULE), scoord(pet, "POINT", MIDDLE))]))
    )
    assert only_pet.image_classes == {"1.2.840.10008.5.1.4.1.1.128"}


def test_what_a_nodule_is_drawn_on_goes_before_what_else_the_report_names() -> None:
    mr = Dataset()
    mr.SOPClassUID, mr.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.9.3"
    groups = [
        group(finding(NODULE), scoord(mr, "POINT", MIDDLE)),
        group(scoord(CT[3], "POINT", MIDDLE)),
    ]
    references = MEASUREMENT_REPORT_READER.references(as_received(viewer_report(CT, groups)))
    assert references.image_classes == {"1.2.840.10008.5.1.4.1.1.4"}


def test_a_target_region_is_a_site() -> None:
    region = ("123014", "DCM", "Target Region")
    liver = content("CODE", region, ConceptCodeSequence=coded(("10200004", "SCT", "Liver")))
    result = read(arrow(finding(NODULE), liver))
    assert [other.says for other in result.passed_over] == ["a finding in: Liver"]


def code(name, value) -> Dataset:
    return content("CODE", name, ConceptCodeSequence=coded(value))


PRESENCE = ("705057003", "SCT", "Presence")
ABSENT = ("2667000", "SCT", "Absent")


@pytest.mark.parametrize(
    "said",
    [
        code(PRESENCE, ABSENT),
        code(("263490005", "SCT", "Status"), ("413322009", "SCT", "Resolved")),
        code(("1", "99X", "Lesion status"), ("2", "99X", "no longer visible")),
        code(("1", "99X", "Lung nodule"), ("373067005", "SCT", "No")),
    ],
)
def test_a_nodule_that_is_coded_as_absent_is_none(said) -> None:
    assert [other.says for other in read(arrow(finding(NODULE), said)).passed_over] == [
        "said to be no nodule"
    ]
    assert [other.says for other in read(arrow(finding(NODULE, said))).passed_over] == [
        "said to be no nodule"
    ]


@pytest.mark.parametrize(
    "said",
    [
        code(PRESENCE, ("52101004", "SCT", "Present")),
        code(("50617009", "SCT", "Calcification"), ABSENT),
        code(("1", "99X", "Smoking status"), ("2", "99X", "No")),
        code(("1", "99X", "PET status"), ("260385009", "SCT", "Negative")),
    ],
)
def test_a_trait_that_is_coded_as_absent_leaves_the_nodule(said) -> None:
    assert len(read(arrow(finding(NODULE), said)).nodules) == 1


@pytest.mark.parametrize(
    ("findings", "says"),
    [
        ([("85756007", "SCT", "Tissue"), ("59441001", "SCT", "Lymph node")], "Lymph node"),
        ([("52988006", "SCT", "Lesion"), ("30746006", "SCT", "Adenopathy")], "Adenopathy"),
        ([("85756007", "SCT", "Tissue"), NODULE], None),
        ([("87433001", "SCT", "Emphysema"), NODULE], None),
    ],
)
def test_of_several_findings_the_one_that_says_most_counts(findings, says) -> None:
    result = read(arrow(*(finding(each) for each in findings)))
    assert [other.says for other in result.passed_over] == ([says] if says else [])


@pytest.mark.parametrize(
    "name",
    [
        ("T-D0005", "SRT", "Anatomical structure"),
        ("91723000", "SCT", "Anatomical structure"),
        ("123037004", "SCT", "Body structure"),
    ],
)
def test_a_body_structure_is_a_site(name) -> None:
    liver = code(name, ("10200004", "SCT", "Liver"))
    lung = code(name, ("39607008", "SCT", "Lung"))
    result = read(arrow(finding(NODULE), liver))
    assert [other.says for other in result.passed_over] == ["a finding in: Liver"]
    assert len(read(arrow(finding(NODULE), lung)).nodules) == 1


def test_no_two_nodules_have_one_name() -> None:
    places = [[3, 3], [6, 5], [9, 7], [12, 9], [15, 11]]
    names = ["Nodule 3", "Cornerstone3DTools:Length", "Lesion 1", "Lesion 1", "Mrs Smith"]
    groups = [
        group(tracking(name, f"1.2.{n}"), finding(NODULE), scoord(CT[n], "POINT", [place]))
        for n, (name, place) in enumerate(zip(names, places, strict=True), start=1)
    ]
    assert [nodule.tracking_id for nodule in read(*groups).nodules] == [
        "Nodule 3",
        "Nodule 2",
        "Lesion 1",
        "Lesion 1 (2)",
        "Nodule 5",
    ]


def test_what_was_passed_over_holds_no_word_of_the_reader() -> None:
    secret = "ZXQW"
    groups = [
        ruler(text(secret)),
        bidirectional(finding(("CORNERSTONEFREETEXT", "CST4", f"{secret} liver"))),
        arrow(finding(("1", f"99{secret}", secret)), site((secret, "99X", secret))),
        area(finding(NODULE), text(f"{secret} nodule"), text(secret, ("1", "99X", secret))),
        group(tracking(f"nodule of {secret}", "1.2.9"), scoord(CT[5], "POINT", MIDDLE)),
    ]
    result = read(*groups)
    assert len(result.nodules) == 2
    assert isinstance(result.passed_over[0], PassedOver)
    shown = [nodule.tracking_id for nodule in result.nodules]
    shown += [note for nodule in result.nodules for note in nodule.notes]
    shown += [refusal.reason for refusal in result.refused]
    shown += [other.says for other in result.passed_over]
    assert secret not in " ".join([*shown, *result.ignored])
