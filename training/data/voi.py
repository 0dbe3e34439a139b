"""Nodules cut out of CT with their masks, as a folder of NIfTI files and one table.

    DIR/image/NAME.nii.gz   HU, native spacing
    DIR/mask/NAME.nii.gz    1 inside the nodule
    DIR/labels.csv          file, patient_id, malignancy_scores, ... (the columns of `CutoutLabel`)

Arrays are (z, y, x); z grows as the file's third axis does.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from training.data.errors import CutoutsUnusable
from training.data.labels import is_malignant


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutLabel:
    """One row of labels.csv.

    scores : every reader's malignancy, 1 (highly unlikely) to 5 (highly suspicious)
    """

    file: str
    patient_id: str
    scores: tuple[int, ...]

    @property
    def name(self) -> str:
        """The file's name without its ending: what splits and predictions refer to."""
        return self.file.removesuffix(".nii.gz")

    @property
    def mean_score(self) -> float:
        """Mean malignancy over the readers."""
        return sum(self.scores) / len(self.scores)

    @property
    def malignant(self) -> bool:
        """The paper's label: mean malignancy above 3 (Sec. 4.1)."""
        return is_malignant(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """One nodule with its surroundings.

    hu         : (Z, Y, X) int16
    mask       : (Z, Y, X) bool, at least one voxel
    spacing_mm : along z, y, x
    """

    label: CutoutLabel
    hu: NDArray[np.int16]
    mask: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]


def read_labels(directory: Path) -> list[CutoutLabel]:
    """Every row of DIR/labels.csv, in the file's order."""
    path = directory / "labels.csv"
    if not path.is_file():
        raise CutoutsUnusable(
            f"{path} is missing; a folder of cut-outs has labels.csv, image/ and mask/"
        )
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    needed = {"file", "patient_id", "malignancy_scores"}
    absent = needed - set(rows[0] if rows else ())
    if absent:
        raise CutoutsUnusable(f"{path} lacks the columns {', '.join(sorted(absent))}")
    return [
        CutoutLabel(
            file=row["file"],
            patient_id=row["patient_id"],
            scores=tuple(int(score) for score in row["malignancy_scores"].split()),
        )
        for row in rows
    ]


def read_cutout(directory: Path, label: CutoutLabel) -> Cutout:
    """The image and mask of one row of labels.csv."""
    image, mask = (sitk.ReadImage(str(directory / kind / label.file)) for kind in ("image", "mask"))
    hu, inside = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask) > 0
    if hu.shape != inside.shape:
        raise CutoutsUnusable(
            f"{label.file}: the image has {hu.shape} voxels (z, y, x) and the mask {inside.shape}"
        )
    if not inside.any():
        raise CutoutsUnusable(f"{label.file}: the mask marks no voxel")
    x, y, z = image.GetSpacing()
    return Cutout(label=label, hu=hu.astype(np.int16), mask=inside, spacing_mm=(z, y, x))


def read_cutouts(directory: Path) -> Sequence[Cutout]:
    """Every nodule of the folder, in the order of labels.csv (791 of LIDC-IDRI: 3 s)."""
    return [read_cutout(directory, label) for label in read_labels(directory)]
