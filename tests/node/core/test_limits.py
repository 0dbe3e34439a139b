"""What a nodule's number must be read with."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.card import ModelCard
from m3net.grid import GridBox
from m3net.measurements import NOT_MEASURED, Measured, measure
from m3net.nodule import Nodule
from m3net.placed import PlacedNodule
from m3net.volume import CTVolume
from m3net.weights import load_card
from node.core.limits import LEAST_AXIS, MOST_AXIS, limits_of
from tests.node.core.test_drawn import masked, nodule, volume

CT = volume()  # 10 slices, 2.5 mm apart
THIN = replace(CT, affine=CT.affine @ np.diag([0.4, 1, 1, 1]))
CARD = load_card("default")
BOX = GridBox(first=(3, 5, 5), shape=(5, 10, 15))


def limits(
    mark: Nodule,
    ct: CTVolume = CT,
    *,
    measured: Measured | None = NOT_MEASURED,
    card: ModelCard = CARD,
    doubt: str | None = None,
    needed: GridBox = BOX,
    thickness_mm: float | None = 1.0,
    not_received: int = 0,
) -> tuple[str, ...]:
    placed = PlacedNodule(nodule=mark, volume=ct)
    return limits_of(
        placed,
        measure(placed, thickness_mm=thickness_mm) if measured is None else measured,
        card=card,
        doubt=doubt,
        needed=needed,
        thickness_mm=thickness_mm,
        not_received=not_received,
    )


def outlined(ct: CTVolume = CT, first: int = 4, slices: int = 3) -> Nodule:
    return masked(ct, (first, 9, 14), (slices, 3, 3))


def test_of_thin_slices_an_outline_is_the_only_limit() -> None:
    assert limits(outlined(THIN), THIN) == ("one annotation's outline",)


@pytest.mark.parametrize(
    ("diameter_mm", "limit"), [(None, "a point, no outline"), (12.0, "a circle, no outline")]
)
def test_what_is_no_outline_is_said_first(diameter_mm: float | None, limit: str) -> None:
    mark = nodule(THIN, (5, 10, 15), diameter_mm=diameter_mm)
    assert limits(mark, THIN)[0] == limit


def test_a_doubt_stands_before_everything() -> None:
    assert limits(outlined(), doubt="it may be a vessel")[0] == "it may be a vessel"


@pytest.mark.parametrize(
    ("thickness_mm", "limit"),
    [(None, "slices of 2.5 mm"), (1.0, "slices of 2.5 mm"), (5.0, "slices of 5 mm")],
)
def test_thick_slices_are_named_whether_thick_or_far_apart(
    thickness_mm: float | None, limit: str
) -> None:
    assert limit in limits(outlined(), thickness_mm=thickness_mm)


@pytest.mark.parametrize(
    ("thickness_mm", "named"), [(1.5, False), (1.51, False), (1.52, True), (None, False)]
)
def test_slices_of_a_millimetre_and_a_half_are_thin(
    thickness_mm: float | None, named: bool
) -> None:
    said = limits(outlined(THIN), THIN, thickness_mm=thickness_mm)
    assert any(each.startswith("slices of") for each in said) is named


@pytest.mark.parametrize(
    ("slices", "limit"), [(1, "on 1 slice of 1 mm"), (2, "on 2 slices of 1 mm")]
)
def test_a_nodule_on_one_or_two_slices_is_said_to_be(slices: int, limit: str) -> None:
    assert limit in limits(outlined(THIN, slices=slices), THIN)


@pytest.mark.parametrize(
    ("first", "limit"),
    [((0, 9, 14), "the scan ends in it"), ((7, 9, 14), "the scan ends in it")],
)
def test_a_scan_that_ends_in_the_mark_is_named(first: tuple[int, int, int], limit: str) -> None:
    assert limit in limits(masked(THIN, first, (3, 3, 3)), THIN, measured=None)


@pytest.mark.parametrize(
    "corner",
    [(4, 0, 14), (4, 17, 14), (4, 9, 0), (4, 9, 27)],
    ids=["top", "bottom", "left", "right"],
)
def test_an_image_that_ends_in_the_mark_is_named(corner: tuple[int, int, int]) -> None:
    """Nothing is measured of it then, and without a word that looks like a short report."""
    said = limits(masked(THIN, corner, (3, 3, 3)), THIN, measured=None)
    assert "the image ends in it" in said


@pytest.mark.parametrize(
    ("first", "shape", "limit"),
    [
        ((-2, 5, 5), (8, 10, 15), "the scan ends beside it"),
        ((4, 5, 5), (7, 10, 15), "the scan ends beside it"),
        ((3, -1, 5), (5, 10, 15), "the image ends beside it"),
        ((3, 5, 5), (5, 16, 15), "the image ends beside it"),
        ((3, 5, -1), (5, 10, 15), "the image ends beside it"),
        ((3, 5, 5), (5, 10, 26), "the image ends beside it"),
        ((-1, 5, 5), (8, 10, 26), "the scan and the image end beside it"),
        ((0, 0, 0), (10, 20, 30), None),
    ],
)
def test_what_ends_beside_the_nodule_is_named(
    first: tuple[int, int, int], shape: tuple[int, int, int], limit: str | None
) -> None:
    said = limits(outlined(THIN), THIN, needed=GridBox(first=first, shape=shape))
    assert [each for each in said if "end" in each] == ([limit] if limit else [])


def test_one_border_may_end_in_the_nodule_and_the_other_beside_it() -> None:
    mark = masked(THIN, (4, 9, 0), (3, 8, 8))
    beyond = GridBox(first=(-1, 5, -4), shape=(8, 10, 15))
    said = limits(mark, THIN, measured=None, needed=beyond)
    assert "the image ends in it: it is 5 mm or longer" in said
    assert "the scan ends beside it" in said


@pytest.mark.parametrize(
    ("missing", "not_received", "limit"),
    [
        (frozenset({9}), 0, "incomplete series: 1 slice not received"),
        (frozenset(), 3, "incomplete series: 3 slices not received"),
        (frozenset({0, 9}), 1, "incomplete series: 2 slices not received"),
    ],
)
def test_an_incomplete_series_is_named(
    missing: frozenset[int], not_received: int, limit: str
) -> None:
    assert limit in limits(outlined(), volume(missing=missing), not_received=not_received)


@pytest.mark.parametrize(
    ("long_axis_mm", "limit"),
    [
        (3.6, "smaller than any nodule that the model learnt from (4 to 60 mm)"),
        (4.4, None),
        (59.9, None),
        (72.0, "larger than any nodule that the model learnt from (4 to 60 mm)"),
    ],
)
def test_a_size_that_the_model_never_saw_is_named(long_axis_mm: float, limit: str | None) -> None:
    measured = Measured(long_axis_mm=long_axis_mm, short_axis_mm=3.0)
    said = [each for each in limits(outlined(), measured=measured) if "learnt from" in each]
    assert said == ([] if limit is None else [limit])
    silent = limits(outlined(), measured=measured, card=load_card("untrained"))
    assert not any("learnt from" in each for each in silent)


@pytest.mark.parametrize(
    ("long_axis_mm", "which"),
    [(3.9, "smaller"), (4.0, None), (60.0, None), (60.1, "larger"), (None, None)],
)
@pytest.mark.parametrize("known", [(LEAST_AXIS, MOST_AXIS), (LEAST_AXIS,), (MOST_AXIS,)])
def test_the_smallest_and_the_largest_that_the_model_saw_are_of_sizes_that_it_saw(
    known: tuple[str, ...], long_axis_mm: float | None, which: str | None
) -> None:
    sizes = {LEAST_AXIS: 4.0, MOST_AXIS: 60.0}
    card = replace(CARD, metrics={name: sizes[name] for name in known})
    measured = replace(NOT_MEASURED, long_axis_mm=long_axis_mm)
    said = [each for each in limits(outlined(), measured=measured, card=card) if "learnt" in each]
    assert [each.split()[0] for each in said] == ([which] if which and len(known) == 2 else [])


def test_loss_by_compression_is_named() -> None:
    assert "the CT was compressed with loss" in limits(outlined(), replace(CT, lossy=True))
