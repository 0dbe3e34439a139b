"""What is trained: an M³Net or a baseline, from what it starts, and what of it stands still."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from m3net.config import M3NetConfig
from m3net.description import BASIC
from m3net.errors import WeightsError
from m3net.fusion import SUFFIX, FeatureFusion, LogitFusion
from m3net.network import M3Net, Outputs, build
from m3net.released import our_name
from m3net.scales import Scale
from training import baselines
from training.data.errors import SettingsUnusable
from training.data.nodules import Inputs, Nodules
from training.learn.distributed import Processes
from training.learn.init_weights import initialise, read_tensors
from training.learn.settings import NetworkSettings

LOWER_PARTS = 3
"""Stem and the first two of the four stages: the lower layers of Sec. 3.2."""

Freeze = Literal["all", "lower", "all_but_head", "none"]


class Model(nn.Module):
    """A network and the config by which its nodules are cut."""

    config: M3NetConfig
    network: nn.Module

    def forward(self, inputs: Inputs) -> Outputs:
        """A batch of nodules -> logits and all that the loss may want."""
        raise NotImplementedError


class M3NetModel(Model):
    """An M³Net."""

    network: M3Net

    def __init__(self, network: M3Net) -> None:
        super().__init__()
        self.network, self.config = network, network.config

    def forward(self, inputs: Inputs) -> Outputs:
        """(B, C, D, H, W) per scale -> (B, 2) and the rest."""
        x32, x64, x96 = (inputs.get(scale) for scale in Scale)  # (B, C, D, s, s) each
        description = inputs.get("description")  # (B, N)
        return self.network.forward_all(x32, x64, x96, description=description)  # (B, 2)


class BaselineModel(Model):
    """One of Table 3's: it reads the meso patch, and its decision is that branch's."""

    def __init__(self, network: nn.Module, config: M3NetConfig) -> None:
        super().__init__()
        self.network = network
        fusion = replace(config.fusion, kind="branch")
        self.config = replace(config, scales=(Scale.MESO,), fusion=fusion)

    def forward(self, inputs: Inputs) -> Outputs:
        """(B, 1, D, H, W) -> (B, 2)."""
        logits: Tensor = self.network(inputs[Scale.MESO])  # (B, 2)
        return Outputs(
            logits=logits,
            features={},
            latents={},
            branch_logits={Scale.MESO: logits},
            attention={},
        )  # (B, 2)


def build_model(settings: NetworkSettings, *, seed: int) -> Model:
    """The network that the settings name, initialised from `seed`."""
    config = settings.config()
    if settings.baseline is None:
        alone = build(config, seed=seed)
        assert isinstance(alone, M3Net), "the config of a run has one member"  # noqa: S101
        return M3NetModel(alone)
    if config.preprocessing.channels != 1:
        raise SettingsUnusable(
            f"the baselines read one channel and the preprocessing of {config.preset} has "
            f"{config.preprocessing.channels}; use the preset paper"
        )
    try:
        network = baselines.build(
            settings.baseline, size=config.meso.patch.size, narrow=settings.narrow
        )
    except (KeyError, LookupError) as error:
        raise SettingsUnusable(f"[network] baseline: {error.args[0]}") from error
    return BaselineModel(network, config)


def initialise_from(model: Model, start: str) -> str:
    """What of a file fits is in the model; what that was, in a sentence.

    start : "FILE" or "SCALE=FILE".  A file with the names of an M³Net (another stage's weights,
            the authors' checkpoint) fills whatever it has; one of another library (ImageNet) fills
            the encoder of that scale, the micro one if none is named, or the baseline.

    Raises WeightsError if the file cannot be read or nothing of it fits.
    """
    scale_name, equals, rest = start.partition("=")
    scale = Scale(scale_name) if equals and scale_name in set(Scale) else None
    file = Path(rest if scale else start)
    if not file.is_file():
        raise WeightsError(f"no weights at {file}; correct --init")
    if not isinstance(model, M3NetModel):
        return _take_own(model.network, file) or initialise(model.network, file).sentence()
    # a run's own checkpoint holds this very model, network and all
    tensors = {name.removeprefix("network."): t for name, t in read_tensors(file).items()}
    if scale is None and any(name.split(".")[0] in _ENCODERS for name in tensors):
        return _take(model.network, tensors, file)
    encoder = model.network.encoder(scale or Scale.MICRO)
    return f"{scale or Scale.MICRO}: {initialise(encoder, file).sentence()}"


_ENCODERS = {f"net{suffix}" for suffix in SUFFIX.values()}
_OURS = (*_ENCODERS, "fusion", "branch_heads")


def _take_own(network: nn.Module, file: Path) -> str:
    """All tensors of a run of this very baseline; nothing if the file is of another kind."""
    if file.suffix != ".safetensors":
        return ""
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file.name} holds no weights that can be read: {error}") from error
    ours = network.state_dict()
    if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in ours.items()}:
        return ""
    network.load_state_dict(tensors)
    return f"{len(tensors)} of {len(ours)} tensors from {file.name}"


def _take(network: M3Net, tensors: Mapping[str, Tensor], file: Path) -> str:
    """Every tensor of an M³Net that this one has too."""
    named = {
        name if name.split(".")[0] in _OURS else our_name(name): t for name, t in tensors.items()
    }
    ours = network.state_dict()
    if wrong := [n for n, t in named.items() if n in ours and ours[n].shape != t.shape]:
        raise WeightsError(
            f"{file.name} is of another network: {len(wrong)} tensors differ in shape, first "
            f"{wrong[0]}: {tuple(named[wrong[0]].shape)}, expected {tuple(ours[wrong[0]].shape)}"
        )
    fitting = {name: tensor for name, tensor in named.items() if name in ours}
    if not fitting:
        raise WeightsError(f"{file.name} has no tensor of this network")
    network.load_state_dict(fitting, strict=False)
    return f"{len(fitting)} of {len(ours)} tensors from {file.name}"


def fit_description(model: Model, train: Nodules, processes: Processes) -> None:
    """A network that takes a description knows the mean and deviation of the training nodules'.

    What came with the weights that it started from stays.
    """
    fusion = model.network.fusion if isinstance(model, M3NetModel) else None
    taken = fusion.description if isinstance(fusion, FeatureFusion) else None
    if taken is None or bool(taken.mean.any()):
        return
    mine = range(processes.rank, len(train.labels), processes.count)
    own = [train.item(index, None)["description"].numpy() for index in mine]
    every = np.array([row for share in processes.gather_objects(own) for row in share])
    every = every[:, : len(BASIC)]
    taken.mean.copy_(torch.from_numpy(np.nanmean(every, axis=0)))
    # a number that is the same for all nodules tells nothing, whatever it is divided by
    deviation = np.nanstd(every, axis=0)
    taken.deviation.copy_(torch.from_numpy(np.where(deviation > 0, deviation, 1.0)))


def initialise_all(model: Model, starts: Sequence[str]) -> tuple[Sequence[str], Sequence[Scale]]:
    """Initialise from each file: what was taken, in a sentence each, and the scales left at random.

    Raises WeightsError as `initialise_from` does.
    """
    first: dict[Scale, Tensor] = {}
    if isinstance(model, M3NetModel):
        network = model.network
        first = {s: next(network.encoder(s).parameters()) for s in model.config.scales}
    before = {s: parameter.detach().clone() for s, parameter in first.items()}
    sentences = [initialise_from(model, start) for start in starts]
    return sentences, [s for s, tensor in first.items() if torch.equal(tensor, before[s])]


def frozen_parts(model: Model, freeze: Freeze) -> Sequence[nn.Module]:
    """What stands still: all of each backbone, its lower layers, all but one head, or nothing.

    Its parameters want no gradients from now on; that it also stays in eval mode is for
    `set_training` to see to.
    """
    if freeze == "none" or not isinstance(model, M3NetModel):
        return []
    encoders = [model.network.encoder(scale) for scale in model.config.scales]
    parts: list[nn.Module] = list(encoders)
    if freeze == "lower":
        parts = [part for encoder in encoders for part in encoder.parts()[:LOWER_PARTS]]
    if freeze == "all_but_head" and model.network.fusion is not None:
        heads = {"fc_head", "head"}  # of the one kind of fusion, and of the other
        fusion = dict(model.network.fusion.named_children())
        parts += [part for name, part in fusion.items() if name not in heads]
        parts.append(model.network.branch_heads)
    for part in parts:
        part.requires_grad_(False)
    return parts


def branch_tensors(network: M3Net, scale: Scale) -> set[str]:
    """The names of all that a branch's own decision depends on, and of its projection (Eq. 4)."""
    modules: list[nn.Module] = [network.encoder(scale)]
    match network.fusion:
        case FeatureFusion():
            modules.append(network.fusion.latent[scale])
        case LogitFusion():
            modules.append(network.fusion.get_submodule(f"proj{SUFFIX[scale]}"))
    if scale in network.branch_heads:
        modules.append(network.branch_heads[scale])
    tensors = [module.state_dict(keep_vars=True).values() for module in modules]
    own = {id(tensor) for of_module in tensors for tensor in of_module}
    every = network.state_dict(keep_vars=True)
    return {name for name, tensor in every.items() if id(tensor) in own}


def set_training(model: Model, frozen: Sequence[nn.Module]) -> None:
    """Training mode, but for what is frozen: there BatchNorm and dropout rest."""
    model.train()
    for part in frozen:
        part.eval()
