"""Where a scan ends: in what is marked, or in what a model looks at about it.

The scan ends at its first and its last slice.  Its images end at their outermost rows and columns,
and where padding begins, as outside of a round field of view.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.grid import GridBox
from m3net.placed import Voxels
from m3net.planes import IN_PLANE
from m3net.volume import CTVolume


class Border(StrEnum):
    """What ends, as a reader calls it."""

    SCAN = "scan"
    IMAGE = "image"


def ends_in(voxels: Voxels, volume: CTVolume) -> frozenset[Border]:
    """What ends within the mark: it reaches the last voxel there is, and may have been cut off."""
    slices, found = voxels.slices(), set()
    if slices[0] <= 0 or slices[-1] >= volume.shape[0] - 1:
        found.add(Border.SCAN)
    z, y, x = voxels.box.first
    depth, height, width = voxels.box.shape
    around = GridBox(first=(z, y - 1, x - 1), shape=(depth, height + 2, width + 2))
    inside = around.cut(voxels.inside, of=voxels.box, fill=False)
    if np.any(ndimage.binary_dilation(inside, IN_PLANE) & beyond_image(around, volume)):
        found.add(Border.IMAGE)
    return frozenset(found)


def ends_beside(looked_at: GridBox, volume: CTVolume) -> frozenset[Border]:
    """What ends within the box that a model looks at."""
    found = set()
    if goes_beyond(volume, looked_at.slices):
        found.add(Border.SCAN)
    if beyond_image(looked_at, volume).any():
        found.add(Border.IMAGE)
    return frozenset(found)


def goes_beyond(volume: CTVolume, slices: range) -> bool:
    """Whether some of the slices would lie before the first or behind the last one."""
    return slices.start < 0 or slices.stop > volume.shape[0]


def beyond_image(box: GridBox, volume: CTVolume) -> NDArray[np.bool_]:
    """(Z, Y, X): the box's voxels beside the image's rows and columns, and those of padding.

    On slices beyond the scan there is no image that could end.
    """
    beyond = np.zeros(box.shape, dtype=np.bool_)
    _, y, x = box.first
    depth, rows, columns = volume.shape
    for place, z in enumerate(box.slices):
        if 0 <= z < depth:
            image = GridBox(first=(z, 0, 0), shape=(1, rows, columns))
            plane = GridBox(first=(z, y, x), shape=(1, *box.shape[1:]))
            beyond[place] = plane.cut(volume.padded(z)[None], of=image, fill=True)[0]
    return beyond
