"""`--init FILE`: weights that others trained, whichever library named them (`init_names`).

Only local files are read, and nothing in them is executed.  What fits by name and shape is taken,
and the report says what was taken, what was reshaped, what stays freshly drawn and what of the file
was of no use: tables print its sentence, or `WITHOUT`.
"""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from m3net.errors import WeightsError
from training.baselines.vit import VisionTransformer
from training.learn.init_names import NAMINGS, Naming

WITHOUT = "without pretrained weights"
"""What a table says of a network that no file was given for."""

WRAPPERS = ("state_dict", "model_state_dict", "teacher", "model")
"""Keys under which training scripts put the tensors beside an epoch and an optimiser."""

PREFIXES = ("module.", "backbone.", "vision_encoder.", "vision_tower.", "model.")
"""What wrappers put before every name."""

LEAST_SHARE = 0.5
"""Of the parameters; a file that gives less is of another network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitReport:
    """What became of every tensor.

    loaded  : our names, taken as they are
    adapted : our names -> how their tensor was reshaped
    missing : our names that the file has nothing for: freshly drawn
    unused  : their names -> why
    """

    file: str
    naming: str
    loaded: tuple[str, ...]
    adapted: Mapping[str, str]
    missing: tuple[str, ...]
    unused: Mapping[str, str]
    share: float

    def sentence(self) -> str:
        """For the table: where it started from, and what did not."""
        fresh = sorted({name.rpartition(".")[0] or name for name in self.missing})
        drawn = f"; freshly drawn: {', '.join(fresh)}" if fresh else ""
        return f"started from {self.file} ({self.naming} names), {self.share:.1%}{drawn}"


def initialise(network: nn.Module, file: Path) -> InitReport:
    """Everything of `file` that fits is in `network`.

    network : an encoder of m3net, or a baseline

    Raises WeightsError if the file cannot be read, is named in an unknown way, or gives less than
    half of the parameters: then nothing was changed.
    """
    theirs = read_tensors(file)
    naming = _naming(theirs, file)
    target = getattr(network, "backbone", network)
    ours = target.state_dict()
    loaded: dict[str, Tensor] = {}
    adapted, unused = {}, {}
    for their_name, tensor in theirs.items():
        name = naming.ours(their_name)
        if name not in ours:
            unused[their_name] = "no such layer here"
            continue
        fitted, how = _fit(target, name, _masked(their_name, tensor, theirs))
        if fitted is None:
            unused[their_name] = (
                f"shape {tuple(tensor.shape)} does not fit {name} {tuple(ours[name].shape)}"
            )
            continue
        loaded[name] = fitted.to(ours[name].dtype)
        if how:
            adapted[name] = how
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    prefix = "" if target is network else "backbone."
    share = sum(sizes.get(prefix + name, 0) for name in loaded) / sum(sizes.values())
    if share < LEAST_SHARE:
        reasons = [f"{name}: {why}" for name, why in unused.items() if why.startswith("shape")]
        raise WeightsError(
            f"{file.name} ({naming.name} names) gives {share:.1%} of this network's parameters; "
            f"{'; '.join(reasons[:2]) or 'no layer has the same name'}; "
            "give weights of the same architecture (2D kernels do not fit 3D ones)"
        )
    target.load_state_dict(loaded, strict=False)
    return InitReport(
        file=file.name,
        naming=naming.name,
        loaded=tuple(prefix + name for name in loaded if name not in adapted),
        adapted={prefix + name: how for name, how in adapted.items()},
        missing=tuple(name for name in sizes if name.removeprefix(prefix) not in loaded),
        unused=unused,
        share=share,
    )


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or a checkpoint of torch, without wrappers' prefixes."""
    try:
        if file.suffix == ".safetensors":
            content: object = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{file.name} holds no weights that can be read: {error}") from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{file.name} holds a {type(content).__name__}, not named tensors")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        inside = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        tensors = inside or tensors
    return tensors


def _naming(theirs: Mapping[str, Tensor], file: Path) -> Naming:
    for naming in NAMINGS:
        if any(re.fullmatch(naming.mark, name) for name in theirs):
            return naming
    raise WeightsError(
        f"{file.name} has tensors named {', '.join(list(theirs)[:3]) or 'nothing'}; understood are "
        f"{', '.join(naming.name for naming in NAMINGS)} names"
    )


def _masked(name: str, tensor: Tensor, theirs: Mapping[str, Tensor]) -> Tensor:
    """DINOv3 keeps the keys' bias at zero by a mask beside it."""
    mask = theirs.get(f"{name}_mask")
    return tensor if mask is None else tensor * mask.nan_to_num(0.0)


def _fit(target: nn.Module, name: str, tensor: Tensor) -> tuple[Tensor | None, str]:
    """The tensor in our shape and how it got there, or None."""
    shape = target.state_dict()[name].shape
    if tensor.shape == shape:
        return tensor, ""
    if name.endswith(".gamma") and tensor.numel() == shape.numel():
        return tensor.reshape(shape), "one factor per channel"
    if isinstance(target, VisionTransformer) and name == "pos_embed":
        return _positions(target, tensor)
    if name == "patch_embed.proj.weight" and tensor.ndim == 2 and tensor.numel() == shape.numel():
        return tensor.reshape(shape), "the linear layer over a patch as a convolution"
    return None, ""


def _positions(target: VisionTransformer, theirs: Tensor) -> tuple[Tensor | None, str]:
    """Position embeddings (1, L, C) interpolated onto our grid of patches."""
    config = target.config
    first = int(config.positions == "learned")
    places, axes = theirs.shape[1] - first, len(config.grid)
    side = round(places ** (1 / axes))
    grid = config.pretrained_grid or (side,) * axes
    if theirs.shape[2] != config.dim or prod(grid) != places:
        return None, ""
    table = theirs[:, first:].transpose(1, 2).reshape(1, config.dim, *grid)  # (1, C, *grid)
    mode = "bicubic" if axes == 2 else "trilinear"
    table = functional.interpolate(table.float(), config.grid, mode=mode, align_corners=False)
    table = table.flatten(2).transpose(1, 2)  # (1, N, C)
    there, here = ("x".join(map(str, g)) for g in (grid, config.grid))
    return torch.cat([theirs[:, :first], table], dim=1), f"positions from {there} to {here}"
