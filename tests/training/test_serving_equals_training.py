"""A cut-out and the whole CT that it was cut from give the same probability."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from m3net.ct_series import read_series
from m3net.nodule import Mask, Nodule
from m3net.volume import CTVolume, transform
from m3net.weights import load_classifier
from tests import lidc
from training.as_served import nodule_of, volume_of
from training.voi import Cutout, read_cutout, read_labels

pytestmark = pytest.mark.lidc
PATIENTS = ("LIDC-IDRI-0001", "LIDC-IDRI-0003")


def place_of(block: NDArray[np.int16], volume: NDArray[np.int16]) -> tuple[int, int, int]:
    """First voxel (z, y, x) of the one place in the volume that equals the block."""
    found = np.argwhere(volume == block[0, 0, 0])
    found = found[np.all(found + block.shape <= volume.shape, axis=1)]
    for step in np.argwhere(np.ones(block.shape, dtype=bool)):
        if len(found) == 1:
            break
        found = found[volume[tuple((found + step).T)] == block[tuple(step)]]
    assert len(found) == 1
    z, y, x = (int(n) for n in found[0])
    shown = volume[z : z + block.shape[0], y : y + block.shape[1], x : x + block.shape[2]]
    assert np.array_equal(shown, block)
    return z, y, x


def in_the_ct(cutout: Cutout, volume: CTVolume) -> Nodule:
    """The cut-out's nodule marked in the whole CT, as a segmentation would."""
    offset = np.eye(4)
    offset[:3, 3] = place_of(cutout.hu, volume.hu)
    affine = volume.affine @ offset
    x, y, z = transform(affine, np.argwhere(cutout.mask).mean(axis=0))
    return Nodule(
        centre_mm=(float(x), float(y), float(z)),
        mask=Mask(voxels=cutout.mask, affine=affine),
        diameter_mm=None,
        tracking_uid="1.2.3",
        tracking_id=cutout.label.name,
        sources=(),
    )


@pytest.fixture(scope="module")
def cutouts(data_directory: Path) -> Sequence[Cutout]:
    directory = data_directory / "lidc-voi"
    labels = [each for each in read_labels(directory) if each.patient_id in PATIENTS]
    assert len(labels) == 4
    return [read_cutout(directory, label) for label in labels]


@pytest.mark.parametrize("patient", PATIENTS)
def test_the_node_says_of_the_ct_what_was_learnt_of_the_cutout(
    patient: str, cutouts: Sequence[Cutout]
) -> None:
    volume = read_series([dcmread(path) for path in lidc.study(patient).ct])
    classifier = load_classifier("default", device="cpu")
    for cutout in cutouts:
        if cutout.label.patient_id == patient:
            (alone,) = classifier.classify(volume_of(cutout), [nodule_of(cutout)])
            (whole,) = classifier.classify(volume, [in_the_ct(cutout, volume)])
            assert whole.probability == pytest.approx(alone.probability, abs=1e-3)
