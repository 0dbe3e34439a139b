"""Where a nodule of one CT lies in another CT of the same patient, found in their pixels.

Two scans share no frame of reference: the patient lay otherwise, breathed otherwise, and the field
of view was another.  So both are laid over each other (rigid, by correlation of HU), first the
whole chests in coarse voxels, then a cube about the nodule.  The nodule itself is left out of that:
it has changed, or another one stands there, and what holds it in its place are vessels and pleura.

A place that is wrong is worse than none.  It counts only if the surroundings look alike there, if
no other place near it looks as alike, and if a larger cube, which knows nothing of the smaller one,
finds the same.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.signal import fftconvolve

from m3net.errors import NoduleUnusable
from m3net.grid import GridBox
from m3net.nodule import Point
from m3net.placed import PlacedNodule
from m3net.planes import blocks
from m3net.volume import AIR_HU, CTVolume, transform

CHEST_STEP_MM = 6.0
CUBE_STEP_MM = 1.5
CUBES_MM = (24.0, 33.0)
"""Half the edges of the two cubes."""
SEARCHED_MM = 21.0
"""So far from where the whole chests say; a breath moves a nodule by less (Seppenwoolde 2002)."""
MARGIN_MM = 2.0
"""About the nodule, left out with it: its blurred edge."""
CLIPPED_HU = (-1000.0, 100.0)
"""Beyond is bone and contrast medium, which differ without a reason."""

TISSUE_HU = -400
THICK_MM = 4.5
"""Tissue of which a voxel is so deep inside is wall, mediastinum or liver: it looks the same along
its face, and is left out too."""
LEAST_LUNG = 0.2
"""So much of a cube has to be left."""

LEAST_ALIKE = 0.7
"""Correlation of the surroundings at the place."""
CLEARER_BY = 0.1
"""By so much it is above that at every other place."""
ANOTHER_PLACE_MM = 7.5
AGREE_MM = 3.0
"""So near to each other both cubes find the place."""

_CORNERS: NDArray[np.int_] = np.moveaxis(np.indices((2, 2, 2)), 0, -1).reshape(-1, 3)
IN_PLACE: NDArray[np.float64] = np.eye(4)
Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """A cube of voxels along the axes of LPS: array index (z, y, x), points (x, y, z) mm."""

    first_mm: NDArray[np.float64]
    step_mm: float
    size: tuple[int, int, int]

    @classmethod
    def about(cls, centre_mm: ArrayLike, *, half_mm: ArrayLike, step_mm: float) -> "_Grid":
        """With a voxel in the centre; `half_mm` (x, y, z), or one for all."""
        half = np.broadcast_to(np.rint(np.asarray(half_mm) / step_mm), 3).astype(int)
        x, y, z = (int(n) for n in 2 * half + 1)
        return cls(first_mm=np.asarray(centre_mm) - half * step_mm, step_mm=step_mm, size=(z, y, x))

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4), index (z, y, x) -> LPS mm."""
        affine = np.zeros((4, 4))
        affine[[2, 1, 0], [0, 1, 2]] = self.step_mm
        affine[:3, 3], affine[3, 3] = self.first_mm, 1.0
        return affine

    def sample(self, volume: CTVolume, placed: NDArray[np.float64] = IN_PLACE) -> Image:
        """HU, clipped; air where the scan has nothing.  Voxels that are smaller are averaged.

        placed : (4, 4), point of the grid -> point of the scan, LPS mm
        """
        affine = placed @ self.affine
        corners = transform(affine, _CORNERS * (np.array(self.size) - 1))
        box = GridBox.about(volume.to_index(corners))
        hu = box.cut(volume.hu, of=GridBox.whole(volume.hu), fill=AIR_HU)
        smooth = [max(self.step_mm / mm - 1, 0) / 2 for mm in volume.spacing_mm]
        fine = ndimage.gaussian_filter(np.clip(hu, *CLIPPED_HU).astype(np.float32), smooth)
        to_grid = np.linalg.inv(placed)
        return self.lay(fine, to_grid @ box.affine(volume), fill=AIR_HU)

    def lay(self, values: Image, affine: NDArray[np.float64], *, fill: float) -> Image:
        """The values, on a grid of that affine, on this one; linearly."""
        to_values = np.linalg.inv(affine) @ self.affine
        laid: Image = ndimage.affine_transform(
            values,
            to_values[:3, :3],
            offset=to_values[:3, 3],
            output_shape=self.size,
            order=1,
            mode="grid-constant",
            cval=fill,
        )
        return laid

    def image(self, values: NDArray[np.generic]) -> sitk.Image:
        """The values as SimpleITK knows them, in their place."""
        image = sitk.GetImageFromArray(values)
        image.SetOrigin([float(mm) for mm in self.first_mm])
        image.SetSpacing([self.step_mm] * 3)
        return image


@dataclass(frozen=True)
class Registration:
    """Two CTs of one patient; `now` is the one whose nodules are looked for in `then`."""

    now: CTVolume
    then: CTVolume

    @property
    def _chests(self) -> NDArray[np.float64]:
        """(4, 4), point of `now` -> point of `then`, LPS mm, by the whole chests.

        Raises NoduleUnusable.
        """
        if isinstance(self._laid, NoduleUnusable):
            raise NoduleUnusable(str(self._laid)) from self._laid
        return self._laid

    @cached_property
    def _laid(self) -> NDArray[np.float64] | NoduleUnusable:
        """The same, or why there is none: it is found once, for all nodules."""
        try:
            return self._lay()
        except NoduleUnusable as reason:
            return reason

    def _lay(self) -> NDArray[np.float64]:
        (fixed, centre_mm), (moving, centre_there_mm) = map(_whole, (self.now, self.then))
        start = sitk.Euler3DTransform()
        start.SetCenter(centre_mm.tolist())
        start.SetTranslation((centre_there_mm - centre_mm).tolist())
        found, _ = _rigid(fixed, moving, start, mask=None, shrink=(4, 2, 1))
        return found

    def place_of(self, placed: PlacedNodule) -> Point:
        """Where in `then` the nodule of `now` lies, LPS mm.  Raises NoduleUnusable."""
        small, large = (self._place_by(placed, half_mm) for half_mm in CUBES_MM)
        if float(np.linalg.norm(small - large)) > AGREE_MM:
            raise NoduleUnusable(
                "its surroundings and its wider surroundings are found at different places there"
            )
        x, y, z = (float(mm) for mm in transform(self._chests, small))
        return x, y, z

    def _place_by(self, placed: PlacedNodule, half_mm: float) -> NDArray[np.float64]:
        """Where in `then`, laid over `now` by the whole chests, the nodule lies."""
        centre_mm = np.array(placed.nodule.centre_mm)
        grid, there = (
            _Grid.about(centre_mm, half_mm=mm, step_mm=CUBE_STEP_MM)
            for mm in (half_mm, half_mm + SEARCHED_MM)
        )
        cube, searched = grid.sample(self.now), there.sample(self.then, self._chests)
        beside = _beside(placed, grid, cube)
        start = sitk.Euler3DTransform()
        start.SetCenter(centre_mm.tolist())
        start.SetTranslation(_clearest_shift(cube, beside, searched).tolist())
        found, alike = _rigid(
            grid.image(cube), there.image(searched), start, mask=grid.image(beside), shrink=(2, 1)
        )
        found_again = alike >= LEAST_ALIKE  # false of what is no number
        if not found_again:
            raise NoduleUnusable(f"its surroundings are not found there (correlation {alike:.2f})")
        return transform(found, centre_mm)


def _beside(placed: PlacedNodule, grid: _Grid, cube: Image) -> NDArray[np.uint8]:
    """1 in the lung about the nodule, its vessels included; 0 in itself and in thick tissue."""
    own = placed.share_on_grid(grid.affine, grid.size) >= 0.5
    tissue = cube > TISSUE_HU
    deep = ndimage.distance_transform_edt(tissue, sampling=grid.step_mm) > THICK_MM
    left_out = np.zeros(grid.size, dtype=np.bool_)
    for part, margin_mm in ((own, MARGIN_MM), (deep, THICK_MM + MARGIN_MM)):
        if part.any():
            away_mm = ndimage.distance_transform_edt(~part, sampling=grid.step_mm)
            left_out |= away_mm <= margin_mm
    if left_out.mean() > 1 - LEAST_LUNG:
        raise NoduleUnusable("there is too little lung about it")
    return (~left_out).astype(np.uint8)


def _whole(volume: CTVolume) -> tuple[sitk.Image, NDArray[np.float64]]:
    """The whole scan in coarse voxels, and its centre of mass, (x, y, z) mm; air weighs nothing."""
    hu, affine = blocks(volume, CHEST_STEP_MM)
    corners = transform(affine, _CORNERS * (np.array(hu.shape) - 1))
    low, high = corners.min(axis=0), corners.max(axis=0)
    grid = _Grid.about((low + high) / 2, half_mm=(high - low) / 2, step_mm=CHEST_STEP_MM)
    mass = np.clip(hu, *CLIPPED_HU).astype(np.float32) - np.float32(AIR_HU)
    if not mass.any():
        raise NoduleUnusable("one of both scans shows nothing")
    centre = transform(affine, ndimage.center_of_mass(mass))
    return grid.image(grid.lay(mass, affine, fill=0.0)), centre


def _clearest_shift(cube: Image, beside: NDArray[np.uint8], searched: Image) -> NDArray[np.float64]:
    """By how many mm (x, y, z) the cube is shifted from the middle of what is searched.

    Every shift by whole voxels is tried.  Raises NoduleUnusable if another is nearly as good.
    """
    alike = _correlations(cube, beside.astype(np.float64), searched)
    best = np.array(np.unravel_index(int(alike.argmax()), alike.shape))
    away = np.linalg.norm(np.moveaxis(np.indices(alike.shape), 0, -1) - best, axis=-1)
    elsewhere = alike[away * CUBE_STEP_MM > ANOTHER_PLACE_MM].max()
    is_clear = alike.max() - elsewhere >= CLEARER_BY  # false of what is no number
    if not is_clear:
        raise NoduleUnusable("its surroundings look like more than one place there")
    return (best - (np.array(alike.shape) - 1) / 2)[::-1] * CUBE_STEP_MM


def _correlations(
    cube: Image, weights: NDArray[np.float64], searched: Image
) -> NDArray[np.float64]:
    """Of the cube with what it lies on, for each shift at which it lies wholly on what is searched.

    cube, weights: (n, n, n); searched: (m, m, m); returns (m - n + 1,) * 3
    """
    number = weights.sum()
    values = (cube - (cube * weights).sum() / number) * weights
    image = searched.astype(np.float64)

    def over(kernel: NDArray[np.float64], of: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(fftconvolve(of, kernel[::-1, ::-1, ::-1], mode="valid"))

    spread = over(weights, image**2) - over(weights, image) ** 2 / number
    # 1 HU of noise at least: where nothing is seen, nothing is alike
    scale = np.sqrt(max((values**2).sum(), number) * np.maximum(spread, number))
    return np.asarray(over(values, image) / scale)


def _rigid(
    fixed: sitk.Image,
    moving: sitk.Image,
    start: sitk.Transform,
    *,
    mask: sitk.Image | None,
    shrink: tuple[int, ...],
) -> tuple[NDArray[np.float64], float]:
    """From `start` on, so that both correlate best; and the correlation.  Raises NoduleUnusable.

    returns: (4, 4), point of `fixed` -> point of `moving`, mm
    """
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # sums in one order: the same scans give the same place
    method.SetMetricAsCorrelation()
    if mask is not None:
        method.SetMetricFixedMask(mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(list(shrink))
    method.SetSmoothingSigmasPerLevel([float(n - 1) / 2 for n in shrink])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.01, numberOfIterations=100, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    found = sitk.Euler3DTransform(start)
    method.SetInitialTransform(found, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError as error:  # what SimpleITK raises, whatever it is
        raise NoduleUnusable("the two scans cannot be laid over each other") from error
    affine = np.eye(4)
    affine[:3, :3] = np.array(found.GetMatrix()).reshape(3, 3)
    affine[:3, 3] = found.TransformPoint((0.0, 0.0, 0.0))
    # SimpleITK's measure is the square of it, negated.
    return affine, float(np.sqrt(max(-method.GetMetricValue(), 0.0)))
