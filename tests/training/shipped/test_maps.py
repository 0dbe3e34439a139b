"""Where the default weights look, on real nodules."""

from pathlib import Path

import pytest

from m3net.predict import TorchClassifier
from m3net.prediction import Prediction
from m3net.scales import Scale
from m3net.weights import load_classifier
from training.data.cutouts import nodule_of, volume_of
from training.data.voi import Cutout, read_cutout, read_labels
from training.measure.maps import measure_maps

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


def test_the_maps_lie_on_the_nodule_and_not_at_the_border_of_what_was_shown(
    explained: list[tuple[Cutout, Prediction]],
) -> None:
    classifier = load_classifier("default", device="cpu")
    assert isinstance(classifier, TorchClassifier)
    measured = measure_maps(classifier, [cutout for cutout, _ in explained])
    assert set(measured) == set(Scale)
    for scale, quality in measured.items():
        assert quality.peak_on_nodule >= 0.7, scale
        assert quality.peak_at_border <= 0.2, scale
        assert quality.heat_on_nodule > 1.5 * quality.nodule_share, scale
        assert quality.deletion > quality.random_deletion, scale
        assert quality.random_weights < quality.moved_aside, scale
