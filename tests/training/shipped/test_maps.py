"""Where the default weights look, on real nodules."""

from pathlib import Path

import numpy as np
import pytest

from m3net.prediction import Prediction
from m3net.preprocessing import cut_for
from m3net.scales import Scale
from m3net.weights import load_classifier
from training.data.cutouts import nodule_of, volume_of
from training.data.voi import Cutout, read_cutout, read_labels

pytestmark = pytest.mark.lidc


@pytest.fixture(scope="module")
def explained(data_directory: Path) -> list[tuple[Cutout, Prediction]]:
    """Every 40th of the 791 that readers found malignant."""
    voi = data_directory / "lidc-voi"
    cutouts = [read_cutout(voi, x) for x in [x for x in read_labels(voi) if x.malignant][::40]]
    classifier = load_classifier("default", device="cpu")
    return [(c, classifier.classify(volume_of(c), [nodule_of(c)])[0]) for c in cutouts]


def test_every_scale_has_heat(explained: list[tuple[Cutout, Prediction]]) -> None:
    assert len(explained) == 8
    for cutout, prediction in explained:
        for scale, heat_map in prediction.heat_maps.items():
            assert heat_map.values.max() == 1.0, f"{cutout.label.name}, {scale}"


def test_the_micro_map_lies_on_the_nodule(explained: list[tuple[Cutout, Prediction]]) -> None:
    config = load_classifier("default", device="cpu").network.config
    lift = []
    for cutout, prediction in explained:
        patch = cut_for(config, volume_of(cutout), nodule_of(cutout)).scales[Scale.MICRO]
        assert patch.mask is not None
        heat, nodule = prediction.heat_maps[Scale.MICRO].values, patch.mask > 0.5
        on_it = heat[nodule].sum() / heat.sum()
        lift.append(on_it / (nodule.sum() / patch.valid.sum()))
    assert np.mean(lift) > 1.3
