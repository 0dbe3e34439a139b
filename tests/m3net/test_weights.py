"""Weights are what their card says, or they are refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from m3net import model_files
from m3net.card import ModelCard
from m3net.config import RELEASE
from m3net.errors import InferenceError, WeightsError
from m3net.network import M3Net, Network, build
from m3net.released import released_name
from m3net.weights import (
    UNTRAINED_CARD,
    fingerprint,
    import_released,
    load_card,
    load_classifier,
    save_weights,
    verify,
)
from tests.m3net.toys import narrow, noise

CARD = replace(
    UNTRAINED_CARD, name="toy", version="1", trained=True, threshold=0.5, temperature=1.5
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "toy.safetensors"
    save_weights(build(narrow("small"), seed=1), CARD, path)
    return path


def assert_same_tensors(one: M3Net, other: M3Net) -> None:
    """Bit for bit."""
    expected = other.state_dict()
    assert one.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[n]) for n, tensor in one.state_dict().items())


def test_what_was_saved_is_loaded(saved: Path) -> None:
    network = build(narrow("small"), seed=1).eval()
    loaded = load_classifier(saved, device="cpu").network
    patches = noise(network.config, batch=2, seed=2)
    with torch.no_grad():
        assert torch.allclose(loaded(*patches), network(*patches), rtol=0, atol=1e-6)
    assert_same_tensors(loaded, network)
    assert loaded.config == network.config
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_weights_lie_in_memory_as_those_of_a_network_that_was_never_saved(saved: Path) -> None:
    """Kernels are chosen by alignment, so the same weights would give other last digits."""
    network = load_classifier(saved, device="cpu").network
    assert {tensor.data_ptr() % 64 for tensor in network.state_dict().values()} == {0}


def test_the_card_comes_back_with_config_and_sha256(saved: Path) -> None:
    card = load_card(saved)
    assert (card.name, card.version, card.temperature) == ("toy", "1", 1.5)
    assert card.config == narrow("small").to_json()
    assert len(card.weights_sha256) == 64
    assert verify(saved) == card


def test_one_changed_byte_is_found(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    with pytest.raises(WeightsError, match=r"not the file that its card describes.*copy both"):
        load_classifier(saved, device="cpu")
    with pytest.raises(WeightsError, match="not the file"):
        verify(saved)


def test_weights_of_another_network_are_refused(saved: Path) -> None:
    card = json.loads(saved.with_suffix(".json").read_text())
    card["config"]["fusion"]["head_width"] = 8
    saved.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=r"tensors differ, first fusion.head.0.bias: \(16,\)"):
        load_classifier(saved, device="cpu")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ('{"name": "toy"}', "incomplete"),
        ('{"colour": "red"}', "has no colour"),
    ],
)
def test_a_broken_card_is_an_error_that_names_it(saved: Path, content: str, message: str) -> None:
    saved.with_suffix(".json").write_text(content)
    with pytest.raises(WeightsError, match=message):
        load_card(saved)


def test_a_missing_card_is_named(saved: Path) -> None:
    saved.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="has no model card"):
        load_card(saved)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights at"):
        load_card(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="model import"):
        load_card(tmp_path / "checkpoint.pth")


def test_the_fingerprint_needs_no_network_and_is_the_classifiers(saved: Path) -> None:
    assert fingerprint(saved) == load_classifier(saved, device="cpu").fingerprint
    saved.unlink()
    saved.touch()
    assert len(fingerprint(saved)) == 64


def test_precision_weights_and_temperature_change_the_fingerprint(
    saved: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(build(narrow("small"), seed=2), CARD, other)
    warmer = tmp_path / "warmer.safetensors"
    save_weights(build(narrow("small"), seed=1), replace(CARD, temperature=2.0), warmer)
    found = {
        fingerprint(saved),
        fingerprint(saved, "bf16"),
        fingerprint(other),
        fingerprint(warmer),
    }
    assert len(found) == 4


@pytest.mark.parametrize("name", ["untrained", "default"])
def test_the_seeded_initialisation_says_that_it_is_untrained(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(model_files, "DEFAULT_FOLDER", tmp_path)
    card = verify(name)
    assert not card.trained
    assert card.threshold is None
    assert card.meaning.startswith("UNTRAINED, NOT A RESULT")
    one, two = (load_classifier(name, device="cpu") for _ in range(2))
    assert one.fingerprint == two.fingerprint == fingerprint(name)
    for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_weights_in_the_folder_become_the_default(
    monkeypatch: pytest.MonkeyPatch, saved: Path
) -> None:
    monkeypatch.setattr(model_files, "DEFAULT_FOLDER", saved.parent)
    assert load_card("default").name == "toy"
    assert fingerprint("default") == fingerprint(saved)


def test_an_unknown_precision_or_device_is_an_error(saved: Path) -> None:
    with pytest.raises(InferenceError, match="there are fp32, bf16"):
        fingerprint(saved, "fp8")
    with pytest.raises(InferenceError, match="use auto, cpu"):
        load_classifier(saved, device="gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_that_is_not_there_is_an_error_that_says_what_to_set(saved: Path) -> None:
    with pytest.raises(InferenceError, match=r"set \[model\] device to cpu or auto"):
        load_classifier(saved, device="cuda")


def test_a_released_checkpoint_is_imported_with_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thin = replace(narrow("release"), preset="release")
    monkeypatch.setattr("m3net.released.RELEASE", thin)
    network = build(thin, seed=1).eval()
    checkpoint = tmp_path / "best.pth"
    torch.save({released_name(n): t for n, t in network.state_dict().items()}, checkpoint)
    path = tmp_path / "released.safetensors"
    card = import_released(checkpoint, path)
    assert card.preset == RELEASE.preset
    assert card.trained
    assert "no" in card.licence
    assert_same_tensors(load_classifier(path, device="cpu").network, network)


def test_a_card_comes_back_from_json_as_it_was() -> None:
    assert ModelCard.from_json(json.loads(json.dumps(CARD.to_json()))) == CARD


def test_the_shipped_default_is_whole() -> None:
    card = verify("default")
    assert isinstance(load_classifier("default", device="cpu").network, Network)
    assert card.trained == (card.threshold is not None)


def test_the_shipped_default_is_light_and_the_readme_says_of_it_what_its_card_says() -> None:
    path = model_files.weights_file("default")
    assert path is not None
    assert path.stat().st_size <= 30_000_000
    said = load_card("default").metrics
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text().split())
    for words in (
        f"AUC {said['auc_outline_of_one']:.3f} [{said['auc_outline_of_one_low']:.3f}, "
        f"{said['auc_outline_of_one_high']:.3f}]",
        f"accuracy {said['accuracy_outline_of_one']:.1%}".replace("%", " %"),
        f"ECE {said['ece_outline_of_one']:.3f}",
        f"a diameter alone the AUC is {said['auc_centre_and_diameter']:.3f}",
        f"a bare point {said['auc_centre']:.3f}",
        f"all readers' outlines in one the AUC is {said['auc']:.3f}",
    ):
        assert words in readme
