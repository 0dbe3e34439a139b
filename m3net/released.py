"""The authors' checkpoints: their names, and the network that they describe.

A checkpoint is the whole network, or one branch alone as stage 1 leaves it.  Both kinds are read
with `weights_only`: nothing in them is executed.
"""

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from m3net.config import RELEASE, M3NetConfig
from m3net.errors import WeightsError
from m3net.fusion import SUFFIX
from m3net.network import M3Net
from m3net.scales import Scale

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts put the tensors beside an epoch and an optimiser."""

_BRANCH_MARKS = {
    Scale.MICRO: ("stem.conv.weight", "clf.fc.weight"),
    Scale.MESO: ("conv1.weight", "layer3.5.conv1.weight", "fc.weight"),
    Scale.MACRO: ("conv1.weight", "layer4.1.conv1.weight", "fc.weight"),
}
"""A branch alone is known by tensors that it has; meso is tried first, macro is shallower."""


_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
)
"""What torch.load raises on a file that is no checkpoint, or one that wants to run code."""


def our_name(released: str) -> str:
    """The name in `M3Net` of a published tensor: what belongs to no branch is the fusion's."""
    return released if released.startswith("net") else f"fusion.{released}"


def released_name(ours: str) -> str:
    """The inverse of `our_name`."""
    return ours.removeprefix("fusion.")


def from_released(state_dict: Mapping[str, Any]) -> M3Net:
    """The network of one of the authors' checkpoints, in eval mode.

    All tensors: the whole network.  A branch's alone: a network that reads that one scale.

    Raises WeightsError if names or shapes are of neither.
    """
    tensors = _unwrapped(state_dict)
    if any(name.startswith("net") for name in tensors):
        return _loaded(RELEASE, {our_name(name): t for name, t in tensors.items()})
    for scale, marks in _BRANCH_MARKS.items():
        if all(mark in tensors for mark in marks):
            prefix = f"net{SUFFIX[scale]}."
            return _loaded(branch_config(scale), {prefix + n: t for n, t in tensors.items()})
    raise WeightsError(
        f"a checkpoint of {len(tensors)} tensors (first: {next(iter(tensors), 'none')}) is neither "
        "the published M³Net nor one of its branches; expected names such as net32.stem.conv.weight"
    )


def branch_config(scale: Scale) -> M3NetConfig:
    """One published branch alone, with the classifier that it was trained with in stage 1."""
    return replace(
        RELEASE,
        preset=f"release-{scale}",
        scales=(scale,),
        fusion=replace(RELEASE.fusion, kind="branch"),
    )


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """The mapping in a .pt or .pth file; a file that would run code is refused.

    Raises WeightsError.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"no checkpoint at {path}") from error
    except _UNREADABLE as error:
        raise WeightsError(
            f"{path.name} cannot be read as tensors alone ({type(error).__name__}); save it anew "
            "with torch.save(model.state_dict(), ...)"
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path.name} holds a {type(content).__name__}, not a state dict")
    return content


def _unwrapped(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors alone, without a training script's wrapping or DataParallel's prefix."""
    content: Mapping[str, Any] = state_dict
    for key in WRAPPERS:
        if isinstance(inner := content.get(key), Mapping):
            content = inner
    return {
        str(name).removeprefix("module."): t for name, t in content.items() if isinstance(t, Tensor)
    }


def _loaded(config: M3NetConfig, tensors: Mapping[str, Tensor]) -> M3Net:
    with torch.device("meta"):
        network = M3Net(config)
    expected = network.state_dict()
    problems = [f"{name} is missing" for name in expected if name not in tensors]
    problems += [f"{name} is not expected" for name in tensors if name not in expected]
    problems += [
        f"{name} is {tuple(t.shape)}, expected {tuple(expected[name].shape)}"
        for name, t in tensors.items()
        if name in expected and t.shape != expected[name].shape
    ]
    if problems:
        raise WeightsError(
            f"not the published network ({config.preset}): {len(problems)} of {len(expected)} "
            f"tensors differ; {'; '.join(problems[:3])}"
        )
    network.load_state_dict(
        {name: t.to(expected[name].dtype) for name, t in tensors.items()}, assign=True
    )
    return network.eval()
