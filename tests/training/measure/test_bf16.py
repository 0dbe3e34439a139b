"""The default weights in bfloat16, on real nodules."""

from pathlib import Path

import pytest

from m3net.weights import load_classifier
from training.data.cutouts import crop_of
from training.data.voi import read_cutout, read_labels
from training.measure.evaluate import predict

pytestmark = pytest.mark.lidc


def test_bf16_moves_a_probability_by_at_most_a_hundredth(data_directory: Path) -> None:
    voi = data_directory / "lidc-voi"
    crops = [crop_of(read_cutout(voi, label)) for label in read_labels(voi)[::200]]
    assert len(crops) == 4
    exact, rough = (
        predict(load_classifier("default", device="cpu", precision=precision), crops)
        for precision in ("fp32", "bf16")
    )
    assert 0 < abs(exact - rough).max() <= 0.01
