"""Cut-outs as crops like any other: a CT that ends where the cut-out does, with one marked nodule.

Evaluation and training go through the very functions that serve, so that they cannot drift apart.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from m3net.nodule import Mask, Nodule
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume
from training.data.crops import Crop, CropLabel
from training.data.labels import Label
from training.data.thicken import thicken
from training.data.told import ToldAs, told
from training.data.voi import Cutout, CutoutLabel, read_cutout, read_labels


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


def nodule_of(cutout: Cutout, marking: ToldAs = ToldAs.MASK) -> Nodule:
    """The cut-out's nodule, as such an annotation would mark it."""
    marked = Nodule(
        centre_mm=(0.0, 0.0, 0.0),
        mask=None,
        diameter_mm=None,
        tracking_uid="",
        tracking_id=cutout.label.name,
        sources=(),
    )
    return told(marked, Mask(voxels=cutout.mask, affine=_affine(cutout)), marking)


def crop_of(cutout: Cutout, marking: ToldAs = ToldAs.MASK) -> Crop:
    """The cut-out as a crop; beyond it is as if beyond the scan."""
    label = cutout.label
    return Crop(
        label=CropLabel(name=label.name, patient_id=label.patient_id, scores=label.scores),
        volume=volume_of(cutout),
        nodule=nodule_of(cutout, marking),
        ends=np.ones((3, 2), dtype=np.bool_),
    )


class Cutouts:
    """Cut-outs that are in memory, as a folder of crops."""

    def __init__(self, cutouts: Sequence[Cutout], marking: ToldAs = ToldAs.MASK) -> None:
        """marking : what is told of each nodule."""
        self.labels: Sequence[CutoutLabel] = [cutout.label for cutout in cutouts]
        self._cutouts = {cutout.label.name: cutout for cutout in cutouts}
        self._marking = marking

    def read(self, label: Label) -> Crop:
        """One nodule's crop."""
        return crop_of(self._cutouts[label.name], self._marking)


class CutoutFolder:
    """A folder of cut-outs as a folder of crops; each is read once and kept (791: 60 MB)."""

    def __init__(self, directory: Path, *, slice_mm: float = 0.0) -> None:
        """slice_mm : cut-outs are thickened to slices of this size first; 0: as they are."""
        self.labels: Sequence[CutoutLabel] = read_labels(directory)
        self._directory, self._slice_mm = directory, slice_mm
        self._rows = {label.name: label for label in self.labels}
        self._read: dict[str, Crop] = {}

    def read(self, label: Label) -> Crop:
        """One nodule's crop."""
        if label.name not in self._read:
            cutout = read_cutout(self._directory, self._rows[label.name])
            if self._slice_mm:
                cutout = thicken(cutout, self._slice_mm)
            self._read[label.name] = crop_of(cutout)
        return self._read[label.name]


def _affine(cutout: Cutout) -> NDArray[np.float64]:
    """Index (z, y, x) -> LPS mm: slices upwards, rows to the back, columns to the left."""
    z, y, x = cutout.spacing_mm
    return np.array([[0.0, 0, x, 0], [0, y, 0, 0], [z, 0, 0, 0], [0, 0, 0, 1]])
