"""Planes as one stack: what rounding does to positions is no fault, what a lost slice does is."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from m3net.ct.stack import JITTER_MM, IrregularStack, Stack, fit_stack, mixed_spacing

AXIAL = np.array([0.0, 0.0, 1.0])


def to_tenths(rounding: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: rounding(round(value * 10, 6)) / 10


ROUNDINGS = {
    "nearest": to_tenths(round),
    "half up": to_tenths(lambda value: math.floor(value + 0.5)),
    "towards zero": to_tenths(math.trunc),
    "down": to_tenths(math.floor),
    "up": to_tenths(math.ceil),
    "hundredths": lambda value: round(value, 2),
    "not at all": lambda value: value,
}

STEPS_MM = (0.5, 0.6, 0.625, 0.7, 0.75, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.75, 5.0, 8.0)


def along(heights: NDArray[np.float64] | list[float]) -> NDArray[np.float64]:
    return np.array([(0.0, 0.0, height) for height in heights])


def test_steps_of_five_quarters_written_in_tenths_are_regular() -> None:
    written = [-100.0, -98.8, -97.5, -96.2, -95.0, -93.8, -92.5, -91.2]
    stack = fit_stack(along(written), AXIAL)
    assert stack.numbers.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert stack.step_mm[2] == pytest.approx(1.25, abs=0.01)


@pytest.mark.parametrize("step", STEPS_MM)
@pytest.mark.parametrize("rounding", sorted(ROUNDINGS))
def test_a_slice_that_stands_elsewhere_is_found_in_rounded_positions_too(
    step: float, rounding: str
) -> None:
    heights = [ROUNDINGS[rounding](-321.4 + number * step) for number in range(40)]
    heights[17] += max(0.4 * step, 0.35)
    with pytest.raises(IrregularStack) as found:
        fit_stack(along(heights), AXIAL)
    assert found.value.index in (17, 18)


def test_the_bound_on_a_plane_off_its_place() -> None:
    heights = [2.5 * number for number in range(40)]
    heights[20] += 0.19  # less than 0.1 from a line 0.1 above the others
    fit_stack(along(heights), AXIAL)
    heights[19] -= 0.02
    with pytest.raises(IrregularStack, match=r"plane 21: 2.710 mm") as found:
        fit_stack(along(heights), AXIAL)
    assert found.value.aside_mm == 0.0
    heights[19] += 0.02
    heights[22] -= 0.02
    with pytest.raises(IrregularStack, match=r"plane 21: 2.690 mm, 2.500 mm elsewhere") as found:
        fit_stack(along(heights), AXIAL)
    assert found.value.aside_mm == pytest.approx(0.186, abs=0.001)


def test_a_plane_beside_the_line_of_the_others_is_found() -> None:
    positions = along([2.5 * number for number in range(40)])
    positions[20, 0] = 0.19
    fit_stack(positions, AXIAL)
    positions[20, 0] = 0.22
    with pytest.raises(IrregularStack) as found:
        fit_stack(positions, AXIAL)
    assert found.value.index == 20
    assert found.value.aside_mm == pytest.approx(0.2145, abs=0.001)


def test_planes_to_either_side_of_their_line_are_a_stack_if_none_is_further_than_a_tenth() -> None:
    positions = along([2.5 * number for number in range(40)])
    positions[:, 0] = [0.09, -0.09] * 20
    assert fit_stack(positions, AXIAL).numbers.tolist() == list(range(40))


def test_a_slow_drift_of_the_step_is_no_stack() -> None:
    with pytest.raises(IrregularStack):
        fit_stack(along([2.5 * n + 0.002 * n**2 for n in range(40)]), AXIAL)


def test_the_step_that_is_known_counts() -> None:
    stack = fit_stack(along([0.0, 5.0, 7.5]), AXIAL, step_mm=2.5)
    assert stack.numbers.tolist() == [0, 2, 3]
    with pytest.raises(IrregularStack) as found:
        fit_stack(along([0.0, 5.0, 7.5]), AXIAL, step_mm=2.0)
    assert (found.value.index, found.value.found_mm, found.value.expected_mm) == (1, 5.0, 2.0)


def test_single_planes_that_are_lost_are_numbers_that_are_absent() -> None:
    kept = [0, 1, 2, 4, 5, 9, 10, 11]
    assert fit_stack(along([1.25 * n for n in kept]), AXIAL).numbers.tolist() == kept


@pytest.mark.parametrize(
    ("gaps", "change"),
    [
        ([2.5] * 10, None),
        ([1.25] * 10 + [2.5] * 4, (11, 1.25, 2.5)),
        ([2.5] * 4 + [1.25] * 30, (5, 2.5, 1.25)),
        ([1.25] * 10 + [2.5] * 3, None),
        ([1.25] * 10 + [2.5] + [1.25] * 10 + [3.75], None),
        ([1.2, 1.3, 1.2, 1.3, 1.2, 1.3], None),
        ([1.0] * 5 + [1.21] * 5, (6, 1.0, 1.21)),
        ([1.0] * 5 + [1.19] * 5, None),
        ([2.5] + [1.25] * 4 + [2.5] * 4, (6, 1.25, 2.5)),
        ([1.21] * 5 + [1.0] * 5, (6, 1.21, 1.0)),
        ([2.5] * 3 + [1.25] * 9, None),
        ([1.2, 1.4, 1.2, 1.4] + [2.5] * 4, (5, 1.3, 2.5)),
        ([1.0] * 4 + [5.0] + [1.0] * 4 + [2.0] * 4, (10, 1.0, 2.0)),
        ([], None),
    ],
)
def test_two_steps_are_two_steps_and_single_gaps_are_lost_slices(
    gaps: list[float], change: tuple[int, float, float] | None
) -> None:
    found = mixed_spacing(gaps)
    assert found == (None if change is None else pytest.approx(change))


def test_of_an_even_number_of_steps_the_usual_one_is_no_gap() -> None:
    assert fit_stack(along([0.0, 2.5, 7.5]), AXIAL).numbers.tolist() == [0, 1, 3]
    assert fit_stack(along([0.0, 2.5, 5.0, 12.5, 20.0]), AXIAL).numbers.tolist() == [0, 1, 2, 5, 8]


def test_one_short_step_is_at_fault_and_not_the_others() -> None:
    with pytest.raises(IrregularStack) as found:
        fit_stack(along([0.0, 1.0, 3.5, 6.0]), AXIAL)
    assert (found.value.index, found.value.found_mm, found.value.expected_mm) == (1, 1.0, 2.5)


def test_a_step_a_quarter_of_a_millimetre_longer_is_no_rounding_and_not_in_the_mean() -> None:
    with pytest.raises(IrregularStack) as found:
        fit_stack(along([0.0, 2.5, 5.0, 7.75]), AXIAL)
    assert (found.value.index, found.value.found_mm, found.value.expected_mm) == (3, 2.75, 2.5)


def test_a_long_gap_is_counted_in_mean_steps_and_not_in_one_that_was_rounded() -> None:
    # 25 mm are 20 steps of 1.25 mm, and 21 of 1.2 mm.
    kept = [*range(12), *range(31, 40)]
    heights = [ROUNDINGS["nearest"](1.25 * number) for number in kept]
    assert {round(b - a, 1) for a, b in pairwise(heights)} == {1.2, 1.3, 25.0}
    assert fit_stack(along(heights), AXIAL).numbers.tolist() == kept


def test_a_stack_of_two_planes_stands_where_they_stand() -> None:
    stack = fit_stack([(1.0, 2.0, 5.5), (1.0, 2.5, 3.0)], AXIAL)
    assert stack.numbers.tolist() == [1, 0]
    assert stack.origin_mm.tolist() == [1.0, 2.5, 3.0]
    assert stack.step_mm.tolist() == [0.0, -0.5, 2.5]


def test_no_coordinate_of_a_stack_is_minus_nothing_or_a_trillionth() -> None:
    stack = fit_stack(along([-2.5, 0.0, 2.5]) * -1, -AXIAL)
    assert not np.signbit([*stack.origin_mm[:2], *stack.step_mm[:2]]).any()
    below = along([0.0, 2.5, 5.0])
    below[:, 0] = -1e-12
    assert not np.signbit(fit_stack(below, AXIAL).origin_mm).any()
    assert fit_stack(along([0.1, 0.2 + 0.1, 0.5]), AXIAL).step_mm.tolist() == [0.0, 0.0, 0.2]


@pytest.mark.parametrize(("off_mm", "regular"), [(0.2, True), (0.21, False)])
def test_a_step_that_is_known_may_be_rounded_in_every_multiple_of_it(
    off_mm: float, regular: bool
) -> None:
    # 1 or 2 steps: 0.2 mm; 10 steps of a step that was rounded itself: 1 mm.
    for steps, allowed in ((1, 0.2), (2, 0.2), (3, 0.3), (10, 1.0)):
        apart = steps * 5.0 + allowed - 0.2 + off_mm
        if regular:
            assert fit_stack(along([0.0, apart]), AXIAL, step_mm=5.0).numbers.tolist() == [0, steps]
        else:
            with pytest.raises(IrregularStack):
                fit_stack(along([0.0, apart]), AXIAL, step_mm=5.0)


def test_a_plane_beside_the_line_says_its_distance_to_the_one_before() -> None:
    positions = along([0.0, 2.5, 5.0, 10.0, 12.5])
    positions[3, 1] = 1.0
    with pytest.raises(IrregularStack) as found:
        fit_stack(positions, AXIAL)
    assert (found.value.index, found.value.found_mm, found.value.expected_mm) == (3, 5.0, 2.5)
    positions[3, 1], positions[0, 1] = 0.0, 2.0
    with pytest.raises(IrregularStack) as found:
        fit_stack(positions, AXIAL)
    assert (found.value.index, found.value.found_mm) == (0, 2.5)
    further = along([0.0, *(2.5 * number for number in range(2, 20))])
    further[0, 1] = 2.0
    with pytest.raises(IrregularStack) as found:
        fit_stack(further, AXIAL)
    assert (found.value.index, found.value.found_mm) == (0, 5.0)


def test_the_affine_is_columns_of_steps_and_an_origin() -> None:
    stack = Stack(
        numbers=np.array([0, 1]),
        origin_mm=np.array([-10.0, -20.0, -100.0]),
        step_mm=np.array([0.5, -0.25, 2.5]),
    )
    affine = stack.affine(
        row_direction=(0.8, 0.6, 0.0), col_direction=(-0.6, 0.8, 0.0), spacing_mm=(0.5, 2.0)
    )
    assert affine == pytest.approx(
        np.array(
            [
                [0.5, -0.3, 1.6, -10.0],
                [-0.25, 0.4, 1.2, -20.0],
                [2.5, 0.0, 0.0, -100.0],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )
    )


@settings(max_examples=600, deadline=None)
@given(
    step=st.sampled_from(STEPS_MM) | st.floats(0.5, 10).map(lambda mm: round(mm, 4)),
    origin=st.floats(-2000, 2000).map(lambda mm: round(mm, 4)),
    rounding=st.sampled_from(sorted(ROUNDINGS)),
    tilt=st.floats(-30, 30),
    count=st.integers(2, 400),
    lost=st.sets(st.integers(1, 398), max_size=5),
    downwards=st.booleans(),
)
def test_positions_that_were_rounded_make_the_stack_that_they_were_rounded_from(
    step: float,
    origin: float,
    rounding: str,
    tilt: float,
    count: int,
    lost: set[int],
    downwards: bool,
) -> None:
    tilt = math.radians(tilt)
    normal = np.array([0.0, -math.sin(tilt), math.cos(tilt)])
    true_step = np.array([0.0, 0.0, step / math.cos(tilt)])
    kept = [number for number in range(count) if number not in lost or number >= count - 1]
    kept = kept if len(kept) > len(lost) + 2 else list(range(count))
    exact = np.array([(-166.0, -171.7, origin) + number * true_step for number in kept])
    rounded = np.vectorize(ROUNDINGS[rounding])(exact)
    stack = fit_stack(rounded[::-1] if downwards else rounded, normal)
    assert stack.numbers.tolist() == (kept[::-1] if downwards else kept)
    # A step that is a tenth of a millimetre wrong at both ends of n slices is 0.2 / n wrong.
    assert stack.step_mm == pytest.approx(true_step, abs=2 * JITTER_MM / max(kept))
    assert stack.origin_mm == pytest.approx(exact[0], abs=2 * JITTER_MM)
