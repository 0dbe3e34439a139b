"""Whether air lies within what is marked: a cavity, bubbles, an airway.

Then neither "solid" nor "part-solid" is the word for it.  HU are smoothed as in
`m3net.consistency`; holes of the mark on a slice belong to it, since a reader may have left the air
out.

- There is air, for certain, where something under -850 HU, 2 mm or more across, is enclosed on its
  slice by what is denser than -600 HU within the mark.
- There may be air where what is so enclosed is under -750 HU and as large as a ball of 2 mm, or
  where anything within the mark, enclosed or not, is under -900 HU and 2 mm or more across: lung
  that a generous outline takes in is denser.

Of 791 nodules of LIDC-IDRI air is certain in 5: looked at, four have a cavity and one has bubbles.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.consistency import smoothed, thick
from m3net.planes import IN_PLANE

WALL_FROM_HU = -600
AIR_BELOW_HU, PERHAPS_BELOW_HU, NOT_LUNG_BELOW_HU = -850, -750, -900
ACROSS_MM = 2.0
PERHAPS_MM3 = np.pi / 6 * ACROSS_MM**3


class Air(StrEnum):
    """How sure it is that air lies within a mark."""

    NONE = "none"
    PERHAPS = "perhaps"
    CERTAIN = "certain"


def air_within(
    hu: NDArray[np.int16], inside: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> Air:
    """Whether air lies within the mark.

    hu, inside : (Z, Y, X), the nodule in a box just about it
    spacing_mm : along z, y, x
    """
    smooth = smoothed(hu, spacing_mm)
    body = ndimage.binary_fill_holes(inside, IN_PLANE)
    enclosed = ndimage.binary_fill_holes(body & (smooth >= WALL_FROM_HU), IN_PLANE) & body
    if thick(enclosed & (smooth < AIR_BELOW_HU), spacing_mm, ACROSS_MM).any():
        return Air.CERTAIN
    perhaps_mm3 = np.sum(enclosed & (smooth < PERHAPS_BELOW_HU)) * np.prod(spacing_mm)
    open_air = thick(body & (smooth < NOT_LUNG_BELOW_HU), spacing_mm, ACROSS_MM)
    return Air.PERHAPS if perhaps_mm3 >= PERHAPS_MM3 or open_air.any() else Air.NONE
