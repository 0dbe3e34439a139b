"""A cut-out as the node would meet it: a CT volume with one marked nodule in it.

Evaluation and training go through the very functions that serve, so that they cannot drift apart.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from m3net.nodule import Mask, Nodule
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume, transform
from training.data.voi import Cutout


class Marking(StrEnum):
    """What the annotation tells of the nodule."""

    MASK = "mask"
    DIAMETER = "diameter"
    """The mask's centroid and its longest diameter in a slice."""
    CENTRE = "centre"
    """The mask's centroid alone."""


def volume_of(cutout: Cutout) -> CTVolume:
    """The cut-out as an axial CT with its first voxel at the origin; it has no UIDs."""
    return CTVolume(
        hu=cutout.hu,
        affine=_affine(cutout),
        study_instance_uid=StudyInstanceUID(""),
        series_instance_uid=SeriesInstanceUID(""),
        frame_of_reference_uid=FrameOfReferenceUID(""),
        frames=[None] * len(cutout.hu),
    )


def nodule_of(cutout: Cutout, marking: Marking = Marking.MASK) -> Nodule:
    """The cut-out's nodule, as such an annotation would mark it."""
    affine = _affine(cutout)
    x, y, z = transform(affine, np.argwhere(cutout.mask).mean(axis=0))
    return Nodule(
        centre_mm=(float(x), float(y), float(z)),
        mask=Mask(voxels=cutout.mask, affine=affine) if marking is Marking.MASK else None,
        diameter_mm=None if marking is Marking.CENTRE else longest_axial_mm(cutout),
        tracking_uid="",
        tracking_id=cutout.label.name,
        sources=(),
    )


def longest_axial_mm(cutout: Cutout) -> float:
    """The longest diameter of the mask in any slice, between voxels' outer corners."""
    _, *in_plane = cutout.spacing_mm
    return max(_longest(plane, np.array(in_plane)) for plane in cutout.mask if plane.any())


def _longest(plane: NDArray[np.bool_], spacing: NDArray[np.float64]) -> float:
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    points = (np.argwhere(plane)[:, None] + corners).reshape(-1, 2) * spacing
    return float(pdist(points[ConvexHull(points).vertices]).max())


def _affine(cutout: Cutout) -> NDArray[np.float64]:
    """Index (z, y, x) -> LPS mm: slices upwards, rows to the back, columns to the left."""
    z, y, x = cutout.spacing_mm
    return np.array([[0.0, 0, x, 0], [0, y, 0, 0], [z, 0, 0, 0], [0, 0, 0, 1]])
