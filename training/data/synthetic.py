"""Nodules that are known to the voxel: drawn into lung, of what a radiologist would say beforehand.

Each case is a density in HU at every place, sampled finely and averaged over voxels, then blurred
as a kernel blurs, with noise.  `expected` is the range of p that a radiologist would sign for such
a picture; None: no p may be given, since it is no nodule in lung or none of a kind that was
learnt.  They are idealised: what holds
of them need not hold of patients, but what is absurd of them is absurd.

Places are (z, y, x) in mm from the middle; all is in the middle of a block of lung.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.nodule import Mask, Nodule
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume

Floats = NDArray[np.float64]
Density = Callable[[Floats], Floats]
"""(..., 3) mm -> (...) HU; NaN where nothing is drawn."""

LUNG, TISSUE, GROUND_GLASS, CALCIUM, FAT, AIR = -860.0, 40.0, -580.0, 600.0, -80.0, -1000.0
BLOCK_MM = 72.0
FINE_MM = 0.6
"""Between samples within a voxel, at most; there are two at least along each axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """slice_mm, pixel_mm : of the grid; blur_mm : standard deviation in plane; noise_hu : of it."""

    slice_mm: float
    pixel_mm: float
    blur_mm: float
    noise_hu: float


ACQUISITIONS = {
    "thin": Acquisition(slice_mm=1.25, pixel_mm=0.7, blur_mm=0.5, noise_hu=25.0),
    "thick": Acquisition(slice_mm=2.5, pixel_mm=0.6, blur_mm=0.8, noise_hu=15.0),
    "sharp": Acquisition(slice_mm=1.0, pixel_mm=0.8, blur_mm=0.3, noise_hu=45.0),
    "thickest": Acquisition(slice_mm=5.0, pixel_mm=0.7, blur_mm=0.7, noise_hu=12.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One picture, and what is marked on it.

    density     : what is drawn
    outlined_mm : radius of the ball that is outlined; per axis where it is no ball
    expected    : the range of p that a radiologist would sign; None: none may be given
    background  : HU of all else
    """

    density: Density
    outlined_mm: tuple[float, float, float]
    expected: tuple[float, float] | None
    background: float = LUNG


def _ball(radius_mm: float, hu: float, squeezed: tuple[float, float, float] = (1, 1, 1)) -> Density:
    def density(places: Floats) -> Floats:
        away = np.linalg.norm(places / np.array(squeezed), axis=-1)
        return np.where(away <= radius_mm, hu, np.nan)

    return density


def _over(*layers: Density) -> Density:
    """The last that draws anything there."""

    def density(places: Floats) -> Floats:
        hu = np.full(places.shape[:-1], np.nan)
        for layer in layers:
            own = layer(places)
            hu = np.where(np.isnan(own), hu, own)
        return hu

    return density


def _spikes(length_mm: float, *, count: int, seed: int) -> Density:
    """Thin cones from the middle outwards, as spicules are."""
    random = np.random.default_rng(seed)
    axes = random.normal(size=(count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)

    def density(places: Floats) -> Floats:
        along = places @ axes.T  # (..., K)
        aside = np.sqrt(np.maximum((places**2).sum(-1)[..., None] - along**2, 0))  # (..., K)
        width = 1.2 * (1 - along / length_mm)
        return np.where(((along > 0) & (aside < width)).any(-1), TISSUE, np.nan)

    return density


def _grains(radius_mm: float, hu: float, *, count: int, seed: int) -> Density:
    """Small balls within a larger one, as the clumps of popcorn calcification are."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(count, 3))
    middles *= 0.55 * radius_mm / np.linalg.norm(middles, axis=1, keepdims=True)

    def density(places: Floats) -> Floats:
        near = np.linalg.norm(places[..., None, :] - middles, axis=-1).min(-1)
        return np.where(near < 0.3 * radius_mm, hu, np.nan)

    return density


def _sheet(axis: int, half_mm: float, hu: float) -> Density:
    """A fissure: a plane through the middle."""
    return lambda places: np.where(abs(places[..., axis]) <= half_mm, hu, np.nan)


def _rod(radius_mm: float) -> Density:
    """A vessel along z beside the middle."""
    return lambda places: np.where(
        np.hypot(places[..., 1] - 4.0, places[..., 2]) <= radius_mm, TISSUE, np.nan
    )


def _nothing(places: Floats) -> Floats:
    return np.full(places.shape[:-1], np.nan)


def _case(
    density: Density, radius_mm: float, expected: tuple[float, float] | None, **more: float
) -> Case:
    return Case(density=density, outlined_mm=(radius_mm,) * 3, expected=expected, **more)


CASES: Mapping[str, Case] = {
    "smooth ball, 4 mm": _case(_ball(2, TISSUE), 2, (0.0, 0.25)),
    "smooth ball, 6 mm": _case(_ball(3, TISSUE), 3, (0.0, 0.4)),
    "smooth ball, 8 mm": _case(_ball(4, TISSUE), 4, (0.05, 0.65)),
    "smooth ball, 12 mm": _case(_ball(6, TISSUE), 6, (0.2, 0.95)),
    "smooth ball, 20 mm": _case(_ball(10, TISSUE), 10, (0.5, 1.0)),
    "smooth ball, 30 mm": _case(_ball(15, TISSUE), 15, (0.7, 1.0)),
    "spiculated, 12 mm": _case(
        _over(_spikes(11, count=20, seed=1), _ball(5, TISSUE)), 6, (0.6, 1.0)
    ),
    "spiculated, 20 mm": _case(
        _over(_spikes(16, count=20, seed=2), _ball(8.5, TISSUE)), 10, (0.8, 1.0)
    ),
    "ground glass, 10 mm": _case(_ball(5, GROUND_GLASS), 5, (0.1, 0.75)),
    "ground glass, 20 mm": _case(_ball(10, GROUND_GLASS), 10, (0.3, 0.98)),
    "part-solid, 20 mm": _case(_over(_ball(10, GROUND_GLASS), _ball(5, TISSUE)), 10, (0.6, 1.0)),
    "calcified throughout, 8 mm": _case(_ball(4, CALCIUM), 4, (0.0, 0.15)),
    "calcified throughout, 20 mm": _case(_ball(10, CALCIUM), 10, (0.0, 0.4)),
    "calcified in the middle, 12 mm": _case(
        _over(_ball(6, TISSUE), _ball(3, CALCIUM)), 6, (0.0, 0.4)
    ),
    "calcified in shells, 14 mm": _case(
        _over(_ball(7, CALCIUM), _ball(5.5, TISSUE), _ball(4, CALCIUM), _ball(2, TISSUE)),
        7,
        (0.0, 0.4),
    ),
    "popcorn, 16 mm": _case(
        _over(_ball(8, TISSUE), _grains(8, CALCIUM, count=7, seed=3)), 8, (0.0, 0.4)
    ),
    "hamartoma of fat, 12 mm": _case(_ball(6, FAT), 6, None),
    "fat in the middle, 16 mm": _case(_over(_ball(8, TISSUE), _ball(5, FAT)), 8, None),
    "fat and popcorn, 16 mm": _case(
        _over(_ball(8, FAT), _grains(8, CALCIUM, count=4, seed=3)), 8, None
    ),
    "thin-walled cyst, 10 mm": _case(_over(_ball(5, TISSUE), _ball(4, AIR)), 5, None),
    "thin-walled cyst, 16 mm": _case(_over(_ball(8, TISSUE), _ball(7, AIR)), 8, None),
    "bulla, 40 mm": _case(_over(_ball(20, TISSUE), _ball(19.5, AIR)), 20, None),
    "thick-walled cavity, 24 mm": _case(_over(_ball(12, TISSUE), _ball(6, AIR)), 12, (0.6, 1.0)),
    "perifissural, 6 mm": Case(
        density=_over(_sheet(1, 0.6, -600.0), _ball(3, TISSUE, (1.0, 0.55, 1.0))),
        outlined_mm=(3.0, 1.65, 3.0),
        expected=(0.0, 0.35),
    ),
    "on a vessel, 6 mm": _case(_over(_rod(1.5), _ball(3, TISSUE)), 3, (0.0, 0.5)),
    "empty lung, 10 mm": _case(_nothing, 5, None),
    "empty lung, 60 mm": _case(_nothing, 30, None),
    "air, 10 mm": _case(_nothing, 5, None, background=AIR),
    "tissue without lung, 10 mm": _case(_nothing, 5, None, background=TISSUE),
    "bone, 12 mm, in tissue": _case(_ball(6, CALCIUM), 6, None, background=TISSUE),
}
"""What a radiologist would say of each, before any model was asked."""


def drawn(case: Case, acquired: Acquisition, *, seed: int = 0) -> tuple[CTVolume, Nodule]:
    """The picture as such a scan has it, and the nodule as its outline marks it."""
    spacing_mm = np.array([acquired.slice_mm, acquired.pixel_mm, acquired.pixel_mm])
    shape = tuple(int(n) | 1 for n in np.ceil(BLOCK_MM / spacing_mm))
    middle = np.array(shape) // 2
    hu = np.full(shape, case.background)
    outlined_mm = np.array(case.outlined_mm)
    half = np.minimum(np.ceil((outlined_mm + 10) / spacing_mm).astype(int), middle)
    box = tuple(slice(m - h, m + h + 1) for m, h in zip(middle, half, strict=True))
    samples = np.maximum(2, np.ceil(spacing_mm / FINE_MM)).astype(int)
    steps = [
        (np.arange(n * (2 * h + 1)) + 0.5) / n - 0.5 - h for n, h in zip(samples, half, strict=True)
    ]
    places = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1) * spacing_mm  # (..., 3)
    fine = case.density(places)
    hu[box] = _averaged(np.where(np.isnan(fine), case.background, fine), samples)
    sigma = np.array([0.0, acquired.blur_mm, acquired.blur_mm]) / spacing_mm
    hu = ndimage.gaussian_filter(hu, sigma)
    hu += np.random.default_rng(seed).normal(0, acquired.noise_hu, shape)
    mask = np.zeros(shape, dtype=bool)
    mask[box] = (
        _averaged((np.linalg.norm(places / outlined_mm, axis=-1) <= 1) * 1.0, samples) >= 0.5
    )
    z, y, x = spacing_mm
    affine = np.array([[0.0, 0, x, 0], [0, y, 0, 0], [z, 0, 0, 0], [0, 0, 0, 1]])
    centre = middle * spacing_mm
    volume = CTVolume(
        hu=np.rint(np.clip(hu, -1024, 3071)).astype(np.int16),
        affine=affine,
        study_instance_uid=StudyInstanceUID(""),
        series_instance_uid=SeriesInstanceUID(""),
        frame_of_reference_uid=FrameOfReferenceUID(""),
        frames=[None] * shape[0],
    )
    nodule = Nodule(
        centre_mm=(float(centre[2]), float(centre[1]), float(centre[0])),
        mask=Mask(voxels=mask, affine=affine),
        diameter_mm=None,
        tracking_uid="",
        tracking_id="",
        sources=(),
    )
    return volume, nodule


def _averaged(fine: Floats, samples: NDArray[np.int_]) -> Floats:
    """The mean of each voxel's samples, of which there are so many along each axis."""
    of_axes = [part for n, own in zip(fine.shape, samples, strict=True) for part in (n // own, own)]
    return np.asarray(fine.reshape(of_axes).mean(axis=(1, 3, 5)))
