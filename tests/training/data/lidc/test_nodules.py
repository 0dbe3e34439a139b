"""A nodule of several readers: its score, its centroid, the voxels that are its own."""

import numpy as np
import pytest

from training.data.lidc.nodules import Agreement, LidcNodule
from training.data.lidc.readings import Contour, Reading

HEIGHTS = np.array([0.0, 2.5, 5.0, 7.5])

RING = [(2, 2), (2, 3), (2, 4), (3, 4), (4, 4), (4, 3), (4, 2), (3, 2)]
WIDE = [(1, 1), *((1, c) for c in range(2, 6)), *((r, 5) for r in range(2, 6))]
WIDE += [*((5, c) for c in range(4, 0, -1)), *((r, 1) for r in range(4, 1, -1))]


def _reading(
    *outlines: list[tuple[int, int]], malignancy: int = 3, z_mm: float = 2.5, hole: bool = False
) -> Reading:
    return Reading(
        malignancy=malignancy,
        contours=tuple(
            Contour(z_mm=z_mm, points=np.array(points), is_hole=hole and number > 0)
            for number, points in enumerate(outlines)
        ),
    )


def _nodule(*readings: Reading) -> LidcNodule:
    return LidcNodule(patient_id="LIDC-IDRI-9999", cluster_index=1, readings=readings)


def test_its_name_is_the_one_in_the_split_files() -> None:
    assert _nodule(_reading(RING)).name == "LIDC-IDRI-9999/1"


def test_an_outline_runs_outside_of_the_nodule() -> None:
    mask = _nodule(_reading(RING)).mask(HEIGHTS, Agreement.ANY)
    assert mask.first == (1, 3, 3)
    assert mask.voxels.tolist() == [[[True]]]


@pytest.mark.parametrize(("agreement", "voxels"), [(Agreement.ANY, 9), (Agreement.HALF, 1)])
def test_one_reader_of_three_is_enough_or_is_not(agreement: Agreement, voxels: int) -> None:
    nodule = _nodule(_reading(WIDE), _reading(RING), _reading(RING))
    assert nodule.mask(HEIGHTS, agreement).voxels.sum() == voxels


def test_a_hole_and_its_outline_are_not_the_nodule() -> None:
    wider = [(0, 0), *((0, c) for c in range(1, 7)), *((r, 6) for r in range(1, 7))]
    wider += [*((6, c) for c in range(5, -1, -1)), *((r, 0) for r in range(5, 0, -1))]
    mask = _nodule(_reading(wider, RING, hole=True)).mask(HEIGHTS, Agreement.ANY)
    assert mask.voxels[0].astype(int).tolist() == [
        [1, 1, 1, 1, 1],
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [1, 1, 1, 1, 1],
    ]


def test_an_outline_that_encloses_nothing_is_itself_the_nodule() -> None:
    mask = _nodule(_reading([(7, 8), (7, 9)])).mask(HEIGHTS, Agreement.ANY)
    assert (mask.first, mask.voxels.tolist()) == ((1, 7, 8), [[[True, True]]])


def test_every_reader_counts_the_same_in_the_centroid() -> None:
    # The one has 16 points about (3, 3) on slice 1, the other two points about (7, 8.5) on slice 3.
    nodule = _nodule(_reading(WIDE), _reading([(7, 8), (7, 9)], z_mm=7.5))
    assert nodule.centroid(HEIGHTS).tolist() == [2.0, 5.0, 5.75]
