"""What tells one M³Net from another: every difference between the presets is a field here.

`release` is the network that was published, `paper` what the paper's text says made sound, `small`
the same for a CPU.  A config is plain
data: it goes into the model card as JSON and comes back as the same value.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from m3net.scales import ContextBox, Scale, ScaleSpec

Size3 = tuple[int, int, int]
Cam = Literal["gradcam", "hirescam"]
"""How activations are weighed in a map of where the network looked (`m3net.gradcam`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvNeXt2D:
    """ConvNeXt (Liu et al. 2022) on the slices as channels; it has no depth axis.

    depths, widths : blocks and channels of the four stages
    grid           : the patch is resized in plane to grid x grid before the 1x1 stem
    """

    depths: tuple[int, int, int, int] = (3, 3, 27, 3)
    widths: tuple[int, int, int, int] = (128, 256, 512, 1024)
    grid: int = 56
    kind: Literal["convnext2d"] = "convnext2d"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet3D:
    """3D ResNet of basic blocks (He et al. 2016).

    depths, widths : blocks and channels of the four stages
    norm           : "batch", or "group" (of 8 channels): the same in training and serving, and
                     for any batch size
    explained_stage: the stage, 1 to 4, at whose output the map of where it looked is taken
    """

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    stem_kernel: int = 7
    stem_stride: Size3 = (1, 2, 2)
    stem_pool: bool = True
    norm: Literal["batch", "group"] = "batch"
    explained_stage: Literal[1, 2, 3, 4] = 3
    kind: Literal["resnet3d"] = "resnet3d"


Encoder = ConvNeXt2D | ResNet3D


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One scale: what is cut, what reads it, and the grid of tokens that it hands to the fusion.

    tokens : (d, h, w), to which the last feature map is averaged where it is not so already; the
             published fusion has no such tokens
    """

    patch: ScaleSpec
    encoder: Encoder
    tokens: Size3 = (1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """From HU to the network's input channels, the same in training and serving.

    intensity  : "minmax_per_crop": each crop's own minimum and maximum to 0 and 1;
                 "none": HU as they are; "hu_window": `window_hu` to 0 and 1, clipped
    validity   : a further channel: 1 where the scan has a voxel, 0 in padding
    mask       : a further channel: the nodule's mask, its sphere if only a diameter is known,
                 zero for a bare centre
    description: the nodule's measured numbers (`m3net.description`) beside the patches; they join
                 the fused vector before the head, so the fusion must be of kind "features"
    context    : None: all of the scan that the patch covers
    """

    intensity: Literal["minmax_per_crop", "none", "hu_window"]
    window_hu: tuple[float, float] = (-1000.0, 400.0)
    validity: bool = False
    mask: bool = False
    description: bool = False
    context: ContextBox | None = None

    @property
    def channels(self) -> int:
        """How many channels a patch has."""
        return 1 + self.validity + self.mask

    def in_words(self) -> str:
        """For the model card."""
        low, high = self.window_hu
        words = [
            {
                "minmax_per_crop": "each crop's own minimum and maximum to 0 and 1",
                "none": "HU as they are",
                "hu_window": f"{low:g} to {high:g} HU to 0 and 1, clipped",
            }[self.intensity]
        ]
        if self.validity:
            words.append("a channel that marks padding")
        if self.mask:
            words.append("the nodule's mask as a channel")
        if self.description:
            words.append("the nodule's size, shape, density and edge as measured from its mask")
        if self.context is not None:
            shares = " x ".join(f"{share:.0%}" for share in self.context.margin_share)
            least = " x ".join(str(length) for length in self.context.min_extent_voxels)
            words.append(
                f"nothing beyond the nodule's extent and {shares} of it (z, y, x) on each side, in "
                f"all at least {least} voxels"
            )
        return "; ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """How three scales become one decision.

    kind          : "logits": the branches' two logits are projected (the published network);
                    "features": spatial tokens of the feature maps are (the paper's text, eq. 2, 4);
                    "branch": one branch alone, no fusion (its own logits)
    low, high     : T1 (eq. 14) and T2 (eq. 15); without T1 its place is taken by the micro and
                    meso tokens themselves, without T2 by the macro tokens (Table 4)
    transformer   : "sequential": post-norm, one after the other; "parallel": eq. 16 to the letter;
                    "none": T goes to the pooling as it is
    branch_heads  : each branch's own classifier stands on "latent" Z_s or on "features" F_s;
                    only for kind "features"
    description_width: channels that a description, where the model takes one, has before the head
    """

    kind: Literal["logits", "features", "branch"]
    dim: int = 128
    heads: int = 4
    layers: int = 2
    feedforward: int = 256
    dropout: float = 0.2
    head_width: int = 64
    head_dropout: float = 0.3
    low: bool = True
    high: bool = True
    transformer: Literal["sequential", "parallel", "none"] = "sequential"
    branch_heads: Literal["latent", "features"] = "latent"
    description_width: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class M3NetConfig:
    """One network, whole.

    scales  : the scales that it reads; one that is absent has no encoder, and a learnt token stands
              for it in the fusion (Table 5)
    members : how many such networks, trained from different seeds, decide together
    mirrored: the decision is the mean over the patches and their mirror images along z, y and x
    remembered: training nodules that an expert compares descriptions with (`m3net.expert`); it
              counts as much as all members together; 0: there is none
    appearance: whether another compares how the same nodules look (`m3net.appearance`), and counts
              as much again
    cam     : how the maps of where it looked weigh its activations
    """

    preset: str
    micro: Branch
    meso: Branch
    macro: Branch
    fusion: Fusion
    preprocessing: Preprocessing
    scales: tuple[Scale, ...] = (Scale.MICRO, Scale.MESO, Scale.MACRO)
    members: int = 1
    mirrored: bool = False
    remembered: int = 0
    appearance: bool = False
    cam: Cam = "gradcam"

    def __post_init__(self) -> None:
        if not self.scales or tuple(s for s in Scale if s in self.scales) != self.scales:
            raise ValueError(f"scales {self.scales} must be some of {tuple(Scale)}, in that order")
        if self.fusion.kind == "branch" and len(self.scales) != 1:
            raise ValueError(f"fusion 'branch' reads one scale, not {len(self.scales)}")
        if self.preprocessing.description and self.fusion.kind != "features":
            raise ValueError(f"fusion {self.fusion.kind!r} takes no description; use 'features'")
        if self.remembered and not self.preprocessing.description:
            raise ValueError("an expert judges by descriptions: set preprocessing.description")
        if self.appearance and not self.remembered:
            raise ValueError("an expert on appearance stands beside one on descriptions")
        if self.fusion.kind == "logits" and len(self.scales) != 3:
            raise ValueError("fusion 'logits' has no stand-in for a scale; use 'features'")

    def branch(self, scale: Scale) -> Branch:
        """The branch of one scale."""
        return {Scale.MICRO: self.micro, Scale.MESO: self.meso, Scale.MACRO: self.macro}[scale]

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers, as they come back from a file."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "M3NetConfig":
        """The value that `to_json` was called on; unknown and missing keys are a ValueError."""
        try:
            parts: dict[str, Any] = dict(data)
            for scale in Scale:
                parts[scale] = _branch(parts[scale])
            parts["fusion"] = Fusion(**parts["fusion"])
            parts["preprocessing"] = _preprocessing(parts["preprocessing"])
            parts["scales"] = tuple(Scale(s) for s in parts["scales"])
            return cls(**parts)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the config of an M³Net: {error}") from error


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where the config has tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}


def _branch(data: Mapping[str, Any]) -> Branch:
    encoder = _tuples(data["encoder"])
    kinds = {"convnext2d": ConvNeXt2D, "resnet3d": ResNet3D}
    return Branch(
        **{
            **_tuples(data),
            "patch": ScaleSpec(**_tuples(data["patch"])),
            "encoder": kinds[encoder["kind"]](**encoder),
        }
    )


def _preprocessing(data: Mapping[str, Any]) -> Preprocessing:
    parts = _tuples(data)
    if parts["context"] is not None:
        parts["context"] = ContextBox(**_tuples(parts["context"]))
    return Preprocessing(**parts)


def _native(side: int) -> ScaleSpec:
    """Eq. 1: side x side x 56 of the CT's own voxels."""
    return ScaleSpec(size=(56, side, side))


RELEASE = M3NetConfig(
    preset="release",
    micro=Branch(patch=_native(32), encoder=ConvNeXt2D()),
    meso=Branch(patch=_native(64), encoder=ResNet3D(depths=(3, 4, 6, 3))),
    macro=Branch(patch=_native(96), encoder=ResNet3D(depths=(2, 2, 2, 2))),
    fusion=Fusion(kind="logits"),
    preprocessing=Preprocessing(intensity="minmax_per_crop"),
)
"""The published network: 184,608,072 parameters."""

PAPER = M3NetConfig(
    preset="paper",
    micro=Branch(patch=_native(32), encoder=ConvNeXt2D(), tokens=(1, 7, 7)),
    meso=Branch(patch=_native(64), encoder=ResNet3D(depths=(3, 4, 6, 3)), tokens=(4, 2, 2)),
    macro=Branch(patch=_native(96), encoder=ResNet3D(depths=(2, 2, 2, 2)), tokens=(4, 3, 3)),
    fusion=Fusion(kind="features", transformer="parallel"),
    preprocessing=Preprocessing(intensity="none"),
)
"""The paper's text (eq. 2 to 18) made sound, on the published backbones.

Tokens are the backbones' last feature maps as they are: 49, 16 and 36, each place with a learnt
position.
"""

_NARROW = ResNet3D(
    depths=(1, 1, 1, 1),
    widths=(16, 32, 64, 96),
    stem_kernel=3,
    stem_stride=(2, 2, 2),
    stem_pool=False,
    explained_stage=1,
)


def _cube(side: int, spacing_mm: float) -> ScaleSpec:
    """A cube of the patient, whatever the CT's voxels."""
    return ScaleSpec(size=(side,) * 3, spacing_mm=(spacing_mm,) * 3)


SMALL = M3NetConfig(
    preset="small",
    micro=Branch(patch=_cube(32, 0.75), encoder=_NARROW, tokens=(2, 2, 2)),
    meso=Branch(patch=_cube(24, 1.5), encoder=_NARROW, tokens=(2, 2, 2)),
    macro=Branch(patch=_cube(20, 3.0), encoder=_NARROW, tokens=(2, 2, 2)),
    fusion=Fusion(kind="features", dim=64, layers=1, feedforward=128, transformer="parallel"),
    preprocessing=Preprocessing(
        intensity="hu_window",
        validity=True,
        mask=True,
        description=True,
        context=ContextBox(margin_share=(0.15, 0.15, 0.15), min_extent_voxels=(0, 44, 44)),
    ),
    cam="hirescam",
)
"""The same design for CPUs and little data: cubes of 24, 36 and 60 mm, the nodule's mask among the
channels, its description before the head.

It is made to be trained on cut-outs, so it looks no further than those reach.
"""

PRESETS: Mapping[str, M3NetConfig] = {c.preset: c for c in (RELEASE, PAPER, SMALL)}


def preset(name: str, **changes: Any) -> M3NetConfig:
    """A preset, with fields of `M3NetConfig` replaced."""
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    unknown = set(changes) - {f.name for f in fields(M3NetConfig)}
    if unknown:
        raise ValueError(f"no such field of a config: {', '.join(sorted(unknown))}")
    return replace(PRESETS[name], **changes)
