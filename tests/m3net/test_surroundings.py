"""Whether a mark can be a nodule in lung: bodies of plain shapes, and real ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from m3net.ct.series import read_series_files
from m3net.errors import NoduleUnusable
from m3net.nodule import Mask, Nodule, Point
from m3net.placed import PlacedNodule
from m3net.surroundings import (
    Surroundings,
    _mean_hu_without,
    check_surroundings,
    doubt_of,
    measure,
    why_no_nodule,
)
from m3net.volume import CTVolume
from tests import lidc

AIR, LUNG, FAT, TISSUE, BONE = -1000, -850, -100, 40, 400
SPACING_MM = (2.5, 2.0, 2.0)


def body() -> NDArray[np.int16]:
    """40 slices of 256 mm: air, a body of tissue, in it a lung of 120 mm and bone along z."""
    _, y, x = np.mgrid[:40, :128, :128]
    hu = np.full(y.shape, AIR, dtype=np.int16)
    hu[(y > 14) & (y < 114) & (x > 14) & (x < 114)] = TISSUE
    hu[(y > 34) & (y < 94) & (x > 34) & (x < 94)] = LUNG
    hu[(abs(y - 64) < 5) & (abs(x - 30) < 3)] = BONE
    hu[120:, 120:] = AIR
    return hu


def volume(hu: NDArray[np.int16], missing: frozenset[int] = frozenset()) -> CTVolume:
    return CTVolume(
        hu=hu,
        affine=np.array(
            [
                [0.0, 0.0, SPACING_MM[2], 0.0],
                [0.0, SPACING_MM[1], 0.0, 0.0],
                [SPACING_MM[0], 0.0, 0.0, 0.0],
                [0.0, 0.0, 0.0, 1.0],
            ]
        ),
        study_instance_uid="1",
        series_instance_uid="2",
        frame_of_reference_uid="3",
        frames=(None,) * len(hu),
        missing=missing,
    )


def nodule(centre_mm: Point, diameter_mm: float | None = None, mask: Mask | None = None) -> Nodule:
    return Nodule(
        centre_mm=centre_mm,
        mask=mask,
        diameter_mm=diameter_mm,
        tracking_uid="1",
        tracking_id="Nodule",
        sources=(),
    )


def at(
    index: tuple[float, float, float],
    *,
    diameter_mm: float | None = 10.0,
    hu: NDArray[np.int16] | None = None,
) -> PlacedNodule:
    ct = volume(body() if hu is None else hu)
    x, y, z = ct.to_mm(index).tolist()
    return PlacedNodule(nodule=nodule((x, y, z), diameter_mm), volume=ct)


def ball(hu: NDArray[np.int16], index: tuple[int, int, int], radius_mm: float, value: int) -> None:
    grid = np.stack(np.mgrid[: hu.shape[0], : hu.shape[1], : hu.shape[2]], axis=-1)
    away = np.linalg.norm((grid - index) * SPACING_MM, axis=-1)
    hu[away <= radius_mm] = value


def verdict(placed: PlacedNodule, *, max_diameter_mm: float = 100.0) -> str:
    """What is said, and whether it refuses the mark."""
    try:
        doubt = check_surroundings(placed, max_diameter_mm=max_diameter_mm)
    except NoduleUnusable as reason:
        return f"refused: {reason}"
    return f"doubtful: {doubt}" if doubt else "fine"


def with_nodule(index: tuple[int, int, int], value: int = TISSUE) -> NDArray[np.int16]:
    hu = body()
    ball(hu, index, 5.0, value)
    return hu


@pytest.mark.parametrize("column", [58, 63])
def test_where_the_field_of_view_ends_in_the_lung_its_padding_is_no_air_outside_the_body(
    column: int,
) -> None:
    """The field begins beside the nodule, or within it."""
    centre = (20, 64, 64)
    hu = with_nodule(centre)
    hu[:, :, :column] = AIR
    padding = np.zeros(hu.shape, bool)
    padding[:, :, :column] = True
    placed = at(centre, hu=hu)
    padded = replace(placed.volume, padding=np.packbits(padding, axis=2))
    assert verdict(replace(placed, volume=padded)) == "fine"
    if column == 63:
        assert verdict(placed).startswith("refused: it is marked outside the body")


def test_beyond_the_field_of_view_air_outside_the_body_goes_on() -> None:
    """A mark beside the patient, where a round field of view ends."""
    hu = body()
    padding = np.zeros(hu.shape, bool)
    padding[:, :, :4] = True
    placed = at((20, 64, 7), hu=hu)
    padded = replace(placed.volume, padding=np.packbits(padding, axis=2))
    assert verdict(replace(placed, volume=padded)).startswith("refused: it is marked outside")


@pytest.mark.parametrize("diameter_mm", [10.0, None])
@pytest.mark.parametrize("value", [TISSUE, BONE, -600])
def test_a_nodule_in_lung_is_fine_solid_or_not_or_calcified(
    diameter_mm: float | None, value: int
) -> None:
    centre = (20, 64, 64)
    placed = at(centre, diameter_mm=diameter_mm, hu=with_nodule(centre, value))
    assert verdict(placed) == "fine"


@pytest.mark.parametrize(
    ("index", "diameter_mm", "said"),
    [
        ((20, 64, 22), 10.0, "refused: it is not marked in the lung: 0 % of what lies 2 to 8 mm"),
        ((20, 64, 22), None, "refused: it is not marked in the lung"),
        ((20, 64, 30), 8.0, "refused: what is marked is bone or contrast that goes on beyond it"),
        ((20, 64, 30), None, "refused: what is marked is bone or contrast that goes on beyond it"),
        ((20, 4, 64), 10.0, "refused: it is marked outside the body"),
        ((20, 14, 64), 10.0, "refused: it is marked outside the body or at its surface"),
        ((20, 64, 34), 14.0, "doubtful: bone or contrast in it goes on beyond it"),
        (
            (20, 40, 33),
            10.0,
            "doubtful: only 34 % of what lies 2 to 8 mm beyond it is lung: it may lie in chest",
        ),
        (
            (20, 64, 64),
            10.0,
            "refused: nothing is marked but lung: it is 0 HU denser than the lung",
        ),
        (
            (20, 64, 64),
            None,
            "refused: nothing is marked but lung: it is 0 HU denser than the lung",
        ),
    ],
)
def test_what_is_no_lung_is_refused_and_what_may_be_is_doubted(
    index: tuple[int, int, int], diameter_mm: float | None, said: str
) -> None:
    assert verdict(at(index, diameter_mm=diameter_mm)).startswith(said)


def test_an_airway_is_no_nodule_and_a_mark_that_holds_much_of_one_is_doubtful() -> None:
    hu = body()
    hu[:, 60:69, 60:69] = AIR
    assert verdict(at((20, 64, 64), hu=hu)) == (
        "refused: most of what is marked is air, as in a cyst, a bulla or an airway; a cavity "
        "is judged if it is outlined with its whole wall"
    )
    ball(hu, (20, 64, 74), 5.0, TISSUE)
    said = verdict(at((20, 64, 70), diameter_mm=18.0, hu=hu))
    assert said.endswith("it may be an airway or a cavity")


def test_a_cavity_is_a_nodule() -> None:
    hu = with_nodule((20, 64, 64))
    ball(hu, (20, 64, 64), 2.5, AIR)
    assert verdict(at((20, 64, 64), hu=hu)) == "fine"
    assert verdict(at((20, 64, 64), diameter_mm=None, hu=hu)) == "fine"


def test_of_an_outline_less_lung_about_it_is_enough_than_of_a_point() -> None:
    centre = (20, 40, 34)
    placed = at(centre, diameter_mm=12.0, hu=with_nodule(centre))
    marked = placed.voxels(bare_radius_mm=3.0)
    mask = Mask(voxels=marked.inside, affine=marked.box.affine(placed.volume))
    outlined = replace(placed, nodule=nodule(placed.nodule.centre_mm, mask=mask))
    assert 0.35 < measure(outlined).lung < 0.5
    assert verdict(outlined) == "fine"


def test_a_vessel_that_a_nodule_sits_on_is_said_and_not_refused() -> None:
    hu = with_nodule((20, 64, 64))
    hu[:, 63:66, 63:66] = BONE
    assert verdict(at((20, 64, 64), hu=hu)) == (
        "doubtful: bone or contrast in it goes on beyond it: it may be a rib or a vessel"
    )


def test_a_point_and_a_small_circle_may_stand_in_a_large_nodule() -> None:
    hu = body()
    ball(hu, (20, 64, 64), 12.0, TISSUE)
    assert verdict(at((20, 64, 64), diameter_mm=None, hu=hu)) == "fine"
    assert verdict(at((20, 64, 64), diameter_mm=4.0, hu=hu)) == (
        "doubtful: only 0 % of what lies 2 to 8 mm beyond it is lung: it may lie in chest wall, "
        "mediastinum or beside consolidation"
    )


def test_a_point_in_a_small_airway_is_refused_whatever_lies_further_away() -> None:
    hu = body()
    ball(hu, (20, 64, 64), 7.0, AIR)
    assert verdict(at((20, 64, 64), diameter_mm=None, hu=hu)).startswith(
        "refused: most of what is marked is air"
    )


def test_about_a_circle_what_is_larger_than_it_may_be_the_nodule_and_nothing_smaller() -> None:
    hu = body()
    ball(hu, (20, 64, 64), 16.5, TISSUE)
    in_a_larger_one = measure(at((20, 64, 64), diameter_mm=16.0, hu=hu))
    assert (in_a_larger_one.lung, in_a_larger_one.further) == pytest.approx((0.0, 1.0), abs=0.05)
    thin = filled(TISSUE)
    away = np.linalg.norm(np.stack(np.mgrid[:31, :31, :31], axis=-1) - 15.0, axis=-1)
    thin[(away > 8) & (away < 9.5)] = LUNG
    ct = replace(volume(thin), affine=np.eye(4)[[2, 1, 0, 3]])
    lung = {
        diameter_mm: measure(
            PlacedNodule(nodule=nodule((15.0, 15.0, 15.0), diameter_mm), volume=ct)
        ).further
        for diameter_mm in (11.0, 14.0)
    }
    assert lung[11.0] > 0.1 > lung[14.0]


def test_a_mask_between_the_voxels_is_measured_as_a_ball_of_three_millimetres() -> None:
    hu = body()
    ball(hu, (20, 64, 64), 4.5, TISSUE)
    ct = volume(hu)
    affine = ct.affine @ np.diag([0.2, 0.2, 0.2, 1.0])
    x, y, z = ct.to_mm((20.4, 64.4, 64.4)).tolist()
    affine[:3, 3] = x, y, z
    mask = Mask(voxels=np.ones((1, 1, 1), dtype=np.bool_), affine=affine)
    placed = PlacedNodule(nodule=nodule((x, y, z), mask=mask), volume=ct)
    assert measure(placed).tissue == 1.0


@pytest.mark.parametrize(
    ("diameter_mm", "bound_mm", "said"),
    [
        (101.0, 100.0, "refused: what is marked is 101 mm long, expected 100 mm at most"),
        (100.0, 100.0, "fine"),
        (31.0, 30.0, "refused: what is marked is 31 mm long, expected 30 mm at most"),
        (30.0, 30.0, "fine"),
    ],
)
def test_what_reaches_too_far_is_no_nodule(diameter_mm: float, bound_mm: float, said: str) -> None:
    hu = body()
    ball(hu, (20, 64, 64), 15.0, TISSUE)
    placed = at((20, 64, 64), diameter_mm=diameter_mm, hu=hu)
    assert verdict(placed, max_diameter_mm=bound_mm).startswith(said)


@pytest.mark.parametrize(
    ("voxels", "stated_mm", "longest_mm"),
    [((1, 3, 60), None, 118), ((1, 60, 3), 150.0, 150), ((45, 3, 52), 105.0, 110)],
)
def test_a_mask_that_reaches_too_far_is_no_nodule(
    voxels: tuple[int, int, int], stated_mm: float | None, longest_mm: int
) -> None:
    ct = volume(body())
    mask = Mask(voxels=np.ones(voxels, dtype=np.bool_), affine=ct.affine)
    placed = PlacedNodule(nodule=nodule((0.0, 0.0, 0.0), stated_mm, mask=mask), volume=ct)
    assert verdict(placed) == (
        f"refused: what is marked is {longest_mm} mm long, expected 100 mm at most: it is no nodule"
    )


def test_slices_that_are_missing_are_neither_air_nor_lung() -> None:
    hu = with_nodule((20, 64, 64))
    placed = at((20, 64, 64), hu=hu)
    holed = hu.copy()
    holed[22:24] = AIR
    lacking = replace(placed, volume=volume(holed, frozenset({22, 23})))
    assert measure(lacking).lung == pytest.approx(1.0)
    assert measure(lacking).air == 0.0
    elsewhere = replace(placed, volume=volume(hu, frozenset({2, 37})))
    assert measure(elsewhere) == measure(placed)


def test_of_a_mark_on_missing_slices_alone_nothing_is_known() -> None:
    placed = at((20, 64, 64), hu=with_nodule((20, 64, 64)))
    lacking = replace(placed, volume=volume(placed.volume.hu, frozenset(range(16, 25))))
    found = measure(lacking)
    assert (found.air, found.tissue, found.dense, found.contrast_hu) == (0.0, 0.0, 0.0, math.inf)


def test_a_field_of_view_that_cuts_the_lung_has_no_outside() -> None:
    hu = with_nodule((20, 64, 64))[:, 40:88, 40:88]
    hu[hu == LUNG] = -960
    assert verdict(at((20, 24, 24), hu=hu)) == "fine"


def test_air_outside_is_told_from_lung_by_blocks_of_pixels_of_any_size() -> None:
    """Fine pixels, and no whole number of blocks to a row or column."""
    hu = np.full((12, 187, 191), AIR, dtype=np.int16)
    hu[:, 20:167, 20:171] = TISSUE
    hu[:, 50:137, 50:141] = -960
    ct = replace(volume(hu), affine=volume(hu).affine @ np.diag([1.0, 0.7, 0.7, 1.0]))
    for index, outside in (((6, 93, 95), 0.0), ((6, 8, 95), 1.0), ((6, 93, 180), 1.0)):
        x, y, z = ct.to_mm(index).tolist()
        placed = PlacedNodule(nodule=nodule((x, y, z), 4.0), volume=ct)
        assert measure(placed).outside == pytest.approx(outside, abs=0.2), index


@pytest.mark.parametrize(
    ("row", "outlined"),
    [(-40, False), (-11, False), (-40, True), (-10, True)],  # all that is looked at ends at row 0
)
def test_a_mark_beside_the_volume_is_outside(row: int, outlined: bool) -> None:
    placed = at((20, row, 64))
    if outlined:
        mask = Mask(voxels=np.ones((3, 5, 5), dtype=np.bool_), affine=placed.volume.affine.copy())
        mask.affine[:3, 3] = placed.volume.to_mm((19, row - 2, 62))
        placed = replace(placed, nodule=nodule(placed.nodule.centre_mm, mask=mask))
    assert measure(placed) == Surroundings(
        lung=0.0,
        further=0.0,
        outside=1.0,
        air=1.0,
        tissue=0.0,
        dense=0.0,
        contrast_hu=math.inf,
    )


@pytest.mark.parametrize(("value", "refused"), [(LUNG + 40, True), (LUNG + 42, False)])
@pytest.mark.parametrize("outlined", [True, False])
def test_what_is_hardly_denser_than_the_lung_about_it_is_refused(
    value: int, refused: bool, outlined: bool
) -> None:
    centre = (20, 64, 64)
    placed = at(centre, diameter_mm=10.0, hu=with_nodule(centre, value))
    if outlined:
        marked = placed.voxels(bare_radius_mm=5.0)
        mask = Mask(voxels=marked.inside, affine=marked.box.affine(placed.volume))
        placed = replace(placed, nodule=nodule(placed.nodule.centre_mm, mask=mask))
    assert verdict(placed).startswith("refused: nothing is marked but lung") is refused


def test_an_outline_on_empty_lung_of_any_size_is_refused() -> None:
    noise = np.random.default_rng(7).normal(0, 60, body().shape)
    hu = (body() + noise).astype(np.int16)
    for diameter_mm in (3.0, 6.0, 10.0, 20.0, 35.0):
        said = verdict(at((20, 64, 64), diameter_mm=diameter_mm, hu=hu))
        assert said.startswith("refused: nothing is marked but lung"), diameter_mm


def test_a_faint_ground_glass_nodule_and_a_circle_of_twice_its_size_are_not_refused() -> None:
    centre = (20, 64, 64)
    hu = with_nodule(centre, -650)
    for diameter_mm in (10.0, 20.0, None):
        assert not verdict(at(centre, diameter_mm=diameter_mm, hu=hu)).startswith("refused")


SOUND = Surroundings(
    lung=0.9, further=0.9, outside=0.0, air=0.0, tissue=0.9, dense=0.0, contrast_hu=700.0
)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({}, None),
        ({"outside": 0.25}, "outside the body or at its surface"),
        ({"outside": 0.249}, None),
        ({"outside": 0.1, "lung": 0.349}, "outside the body or at its surface"),
        ({"outside": 0.1, "lung": 0.35}, None),
        ({"outside": 0.099, "lung": 0.349}, None),
        ({"air": 0.51}, "most of what is marked is air"),
        ({"air": 0.5}, None),
        ({"dense": 0.25, "further": 0.549}, "bone or contrast that goes on beyond it"),
        ({"dense": 0.25, "further": 0.55}, None),
        ({"dense": 0.249, "further": 0.549}, None),
        ({"further": 0.099}, "not marked in the lung: 10 % of what lies 2 to 8 mm beyond it"),
        ({"further": 0.04}, "not marked in the lung: 4 % of what lies 2 to 8 mm beyond it"),
        ({"further": 0.0}, "between -1000 and -500 HU, expected 10 % or more"),
        ({"further": 0.1}, None),
        ({"contrast_hu": 40.9}, "nothing is marked but lung: it is 41 HU denser than the lung"),
        ({"contrast_hu": -3.0}, "it is -3 HU denser than the lung about it, expected 41 HU"),
        ({"contrast_hu": 41.0}, None),
    ],
)
def test_why_no_nodule_can_be_there(found: dict[str, float], reason: str | None) -> None:
    said = why_no_nodule(replace(SOUND, **found))
    assert said is None if reason is None else reason in str(said)


@pytest.mark.parametrize(
    ("found", "about_a_point", "doubt"),
    [
        ({}, False, None),
        ({}, True, None),
        ({"lung": 0.349}, False, "only 35 % of what lies 2 to 8 mm beyond it is lung"),
        ({"lung": 0.35}, False, None),
        ({"lung": 0.499}, True, "only 50 % of what lies 2 to 8 mm beyond it is lung"),
        ({"lung": 0.5}, True, None),
        ({"dense": 0.1}, False, "it may be a rib or a vessel"),
        ({"dense": 0.099}, False, None),
        ({"air": 0.444}, False, "44 % of what is marked is air: it may be an airway or a cavity"),
        ({"air": 0.2}, False, "20 % of what is marked is air: it may be an airway or a cavity"),
        ({"air": 0.199}, False, None),
        ({"tissue": 0.0}, False, "nothing that is marked is denser than lung"),
        ({"tissue": 0.001}, False, None),
        ({"lung": 0.2, "dense": 0.2, "air": 0.3, "tissue": 0.0}, False, "only 20 %"),
    ],
)
def test_why_a_nodule_may_not_be_there(
    found: dict[str, float], about_a_point: bool, doubt: str | None
) -> None:
    said = doubt_of(replace(SOUND, **found), about_a_point=about_a_point)
    assert said is None if doubt is None else doubt in str(said)


def one_voxel(hu: NDArray[np.int16]) -> PlacedNodule:
    """The middle one of 31 x 31 x 31 voxels of 1 mm, marked."""
    ct = replace(volume(hu), affine=np.eye(4)[[2, 1, 0, 3]])
    affine = ct.affine.copy()
    affine[:3, 3] = 15.0
    mask = Mask(voxels=np.ones((1, 1, 1), dtype=np.bool_), affine=affine)
    return PlacedNodule(nodule=nodule((15.0, 15.0, 15.0), mask=mask), volume=ct)


def filled(value: int) -> NDArray[np.int16]:
    return np.full((31, 31, 31), value, dtype=np.int16)


@pytest.mark.parametrize(
    ("away_mm", "counts"), [(1, False), (2, False), (3, True), (8, True), (9, False)]
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_lung_about_a_mark_is_what_lies_two_to_eight_millimetres_beyond_it(
    away_mm: int, counts: bool, axis: int
) -> None:
    hu = filled(TISSUE)
    hu[tuple(15 + away_mm if each == axis else 15 for each in range(3))] = LUNG
    assert (measure(one_voxel(hu)).lung > 0) is counts


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_very_border_of_the_scan_is_looked_at(axis: int, at_end: bool) -> None:
    hu = filled(TISSUE)
    border, marked = [15, 15, 15], [15, 15, 15]
    border[axis], marked[axis] = (30, 26) if at_end else (0, 4)
    hu[tuple(border)] = LUNG
    placed = one_voxel(hu)
    mask = placed.nodule.mask
    assert mask is not None
    mask.affine[:3, 3] = placed.volume.to_mm(marked)
    assert measure(placed).lung > 0


@pytest.mark.parametrize(("value", "outside"), [(-931, True), (-930, False)])
def test_air_outside_is_darker_than_lung_may_be(value: int, outside: bool) -> None:
    hu = body()
    hu[hu == AIR] = value
    assert (measure(at((20, 20, 64), hu=hu)).outside > 0) is outside


@pytest.mark.parametrize(
    ("value", "lung", "air", "tissue"),
    [
        (-1000, 0, 1, 0),
        (-999, 1, 1, 0),
        (-901, 1, 1, 0),
        (-900, 1, 0, 0),
        (-751, 1, 0, 0),
        (-750, 1, 0, 1),
        (-501, 1, 0, 1),
        (-500, 0, 0, 1),
    ],
)
def test_air_lung_and_tissue_are_told_by_their_hu(
    value: int, lung: int, air: int, tissue: int
) -> None:
    found = measure(one_voxel(filled(value)))
    assert (found.lung, found.further, found.air, found.tissue) == (lung, lung, air, tissue)
    assert found.outside == 0.0


def test_contrast_is_the_marks_mean_less_that_of_the_lung_about_it() -> None:
    hu = filled(TISSUE)
    hu[10:21, 10:21, 10:21] = -700
    hu[20, 10:21, 10:21] = -800
    hu[15, 15, 15] = -650
    placed = one_voxel(hu)
    shell = measure(placed)
    assert 50.0 < shell.contrast_hu < 70.0
    hu[20, 10:21, 10:21] = -700
    assert measure(one_voxel(hu)).contrast_hu == pytest.approx(50.0)
    assert measure(one_voxel(filled(TISSUE))).contrast_hu == math.inf


@pytest.mark.parametrize(
    ("value", "begin", "width", "goes_on"),
    [
        (150, 9, 15, True),  # 4 x 15 voxels of 1 mm3 further than 8 mm away
        (149, 9, 15, False),
        (150, 9, 14, False),
        (150, 10, 15, False),
    ],
)
def test_what_is_dense_goes_on_if_sixty_cubic_millimetres_of_it_are_eight_millimetres_away(
    value: int, begin: int, width: int, goes_on: bool
) -> None:
    hu = filled(LUNG)
    hu[15, 15, 15 : 15 + begin] = value
    hu[15, 8 : 8 + width, 15 + begin : 15 + 13] = value
    hu[15, 15, 15 + begin : 15 + 14] = value
    hu[15, 16:18, 15 + 13] = value
    hu[15, 8 : 8 + width, 15 + 14] = value  # further than what is looked at
    assert measure(one_voxel(hu)).dense == (1.0 if goes_on else 0.0)
    apart = hu.copy()
    apart[15, 15, 16] = LUNG
    assert measure(one_voxel(apart)).dense == 0.0


@pytest.mark.parametrize(("pixels", "has_outside"), [(125, True), (124, False)])
@pytest.mark.parametrize("axis", [1, 2])
def test_a_field_of_view_of_a_quarter_of_a_metre_shows_the_outside(
    pixels: int, has_outside: bool, axis: int
) -> None:
    shape = [12, 130, 130]
    shape[axis] = pixels
    ct = volume(np.full(shape, AIR, dtype=np.int16))
    x, y, z = ct.to_mm((6, 60, 60)).tolist()
    found = measure(PlacedNodule(nodule=nodule((x, y, z), 4.0), volume=ct))
    assert (found.outside > 0) is has_outside


def test_how_large_the_field_of_view_is_is_told_by_rows_and_columns_each_with_its_own_spacing() -> (
    None
):
    wide = volume(np.full((3, 130, 260), AIR, dtype=np.int16))
    ct = replace(wide, affine=wide.affine @ np.diag([1.0, 1.0, 0.5, 1.0]))
    x, y, z = ct.to_mm((1, 60, 60)).tolist()
    assert measure(PlacedNodule(nodule=nodule((x, y, z), 4.0), volume=ct)).outside > 0


@pytest.mark.parametrize(
    ("pixel_mm", "count", "block"),
    [(2.0, 128, 1), (0.7, 361, 4), (1.4, 181, 2)],  # nearest to 2.8 mm
)
def test_air_outside_reaches_a_block_of_pixels_into_the_body(
    pixel_mm: float, count: int, block: int
) -> None:
    hu = np.full((3, count, count), TISSUE, dtype=np.int16)
    hu[:, :, :40] = AIR
    spaced = volume(hu)
    ct = replace(spaced, affine=np.diag([1.0, pixel_mm, pixel_mm, 1.0])[[2, 1, 0, 3]])
    reach = int(8.0 / pixel_mm)  # of the shell, in pixels
    found = []
    for column in (40 + block - 1 + reach, 40 + block + reach):
        affine = ct.affine.copy()
        affine[:3, 3] = x, y, z = ct.to_mm((1, count // 2, column)).tolist()
        mask = Mask(voxels=np.ones((1, 1, 1), dtype=np.bool_), affine=affine)
        found.append(measure(PlacedNodule(nodule=nodule((x, y, z), mask=mask), volume=ct)).outside)
    assert found[0] > 0 == found[1]


@pytest.mark.parametrize("turned", [False, True])
def test_where_there_is_but_padding_the_nearest_place_of_the_slice_counts(turned: bool) -> None:
    hu = np.zeros((4, 4), dtype=np.int16)
    hu[0, 2], hu[3, 0] = -100, -200
    if turned:
        hu = hu.T
    found = _mean_hu_without(hu == 0, hu, 1)
    assert found[0, 0] == -100
    assert set(np.unique(found)) == {-100, -200}


def test_a_slice_of_nothing_but_padding_has_no_outside_and_changes_none() -> None:
    """Whatever its neighbours show: no radius that is tried can change another's answer."""
    hu = body()
    padding = np.zeros(hu.shape, bool)
    padding[20] = True
    whole = at((22, 64, 64), diameter_mm=10.0, hu=hu)
    padded = replace(whole.volume, padding=np.packbits(padding, axis=2))
    assert measure(replace(whole, volume=padded)).outside == measure(whole).outside == 0.0


def test_of_a_block_that_is_padding_but_for_a_pixel_that_pixel_counts_whole() -> None:
    hu = np.zeros((4, 8), dtype=np.int16)
    hu[2, 1], hu[:, 4:] = -960, -40
    assert _mean_hu_without(hu == 0, hu, 4).tolist() == [[pytest.approx(-960), -40]]


PLACES = {
    "LIDC-IDRI-0001": {
        "outside": [(78, 60, 60), (78, 90, 256), (78, 5, 5), (29, 432, 256), (53, 450, 256)],
        "table": [(53, 432, 256)],
        "trachea": [(103, 252, 228), (128, 210, 230)],
        "bronchus": [(85, 270, 212)],
        "rib": [(60, 218, 87), (60, 284, 90), (60, 202, 426), (60, 267, 424), (60, 377, 146)],
        "another rib": [(85, 211, 403), (85, 262, 403), (85, 340, 400)],
        "vertebra": [(5, 280, 270), (29, 310, 268), (78, 358, 244), (103, 368, 238)],
        "sternum, humerus": [(78, 144, 256), (128, 274, 412)],
        "heart": [(53, 200, 296), (78, 198, 250)],
        "aorta": [(29, 260, 278), (78, 328, 270), (103, 278, 262)],
        "liver": [(29, 200, 158), (53, 200, 176)],
        "kidney, spleen, bowel": [(5, 290, 370), (29, 260, 428), (5, 140, 280)],
        "muscle": [(85, 300, 60)],
    },
    "LIDC-IDRI-0003": {
        "outside": [(65, 490, 256)],
        "table": [(65, 468, 268)],
        "trachea": [(95, 295, 257)],
        "rib": [(65, 302, 86), (65, 242, 420), (65, 318, 430), (65, 374, 410), (65, 399, 138)],
        "another rib": [(95, 274, 402), (95, 383, 145), (95, 390, 366)],
        "vertebra, scapula": [(65, 345, 245), (5, 330, 240), (95, 370, 260), (95, 360, 80)],
        "heart, aorta": [(65, 240, 265), (65, 330, 290), (95, 280, 300)],
        "liver, stomach": [(5, 200, 140), (5, 240, 330)],
        "muscle": [(65, 420, 300)],
    },
    "LIDC-IDRI-0023": {
        "outside": [(70, 60, 60), (70, 435, 256)],
        "table": [(70, 459, 256)],
        "trachea": [(70, 238, 253)],
        "rib": [(45, 203, 440), (45, 286, 442), (45, 358, 400), (45, 369, 143), (70, 309, 408)],
        "vertebra, sternum": [(5, 340, 264), (45, 325, 265), (70, 150, 257)],
        "heart": [(21, 200, 260)],
        "aorta": [(45, 190, 235), (45, 285, 278)],
        "liver": [(5, 200, 160)],
        "mediastinum": [(45, 245, 258)],
    },
}
"""Places (slice, row, column) that are no lung, by what they are."""

NEAR_LUNG = {
    "LIDC-IDRI-0003": [(95, 215, 265), (80, 300, 256)],  # fat before the arch, subcarinal
    "LIDC-IDRI-0023": [(5, 320, 370), (45, 110, 180)],  # spleen under the lung, chest wall
}
"""Places within a few millimetres of lung, of which a number must not go out unsaid."""

NODULE_OF_0023 = (81.74, 234.95, 316.93)


@pytest.mark.lidc
@pytest.mark.parametrize("name", sorted(PLACES))
def test_marks_on_other_organs_of_real_patients_are_refused(name: str) -> None:
    ct = read_series_files(lidc.study(name).ct)
    said = {
        (what, place, diameter_mm): verdict(placed_in(ct, place, diameter_mm))
        for what, places in PLACES[name].items()
        for place in places
        for diameter_mm in (None, 8.0)
    }
    assert [key for key, words in said.items() if not words.startswith("refused")] == []


@pytest.mark.lidc
@pytest.mark.parametrize("name", sorted(NEAR_LUNG))
def test_marks_beside_the_lung_of_real_patients_are_doubted_or_refused(name: str) -> None:
    ct = read_series_files(lidc.study(name).ct)
    for place in NEAR_LUNG[name]:
        for diameter_mm in (None, 8.0, 15.0, 25.0):
            assert verdict(placed_in(ct, place, diameter_mm)) != "fine", (place, diameter_mm)


@pytest.mark.lidc
@pytest.mark.parametrize("name", sorted(PLACES))
def test_the_nodules_of_real_patients_are_fine(name: str) -> None:
    study = lidc.study(name)
    ct = read_series_files(study.ct)
    for marked in study.nodules:
        voxels = study.mask(marked)
        first, last = (edge(np.argwhere(voxels), axis=0) for edge in (np.min, np.max))
        affine = ct.affine.copy()
        affine[:3, 3] = ct.to_mm(first)
        cropped = voxels[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))]
        mask = Mask(voxels=cropped, affine=affine)
        x, y, z = ct.to_mm(marked.centre_index).tolist()
        outlined = PlacedNodule(nodule=nodule((x, y, z), mask=mask), volume=ct)
        assert verdict(outlined) == "fine"
        assert verdict(placed_in(ct, marked.centre_index, None)) == "fine"
    if name == "LIDC-IDRI-0023":
        assert verdict(placed_in(ct, NODULE_OF_0023, None)) == "fine"
        assert verdict(placed_in(ct, NODULE_OF_0023, 20.0)) == "fine"


def placed_in(
    ct: CTVolume, index: tuple[float, float, float], diameter_mm: float | None
) -> PlacedNodule:
    x, y, z = ct.to_mm(index).tolist()
    return PlacedNodule(nodule=nodule((x, y, z), diameter_mm), volume=ct)
