"""A real chest CT as slices and as one multi-frame object: one probability."""

from pathlib import Path

import pytest
from pydicom import dcmread

from m3net.annotations.nodules import find_nodules
from m3net.annotations.segmentation import SEGMENTATION_READER
from m3net.ct.series import read_series_files
from m3net.predict import TorchClassifier
from m3net.weights import load_classifier
from tests import lidc
from tests.enhanced import cite_frames, enhanced_ct, legacy_converted, shuffled
from tests.m3net.annotations.scene import planes_of

pytestmark = pytest.mark.lidc


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("default", device="cpu")


@pytest.mark.parametrize("made_by", ["functional groups in each frame", "highdicom"])
def test_a_real_ct_both_ways_gives_the_same_probability(
    tmp_path: Path, classifier: TorchClassifier, made_by: str
) -> None:
    study = lidc.study("LIDC-IDRI-0001")
    slices = [dcmread(path) for path in study.ct]
    order = shuffled(len(slices))
    enhanced = (
        legacy_converted(slices) if made_by == "highdicom" else enhanced_ct(slices, order=order)
    )
    enhanced.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    marks = lidc.segmentation(study)
    volume = read_series_files(study.ct)
    (nodule,) = find_nodules(
        [SEGMENTATION_READER.read(marks, planes_of(study.headers))], volume
    ).nodules
    expected = classifier.probability(volume, nodule)

    volume = read_series_files([tmp_path / "enhanced.dcm"])
    keys = {key.frame: z for z, key in enumerate(volume.frames) if key}
    cite_frames(marks, slices, enhanced, {z: frame for frame, z in keys.items()})
    (nodule,) = find_nodules(
        [SEGMENTATION_READER.read(marks, planes_of([enhanced]))], volume
    ).nodules

    assert volume.shape == (133, 512, 512)
    assert classifier.probability(volume, nodule) == pytest.approx(expected, abs=1e-6)
