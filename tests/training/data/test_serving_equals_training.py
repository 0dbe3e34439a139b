"""A cut-out, and the whole CT that it was cut from with a SEG of it, give the same probability."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from m3net.annotations.nodules import find_nodules
from m3net.annotations.segmentation import SEGMENTATION_READER
from m3net.ct.series import read_series
from m3net.nodule import Nodule
from m3net.volume import CTVolume
from m3net.weights import load_classifier
from tests import lidc, synthetic
from tests.m3net.annotations.scene import planes_of
from training.data.cutouts import nodule_of, volume_of
from training.data.voi import Cutout, read_cutout, read_labels

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


def as_the_node_reads_them(
    study: lidc.LidcStudy, volume: CTVolume, cutouts: Sequence[Cutout]
) -> list[Nodule]:
    """The cut-outs' outlines in one SEG of the whole CT, and what the node makes of it."""
    masks = []
    for cutout in cutouts:
        mask = np.zeros(volume.shape, dtype=bool)
        z, y, x = place_of(cutout.hu, volume.hu)
        depth, height, width = cutout.mask.shape
        mask[z : z + depth, y : y + height, x : x + width] = cutout.mask
        masks.append(mask)
    seg = synthetic.segmentation(study.headers, masks, name=f"cut-outs of {study.name}")
    planes = planes_of(study.headers)
    result = find_nodules([SEGMENTATION_READER.read(seg, planes)], volume)
    assert (result.refused, result.ignored) == ((), ())
    return list(result.nodules)


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
    study = lidc.study(patient)
    volume = read_series([dcmread(path) for path in study.ct])
    classifier = load_classifier("default", device="cpu")
    own = [cutout for cutout in cutouts if cutout.label.patient_id == patient]
    marked = as_the_node_reads_them(study, volume, own)
    for cutout, whole in zip(own, classifier.classify(volume, marked), strict=True):
        (alone,) = classifier.classify(volume_of(cutout), [nodule_of(cutout)])
        assert whole.probability == pytest.approx(alone.probability, abs=1e-3)
