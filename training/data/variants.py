"""The many ways in which one marked nodule can look: what a network for cut-outs is trained on.

A cut-out is turned about the patient's axis, mirrored, stretched and shifted; its outline loses an
outer slice, swells or shrinks by a voxel; at times only a diameter or a centre is told.  The box
that may be seen follows the outline, as it does when the node serves (`m3net.scales.ContextBox`).
Everything is cut by `m3net.preprocessing`, so that variant 0, the cut-out as it is, is what the
node would feed to the network.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from m3net.config import M3NetConfig
from m3net.description import NAMES
from m3net.nodule import Nodule
from m3net.preprocessing import cut_for, inputs_of
from m3net.scales import Scale
from m3net.volume import CTVolume
from training.data.as_served import Marking, nodule_of, volume_of
from training.data.voi import Cutout

IN_PLANE_CROSS = ndimage.generate_binary_structure(2, 1)[None]
FEWEST_SLICES = 2
FEWEST_VOXELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """How far variants may go.

    stretch     : standard range of log size, either way
    shift_mm    : standard deviation of the centre along each axis
    slices      : probability that the outline loses its first, its last or both slices
    outline     : probability that it swells or shrinks by one voxel in plane
    diameter    : probability that the diameter alone is told, drawn within 15 %
    centre      : probability that the centre alone is told
    """

    stretch: float = 0.1
    shift_mm: float = 1.0
    slices: float = 0.2
    outline: float = 0.08
    diameter: float = 0.05
    centre: float = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A nodule as the network's input.

    inputs      : per scale (C, D, H, W) uint8, 255 is 1
    description : (66,) float32, NaN where too little was told
    """

    inputs: Mapping[Scale, NDArray[np.uint8]]
    description: NDArray[np.float32]


def as_served(cutout: Cutout, config: M3NetConfig, marking: Marking = Marking.MASK) -> Sample:
    """The cut-out as it is."""
    return _sample(config, volume_of(cutout), nodule_of(cutout, marking), turn=None)


def varied(
    cutout: Cutout, config: M3NetConfig, variation: Variation, random: np.random.Generator
) -> Sample:
    """A variant; equal generators give equal variants."""
    changed = replace(cutout, mask=_outline(cutout.mask, variation, random))
    marking = Marking.MASK
    drawn = random.random()
    if drawn < variation.centre:
        marking = Marking.CENTRE
    elif drawn < variation.centre + variation.diameter:
        marking = Marking.DIAMETER
    nodule = nodule_of(changed, marking)
    x, y, z = np.array(nodule.centre_mm) + random.normal(0, variation.shift_mm, 3)
    diameter = nodule.diameter_mm
    if diameter is not None:
        diameter *= float(np.exp(random.uniform(-0.15, 0.15)))
    nodule = replace(nodule, centre_mm=(float(x), float(y), float(z)), diameter_mm=diameter)
    volume = volume_of(changed)
    if not volume.contains(nodule.centre_mm):
        nodule = replace(nodule, centre_mm=nodule_of(changed).centre_mm)
    return _sample(config, volume, nodule, turn=_turn(variation, random))


def _outline(
    mask: NDArray[np.bool_], variation: Variation, random: np.random.Generator
) -> NDArray[np.bool_]:
    """The mask as another reader might have drawn it; the mask itself if too little were left."""
    drawn = mask.copy()
    (slices,) = np.nonzero(mask.any(axis=(1, 2)))
    if random.random() < variation.slices:
        which = random.integers(3)
        if which != 1:
            drawn[slices[0]] = False
        if which != 0:
            drawn[slices[-1]] = False
    if random.random() < variation.outline:
        grow = ndimage.binary_dilation if random.random() < 0.5 else ndimage.binary_erosion
        drawn = grow(drawn, IN_PLANE_CROSS)
    enough = drawn.any(axis=(1, 2)).sum() >= FEWEST_SLICES and drawn.sum() >= FEWEST_VOXELS
    return drawn if enough else mask


def _turn(variation: Variation, random: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) on (z, y, x): any angle about z, mirrored along any axis, stretched."""
    angle = random.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    about_z = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    mirrored = np.diag(random.choice([-1.0, 1.0], 3))
    size = np.exp(random.uniform(-variation.stretch, variation.stretch))
    return np.asarray(mirrored @ about_z * size)


def _sample(
    config: M3NetConfig, volume: CTVolume, nodule: Nodule, *, turn: NDArray[np.float64] | None
) -> Sample:
    patches = cut_for(config, volume, nodule, turn=turn)
    inputs = {
        scale: np.rint(x[0].numpy() * 255).astype(np.uint8)
        for scale, x in inputs_of(patches, config.preprocessing).items()
    }
    description = np.full(len(NAMES), np.nan)
    if patches.description is not None:
        description = patches.description
    return Sample(inputs=inputs, description=description.astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Every nodule in every variant, on disk; variant 0 is the cut-out as it is.

    inputs      : per scale (V, N, C, D, H, W) uint8
    description : (V, N, 66) float32
    """

    inputs: Mapping[Scale, NDArray[np.uint8]]
    description: NDArray[np.float32]


def draw_variants(
    cutouts: Sequence[Cutout],
    config: M3NetConfig,
    *,
    variation: Variation,
    count: int,
    seed: int,
    directory: Path,
    on_nodule: Callable[[], None] = lambda: None,
) -> Variants:
    """Variant 0 and `count` more of each nodule; what lies in `directory` already is taken as is.

    Each is seeded by (seed, variant, nodule).
    """
    files = {scale: directory / f"{scale}.npy" for scale in config.scales}
    described = directory / "description.npy"
    if not described.is_file():
        directory.mkdir(parents=True, exist_ok=True)
        channels = config.preprocessing.channels
        arrays = {
            scale: np.lib.format.open_memmap(
                file,
                mode="w+",
                dtype=np.uint8,
                shape=(count + 1, len(cutouts), channels, *config.branch(scale).patch.size),
            )
            for scale, file in files.items()
        }
        description = np.empty((count + 1, len(cutouts), len(NAMES)), np.float32)
        for number, cutout in enumerate(cutouts):
            for variant in range(count + 1):
                if variant == 0:
                    sample = as_served(cutout, config)
                else:
                    random = np.random.default_rng((seed, variant, number))
                    sample = varied(cutout, config, variation, random)
                for scale, array in arrays.items():
                    array[variant, number] = sample.inputs[scale]
                description[variant, number] = sample.description
            on_nodule()
        for array in arrays.values():
            array.flush()
        np.save(described, description)
    return load_variants(directory, config)


def load_variants(directory: Path, config: M3NetConfig) -> Variants:
    """What `draw_variants` left there, of the scales that the config reads."""
    return Variants(
        inputs={s: np.load(directory / f"{s}.npy", mmap_mode="r") for s in config.scales},
        description=np.load(directory / "description.npy"),
    )
