"""Ten slices of a nodule, for an encoder that learnt to see in two dimensions.

Five through a cube that is the same for all nodules, and five through one as large as the nodule
wants it: so a slice shows both how large it is and how it looks.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 160
"""Pixels."""

COMMON_MM = 32.0
"""Side of the cube that is the same for all."""

OWN = 2.0
"""Side of the nodule's own cube, in its longest extents along rows, columns or slices."""

APART = 0.25
"""Of the nodule's extent along z, to the axial slices above and below the largest section."""


def slices_of(
    hu: NDArray[np.int16], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float32]:
    """HU and mask on ten slices: (10, 2, 160, 160); in each cube three axial, coronal, sagittal.

    The axial ones pass through the middle of the largest section and above and below it, the others
    through the middle of the nodule.  Beyond what may be seen its border goes on.

    hu, mask   : (Z, Y, X), the nodule with what may be seen around it; at least one voxel marked
    spacing_mm : along z, y, x
    """
    steps = np.array(spacing_mm)
    marked = np.argwhere(mask)
    extent = np.ptp(marked, axis=0) + 1
    largest = int(np.argmax(mask.sum(axis=(1, 2))))
    section = np.array([largest, *np.argwhere(mask[largest]).mean(0)])
    middle = marked.mean(0)
    above = np.array([APART * extent[0], 0.0, 0.0])
    seen = (
        (section, (1, 2)),
        (section - above, (1, 2)),
        (section + above, (1, 2)),
        (middle, (0, 2)),
        (middle, (0, 1)),
    )
    places = []
    for side_mm, (through, axes) in product((COMMON_MM, OWN * max(extent * steps)), seen):
        offsets_mm = (np.arange(SIDE) - (SIDE - 1) / 2) * side_mm / SIDE
        place = np.empty((3, SIDE, SIDE))
        place[:] = through[:, None, None]
        place[axes[0]] += offsets_mm[:, None] / steps[axes[0]]
        place[axes[1]] += offsets_mm[None, :] / steps[axes[1]]
        places.append(place)
    points = np.stack(places, axis=1)  # (3, 10, 160, 160)
    return np.stack(
        [
            ndimage.map_coordinates(
                volume.astype(np.float32), points, order=1, mode="nearest", output=np.float32
            )
            for volume in (hu, mask)
        ],
        axis=1,
    )
