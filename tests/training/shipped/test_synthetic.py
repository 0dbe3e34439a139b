"""The shipped weights on nodules that are known to the voxel: what a radiologist would sign."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from m3net.predict import TorchClassifier
from m3net.weights import load_classifier
from training.cli import main
from training.data import synthetic
from training.data.synthetic import ACQUISITIONS, CASES, drawn
from training.measure.synthetic import say


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("default", device="cpu")


@pytest.mark.parametrize("name", list(CASES))
def test_a_radiologist_would_sign_it(name: str, classifier: TorchClassifier) -> None:
    said = say(classifier, CASES[name], ACQUISITIONS["thick"])
    assert said.signed, said
    assert (said.p is None) == (CASES[name].expected is None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hamartoma of fat, 12 mm", "fat lies in it (-8"),
        ("fat in the middle, 16 mm", "fat lies in it (-"),
        ("fat and popcorn, 16 mm", "fat lies in it (-"),
        ("thin-walled cyst, 10 mm", "it is air in a thin wall"),
        ("thin-walled cyst, 16 mm", "it is air in a thin wall"),
        ("bulla, 40 mm", "most of what is marked is air"),
    ],
)
def test_of_fat_and_of_air_in_a_thin_wall_no_number_is_given_for_that_reason(
    name: str, reason: str, classifier: TorchClassifier
) -> None:
    assert say(classifier, CASES[name], ACQUISITIONS["thickest"]).reason.startswith(reason)


def test_a_small_smooth_ball_stays_undecided_over_slices_and_kernels(
    classifier: TorchClassifier,
) -> None:
    ball = CASES["smooth ball, 8 mm"]
    p = [say(classifier, ball, way).p for way in ACQUISITIONS.values()]
    assert None not in p
    assert max(filter(None, p)) - min(filter(None, p)) < 0.2


def test_a_drawn_nodule_has_its_size_and_its_densities() -> None:
    for way in ACQUISITIONS.values():
        volume, nodule = drawn(CASES["calcified in the middle, 12 mm"], way)
        assert nodule.mask is not None
        voxel_mm3 = way.slice_mm * way.pixel_mm**2
        assert nodule.mask.voxels.sum() * voxel_mm3 == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.1)
        middle = tuple(n // 2 for n in volume.shape)
        assert volume.hu[middle] > 350
        assert volume.hu[: volume.shape[0] // 4].mean() == pytest.approx(synthetic.LUNG, abs=3)
        assert volume.to_index(nodule.centre_mm) == pytest.approx(middle)
    volume, nodule = drawn(CASES["smooth ball, 20 mm"], ACQUISITIONS["thin"])
    assert nodule.mask is not None
    assert np.median(volume.hu[nodule.mask.voxels]) == pytest.approx(synthetic.TISSUE, abs=15)


def test_the_command_sets_p_beside_what_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    popcorn = "popcorn, 16 mm"  # undecided on slices of 5 mm
    few = {name: CASES[name] for name in (popcorn, "empty lung, 10 mm")}
    monkeypatch.setattr("training.cli.synthetic.CASES", few)
    result = CliRunner().invoke(main, ["synthetic", "--acquired", "thickest"])
    assert result.exit_code == 0, result.output
    head, undecided, empty = result.stdout.splitlines()
    assert head.split() == ["expected", "thickest"]
    assert undecided.split()[-1].endswith("*")
    assert empty.split() == ["empty", "lung,", "10", "mm", "refused", "refused"]
    asked = ["synthetic", "--acquired", "thickest", "--json"]
    found = json.loads(CliRunner().invoke(main, asked).stdout)
    assert "lung" in found["empty lung, 10 mm"]["thickest"]["reason"]
