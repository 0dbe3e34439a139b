"""Weights: loaded from disk, checked, saved, and imported from the authors' checkpoints."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from m3net.card import ModelCard
from m3net.config import M3NetConfig
from m3net.errors import WeightsError
from m3net.model_files import (
    DEFAULT,
    UNTRAINED_CARD,
    UNTRAINED_SEED,
    checked_precision,
    config_of,
    fingerprint,
    fingerprint_of,
    load_card,
    sha256_of,
    weights_file,
)
from m3net.network import Network, build, network_of
from m3net.predict import TorchClassifier, choose_device
from m3net.released import from_released, read_checkpoint

__all__ = [
    "DEFAULT",
    "UNTRAINED_CARD",
    "fingerprint",
    "import_released",
    "load_card",
    "load_classifier",
    "save_weights",
    "verify",
]


def load_classifier(
    weights: str | Path, *, device: str = "auto", precision: str = "fp32"
) -> TorchClassifier:
    """The classifier of "default" or of a .safetensors file, on its device, in eval mode.

    Raises WeightsError if a file is missing, altered or of another network, and InferenceError if
    the device is not there.
    """
    checked_precision(precision)
    chosen = choose_device(device)
    card = load_card(weights)
    path = weights_file(weights)
    network = (
        build(config_of(card), seed=UNTRAINED_SEED) if path is None else _load_network(path, card)
    )
    return TorchClassifier(
        network=network.requires_grad_(False).eval().to(chosen),
        card=card,
        fingerprint=fingerprint_of(card, precision),
        device=chosen,
        precision=precision,
    )


def verify(weights: str | Path) -> ModelCard:
    """The card, if the weights are unaltered and fit the network that it describes.

    Raises WeightsError.
    """
    card = load_card(weights)
    config = config_of(card)
    if (path := weights_file(weights)) is not None:
        _check_sha256(path, card)
        _check_shapes(path, config)
    return card


def save_weights(network: Network, card: ModelCard, path: Path) -> ModelCard:
    """Write `path` (.safetensors) and its card (.json); the card comes back as written.

    Preset, preprocessing, config and sha256 are filled in from the network.
    """
    part = path.with_suffix(".part")
    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    save_file(tensors, part, metadata={"format": "m3net"})
    card = replace(
        card,
        preset=network.config.preset,
        preprocessing=network.config.preprocessing.in_words(),
        config=network.config.to_json(),
        weights_sha256=sha256_of(part),
    )
    os.replace(part, path)
    part.write_text(json.dumps(card.to_json(), indent=2) + "\n", encoding="utf-8")
    os.replace(part, path.with_suffix(".json"))
    return card


def import_released(checkpoint: Path, path: Path) -> ModelCard:
    """Write one of the authors' checkpoints as `path` (.safetensors) with its card.

    Raises WeightsError if it is no published network.
    """
    network = from_released(read_checkpoint(checkpoint))
    card = ModelCard(
        name="M3Net" if len(network.config.scales) == 3 else f"M3Net {network.config.scales[0]}",
        version=f"imported-{sha256_of(checkpoint)[:8]}",
        preset=network.config.preset,
        trained=True,
        threshold=0.5,
        meaning=(
            "probability that radiologists would rate the nodule above 3 of 5 for suspicion of "
            "malignancy on average; not histology"
        ),
        preprocessing="",
        training_data="LIDC-IDRI, as the authors of the checkpoint state; not verified here",
        licence="none stated by the authors; not for redistribution",
        attribution="Li et al. 2026, M3Net",
    )
    return save_weights(network, card, path)


def _load_network(path: Path, card: ModelCard) -> Network:
    config = config_of(card)
    _check_sha256(path, card)
    _check_shapes(path, config)
    with torch.device("meta"):  # no time or memory for numbers that are replaced at once
        network = network_of(config)
    # safetensors hands out slices of the file, aligned to 8 bytes; copies are aligned as torch's
    # own tensors are, without which a CPU may take other kernels and other last digits each time
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    network.load_state_dict(tensors, assign=True)
    return network


def _check_sha256(path: Path, card: ModelCard) -> None:
    if (found := sha256_of(path)) != card.weights_sha256:
        raise WeightsError(
            f"{path.name} is not the file that its card describes: sha256 {found[:12]}..., "
            f"expected {card.weights_sha256[:12]}...; copy both files anew"
        )


def _check_shapes(path: Path, config: M3NetConfig) -> None:
    """Names and shapes of the file against the network's."""
    with torch.device("meta"):
        expected = {n: tuple(t.shape) for n, t in network_of(config).state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            found: dict[str, Any] = {
                name: tuple(file.get_slice(name).get_shape())
                for name in file.keys()  # noqa: SIM118  # no mapping
            }
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} cannot be read as safetensors: {error}") from error
    if differing := sorted(n for n in found | expected if found.get(n) != expected.get(n)):
        name = differing[0]
        raise WeightsError(
            f"{path.name} does not fit the network {config.preset!r}: {len(differing)} tensors "
            f"differ, first {name}: {found.get(name)}, expected {expected.get(name)}"
        )
