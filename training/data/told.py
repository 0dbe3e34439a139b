"""What an annotation tells of a nodule: all of it, less, or what another reader would have drawn.

A network that serves meets annotations of every kind, each by another hand; so it learns from the
same.  What may be seen follows what was told (`m3net.scales.ContextBox`), as it does when serving.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from m3net.nodule import Mask, Nodule, Point
from m3net.volume import CTVolume, transform

IN_PLANE_CROSS = ndimage.generate_binary_structure(2, 1)[None]
FEWEST_SLICES = 2
FEWEST_VOXELS = 20
DIAMETER_LOG_SPREAD = 0.15
"""A diameter that is told alone is drawn within so much of the longest one, in log size."""


class ToldAs(StrEnum):
    """What the annotation tells of the nodule."""

    MASK = "mask"
    DIAMETER = "diameter"
    """The mask's centroid and its longest diameter in a slice."""
    CENTRE = "centre"
    """The mask's centroid alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherReader:
    """How far another reader's annotation of the same nodule may lie from the one at hand.

    shift_mm : standard deviation of the centre along each axis
    slices   : probability that the outline loses its first, its last or both slices
    outline  : probability that it swells or shrinks by one voxel in plane
    diameter : probability that the diameter alone is told
    centre   : probability that the centre alone is told
    """

    shift_mm: float
    slices: float
    outline: float
    diameter: float
    centre: float


def told(nodule: Nodule, mask: Mask, marking: ToldAs = ToldAs.MASK) -> Nodule:
    """The nodule as such an annotation tells it, if this is its outline.

    The centre is the outline's centroid, the diameter the longest in any slice.
    """
    return replace(
        nodule,
        centre_mm=_centroid_mm(mask),
        mask=mask if marking is ToldAs.MASK else None,
        diameter_mm=None if marking is ToldAs.CENTRE else longest_axial_mm(mask),
    )


def retold(nodule: Nodule, marking: ToldAs) -> Nodule:
    """The annotated nodule with no more told of it than that; MASK: all that there is."""
    if marking is ToldAs.MASK:
        return nodule
    if nodule.mask is not None:
        return told(nodule, nodule.mask, marking)
    return replace(nodule, diameter_mm=None) if marking is ToldAs.CENTRE else nodule


def told_by_another(
    nodule: Nodule, volume: CTVolume, other: OtherReader, random: np.random.Generator
) -> Nodule:
    """The nodule as another reader might have told it; equal generators give equal nodules.

    One that has no outline keeps its diameter or loses it, and is shifted; one that has still an
    outline keeps the diameter of the one at hand, which stands for nothing beside an outline.
    """
    mask = None if nodule.mask is None else _redrawn(nodule.mask, other, random)
    marking, drawn = ToldAs.MASK, random.random()
    if drawn < other.centre:
        marking = ToldAs.CENTRE
    elif drawn < other.centre + other.diameter:
        marking = ToldAs.DIAMETER
    if mask is not None and marking is ToldAs.MASK:
        nodule = replace(nodule, mask=mask, centre_mm=_centroid_mm(mask))
    elif mask is not None:
        nodule = told(nodule, mask, marking)
    elif marking is ToldAs.CENTRE:
        nodule = replace(nodule, diameter_mm=None)
    x, y, z = np.array(nodule.centre_mm) + random.normal(0, other.shift_mm, 3)
    factor = float(np.exp(random.uniform(-DIAMETER_LOG_SPREAD, DIAMETER_LOG_SPREAD)))
    if nodule.diameter_mm is not None:
        nodule = replace(nodule, diameter_mm=nodule.diameter_mm * factor)
    shifted = (float(x), float(y), float(z))
    return replace(nodule, centre_mm=shifted) if volume.contains(shifted) else nodule


def _centroid_mm(mask: Mask) -> Point:
    x, y, z = transform(mask.affine, np.argwhere(mask.voxels).mean(axis=0))
    return float(x), float(y), float(z)


def _redrawn(mask: Mask, other: OtherReader, random: np.random.Generator) -> Mask:
    """The outline as another reader might have drawn it; the same if too little were left."""
    # room to swell: a mask may be cropped to the nodule
    drawn = np.pad(mask.voxels, ((0, 0), (1, 1), (1, 1)))
    affine = mask.affine.copy()
    affine[:3, 3] = transform(mask.affine, np.array([0, -1, -1]))
    (slices,) = np.nonzero(drawn.any(axis=(1, 2)))
    if random.random() < other.slices:
        which = random.integers(3)
        if which != 1:
            drawn[slices[0]] = False
        if which != 0:
            drawn[slices[-1]] = False
    if random.random() < other.outline:
        grow = ndimage.binary_dilation if random.random() < 0.5 else ndimage.binary_erosion
        drawn = grow(drawn, IN_PLANE_CROSS)
    enough = drawn.any(axis=(1, 2)).sum() >= FEWEST_SLICES and drawn.sum() >= FEWEST_VOXELS
    return Mask(voxels=drawn, affine=affine) if enough else mask


def longest_axial_mm(mask: Mask) -> float:
    """The longest diameter of the mask in any slice, between voxels' outer corners."""
    _, *in_plane = np.linalg.norm(mask.affine[:3, :3], axis=0)
    return max(_longest(plane, np.array(in_plane)) for plane in mask.voxels if plane.any())


def _longest(plane: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> float:
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    points = (np.argwhere(plane)[:, None] + corners).reshape(-1, 2) * spacing_mm
    return float(pdist(points[ConvexHull(points).vertices]).max())
