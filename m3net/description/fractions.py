"""How much of a nodule, and of what is near it, is denser than so many HU."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.description.cubes import Cubes

INSIDE_HU = (-600, -400, -200, 0, 100, 200, 300, 400)
NEAR_HU = (-700, -500, -300, -100)
ATTACHED_HU = -500
TOUCHING_MM = 2.0
BEYOND_MM = 4.0

FRACTIONS = (
    *(f"fraction_above_{hu}_hu" for hu in INSIDE_HU),
    *(f"near_fraction_above_{hu}_hu" for hu in NEAR_HU),
    "attachments",
    "largest_attachment",
    "dense_beyond",
)


def measure_fractions(cubes: Cubes) -> NDArray[np.float64]:
    """The numbers of `FRACTIONS`: (15,).

    attachments        : connected pieces of soft tissue in the 2 mm about the nodule: vessels,
                         pleura
    largest_attachment : the largest one's share of those 2 mm
    dense_beyond       : soft tissue's share of the 2 mm after those
    """
    inside, near = cubes.hu[cubes.inside], cubes.hu[cubes.near]
    touching = (cubes.outside_mm > 0) & (cubes.outside_mm <= TOUCHING_MM)
    beyond = (cubes.outside_mm > TOUCHING_MM) & (cubes.outside_mm <= BEYOND_MM)
    pieces, count = ndimage.label(touching & (cubes.hu > ATTACHED_HU))
    largest = np.bincount(pieces.ravel())[1:].max() if count else 0
    return np.array(
        [
            *(_share(inside > hu) for hu in INSIDE_HU),
            *(_share(near > hu) for hu in NEAR_HU),
            count,
            largest / max(int(touching.sum()), 1),
            _share(cubes.hu[beyond] > ATTACHED_HU),
        ]
    )


def _share(is_so: NDArray[np.bool_]) -> float:
    return float(is_so.mean()) if is_so.size else 0.0
