"""A classifier says of a nodule the same thing every time, alone or among others."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from m3net.errors import InferenceError, NoduleUnusable
from m3net.network import build
from m3net.nodule import Nodule
from m3net.predict import TorchClassifier
from m3net.scales import Scale
from m3net.volume import CTVolume, transform
from m3net.weights import UNTRAINED_CARD, load_classifier, save_weights
from tests.m3net.toys import narrow, nodule_at, volume_of

AFFINE = np.array([[0, 0, 0.7, -80], [0, 0.7, 0, -90], [2.5, 0, 0, -200], [0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def volume() -> CTVolume:
    generator = np.random.default_rng(0)
    return volume_of(generator.integers(-1000, 300, (20, 40, 40), dtype=np.int16), AFFINE)


@pytest.fixture(scope="module")
def nodules(volume: CTVolume) -> list[Nodule]:
    return [
        nodule_at(volume.to_mm(i), diameter_mm=6.0) for i in ([8, 20, 20], [4, 9, 30], [19, 0, 0])
    ]


def classifier(tmp_path: Path, *, precision: str = "fp32", **card: object) -> TorchClassifier:
    path = tmp_path / "toy.safetensors"
    save_weights(build(narrow("small"), seed=1), replace(UNTRAINED_CARD, **card), path)
    return load_classifier(path, device="cpu", precision=precision)


def test_nodules_are_judged_in_order_and_alike_alone_or_together(
    tmp_path: Path, volume: CTVolume, nodules: list[Nodule]
) -> None:
    toy = classifier(tmp_path)
    seen: list[int] = []
    together = toy.classify(volume, nodules, on_nodule=seen.append)
    assert seen == [0, 1, 2]
    for nodule, prediction in zip(nodules, together, strict=True):
        (alone,) = toy.classify(volume, [nodule])
        assert alone.probability == prediction.probability
        for scale in Scale:
            assert (alone.heat_maps[scale].values == prediction.heat_maps[scale].values).all()
    assert len({p.probability for p in together}) == 3


def test_the_probability_alone_is_that_of_the_prediction(
    tmp_path: Path, volume: CTVolume, nodules: list[Nodule]
) -> None:
    toy = classifier(tmp_path)
    said = [prediction.probability for prediction in toy.classify(volume, nodules)]
    assert [toy.probability(volume, nodule) for nodule in nodules] == pytest.approx(said, abs=1e-6)


def test_heat_maps_lie_on_the_patches_grid(
    tmp_path: Path, volume: CTVolume, nodules: list[Nodule]
) -> None:
    (prediction,) = classifier(tmp_path).classify(volume, nodules[:1])
    assert set(prediction.heat_maps) == set(Scale)
    assert 0.0 <= prediction.probability <= 1.0
    for scale, side in {Scale.MICRO: 8, Scale.MESO: 12, Scale.MACRO: 16}.items():
        heat_map = prediction.heat_maps[scale]
        assert heat_map.values.shape == (8, side, side)
        assert heat_map.values.dtype == np.float32
        assert heat_map.has_depth
        assert heat_map.values.min() >= 0.0
        assert heat_map.values.max() <= 1.0
        centre = transform(heat_map.affine, [4, side // 2, side // 2])
        assert centre == pytest.approx(nodules[0].centre_mm)


def test_a_heat_map_is_zero_where_the_network_was_shown_nothing(
    tmp_path: Path, volume: CTVolume, nodules: list[Nodule]
) -> None:
    corner = nodules[2]  # of the last slice
    (prediction,) = classifier(tmp_path).classify(volume, [corner])
    maps = [heat_map.values for heat_map in prediction.heat_maps.values()]
    assert all((values[5:] == 0).all() for values in maps)
    assert any((values[:5] > 0).any() for values in maps)


def test_what_a_probability_rests_on_adds_up_to_it(
    tmp_path: Path, volume: CTVolume, nodules: list[Nodule]
) -> None:
    toy = classifier(tmp_path, temperature=0.4)
    for prediction in toy.classify(volume, nodules):
        evidence = prediction.evidence
        assert evidence is not None
        odds = np.exp(evidence.images + evidence.measurements)
        assert odds / (1 + odds) == pytest.approx(prediction.probability, abs=1e-5)


def test_no_nodules_are_no_predictions(tmp_path: Path, volume: CTVolume) -> None:
    assert classifier(tmp_path).classify(volume, []) == []


def test_a_centre_outside_the_volume_is_refused(tmp_path: Path, volume: CTVolume) -> None:
    with pytest.raises(NoduleUnusable, match="lies outside the CT"):
        classifier(tmp_path).classify(volume, [nodule_at([0.0, 0.0, 0.0])])


def test_the_temperature_of_the_card_softens_the_probability(
    tmp_path: Path, volume: CTVolume, nodules: list[Nodule]
) -> None:
    (sharp,) = classifier(tmp_path).classify(volume, nodules[:1])
    (soft,) = classifier(tmp_path, temperature=4.0).classify(volume, nodules[:1])

    def logit(p: float) -> float:
        return float(np.log(p / (1 - p)))

    assert logit(soft.probability) == pytest.approx(logit(sharp.probability) / 4, abs=1e-5)


def test_bf16_is_near(tmp_path: Path, volume: CTVolume, nodules: list[Nodule]) -> None:
    (exact,) = classifier(tmp_path).classify(volume, nodules[:1])
    (rough,) = classifier(tmp_path, precision="bf16").classify(volume, nodules[:1])
    assert rough.probability == pytest.approx(exact.probability, abs=0.01)


def test_logits_that_are_no_numbers_are_an_error(
    tmp_path: Path, volume: CTVolume, nodules: list[Nodule]
) -> None:
    toy = classifier(tmp_path)
    with torch.no_grad():
        toy.network.get_parameter("fusion.head.3.bias").fill_(float("nan"))
    with pytest.raises(InferenceError, match=r"gave \[nan, nan\] for logits .*model verify"):
        toy.classify(volume, nodules[:1])


def test_what_was_assumed_of_a_nodule_is_noted(tmp_path: Path, volume: CTVolume) -> None:
    config = narrow("small")
    config = replace(config, preprocessing=replace(config.preprocessing, context=None))
    path = tmp_path / "masked.safetensors"
    save_weights(build(config, seed=1), UNTRAINED_CARD, path)
    masked = load_classifier(path, device="cpu")
    (prediction,) = masked.classify(volume, [nodule_at(volume.to_mm([8, 20, 20]))])
    assert prediction.notes == ("centre alone given: the model was told no extent",)


def test_the_fingerprint_is_found_without_torch() -> None:
    code = (
        "import sys, json; from m3net.model_files import fingerprint; "
        "print(json.dumps([fingerprint('default'), 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    found, torch_loaded = json.loads(done.stdout)
    assert found == load_classifier("default", device="cpu").fingerprint
    assert not torch_loaded
