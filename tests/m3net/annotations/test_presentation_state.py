from collections.abc import Sequence

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.presentation_state import PRESENTATION_STATE_READER
from m3net.annotations.readers import READERS, recognise
from m3net.errors import AnnotationUnusable
from m3net.uids import FrameReference, SOPClassUID, SOPInstanceUID
from tests import synthetic
from tests.encodings import Drawn, OnImages, Words, presentation_state
from tests.m3net.annotations.scene import (
    BOX_CENTRE_MM,
    OUTLINE,
    as_received,
    box,
    found,
    planes_of,
)

CT = synthetic.ct_series()
NODULE = (Words(value="Nodule 1"),)
ON_SLICE_3 = (-5.2, -16.5, -92.5)


def state(*annotations: OnImages, **how: object) -> Dataset:
    return as_received(presentation_state(CT, annotations, **how))


def outline(z: int = 3, *, texts: Sequence[Words] = NODULE) -> OnImages:
    return OnImages(graphics=[Drawn(shape="POLYLINE", points=OUTLINE)], texts=texts, images=[CT[z]])


def test_a_nodule_that_a_text_names_is_read_where_it_was_drawn() -> None:
    pr = state(outline(2), outline(3), outline(4))
    assert recognise(pr) is not None
    result = found(CT, pr)
    (got,) = result.nodules
    assert (result.refused, result.ignored) == ((), ())
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert got.mask is not None
    assert np.array_equal(got.mask.voxels, box()[2:5, 3:8, 4:9])
    assert [source.place for source in got.sources] == ["graphic 1", "graphic 2", "graphic 3"]


@pytest.mark.parametrize(
    ("drawn", "diameter_mm"),
    [
        (Drawn(shape="POLYLINE", points=OUTLINE[:-1], filled="Y"), 4.88),
        (Drawn(shape="INTERPOLATED", points=OUTLINE), 4.88),
        (Drawn(shape="CIRCLE", points=[(6.5, 5.5), (8.5, 5.5)]), 3.2),
        (Drawn(shape="ELLIPSE", points=[(4, 5.5), (9, 5.5), (6.5, 3), (6.5, 8)]), 4.24),
        (Drawn(shape="POINT", points=[(6.5, 5.5)]), None),
    ],
)
def test_every_closed_shape_and_a_point_is_a_place(drawn: Drawn, diameter_mm: float | None) -> None:
    (got,) = found(CT, state(OnImages(graphics=[drawn], texts=NODULE, images=[CT[3]]))).nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3, abs=0.02)
    assert got.diameter_mm == (diameter_mm and pytest.approx(diameter_mm, abs=0.1))


def test_a_text_that_stands_alone_marks_its_anchor() -> None:
    alone = OnImages(texts=[Words(value="lung nodule", anchor=(6.5, 5.5))], images=[CT[3]])
    (got,) = found(CT, state(alone)).nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3)


def test_the_displayed_area_is_the_unit_where_the_state_says_so() -> None:
    shares = np.array(OUTLINE) / [20, 16]
    whole = [((1, 1), (20, 16)), ((0, 0), (19, 15)), ((0, 0), (20, 16))]
    for area in whole:
        drawn = Drawn(shape="POLYLINE", points=shares, units="DISPLAY")
        on = OnImages(graphics=[drawn], texts=NODULE, images=[CT[3]])
        (got,) = found(CT, state(on, area=area)).nodules
        assert got.centre_mm == pytest.approx(ON_SLICE_3), area
    part = (np.array(OUTLINE) - [2, 1]) / [10, 8]  # columns 3..12, rows 2..9
    drawn = Drawn(shape="POLYLINE", points=part, units="DISPLAY")
    on = OnImages(graphics=[drawn], texts=NODULE, images=[CT[3]])
    (got,) = found(CT, state(on, area=((3, 2), (12, 9)))).nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3)


def displayed(rotation: int, flip: str) -> tuple[np.ndarray, tuple[list[int], list[int]]]:
    """OUTLINE as shares of the display, and the pixels in the display's corners, by turning it."""
    rows, columns = 16, 20
    number = np.arange(rows * columns).reshape(rows, columns)
    across = np.array(OUTLINE, dtype=float) / [columns, rows]
    shown = np.rot90(number, -rotation // 90)
    for _ in range(rotation // 90):  # clockwise: (x, y) -> (1 - y, x)
        across = np.column_stack([1 - across[:, 1], across[:, 0]])
    if flip == "Y":
        shown = shown[:, ::-1]
        across[:, 0] = 1 - across[:, 0]
    first, last = int(shown[0, 0]), int(shown[-1, -1])
    corners = [[value % columns + 1, value // columns + 1] for value in (first, last)]
    return across, (corners[0], corners[1])


@pytest.mark.parametrize("flip", ["N", "Y"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_turned_display_is_turned_back(rotation: int, flip: str) -> None:
    across, area = displayed(rotation, flip)
    drawn = Drawn(shape="POLYLINE", points=across, units="DISPLAY")
    on = OnImages(graphics=[drawn], texts=NODULE, images=[CT[3]])
    (got,) = found(CT, state(on, area=area, rotation=rotation, flip=flip)).nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3)


def test_a_displayed_area_that_contradicts_its_turn_is_refused() -> None:
    across, _ = displayed(180, "N")
    drawn = Drawn(shape="POLYLINE", points=across, units="DISPLAY")
    on = OnImages(graphics=[drawn], texts=NODULE, images=[CT[3]])
    (refusal,) = found(CT, state(on, rotation=180)).refused
    assert refusal.reason == (
        "it is drawn in units of a displayed area whose corners contradict its rotation or flip"
    )


def test_graphics_without_images_of_their_own_are_on_the_state_s() -> None:
    on = OnImages(graphics=[Drawn(shape="POLYLINE", points=OUTLINE)], texts=NODULE)
    pr = as_received(presentation_state([CT[3]], [on]))
    (got,) = found(CT, pr).nodules
    assert got.centre_mm == pytest.approx(ON_SLICE_3)
    (refusal,) = found(CT, as_received(presentation_state(CT[3:5], [on]))).refused
    assert refusal.reason == (
        "it is drawn on 2 slices at once, and which of them holds the nodule is not said"
    )


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ((), "graphics without meaning"),
        ((Words(value="98%"),), "graphics without meaning"),
        ((Words(value="Mueller^Hans"),), "graphics without meaning"),
        (
            (Words(value="Mean: 35 HU\r\nSD: 12\r\nArea: 1.2 cm2"),),
            "a measurement of pixel values or size",
        ),
        ((Words(value="Mittelwert 35 HE"),), "a measurement of pixel values or size"),
    ],
)
def test_what_no_text_calls_a_nodule_is_listed(texts: tuple[Words, ...], says: str) -> None:
    result = found(CT, state(outline(texts=texts)))
    assert result.nodules == ()
    assert [(other.place, other.says) for other in result.passed_over] == [("graphic 1", says)]
    assert [other.unsaid for other in result.passed_over] == [says == "graphics without meaning"]


def test_a_nodule_with_a_tool_s_numbers_is_a_nodule() -> None:
    named = outline(texts=[Words(value="Nodule, mean 35 HU, area 0.4 cm2")])
    assert len(found(CT, state(named)).nodules) == 1


def test_of_several_graphics_a_text_names_the_nearest() -> None:
    on = OnImages(
        graphics=[
            Drawn(shape="CIRCLE", points=[(15, 13), (16, 13)]),
            Drawn(shape="POLYLINE", points=OUTLINE),
        ],
        texts=[Words(value="nodule", box=(9, 8)), Words(value="artery", box=(15, 14))],
        images=[CT[3]],
    )
    result = found(CT, state(on))
    assert [source.place for source in result.nodules[0].sources] == ["graphic 2"]
    assert len(result.nodules) == len(result.passed_over) == 1


def test_a_text_in_an_item_of_its_own_names_the_graphics_of_its_slice() -> None:
    pr = state(
        OnImages(graphics=[Drawn(shape="POLYLINE", points=OUTLINE)], images=[CT[3]]),
        OnImages(texts=[Words(value="nodule")], images=[CT[3]]),
        OnImages(graphics=[Drawn(shape="POLYLINE", points=OUTLINE)], images=[CT[6]]),
    )
    result = found(CT, pr)
    assert [source.place for source in result.nodules[0].sources] == ["graphic 1"]
    assert len(result.passed_over) == 1


def test_one_place_in_two_frames_of_reference_is_two_nodules() -> None:
    other = synthetic.ct_series(series="other", frame_of_reference="other")
    twice = [
        OnImages(
            graphics=[Drawn(shape="CIRCLE", points=[(8, 8), (10, 8)])], texts=NODULE, images=[image]
        )
        for image in (CT[3], other[3])
    ]
    planes = planes_of([*CT, *other])
    assert len(PRESENTATION_STATE_READER.read(state(*twice), planes).markings) == 2
    assert len(PRESENTATION_STATE_READER.read(state(twice[0], twice[0]), planes).markings) == 1


def test_two_places_of_one_text_are_two_nodules() -> None:
    away = OnImages(
        graphics=[Drawn(shape="POLYLINE", points=np.add(OUTLINE, (9, 6)))],
        texts=NODULE,
        images=[CT[3]],
    )
    assert len(found(CT, state(outline(3), away)).nodules) == 2


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        (
            Drawn(shape="POLYLINE", points=[(4, 4), (9, 4)]),
            "it is drawn as an open line, which encloses nothing",
        ),
        (
            Drawn(shape="POLYLINE", points=[(4, 4), (9, 4), (9, 9)]),
            "it is drawn as an open line, which encloses nothing",
        ),
        (
            Drawn(shape="POLYLINE", points=[(4, 4), (5, 4), (5, 5), (4, 4)]),
            "it is drawn as a triangle or less, which outlines no nodule",
        ),
        (
            Drawn(shape="POLYLINE", points=OUTLINE, units="MATRIX"),
            "it is drawn in units that are neither PIXEL nor DISPLAY",
        ),
        (
            Drawn(shape="CIRCLE", points=[(4, 4)]),
            "it is a graphic of 1 points that is no known shape",
        ),
        (
            Drawn(shape="POLYLINE", points=[(4, 4), (np.nan, 4), (5, 5), (4, 4)]),
            "Graphic Data holds something that is no finite number",
        ),
    ],
)
def test_a_named_nodule_without_an_area_is_refused_with_the_reason(
    drawn: Drawn, reason: str
) -> None:
    pr = state(OnImages(graphics=[drawn], texts=NODULE, images=[CT[3]]), outline(6))
    result = found(CT, pr)
    assert [refusal.reason for refusal in result.refused] == [reason]
    assert len(result.nodules) == 1


def test_a_nodule_on_an_image_that_is_not_here_is_refused_with_the_reason() -> None:
    pr = state(outline(3))
    (result,) = found(CT[5:], pr).refused
    assert result.reason == (
        f"it is drawn on image {CT[3].SOPInstanceUID}, which is not a CT slice of this study"
    )


@pytest.mark.parametrize(
    ("drawn", "gap", "closed"),
    [
        ([(4, 3), (9, 3), (9, 8), (4, 8)], 1.0, True),  # of 19 pixels
        ([(4, 3), (9, 3), (9, 8), (4, 8)], 1.01, False),
        ([(0, 0), (20, 0), (20, 15), (0, 15)], 3.33, True),  # of 66.67 pixels
        ([(0, 0), (20, 0), (20, 15), (0, 15)], 3.34, False),
    ],
)
def test_a_line_is_closed_if_its_ends_are_a_pixel_or_a_twentieth_of_its_length_apart(
    drawn: list[tuple[float, float]], gap: float, closed: bool
) -> None:
    column, row = drawn[0]
    line = Drawn(shape="POLYLINE", points=[*drawn, (column, row + gap)])
    result = found(CT, state(OnImages(graphics=[line], texts=NODULE, images=[CT[3]])))
    assert (len(result.nodules), len(result.refused)) == ((1, 0) if closed else (0, 1))


@pytest.mark.parametrize(("slices", "nodules"), [((0, 4), 1), ((0, 5), 2), ((7, 4, 0), 1)])
def test_graphics_of_one_text_up_to_ten_millimetres_apart_are_one_nodule(
    slices: tuple[int, ...], nodules: int
) -> None:
    circles = [
        OnImages(
            graphics=[Drawn(shape="CIRCLE", points=[(8, 8), (10, 8)])],
            texts=NODULE,
            images=[CT[z]],
        )
        for z in slices
    ]
    assert len(found(CT, state(*circles)).nodules) == nodules


@pytest.mark.parametrize(("column", "nodules"), [(8.9, 1), (9.0, 1), (9.1, 2)])
def test_graphics_of_one_text_that_hold_a_centre_of_each_other_are_one_nodule(
    column: float, nodules: int
) -> None:
    circles = [
        Drawn(shape="CIRCLE", points=[(4, 8), (9, 8)]),
        Drawn(shape="CIRCLE", points=[(column, 8), (column + 0.5, 8)]),
    ]
    for order in (circles, circles[::-1]):
        drawn = [OnImages(graphics=[one], texts=NODULE, images=[CT[3]]) for one in order]
        assert len(found(CT, state(*drawn)).nodules) == nodules


def test_a_state_of_window_and_zoom_is_no_annotation() -> None:
    assert recognise(state()) is None


def test_a_text_that_names_a_nodule_and_no_place_is_told() -> None:
    pr = state(OnImages(texts=[Words(value="nodule RUL"), Words(value="logo")], images=[CT[3]]))
    assert recognise(pr) is not None
    result = found(CT, pr)
    assert result.nodules == ()
    assert result.ignored == (
        "A text of the presentation state names a nodule and marks no place.",
    )
    assert recognise(state(OnImages(texts=[Words(value="logo")], images=[CT[3]]))) is None


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12])
def test_a_state_of_every_class_that_draws_on_a_ct_is_an_annotation(number: int) -> None:
    pr = state(outline())
    pr.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.11.{number}"
    reader = recognise(pr)
    assert reader is not None
    assert reader.kind == "Presentation state"


def test_a_state_on_other_images_than_ct_is_none_of_ours() -> None:
    pr = presentation_state(CT, [outline()])
    for image in (
        *pr.ReferencedSeriesSequence[0].ReferencedImageSequence,
        *pr.GraphicAnnotationSequence[0].ReferencedImageSequence,
    ):
        image.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    assert recognise(as_received(pr)) is None


def test_it_waits_for_the_slices_that_it_draws_on() -> None:
    references = PRESENTATION_STATE_READER.references(state(outline(3), outline(6, texts=())))
    drawn = [SOPInstanceUID(str(CT[z].SOPInstanceUID)) for z in (3, 6)]
    assert references.marked == {FrameReference(drawn[0])}
    assert references.sop_instance_uids == set(drawn)


def test_a_volumetric_state_says_why_it_is_not_read() -> None:
    reader = READERS[SOPClassUID("1.2.840.10008.5.1.4.1.1.11.6")]
    with pytest.raises(AnnotationUnusable, match="draws on a view of the volume"):
        reader.read(state(outline()), planes_of(CT))


def test_more_marks_than_a_chest_has_nodules_are_refused() -> None:
    with pytest.raises(AnnotationUnusable, match="names 501 graphics a nodule"):
        PRESENTATION_STATE_READER.read(state(*[outline()] * 501), planes_of(CT))


def test_as_many_marks_as_are_allowed_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m3net.annotations.presentation_state.MOST_MARKS", 2)
    two = state(outline(3), outline(6))
    assert len(PRESENTATION_STATE_READER.read(two, planes_of(CT)).markings) == 1
    with pytest.raises(AnnotationUnusable, match="names 3 graphics a nodule, expected at most 2"):
        PRESENTATION_STATE_READER.read(state(outline(3), outline(4), outline(6)), planes_of(CT))


def test_no_word_of_a_text_is_repeated() -> None:
    pr = state(outline(texts=[Words(value="Nodule Mueller")]), outline(6, texts=[Words(value="X")]))
    assert "Mueller" not in repr(found(CT, pr))
