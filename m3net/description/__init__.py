"""Hand-made numbers of one nodule: what a radiologist measures and a network sees badly.

A model may take them beside its patches (`m3net.fusion`, the basic ones), an expert may judge by
them alone (`m3net.expert`, all), and as a baseline they are what a network has to beat.
"""

import numpy as np
from numpy.typing import NDArray

from m3net.description.basic import BASIC, measure_basic
from m3net.description.cubes import cubes_of
from m3net.description.fractions import FRACTIONS, measure_fractions
from m3net.description.outline import OUTLINE, measure_outline
from m3net.description.scale_space import SCALE_SPACE, measure_scale_space

__all__ = ["BASIC", "NAMES", "describe", "describe_basic"]

NAMES = (*BASIC, *OUTLINE, *FRACTIONS, *SCALE_SPACE)
"""All 66; the basic ones come first."""


def describe(
    hu: NDArray[np.int16], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """The numbers of `NAMES`, in that order: (66,), all finite.

    hu, mask   : (Z, Y, X), the nodule with what may be seen around it; at least one voxel marked
    spacing_mm : along z, y, x
    """
    cubes = cubes_of(hu, mask, spacing_mm)
    return np.concatenate(
        [
            measure_basic(hu, mask, spacing_mm),
            measure_outline(mask, spacing_mm, cubes),
            measure_fractions(cubes),
            measure_scale_space(cubes),
        ]
    )


def describe_basic(
    hu: NDArray[np.int16], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """The same of a nodule whose outline nobody drew, a sphere: NaN beyond the basic numbers."""
    found = np.full(len(NAMES), np.nan)
    found[: len(BASIC)] = measure_basic(hu, mask, spacing_mm)
    return found
