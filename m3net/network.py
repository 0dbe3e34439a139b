"""M³Net: three scale encoders and a hierarchical fusion (Li et al. 2026, figure 1b).

::

    x32 -> net32 -> F32 -> Z32 \\
    x64 -> net64 -> F64 -> Z64 -> T1 \\
    x96 -> net96 -> F96 -> Z96 -------> T2 -> Transformer -> mean -> logits

Modules bear the names of the authors' checkpoints; `m3net.released` maps the rest.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

import torch
from torch import Tensor, nn

from m3net.appearance import NUMBERS, Appearance
from m3net.config import M3NetConfig
from m3net.description import NAMES
from m3net.encoders import ScaleEncoder, build_encoder
from m3net.expert import KernelExpert, with_experts
from m3net.fusion import SUFFIX, FeatureFusion, LogitFusion
from m3net.scales import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Everything that a loss or a figure may want of one forward pass.

    logits        : (B, 2) of the fusion, benign first
    features      : per scale F_s (B, C_s), eq. 2
    latents       : per scale Z_s (B, D), eq. 4; empty where one branch stands alone
    branch_logits : per scale (B, 2), each branch's own decision, eq. 3
    attention     : "cross1", "cross2", "transformer.0" ... -> weights (B, heads, Lq, Lk), eq. 17
    undescribed   : (B, 2) what the networks would say if no number were known, without an expert;
                    None in training, and of a network that takes none
    """

    logits: Tensor
    features: Mapping[Scale, Tensor]
    latents: Mapping[Scale, Tensor]
    branch_logits: Mapping[Scale, Tensor]
    attention: Mapping[str, Tensor]
    undescribed: Tensor | None = None


class Network(nn.Module, ABC):
    """`network(x32, x64, x96)` -> logits (B, 2), benign first: an M³Net, or several and experts.

    It is cut where Grad-CAM looks, into `lower` and `upper`.
    """

    config: M3NetConfig

    @abstractmethod
    def encoder(self, scale: Scale) -> ScaleEncoder:
        """The encoder of one scale that the network reads."""

    @abstractmethod
    def lower(self, patches: Mapping[Scale, Tensor]) -> dict[Scale, Tensor]:
        """Patches (B, C, D, H, W) -> the activations at which Grad-CAM cuts the graph."""

    @abstractmethod
    def upper(
        self,
        activations: Mapping[Scale, Tensor],
        present: Mapping[Scale, Tensor] | None = None,
        description: Tensor | None = None,
    ) -> Outputs:
        """From those activations to the decision.

        present     : per scale (B,) bool, True where the sample has that scale; None: all have all
        description : (B, N) `m3net.description.NAMES`, for a model that takes one; behind them, if
                      it is known, how the nodule looks (`described`); None: unknown
        """

    def described(
        self,
        description: Tensor,
        slices: Sequence[Tensor | None],  # noqa: ARG002  # a committee's expert may read them
    ) -> Tensor:
        """The numbers of B nodules as `upper` takes them: (B, N) -> (B, N) or more.

        slices : of each `m3net.slices` (10, 2, 160, 160), or None: nobody outlined it
        """
        return description  # (B, N)

    def forward_all(
        self,
        x32: Tensor | None,
        x64: Tensor | None,
        x96: Tensor | None,
        *,
        present: Mapping[Scale, Tensor] | None = None,
        description: Tensor | None = None,
    ) -> Outputs:
        """Patches (B, C, 56, s, s) -> everything; None for a scale that it does not read."""
        given = {Scale.MICRO: x32, Scale.MESO: x64, Scale.MACRO: x96}
        patches = {s: x for s in self.config.scales if (x := given[s]) is not None}
        if missing := [s for s in self.config.scales if s not in patches]:
            raise ValueError(
                f"the network reads {', '.join(missing)}; pass `present` if a sample lacks it"
            )
        return self.upper(self.lower(patches), present, description)  # (B, 2) and the rest

    def forward(self, x32: Tensor | None, x64: Tensor | None, x96: Tensor | None) -> Tensor:
        """Patches (B, C, 56, s, s) -> logits (B, 2), benign first."""
        return self.forward_all(x32, x64, x96).logits  # (B, 2)


class M3Net(Network):
    """One network of three scales (or of those that its config reads)."""

    def __init__(self, config: M3NetConfig) -> None:
        super().__init__()
        self.config = config
        fusion, channels = config.fusion, config.preprocessing.channels
        heads_on_latents = fusion.kind == "features" and fusion.branch_heads == "latent"
        for scale in config.scales:
            branch = config.branch(scale)
            encoder = build_encoder(
                branch.encoder,
                channels=channels,
                size=branch.patch.size,
                classifier=not heads_on_latents,
            )
            self.add_module(f"net{SUFFIX[scale]}", encoder)
        self.fusion: LogitFusion | FeatureFusion | None = None
        if fusion.kind == "logits":
            self.fusion = LogitFusion(fusion)
        elif fusion.kind == "features":
            self.fusion = FeatureFusion(
                fusion,
                widths={s: self.encoder(s).width for s in config.scales},
                lengths={s: prod(config.branch(s).tokens) for s in Scale},
                described=config.preprocessing.description,
            )
        self.branch_heads = nn.ModuleDict(
            {s: nn.Linear(fusion.dim, 2) for s in config.scales} if heads_on_latents else {}
        )

    def encoder(self, scale: Scale) -> ScaleEncoder:
        """The encoder of one scale that the network reads."""
        return cast(ScaleEncoder, self.get_submodule(f"net{SUFFIX[scale]}"))

    def lower(self, patches: Mapping[Scale, Tensor]) -> dict[Scale, Tensor]:
        """Patches (B, C, D, H, W) -> the activations at which Grad-CAM cuts the graph."""
        scales = self.config.scales
        return {s: self.encoder(s).lower(patches[s]) for s in scales}  # (B, c, d, h, w)

    def upper(
        self,
        activations: Mapping[Scale, Tensor],
        present: Mapping[Scale, Tensor] | None = None,
        description: Tensor | None = None,
    ) -> Outputs:
        """From those activations to the decision.

        present     : per scale (B,) bool, True where the sample has that scale; None: all have all
        description : (B, N) `m3net.description.NAMES`, for a model that takes one; behind them, if
                      it is known, how the nodule looks (`described`); None: unknown
        """
        maps = {s: self.encoder(s).upper(a) for s, a in activations.items()}  # (B, C_s, d, h, w)
        kind = maps[self.config.scales[0]].device.type
        # the encoders alone may run in bf16: what decides is cheap, and rounding would move it
        with torch.autocast(kind, enabled=False):
            maps = {s: m.float() for s, m in maps.items()}  # (B, C_s, d, h, w)
            return self._decide(maps, present, description)  # (B, 2)

    def _decide(
        self,
        maps: Mapping[Scale, Tensor],
        present: Mapping[Scale, Tensor] | None,
        description: Tensor | None,
    ) -> Outputs:
        """From the last feature maps, in fp32."""
        features = {s: self.encoder(s).features(m) for s, m in maps.items()}  # (B, C_s)
        match self.fusion:
            case FeatureFusion():
                return self._from_features(
                    self.fusion, maps, features, present, description
                )  # (B, 2)
            case LogitFusion():
                if present is not None:
                    raise ValueError("the published fusion has no stand-in for a missing scale")
                return self._from_logits(self.fusion, features)  # (B, 2)
            case _:
                (scale,) = self.config.scales
                logits = self.encoder(scale).logits(features[scale])  # (B, 2)
                return Outputs(
                    logits=logits,
                    features=features,
                    latents={},
                    branch_logits={scale: logits},
                    attention={},
                )  # (B, 2)

    def _from_logits(self, fusion: LogitFusion, features: Mapping[Scale, Tensor]) -> Outputs:
        branch = {s: self.encoder(s).logits(f) for s, f in features.items()}  # (B, 2)
        latents = {s: fusion.project(s, x) for s, x in branch.items()}  # (B, D)
        logits, attention, _ = fusion(latents)  # (B, 2)
        return Outputs(
            logits=logits,
            features=features,
            latents=latents,
            branch_logits=branch,
            attention=attention,
        )  # (B, 2)

    def _from_features(
        self,
        fusion: FeatureFusion,
        maps: Mapping[Scale, Tensor],
        features: Mapping[Scale, Tensor],
        present: Mapping[Scale, Tensor] | None,
        description: Tensor | None,
    ) -> Outputs:
        tokens = {
            s: fusion.project(s, self.encoder(s).tokens(m, self.config.branch(s).tokens))
            for s, m in maps.items()
        }  # (B, L_s, D)
        latents = {s: fusion.project(s, f) for s, f in features.items()}  # (B, D)
        if self.branch_heads:
            branch = {s: self.branch_heads[s](z) for s, z in latents.items()}  # (B, 2)
        else:
            branch = {s: self.encoder(s).logits(f) for s, f in features.items()}  # (B, 2)
        logits, attention, undescribed = fusion(tokens, present, description)  # (B, 2)
        return Outputs(
            logits=logits,
            features=features,
            latents=latents,
            branch_logits=branch,
            attention=attention,
            undescribed=undescribed,
        )  # (B, 2)


def parameter_count(network: nn.Module) -> int:
    """Trainable numbers, as Table 7 counts them; BatchNorm's running statistics are not."""
    return sum(p.numel() for p in network.parameters())


class Committee(Network):
    """Networks of one config whose logits are averaged, and the experts beside them if any.

    Their activations lie beside each other as channels of one, so that one pass of Grad-CAM shows
    where all of them looked.
    """

    def __init__(self, config: M3NetConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(M3Net(config) for _ in range(config.members))
        self.expert = KernelExpert(config.remembered) if config.remembered else None
        self.appearance = Appearance(config.remembered) if config.appearance else None

    @property
    def networks(self) -> list[M3Net]:
        """The members."""
        return [cast(M3Net, member) for member in self.members]

    def encoder(self, scale: Scale) -> ScaleEncoder:
        """The first member's, in whose likeness all are."""
        return self.networks[0].encoder(scale)

    def lower(self, patches: Mapping[Scale, Tensor]) -> dict[Scale, Tensor]:
        """Patches (B, C, D, H, W) -> all members' activations (B, members x c, d, h, w)."""
        each = [member.lower(patches) for member in self.networks]  # (B, c, d, h, w) per scale
        return {s: torch.cat([a[s] for a in each], dim=1) for s in self.config.scales}  # (B, ...)

    def upper(
        self,
        activations: Mapping[Scale, Tensor],
        present: Mapping[Scale, Tensor] | None = None,
        description: Tensor | None = None,
    ) -> Outputs:
        """From those activations to the common decision; attention is named by member."""
        members = self.config.members
        shares = {s: a.chunk(members, dim=1) for s, a in activations.items()}  # (B, c, d, h, w)
        each = [
            member.upper({s: share[i] for s, share in shares.items()}, present, description)
            for i, member in enumerate(self.networks)
        ]  # (B, 2) and the rest
        scales = self.config.scales
        logits = torch.stack([o.logits for o in each]).mean(0)  # (B, 2)
        if description is not None:
            # as in a member, what decides is not rounded
            with torch.autocast(logits.device.type, enabled=False):
                logits = with_experts(logits.float(), self.margins(description.float()))  # (B, 2)
        return Outputs(
            logits=logits,
            features={s: torch.cat([o.features[s] for o in each], dim=1) for s in scales},
            latents={s: torch.cat([o.latents[s] for o in each], dim=1) for s in each[0].latents},
            branch_logits={
                s: torch.stack([o.branch_logits[s] for o in each]).mean(0) for s in scales
            },
            attention={f"{i}.{k}": w for i, o in enumerate(each) for k, w in o.attention.items()},
            undescribed=_mean([o.undescribed for o in each]),
        )  # (B, 2)

    def margins(self, description: Tensor) -> list[Tensor]:
        """What each expert says: (B, N) -> (B,) each, NaN where it abstains."""
        said = []
        if self.expert is not None:
            said.append(self.expert(description[:, : len(NAMES)]))  # (B,)
        if self.appearance is not None and description.shape[1] > len(NAMES):
            said.append(self.appearance(description[:, len(NAMES) :]))  # (B,)
        return said

    def described(self, description: Tensor, slices: Sequence[Tensor | None]) -> Tensor:
        """With an expert on how nodules look, what it sees behind the numbers: (B, N + 672)."""
        if self.appearance is None:
            return description  # (B, N)
        looks = description.new_full((len(slices), NUMBERS), math.nan)  # (B, 672)
        with torch.no_grad(), torch.autocast(description.device.type, enabled=False):
            for i, each in enumerate(slices):
                if each is not None:
                    looks[i] = self.appearance.numbers(each[None].float())[0]  # (672,)
        return torch.cat([description, looks], dim=1)  # (B, N + 672)


def _mean(logits: Sequence[Tensor | None]) -> Tensor | None:
    known = [each for each in logits if each is not None]  # (B, 2)
    return torch.stack(known).mean(0) if known else None  # (B, 2)


def network_of(config: M3NetConfig) -> Network:
    """The network that a config describes, or the committee of such networks and its experts."""
    alone = config.members == 1 and not config.remembered
    return M3Net(config) if alone else Committee(config)


def build(config: M3NetConfig, *, seed: int) -> Network:
    """A network initialised from `seed` alone; the caller's random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network_of(config)
