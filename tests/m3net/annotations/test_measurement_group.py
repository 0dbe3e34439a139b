"""What one group of a report says: of its length, its shape, its segment and its place."""

import pytest
from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.content_tree import ContentTree
from m3net.annotations.meaning import Meaning
from m3net.annotations.measurement_group import MeasurementGroup, groups_of
from m3net.nodule import Lobe, Side, Site
from tests import synthetic
from tests.encodings import item
from tests.viewer_reports import (
    ANGLE,
    AREA,
    CENTRE,
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
    text,
    tracking,
)

SLICE = synthetic.ct_series(shape=(1, 4, 4))[0]
DIAMETER = ("81827009", "SCT", "Diameter")
CM = ("cm", "UCUM", "centimeter")
NODULE = ("27925004", "SCT", "Nodule")
LABEL = ("125309", "DCM", "Short label")
SEG, LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
BOX = [[0, 0], [4, 0], [4, 4], [0, 4]]


def read(*parts: Dataset | list[Dataset]) -> MeasurementGroup:
    root = item(ContentSequence=[group(*parts)])
    return groups_of(ContentTree(root))[0]


@pytest.mark.parametrize(
    ("measured", "mm"),
    [
        ([(DIAMETER, "7.5")], 7.5),
        ([(LONG_AXIS, "9"), (DIAMETER, "7.5")], 7.5),
        ([(LENGTH, "12"), (LONG_AXIS, "9")], 9.0),
        ([(SHORT_AXIS, "4"), (LENGTH, "12")], 12.0),
        ([(LENGTH, "5"), (LENGTH, "12"), (LENGTH, "8")], 12.0),
        ([(DIAMETER, "0"), (LONG_AXIS, "9")], 9.0),
        ([(DIAMETER, "-3"), (LONG_AXIS, "0.5")], 0.5),
        ([(DIAMETER, "about 4"), (DIAMETER, "3")], 3.0),
        ([(SHORT_AXIS, "4")], None),
        ([(DIAMETER, None)], None),
        ([(DIAMETER, "")], None),
        ([], None),
    ],
)
def test_the_diameter_is_the_longest_of_the_first_name_that_has_a_length(
    measured: list[tuple[tuple[str, str, str], str | None]], mm: float | None
) -> None:
    assert read(*(number(name, value=value) for name, value in measured)).diameter_mm() == mm


def test_a_diameter_is_in_millimetres_or_centimetres_or_none() -> None:
    assert read(number(DIAMETER, value="1.25", unit=CM)).diameter_mm() == 12.5
    assert read(number(DIAMETER, value="40", unit=PIXELS)).diameter_mm() is None


@pytest.mark.parametrize(
    ("parts", "points_at_one_thing"),
    [
        ([number(LONG_AXIS), number(SHORT_AXIS)], True),
        ([number(LONG_AXIS)], False),
        ([number(SHORT_AXIS), scoord(SLICE, "POINT", [[1, 1]])], False),
        ([tracking("ArrowAnnotate"), scoord(SLICE, "POINT", [[1, 1]])], True),
        ([tracking("Nodule"), scoord(SLICE, "POINT", [[1, 1]])], False),
        ([scoord(SLICE, "POINT", [[1, 1]], CENTRE)], True),
        ([tracking("ArrowAnnotate"), scoord(SLICE, "POLYLINE", BOX)], False),
        ([tracking("ArrowAnnotate")], False),
        ([tracking("Length"), scoord(SLICE, "POLYLINE", [[0, 0], [4, 0]])], False),
    ],
)
def test_a_bidirectional_or_an_arrow_points_at_one_thing(
    parts: list[Dataset | list[Dataset]], points_at_one_thing: bool
) -> None:
    assert read(*parts).is_bidirectional_or_arrow() is points_at_one_thing


@pytest.mark.parametrize(
    ("part", "of_angle", "of_area"),
    [
        (number(ANGLE, scoord(SLICE, "POLYLINE", BOX)), True, False),
        (number(ANGLE, scoord(SLICE, "MULTIPOINT", BOX)), True, False),
        (number(ANGLE, scoord(SLICE, "CIRCLE", BOX[:2])), False, False),
        (number(AREA, scoord(SLICE, "POLYLINE", BOX)), False, True),
        (number(LENGTH, scoord(SLICE, "POLYLINE", BOX)), False, False),
        (scoord(SLICE, "POLYLINE", BOX), False, False),
    ],
)
def test_coordinates_are_of_what_is_measured_of_them(
    part: Dataset, of_angle: bool, of_area: bool
) -> None:
    (found,) = read(part).coordinates()
    assert (found.of_angle, found.of_area) == (of_angle, of_area)


def test_coordinates_beside_the_measurements_are_of_all_of_them_and_those_below_of_their_own() -> (
    None
):
    below, beside = scoord(SLICE, "POLYLINE", BOX), scoord(SLICE, "POLYLINE", BOX)
    of = {
        id(each.item): each
        for each in read(number(AREA, below), number(ANGLE), beside).coordinates()
    }
    assert (of[id(below)].of_area, of[id(below)].of_angle) == (True, False)
    assert (of[id(beside)].of_area, of[id(beside)].of_angle) == (True, True)


def test_coordinates_are_found_eight_levels_down_and_in_no_other_group() -> None:
    def below(levels: int) -> Dataset:
        found = scoord(SLICE, "POLYLINE", BOX)
        for _ in range(levels):
            found = content("TEXT", None, found)
        return found

    assert len(read(below(7)).coordinates()) == 1
    assert len(read(below(8)).coordinates()) == 0
    assert len(read(group(scoord(SLICE, "POLYLINE", BOX)), below(0)).coordinates()) == 1


def test_where_a_viewer_keeps_its_points_marks_nothing() -> None:
    for name in (
        ("122438", "DCM", "Reference Points"),
        ("128773", "DCM", "Reference Geometry"),
        ("x", "99X", "Text Position"),
        ("x", "99X", "Control Points"),
    ):
        assert read(scoord(SLICE, "POLYLINE", BOX, name)).coordinates() == []
    geometry = ("128773", "DCM", "Reference Geometry")
    assert read(scoord(SLICE, "POLYLINE", BOX, geometry)).is_on_a_view()
    assert not read(scoord(SLICE, "POLYLINE", BOX)).is_on_a_view()


def segment(numbers: object, sop_class: str = SEG) -> Dataset:
    to = item(
        ReferencedSOPClassUID=sop_class,
        ReferencedSOPInstanceUID="1.7",
        ReferencedSegmentNumber=numbers,
    )
    return content("IMAGE", None, ReferencedSOPSequence=[to])


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ([segment(3)], "segment 3"),
        ([segment([4, 5], LABEL_MAP)], "segment 4"),
        ([segment(None), segment(2)], "segment 2"),
        ([segment(3, "1.2.840.10008.5.1.4.1.1.2")], None),
        ([segment(3, "1.2.840.10008.5.1.4.1.1.2"), segment(2)], "segment 2"),
        ([segment(None)], None),
        ([], None),
    ],
)
def test_the_segment_is_the_first_that_is_named_of_a_segmentation(
    parts: list[Dataset], place: str | None
) -> None:
    found = read(*parts).segment()
    assert (found and found.place) == place
    assert found is None or found.sop_instance_uid == "1.7"


def test_the_images_that_the_segment_was_drawn_on_are_those_named_as_its_sources() -> None:
    source = ("121233", "DCM", "Source image for segmentation")
    one = item(ReferencedSOPInstanceUID="1.8")
    parts = [
        content("IMAGE", source, ReferencedSOPSequence=[one]),
        content("IMAGE", None, ReferencedSOPSequence=[item(ReferencedSOPInstanceUID="1.9")]),
        content("IMAGE", source),
    ]
    assert read(*parts).sources_of_segment() == [one]
    assert read().sources_of_segment() == []


def test_a_side_is_said_of_the_site_that_it_hangs_under() -> None:
    side = ("272741003", "SCT", "Laterality")
    left, upper = ("7771000", "SCT", "Left"), ("45653009", "SCT", "Upper lobe of lung")
    under = content("CODE", side, ConceptCodeSequence=coded(left))
    where = content(
        "CODE", ("363698007", "SCT", "Finding Site"), under, ConceptCodeSequence=coded(upper)
    )
    assert read(where).site() == Site(side=Side.LEFT, lobe=Lobe.UPPER)


def test_a_label_speaks_before_the_tracking_identifier_and_this_before_a_comment() -> None:
    liver = "liver, several of them, one with a nodule in the liver near it"
    assert read(text(liver)).reading().meaning is Meaning.OTHER
    assert read(text(liver), tracking("Nodule 1")).reading().meaning is Meaning.NODULE
    assert read(tracking(liver), text("Nodule 1", LABEL)).reading().meaning is Meaning.NODULE
    assert read(tracking("Nodule 1"), text(liver, LABEL)).reading().meaning is Meaning.OTHER


def test_a_comment_of_several_lines_is_read_as_several_thoughts() -> None:
    assert read(text("Nodule 1\r\nRUL\n")).reading().meaning is Meaning.NODULE
    assert read(text("liver\nstable")).reading().meaning is Meaning.OTHER
    assert read(text("\n")).reading().meaning is Meaning.UNSAID


@pytest.mark.parametrize(
    ("name", "value", "absent"),
    [
        (("1", "99X", "Presence"), ("2667000", "SCT", "Absent"), True),
        (("1", "99X", "Status"), ("2", "99X", "resolved"), True),
        (("27925004", "SCT", "Nodule"), ("373067005", "SCT", "No"), True),
        (("1", "99X", "Calcification"), ("2667000", "SCT", "Absent"), False),
        (("1", "99X", "Presence of calcification"), ("2667000", "SCT", "Absent"), False),
        (("1", "99X", "Presence"), ("52101004", "SCT", "Present"), False),
        (("1", "99X", "Presence of gremlins"), ("2667000", "SCT", "Absent"), False),
        (("1", "99X", "Right upper lobe"), ("2667000", "SCT", "Absent"), False),
    ],
)
def test_a_nodule_that_is_said_to_be_absent_is_none(
    name: tuple[str, str, str], value: tuple[str, str, str], absent: bool
) -> None:
    said = content("CODE", name, ConceptCodeSequence=coded(value))
    reading = read(finding(NODULE), said).reading()
    assert (reading.meaning is Meaning.OTHER) is absent


def test_tracking_identifiers_are_as_they_are_written_and_blanks_are_none() -> None:
    named = read(tracking(" Nodule 1 ", "1.2.3"))
    assert (named.tracking_id, named.tracking_uid) == ("Nodule 1", "1.2.3")
    blank = read(tracking("  "))
    assert (blank.tracking_id, blank.tracking_uid) == (None, None)


def test_groups_are_numbered_in_the_reports_order_from_one() -> None:
    root = item(ContentSequence=[group(group(tracking("b"))), group(tracking("c"))])
    assert [(each.place, each.tracking_id) for each in groups_of(ContentTree(root))] == [
        ("measurement group 1", None),
        ("measurement group 2", "b"),
        ("measurement group 3", "c"),
    ]


def test_a_report_that_is_one_group_has_one_for_each_of_its_coordinates() -> None:
    root = group(scoord(SLICE, "POLYLINE", BOX), text("Nodule 1"), scoord(SLICE, "CIRCLE", BOX[:2]))
    found = groups_of(ContentTree(root))
    assert [each.place for each in found] == ["measurement group 1", "measurement group 2"]
    assert [len(each.coordinates()) for each in found] == [1, 1]


def test_the_finding_that_says_most_is_what_the_group_is_about() -> None:
    tissue, node = ("85756007", "SCT", "Tissue"), ("59441001", "SCT", "Lymph node")
    assert read(finding(tissue), finding(NODULE)).reading().meaning is Meaning.NODULE
    assert read(finding(tissue), finding(node)).reading().meaning is Meaning.OTHER
    assert read(finding(tissue)).reading().meaning is Meaning.UNSAID
    assert Code(*NODULE) == Code("M-03010", "SRT", "Nodule")
