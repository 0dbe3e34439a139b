"""A volume's indices and millimetres, its borders, and what it lacks."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    SeriesInstanceUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from m3net.volume import AIR_HU, CTVolume, nearest_index, transform, why_not_whole

AFFINE = np.array(
    [
        [0.0, 0.0, 0.75, -10.0],
        [1.0, 0.5, 0.0, -20.0],  # a tilted gantry: each slice stands 1 mm further on
        [2.0, 0.0, 0.0, -100.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def volume(*, missing: frozenset[int] = frozenset()) -> CTVolume:
    return CTVolume(
        hu=np.zeros((10, 4, 6), dtype=np.int16),
        affine=AFFINE,
        study_instance_uid=StudyInstanceUID("1.1"),
        series_instance_uid=SeriesInstanceUID("1.2"),
        frame_of_reference_uid=FrameOfReferenceUID("1.3"),
        frames=(None,) * 10,
        missing=missing,
    )


def test_a_slice_is_there_if_the_scan_has_it_and_it_was_received() -> None:
    frames = [FrameKey(SOPInstanceUID(f"1.4.{z}")) for z in range(10)]
    ct = replace(volume(), frames=[None if z == 3 else frames[z] for z in range(10)])
    assert [z for z in range(-2, 13) if ct.has_slice(z)] == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_a_volume_is_whole_and_without_loss_unless_it_is_said() -> None:
    assert (volume().missing, volume().lossy, volume().notes) == (frozenset(), False, ())


def test_air_is_a_thousand_below_water() -> None:
    assert AIR_HU == -1000


@pytest.mark.parametrize(
    ("index", "whole"),
    [(0.4, 0), (0.5, 1), (1.5, 2), (0.49999, 0), (0.4999995, 1), (-0.5, 0), (-0.6, -1), (2.0, 2)],
)
def test_halves_go_up(index: float, whole: int) -> None:
    assert nearest_index(np.array([index])).tolist() == [whole]


def test_an_index_is_turned_scaled_and_moved() -> None:
    assert transform(AFFINE, [1, 2, 3]).tolist() == [-7.75, -18.0, -98.0]
    assert volume().to_mm([[1, 2, 3], [0, 0, 0]]).tolist() == [
        [-7.75, -18.0, -98.0],
        [-10.0, -20.0, -100.0],
    ]
    assert volume().to_index([-7.75, -18.0, -98.0]) == pytest.approx([1, 2, 3])


def test_spacings_are_lengths_of_steps() -> None:
    assert volume().spacing_mm == pytest.approx((5**0.5, 0.5, 0.75))
    assert volume().shape == (10, 4, 6)


@pytest.mark.parametrize(
    ("index", "inside"),
    [
        ((-0.49, 0, 0), True),
        ((-0.51, 0, 0), False),
        ((0, -0.49, 0), True),
        ((0, -0.51, 0), False),
        ((0, 0, -0.51), False),
        ((9.49, 3.49, 5.49), True),
        ((9.51, 0, 0), False),
        ((0, 3.51, 0), False),
        ((0, 0, 5.51), False),
    ],
)
def test_a_volume_holds_the_outer_halves_of_its_voxels(
    index: tuple[float, float, float], inside: bool
) -> None:
    ct = volume()
    assert ct.contains(ct.to_mm(index)) is inside


def test_on_the_very_border_a_point_is_inside() -> None:
    square = CTVolume(
        hu=np.zeros((2, 2, 2), dtype=np.int16),
        affine=np.eye(4),
        study_instance_uid=StudyInstanceUID("1.1"),
        series_instance_uid=SeriesInstanceUID("1.2"),
        frame_of_reference_uid=FrameOfReferenceUID("1.3"),
        frames=(None, None),
    )
    assert square.contains((-0.5, -0.5, -0.5))
    assert square.contains((1.5, 1.5, 1.5))
    assert not square.contains((1.5, 1.5, 1.51))


def test_only_slices_that_are_absent_inside_the_scan_are_missed() -> None:
    whole = volume()
    assert why_not_whole(whole, range(-5, 15), whole.to_mm((0, 0, 0))) is None
    lacking = volume(missing=frozenset({0, 6, 7, 9}))
    assert why_not_whole(lacking, range(1, 6), lacking.to_mm((3, 0, 0))) is None
    assert why_not_whole(lacking, range(8, 9), lacking.to_mm((8, 0, 0))) is None
    assert why_not_whole(lacking, range(2, 8), lacking.to_mm((3.5, 0, 0))) == (
        "2 of the 6 CT slices about the nodule are missing, the nearest 5.6 mm from its centre; "
        "resend the series"
    )
    assert why_not_whole(lacking, range(-4, 2), lacking.to_mm((1, 0, 0))) == (
        "1 of the 2 CT slices about the nodule are missing, the nearest 2.2 mm from its centre; "
        "resend the series"
    )
    assert why_not_whole(lacking, range(8, 13), lacking.to_mm((8, 0, 0))) == (
        "1 of the 2 CT slices about the nodule are missing, the nearest 2.2 mm from its centre; "
        "resend the series"
    )
