"""What no weights have learnt and what they are wrong about: fat in a nodule, air in a thin wall.

Readers' nodules hold hardly any of either: of the 6,859 readings of LIDC-IDRI one calls the inside
fat.  A network sees size and edge in them, and called drawn ones 80 to 86 % (`m3train synthetic`).
A radiologist knows both at sight, so no number is better than that one.

- Fat: -120 to -40 HU (Siegelman et al. 1986, Radiology 160:313), of HU smoothed as in
  `m3net.consistency`.  A solid nodule's edge is blurred through these values, so only fat counts
  into which a ball of 3 mm fits, and which lies 2 mm deep in what is dense of the mark, not on a
  slice that reaches beyond its end, as several do if thick slices overlap.  There is fat if
  that is 20 mm3 or more, and either half of all that lies as deep, or so much of it on two slices
  in the same place that one slice's blur cannot be the cause; and if less than a tenth of what lies
  as deep is ground glass: that and a solid core beside it have the density of fat where one voxel
  holds both.
- Air in a thin wall: what is denser than -750 HU, and what that encloses on its slice, is a ball
  with a wall; air is under -850 HU, where a ball of 2 mm fits in, 20 mm3 or more.  The wall is
  thin if shells of these volumes were under 3.5 mm apart.

Of 791 nodules of LIDC-IDRI, outlined by one reader or by all, none holds so much fat, and of the
circles about them one takes in fat beside the lung; none has so thin a wall: the thinnest about air
is 4.7 mm.  A nodule known by its place alone is looked at within 4 mm of it.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.consistency import smoothed, thick
from m3net.errors import NoduleUnusable
from m3net.grid import GridBox
from m3net.placed import PlacedNodule
from m3net.planes import IN_PLANE
from m3net.volume import AIR_HU

FAT_HU = (-120, -40)
FAT_BALL_MM, FAT_DEEP_MM = 3.0, 2.0
FAT_FROM_MM3 = 20.0
MOST_IS_FAT_FROM, FAT_ON_TWO_SLICES_FROM = 0.5, 0.06
GLASS_BELOW_HU, LITTLE_GLASS = -150, 0.1
DENSE_FROM_HU = -600
A_ROUNDING = 0.05
"""Of a slice: slices that overlap by less do not overlap."""

WALL_FROM_HU, AIR_BELOW_HU = -750, -850
AIR_BALL_MM, AIR_FROM_MM3 = 2.0, 20.0
THIN_WALL_MM = 3.5

ABOUT_A_POINT_MM = 4.0

_NO_NUMBER = "the model has learnt from hardly any such nodule, so no probability is given"


def check_learnt(placed: PlacedNodule, *, thickness_mm: float | None) -> None:
    """The nodule is not of a kind that the model is known to be wrong about.

    thickness_mm : of the slices; None: not stated

    Raises NoduleUnusable if it is.
    """
    spacing_mm = placed.volume.spacing_mm
    voxels = placed.voxels(bare_radius_mm=ABOUT_A_POINT_MM)
    hu = voxels.box.cut(placed.volume.hu, of=GridBox.whole(placed.volume.hu), fill=AIR_HU)
    smooth = smoothed(hu, spacing_mm)
    wall_mm = wall_about_air_mm(smooth, voxels.inside, spacing_mm)
    if wall_mm is not None and wall_mm < THIN_WALL_MM:
        raise NoduleUnusable(f"it is air in a thin wall, as a cyst or a bulla is; {_NO_NUMBER}")
    fat = fat_within(smooth, voxels.inside, spacing_mm, thickness_mm=thickness_mm)
    if fat.any():
        raise NoduleUnusable(
            f"fat lies in it ({smooth[fat].mean():.0f} HU), as in a hamartoma; {_NO_NUMBER}; "
            "one beside fat is judged if the outline leaves the fat out"
        )


def fat_within(
    smooth: NDArray[np.float32],
    inside: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    *,
    thickness_mm: float | None,
) -> NDArray[np.bool_]:
    """Where fat lies in the mark, (Z, Y, X); nowhere if there is too little to be sure.

    smooth, inside : (Z, Y, X), smoothed HU and the nodule in a box just about it
    spacing_mm     : along z, y, x
    thickness_mm   : of the slices; None: not stated
    """
    fat = inside & (smooth >= FAT_HU[0]) & (smooth <= FAT_HU[1])
    nothing = np.zeros_like(fat)
    voxel_mm3 = float(np.prod(spacing_mm))
    if fat.sum() * voxel_mm3 < FAT_FROM_MM3:
        return nothing
    dense = inside & (smooth >= DENSE_FROM_HU)
    padded = ndimage.distance_transform_edt(np.pad(dense, 1), sampling=spacing_mm)
    deep = (padded >= FAT_DEEP_MM)[1:-1, 1:-1, 1:-1]
    # a voxel may be half lung, unless the next slices that share nothing with it are dense as well
    clear = min(max(1, ceil((thickness_mm or 0) / spacing_mm[0] - A_ROUNDING)), len(dense))
    beyond = np.pad(dense, ((clear, clear), (0, 0), (0, 0)))
    deep &= beyond[: -2 * clear] & beyond[2 * clear :]
    found = thick(fat, spacing_mm, FAT_BALL_MM) & deep
    if found.sum() * voxel_mm3 < FAT_FROM_MM3:
        return nothing
    if (deep & (smooth < GLASS_BELOW_HU)).sum() >= LITTLE_GLASS * deep.sum():
        return nothing
    on_two = found[:-1] & found[1:]
    sure = (
        found.sum() >= MOST_IS_FAT_FROM * deep.sum()
        or on_two.sum() >= FAT_ON_TWO_SLICES_FROM * deep.sum()
    )
    return found if sure else nothing


def wall_about_air_mm(
    smooth: NDArray[np.float32],
    inside: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
) -> float | None:
    """How thick the wall about the mark's air is on average; None if it encloses no air.

    smooth, inside, spacing_mm : as of `fat_within`
    """
    body = ndimage.binary_fill_holes(inside, IN_PLANE)
    whole = ndimage.binary_fill_holes(body & (smooth >= WALL_FROM_HU), IN_PLANE) & body
    air = whole & (smooth < AIR_BELOW_HU)
    voxel_mm3 = float(np.prod(spacing_mm))
    if air.sum() * voxel_mm3 < AIR_FROM_MM3:
        return None
    air_mm3 = float(thick(air, spacing_mm, AIR_BALL_MM).sum()) * voxel_mm3
    if air_mm3 < AIR_FROM_MM3:
        return None
    return _radius_mm(float(whole.sum()) * voxel_mm3) - _radius_mm(air_mm3)


def _radius_mm(volume_mm3: float) -> float:
    return float(np.cbrt(0.75 * volume_mm3 / np.pi))
