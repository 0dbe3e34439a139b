"""Which slices of one series were taken together: by what they say, and only where it matters."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from m3net.ct.acquisitions import Traits, read_traits, tell_apart, told_by
from tests import synthetic

NORMAL = np.array([0.0, 0.0, 1.0])
PLAIN = Traits(acquisition_number=1, image_type=("ORIGINAL", "PRIMARY"), convolution_kernel="B30f")


def heaps(heights: Sequence[float], traits: Sequence[Traits]) -> list[list[int]]:
    positions = np.array([(0.0, 0.0, height) for height in heights])
    return [sorted(heap) for heap in tell_apart(positions, NORMAL, traits)]


def numbered(*numbers: int | None) -> list[Traits]:
    return [replace(PLAIN, acquisition_number=number) for number in numbers]


UP = [2.5 * z for z in range(8)]
ASIDE = [2.5 * z + 1.25 for z in range(8)]
FIRST, SECOND = list(range(8)), list(range(8, 16))


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("acquisition_number", 1, 2),
        ("temporal_position", 1, 2),
        ("cardiac_phase", 40.0, 75.0),
        ("image_type", ("ORIGINAL", "PRIMARY"), ("DERIVED", "SECONDARY")),
        ("convolution_kernel", "B30f", "B70f"),
        ("slice_thickness_mm", 2.5, 5.0),
        ("kvp", 80.0, 140.0),
        ("taken_at_s", 100.0, 160.0),
    ],
)
@pytest.mark.parametrize("second", [UP, ASIDE], ids=["same-places", "half-a-step-aside"])
def test_two_passes_are_told_apart_by_anything_that_tells(
    field: str, one: object, other: object, second: list[float]
) -> None:
    traits = [replace(PLAIN, **{field: value}) for value in (one,) * 8 + (other,) * 8]
    assert heaps(UP + second, traits) == [FIRST, SECOND]
    assert (
        told_by(traits[:8], traits[8:])
        == {
            "acquisition_number": "Acquisition Number",
            "temporal_position": "Temporal Position Identifier",
            "cardiac_phase": "cardiac phase",
            "image_type": "Image Type",
            "convolution_kernel": "Convolution Kernel",
            "slice_thickness_mm": "Slice Thickness",
            "kvp": "KVP",
            "taken_at_s": "time of acquisition",
        }[field]
    )


def test_passes_of_a_step_aside_are_told_apart_by_instance_number_alone() -> None:
    traits = [replace(PLAIN, instance_number=number) for number in range(1, 17)]
    assert heaps(UP + ASIDE, traits) == [FIRST, SECOND]


def test_a_scan_whose_slices_are_numbered_one_by_one_is_one() -> None:
    assert heaps(UP, numbered(*range(1, 9))) == [FIRST]
    assert heaps(UP, numbered(*range(8, 0, -1))) == [FIRST]


def test_two_passes_whose_slices_are_numbered_one_by_one_are_two() -> None:
    assert heaps(UP + ASIDE, numbered(*range(1, 17))) == [FIRST, SECOND]


def test_a_scan_in_blocks_is_one_even_if_they_overlap_by_a_slice() -> None:
    assert heaps(UP, numbered(1, 1, 1, 1, 2, 2, 2, 2)) == [FIRST]
    overlapping = [*UP[:5], *UP[4:]]
    assert heaps(overlapping, numbered(1, 1, 1, 1, 1, 2, 2, 2, 2)) == [list(range(9))]


def test_two_phases_of_a_scan_in_blocks_are_two() -> None:
    traits = numbered(1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
    assert heaps(UP + ASIDE, traits) == [FIRST, SECOND]


def test_blocks_that_were_taken_out_of_order_are_one_scan() -> None:
    assert heaps([*UP, 20.0, 22.5], numbered(1, 1, 3, 3, 3, 3, 2, 2, 4, 4)) == [list(range(10))]
    assert heaps(UP, numbered(1, 1, 3, 3, 2, 2, 4, 4)) == [FIRST]


def test_a_slice_without_a_readable_number_belongs_to_the_scan_that_it_fills() -> None:
    assert heaps(UP, numbered(1, 1, 1, None, 1, 1, 1, 1)) == [FIRST]
    traits = numbered(1, 1, 1, None, 1, 1, 1, 1, *(2,) * 8)
    assert heaps(UP + ASIDE, traits) == [FIRST, SECOND]


def test_times_that_only_pass_tell_nothing() -> None:
    helical = [replace(PLAIN, taken_at_s=100.0 + 0.3 * z) for z in range(8)]
    assert heaps(UP, helical) == [FIRST]
    in_steps = [replace(PLAIN, taken_at_s=100.0 + 5 * (z // 4)) for z in range(8)]
    assert heaps(UP, in_steps) == [FIRST]
    jittering = [replace(PLAIN, taken_at_s=100.0 + 0.4 * (z % 2)) for z in range(8)]
    assert heaps(UP, jittering) == [FIRST]


def test_instance_numbers_drawn_at_random_tell_nothing() -> None:
    for seed in range(20):
        numbers = np.random.default_rng(seed).permutation(60)
        traits = [replace(PLAIN, instance_number=int(number)) for number in numbers]
        assert heaps([2.5 * z for z in range(60)], traits) == [list(range(60))], seed


def test_a_derived_image_among_the_slices_is_no_part_of_them() -> None:
    derived = replace(PLAIN, image_type=("DERIVED", "SECONDARY"))
    assert heaps([*UP, 6.0], [*numbered(*(1,) * 8), derived]) == [FIRST, [8]]
    assert heaps([*UP, 5.0], [*numbered(*(1,) * 8), derived]) == [FIRST, [8]]


def test_traits_are_what_the_header_says_and_nothing_where_it_says_nonsense() -> None:
    ds = synthetic.ct_series()[0]
    ds.AcquisitionDate, ds.AcquisitionTime = "19700102", "000001.25"
    traits = read_traits(ds)
    assert traits.taken_at_s == 86401.25
    assert traits.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert (traits.acquisition_number, traits.instance_number, traits.kvp) == (1, 1, 120.0)
    ds.AcquisitionDateTime = "19700103"
    del ds.AcquisitionTime
    ds.ContentDate, ds.ContentTime = "19700104", "00"
    assert read_traits(ds).taken_at_s == 3 * 86400
    del ds.ContentDate
    assert read_traits(ds).taken_at_s == 0


def test_what_a_header_does_not_say_is_no_trait() -> None:
    assert read_traits(Dataset()) == Traits()
    said = Dataset()
    said.StackID, said.ConvolutionKernel, said.KVP = "1, 40", "B30f", "120"
    assert read_traits(said) == Traits(stack="1, 40", convolution_kernel="B30f", kvp=120.0)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("19700103000000", 2 * 86400),
        ("197001030001", 2 * 86400 + 60),
        ("1970010301", 2 * 86400 + 3600),
        ("19700103000000.5", 2 * 86400 + 0.5),
        ("19700103000000.123456", 2 * 86400 + 0.123456),
        ("19700103000000.1234569", 2 * 86400 + 0.123456),
        # the offset from UTC plays no part
        ("19700103000000+0100", 2 * 86400),
        ("19700103000000.5-0500", 2 * 86400 + 0.5),
        ("19700103", None),
        ("197001031", None),
        ("19700103011", None),
        ("1970010301011", None),
        ("197001030101011", None),
        ("1970-01-03 01:01", None),
        ("19701303000000", None),
        ("yesterday", None),
    ],
)
def test_a_moment_is_a_date_and_an_hour_at_least(written: str, seconds: float | None) -> None:
    ds = Dataset()
    with warnings.catch_warnings(action="ignore"):  # pydicom's, of what is no DT
        ds.AcquisitionDateTime = written
        assert read_traits(ds).taken_at_s == seconds


@pytest.mark.parametrize("height", [0.0, 17.5, -0.1, 17.55])
def test_a_slice_of_another_acquisition_on_the_first_or_the_last_one_is_no_part_of_the_scan(
    height: float,
) -> None:
    assert heaps([*UP, height], numbered(*(1,) * 8, 2)) == [FIRST, [8]]


def test_what_stands_alone_beyond_a_gap_is_no_part_of_the_scan_and_what_continues_it_is() -> None:
    traits = [replace(PLAIN, convolution_kernel=kernel) for kernel in "AAAAAAAABC"]
    assert heaps([*UP, 0.0, 22.5], traits) == [FIRST, [8], [9]]
    assert heaps([*UP, 0.0, 20.0], traits) == [[*FIRST, 9], [8]]


@pytest.mark.parametrize(("pause_s", "two"), [(1.0, False), (1.25, True)])
def test_a_pause_of_more_than_a_second_parts_two_passes(pause_s: float, two: bool) -> None:
    times = [100.0 + 0.25 * z for z in range(8)]
    later = [times[-1] + pause_s + 0.25 * z for z in range(8)]
    traits = [replace(PLAIN, taken_at_s=time) for time in (*times, *later)]
    assert heaps(UP + ASIDE, traits) == ([FIRST, SECOND] if two else [list(range(16))])


@pytest.mark.parametrize(
    ("passes", "slices", "told"), [(4, 4, True), (5, 4, False), (2, 4, True), (2, 3, False)]
)
def test_instance_numbers_tell_up_to_four_passes_of_four_slices_and_more(
    passes: int, slices: int, told: bool
) -> None:
    heights = [5.0 * z + 5.0 / passes * n for n in range(passes) for z in range(slices)]
    traits = [replace(PLAIN, instance_number=number) for number in range(1, len(heights) + 1)]
    assert len(heaps(heights, traits)) == (passes if told else 1)


def test_what_changes_once_along_the_scan_parts_nothing_not_even_across_a_gap() -> None:
    traits = [replace(PLAIN, convolution_kernel=kernel) for kernel in "AAAABBBB"]
    assert heaps([*UP[:4], *(z + 5.0 for z in UP[4:])], traits) == [FIRST]


def test_two_reconstructions_that_share_one_place_are_two() -> None:
    kernels = ("B30f",) * 3 + ("B70f",) * 3
    traits = [replace(PLAIN, convolution_kernel=kernel) for kernel in kernels]
    assert heaps([0.0, 2.5, 5.0, 5.0, 7.5, 10.0], traits) == [[0, 1, 2], [3, 4, 5]]


def test_pairs_that_continue_one_another_are_put_together_again() -> None:
    traits = [replace(PLAIN, convolution_kernel=kernel) for kernel in "AABBC"]
    assert heaps([0.0, 2.5, 5.0, 7.5, 7.5], traits) == [[0, 1, 2, 3], [4]]


def counted(heights: Sequence[float], *, absent: int | None = None) -> list[list[int]]:
    """Slices that their instance numbers alone could tell apart."""
    traits = [replace(PLAIN, instance_number=number) for number in range(1, len(heights) + 1)]
    if absent is not None:
        traits[absent] = replace(PLAIN, instance_number=None)
    return heaps(heights, traits)


ALL = list(range(16))


@pytest.mark.parametrize(("longer", "told"), [(0.19, True), (0.21, False)])
def test_instance_numbers_tell_passes_of_even_steps(longer: float, told: bool) -> None:
    uneven = [*ASIDE[:5], *(z + longer for z in ASIDE[5:])]
    assert counted(UP + uneven) == ([FIRST, SECOND] if told else [ALL])


@pytest.mark.parametrize(("step", "told"), [(2.59, True), (2.61, False)])
def test_instance_numbers_tell_passes_of_one_step(step: float, told: bool) -> None:
    second = [1.25 + step * z for z in range(8)]
    assert counted(UP + second) == ([FIRST, SECOND] if told else [ALL])


def test_instance_numbers_tell_nothing_where_one_is_absent_or_two_slices_stand_at_one_place() -> (
    None
):
    assert counted(UP + ASIDE, absent=5) == [ALL]
    assert counted([*UP, *(z + 0.05 for z in UP)]) == [ALL]
    assert counted([*UP, *(z + 0.15 for z in UP)]) == [FIRST, SECOND]
    assert counted([*UP, 0.1, *(z + 0.15 for z in UP[1:])]) == [ALL]


@pytest.mark.parametrize(
    ("beyond", "continues"),
    [
        ([20.0, 22.5, 25.0], True),
        ([20.05, 22.55, 25.05], True),
        ([20.0, 25.0, 30.0], False),  # at another step
        ([22.5, 25.0, 27.5], False),  # behind a gap
        ([20.0, 25.0, 27.5], True),  # with a gap of its own
    ],
)
def test_a_heap_continues_another_at_its_step_and_without_a_gap_between(
    beyond: list[float], continues: bool
) -> None:
    traits = [replace(PLAIN, convolution_kernel=kernel) for kernel in "AAAAAAAABBBC"]
    found = heaps([*UP, *beyond, 0.0], traits)
    assert found == ([[*FIRST, 8, 9, 10], [11]] if continues else [FIRST, [8, 9, 10], [11]])


def test_slices_that_fill_another_heaps_gaps_continue_it_however_far_apart_they_are() -> None:
    first, filling = [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 13, 14], [4, 7, 12]
    heights = [2.5 * z for z in (*first, *filling, 0)]
    traits = [replace(PLAIN, convolution_kernel=kernel) for kernel in "A" * 12 + "BBBC"]
    assert heaps(heights, traits) == [list(range(15)), [15]]


def test_slices_without_a_time_are_of_the_scan_that_has_one() -> None:
    traits = [replace(PLAIN, taken_at_s=None if z == 3 else 100.0 + z / 4) for z in range(8)]
    assert heaps(UP, traits) == [FIRST]
    assert heaps(UP, [PLAIN] * 8) == [FIRST]


def test_three_passes_with_pauses_between_are_three() -> None:
    thirds = [3.0 * z + n for n in range(3) for z in range(8)]
    traits = [replace(PLAIN, taken_at_s=10.0 * n + z / 4) for n in range(3) for z in range(8)]
    assert heaps(thirds, traits) == [FIRST, SECOND, list(range(16, 24))]
