"""Which images make the volume: the shares and distances that decide, from planes alone."""

import tracemalloc
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from m3net.annotations.types import SlicePlane
from m3net.ct.acquisitions import Traits
from m3net.ct.layout import Layout, lay_out
from m3net.errors import SeriesUnusable
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPInstanceUID,
)

SERIES, FRAME = SeriesInstanceUID("2.1"), FrameOfReferenceUID("3.1")
Planes = dict[FrameKey, SlicePlane]


def key(number: int) -> FrameKey:
    return FrameKey(SOPInstanceUID(f"1.{number}"))


def plane(z: float, **other: object) -> SlicePlane:
    made = SlicePlane(
        series_instance_uid=SERIES,
        frame_of_reference_uid=FRAME,
        position_mm=(0.0, 0.0, z),
        row_direction=(1.0, 0.0, 0.0),
        col_direction=(0.0, 1.0, 0.0),
        spacing_mm=(0.7, 0.8),
        rows=16,
        columns=20,
    )
    return replace(made, **other)


def stacked(heights: Iterable[float], *, first: int = 100, **other: object) -> Planes:
    return {key(first + number): plane(z, **other) for number, z in enumerate(heights)}


def heights_used(layout: Layout, planes: Planes) -> list[float]:
    return [planes[frame].position_mm[2] for frame in layout.frames]


def every(step: float, count: int, *, start: float = 0.0) -> Sequence[float]:
    return [start + step * number for number in range(count)]


SMALL: dict[str, object] = {"rows": 8}


@pytest.mark.parametrize(
    ("slices", "strays", "left_out"),
    [(37, 12, True), (36, 12, False)],  # of 49 images under a quarter; of 48 just that
)
def test_under_a_quarter_are_strays_where_the_others_lack_nothing(
    slices: int, strays: int, left_out: bool
) -> None:
    planes = stacked(every(2.5, slices)) | stacked(every(2.5, strays), first=500, **SMALL)
    if left_out:
        assert len(lay_out(planes).frames) == slices
    else:
        with pytest.raises(SeriesUnusable, match=r"mixes 2 image sizes: \(16, 20\), \(8, 20\)"):
            lay_out(planes)


@pytest.mark.parametrize(("slices", "left_out"), [(28, True), (27, False)])
def test_under_a_tenth_are_strays_where_the_others_lack_a_slice(
    slices: int, left_out: bool
) -> None:
    heights = [z for z in every(2.5, slices + 1) if z != 25.0]
    planes = stacked(heights) | stacked(every(2.5, 3), first=500, **SMALL)
    if left_out:
        assert lay_out(planes).missing == {10}
    else:
        with pytest.raises(SeriesUnusable, match="mixes 2 image sizes"):
            lay_out(planes)


def test_images_without_a_place_count_among_the_strays() -> None:
    planes = stacked(every(2.5, 12))
    unplaced = {key(900 + number): "it has no place" for number in range(3)}
    layout = lay_out(planes, unplaced=unplaced)
    assert layout.notes == (
        "3 of 15 images of the CT series have no place in the patient and were left out.",
    )
    assert set(layout.left_out) == set(unplaced)
    with pytest.raises(SeriesUnusable, match="it has no place"):
        lay_out(planes, unplaced=unplaced | {key(950): "it has no place"})
    with pytest.raises(SeriesUnusable, match="it has no place"):
        lay_out({}, unplaced=unplaced)
    with pytest.raises(SeriesUnusable, match="there are no slices"):
        lay_out({})


@pytest.mark.parametrize(
    ("off", "verdict"),
    [
        (0.0009, "one"),
        (0.0011, "mixes orientations: 1 of 12 slices are turned"),
        (0.099, "mixes orientations: 1 of 12 slices are turned"),
        (0.101, "left out"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_slightly_turned_slice_refuses_the_series_and_a_reformat_is_left_out(
    off: float, sign: int, verdict: str
) -> None:
    planes = stacked(every(2.5, 12))
    planes[key(105)] = replace(planes[key(105)], row_direction=(1.0, sign * off, 0.0))
    if verdict == "one":
        assert len(lay_out(planes).frames) == 12
    elif verdict == "left out":
        # Its slice is then lacking: 1 of 12 is under a tenth.
        layout = lay_out(planes)
        assert set(layout.left_out) == {key(105)}
        assert layout.missing == {5}
    else:
        with pytest.raises(SeriesUnusable, match=verdict):
            lay_out(planes)


@pytest.mark.parametrize(
    ("spacing_mm", "same"),
    [
        ((0.70014, 0.8), True),
        ((0.69986, 0.8), True),
        ((0.7002, 0.8), False),
        ((0.7, 0.8002), False),
    ],
)
def test_pixel_spacings_that_differ_by_rounding_are_one(
    spacing_mm: tuple[float, float], same: bool
) -> None:
    planes = stacked(every(2.5, 12))
    planes[key(105)] = replace(planes[key(105)], spacing_mm=spacing_mm)
    assert bool(lay_out(planes).left_out) is not same


def test_images_that_name_no_frame_of_reference_are_in_the_one_that_the_others_name() -> None:
    nameless = FrameOfReferenceUID(SERIES)
    planes = stacked(every(2.5, 12))
    planes[key(103)] = replace(planes[key(103)], frame_of_reference_uid=nameless)
    layout = lay_out(planes)
    assert (len(layout.frames), layout.left_out) == (12, {})
    assert layout.notes == (
        "1 of 12 images of the CT series name no frame of reference; they were taken to be in that "
        "of the others.",
    )
    assert lay_out(stacked(every(2.5, 12), frame_of_reference_uid=nameless)).notes == ()
    planes[key(104)] = replace(planes[key(104)], frame_of_reference_uid=FrameOfReferenceUID("3.2"))
    assert set(lay_out(planes | stacked(every(2.5, 12, start=30.0), first=200)).left_out) == {
        key(103),
        key(104),
    }


@pytest.mark.parametrize(("apart_mm", "one_place"), [(0.09, True), (0.11, False)])
def test_slices_closer_than_the_jitter_stand_at_one_place(apart_mm: float, one_place: bool) -> None:
    planes = stacked(every(2.5, 12))
    planes[key(900)] = plane(25.0 + apart_mm)
    if one_place:
        layout = lay_out(planes)
        assert heights_used(layout, planes) == every(2.5, 12)
        assert set(layout.left_out) == {key(900)}
        assert layout.notes[0].startswith("1 slice of the CT stands where another one stands")
    else:
        with pytest.raises(SeriesUnusable, match=r"has gaps: 0\.11 mm before slice 12 of 13"):
            lay_out(planes)


def test_slices_just_the_jitter_apart_stand_at_one_place_too() -> None:
    planes = stacked(every(2.5, 12)) | {key(900): plane(0.1), key(901): plane(0.05)}
    layout = lay_out(planes)
    assert heights_used(layout, planes) == every(2.5, 12)
    assert layout.notes == (
        "2 slices of the CT stand where another one stands; at each place the one with the lower "
        "acquisition and instance number was used.",
    )


def test_of_many_image_sizes_three_are_named() -> None:
    planes = stacked(every(2.5, 3))
    for rows in (8, 9, 10, 11):
        planes |= stacked([0.0], first=100 * rows, rows=rows)
    with pytest.raises(SeriesUnusable, match=r"5 image sizes: \(10, 20\), \(11, 20\), \(16, 20\)$"):
        lay_out(planes)


def test_of_two_at_one_place_the_marked_then_the_lower_number_is_kept() -> None:
    planes = stacked(every(2.5, 12), traits=Traits(acquisition_number=1, instance_number=7))
    rival = key(900)
    planes[rival] = plane(12.5, traits=Traits(acquisition_number=1, instance_number=8))
    assert rival not in lay_out(planes).frames
    on = [FrameReference(rival.sop_instance_uid)]
    assert rival in lay_out(planes, marked=on).frames
    planes[rival] = plane(12.5, traits=Traits(acquisition_number=1, instance_number=6))
    assert rival in lay_out(planes).frames
    # what has no number is before what has one
    for unnumbered in (Traits(), Traits(instance_number=9)):
        planes[rival] = plane(12.5, traits=unnumbered)
        assert rival in lay_out(planes).frames
    planes = stacked(every(2.5, 12), traits=Traits(acquisition_number=1, instance_number=1))
    planes[rival] = plane(12.5, traits=Traits(acquisition_number=1))
    assert rival in lay_out(planes).frames


def rivals(first: int, second: int) -> Planes:
    """Two acquisitions in one another, half a step aside."""
    return stacked(every(2.5, first), traits=Traits(acquisition_number=1)) | stacked(
        every(2.5, second, start=26.25), first=500, traits=Traits(acquisition_number=2)
    )


@pytest.mark.parametrize(
    ("first", "second", "is_rival"),
    [(20, 3, True), (20, 2, False), (40, 4, True), (40, 3, False), (41, 4, False)],
)
def test_an_acquisition_has_three_slices_and_a_tenth_of_the_largest_ones(
    first: int, second: int, is_rival: bool
) -> None:
    planes = rivals(first, second)
    if is_rival:
        sizes = rf"holds 2 acquisitions in one another \({first} and {second} slices"
        with pytest.raises(SeriesUnusable, match=sizes):
            lay_out(planes)
    else:
        layout = lay_out(planes)
        assert len(layout.frames) == first
        assert layout.notes == (
            f"{second} of {first + second} images of the CT series differ from the others in "
            "Acquisition Number, stand among them and were left out.",
        )


def test_the_acquisition_with_most_marks_is_used_and_it_is_said() -> None:
    planes = rivals(20, 8)
    one, other = (FrameReference(key(number).sop_instance_uid) for number in (102, 503))
    layout = lay_out(planes, marked=[other])
    assert heights_used(layout, planes) == every(2.5, 8, start=26.25)
    assert layout.notes == (
        "The CT series holds 2 acquisitions, told apart by Acquisition Number; the one that is "
        "marked was used, 8 of 28 images.",
    )
    more = FrameReference(key(504).sop_instance_uid)
    assert len(lay_out(planes, marked=[one, other, more]).frames) == 8
    assert len(lay_out(planes, marked=[one, other]).frames) == 20


def test_as_many_slices_may_be_lacking_as_there_are_and_no_more() -> None:
    heights = [*every(2.5, 3), *every(2.5, 3, start=22.5)]
    assert lay_out(stacked(heights)).missing == {3, 4, 5, 6, 7, 8}
    heights = [*every(2.5, 3), *every(2.5, 3, start=25.0)]
    with pytest.raises(SeriesUnusable, match="lacks 7 of 13 slices; resend the series"):
        lay_out(stacked(heights))


def test_a_slice_that_is_said_to_be_miles_away_costs_no_time_and_no_memory() -> None:
    heights = [*every(2.5, 30), 90_000.0]
    tracemalloc.start()
    with pytest.raises(SeriesUnusable, match="lacks 35970 of 36001 slices; resend the series"):
        lay_out(stacked(heights))
    with pytest.raises(SeriesUnusable, match="lacks 399999971 of 400000002 slices"):
        lay_out(stacked([*heights[:-1], 1_000_000_002.5]))
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_two_places_make_a_volume_and_one_does_not() -> None:
    layout = lay_out(stacked([0.0, 2.5]))
    assert layout.stack.step_mm.tolist() == [0.0, 0.0, 2.5]
    with pytest.raises(SeriesUnusable, match="has 1 slice at 1 place; a volume needs 2 or more"):
        lay_out(stacked([0.0, 0.05]))


def test_a_refusal_says_the_slice_and_its_place() -> None:
    heights = every(2.5, 12)
    with pytest.raises(
        SeriesUnusable, match=r"1\.3 mm before slice 6 of 12, at \(0\.0, 0\.0, 11\.3\)"
    ):
        lay_out(stacked([z - 1.2 if n == 5 else z for n, z in enumerate(heights)]))
    planes = stacked(heights)
    planes[key(105)] = replace(planes[key(105)], position_mm=(0.0, 4.0, 12.5))
    aside = r"slice 6 of 12, at \(0\.0, 4\.0, 12\.5\) mm, stands 3\.\d\d mm off the regular places"
    with pytest.raises(SeriesUnusable, match=aside):
        lay_out(planes)
    mixed = r"1\.25 mm up to slice 8 of 13, at \(0\.0, 0\.0, 8\.8\) mm, and 2\.5 mm from there"
    with pytest.raises(SeriesUnusable, match=mixed):
        lay_out(stacked([*every(1.25, 8), *every(2.5, 5, start=11.25)]))


def test_the_normal_is_row_cross_column_and_the_plane_is_the_lowest() -> None:
    mirrored = stacked(every(2.5, 4), col_direction=(0.0, -1.0, 0.0))
    layout = lay_out(mirrored)
    assert np.array_equal(layout.normal, [0, 0, -1])
    assert layout.plane.position_mm == (0.0, 0.0, 7.5)
    assert heights_used(layout, mirrored) == [7.5, 5.0, 2.5, 0.0]
