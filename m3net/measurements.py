"""What is measured of a nodule from its mark, in the CT: axes, volume and density.

What is marked is taken as it is: a generous outline gives a generous size.  A circle or a point
states no outline, and nothing is measured from it.  Nothing is measured either where the scan or
the image ends within the mark, but for how long it is at least: its size, its volume and its mean
are those of the part that was imaged.

- Axes: on the key slice (`m3net.axes`).  Not said below 3 mm (Bankier et al. 2017, Radiology
  285:584).
- Volume: of the mask's voxels.  Not said of a mask on fewer than three slices, where half a slice
  at either end is half of it.
- Density: the mean HU of the CT's voxels that are marked.  Where air lies, or may lie, within the
  mark it is neither solid nor part-solid (`m3net.cavities`).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from m3net.axes import axes_mm
from m3net.borders import Border, beyond_image, ends_in
from m3net.cavities import Air, air_within
from m3net.consistency import SOLID_HU, Consistency, consistency_of
from m3net.grid import GridBox
from m3net.placed import PlacedNodule, Voxels
from m3net.volume import AIR_HU, CTVolume

LEAST_AXIS_MM = 3.0
FEWEST_SLICES = 3
FEWEST_VOXELS = 20
"""For a volume and a mean HU."""
LUNG_FROM_MM, LUNG_TO_MM = 2.0, 6.0
"""Outside the mark: beyond its blurred edge, and before the next things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Of one nodule; None: it could not be measured safely.

    long_axis_mm, short_axis_mm : on the key slice, `PlacedNodule.key_slice`; both or none
    contains_air: as a cavity does; None: not sure either way
    cut_by      : what ends within the mark
    at_least_mm : of a nodule that is cut, the long axis of the part that was imaged
    """

    long_axis_mm: float | None = None
    short_axis_mm: float | None = None
    volume_mm3: float | None = None
    mean_hu: float | None = None
    consistency: Consistency | None = None
    contains_air: bool | None = None
    cut_by: frozenset[Border] = frozenset()
    at_least_mm: float | None = None


NOT_MEASURED = Measured()


def measure(placed: PlacedNodule, *, thickness_mm: float | None) -> Measured:
    """What can safely be measured from the nodule's mask; nothing without one.

    thickness_mm : of the CT's slices; None: not stated
    """
    mask, volume = placed.nodule.mask, placed.volume
    voxels = placed.voxels()
    cut_by = ends_in(voxels, volume)
    if mask is None:
        return Measured(cut_by=cut_by)
    if cut_by:
        imaged = replace(voxels, inside=voxels.inside & ~beyond_image(voxels.box, volume))
        return Measured(cut_by=cut_by, at_least_mm=_axes_mm(placed, imaged)[0])
    slices = voxels.slices()
    if not all(volume.has_slice(z) for z in slices):
        return NOT_MEASURED
    long_mm, short_mm = _axes_mm(placed, voxels)
    marked = int(mask.voxels.sum())
    tall = slices[-1] - slices[0] + 1 >= FEWEST_SLICES and marked >= FEWEST_VOXELS
    box_hu = voxels.box.cut(volume.hu, of=GridBox.whole(volume.hu), fill=AIR_HU)
    hu = box_hu[voxels.inside]
    air = air_within(box_hu, voxels.inside, volume.spacing_mm)
    return Measured(
        long_axis_mm=long_mm,
        short_axis_mm=short_mm,
        volume_mm3=marked * abs(float(np.linalg.det(mask.affine[:3, :3]))) if tall else None,
        mean_hu=float(hu.mean()) if len(hu) >= FEWEST_VOXELS else None,
        consistency=(
            consistency_of(
                box_hu,
                voxels.inside,
                volume.spacing_mm,
                thickness_mm=thickness_mm,
                lung_hu=_lung_hu(voxels, volume),
            )
            if air is Air.NONE
            else None
        ),
        contains_air=_AIR[air],
    )


_AIR = {Air.CERTAIN: True, Air.PERHAPS: None, Air.NONE: False}


def _axes_mm(placed: PlacedNodule, voxels: Voxels) -> tuple[float, float] | tuple[None, None]:
    volume = placed.volume
    key = placed.key_slice(voxels)
    place = key - voxels.box.first[0]
    if not 0 <= place < len(voxels.inside) or not voxels.inside[place].any():
        return None, None
    plane = voxels.inside[place]
    long_mm, short_mm = axes_mm(plane, volume.spacing_mm[1:])
    return (long_mm, short_mm) if long_mm >= LEAST_AXIS_MM else (None, None)


def _lung_hu(voxels: Voxels, volume: CTVolume) -> float | None:
    """Median of the lung 2 to 6 mm outside the mark, where that is less dense than tissue."""
    reach = np.ceil(LUNG_TO_MM / np.array(volume.spacing_mm)).astype(int)
    first, size = np.array(voxels.box.first), np.array(voxels.box.shape)
    box = GridBox.about([first - reach, first + size - 1 + reach])
    inside = box.cut(voxels.inside, of=voxels.box, fill=False)
    away_mm = ndimage.distance_transform_edt(~inside, sampling=volume.spacing_mm)
    # beyond the scan nothing is lung
    hu = box.cut(volume.hu, of=GridBox.whole(volume.hu), fill=0)
    around = hu[(away_mm > LUNG_FROM_MM) & (away_mm <= LUNG_TO_MM) & (hu < SOLID_HU)]
    return float(np.median(around)) if len(around) >= FEWEST_VOXELS else None
