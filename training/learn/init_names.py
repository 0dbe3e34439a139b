"""How timm, torchvision, Facebook and MONAI name the layers that we have as well."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A pattern for the whole name, and what it is called here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How one library names a network: known by `mark`, put into ours by the first rule that fits.

    A name that no rule fits is the same in both.
    """

    name: str
    mark: str
    rules: Sequence[Rule]

    def ours(self, theirs: str) -> str:
        """The name here of one of their tensors."""
        for pattern, ours in self.rules:
            if match := re.fullmatch(pattern, theirs):
                return match.expand(ours) if isinstance(ours, str) else ours(match)
        return theirs


def _halved(pattern: str) -> Callable[[re.Match[str]], str]:
    """`pattern` with the first group's number halved: torchvision counts pairs of layers."""
    return lambda match: match.expand(pattern).replace("#", str(int(match[1]) // 2), 1)


NAMINGS = (
    Naming(
        name="timm's ConvNeXt",
        mark=r"stages\.0\.blocks\.0\.conv_dw\.weight",
        rules=(
            (r"stem\.0\.(.*)", r"stem.conv.\1"),
            (r"stem\.1\.(.*)", r"stem.norm.\1"),
            (r"head\.norm\.(.*)", r"clf.norm.\1"),
        ),
    ),
    Naming(
        name="torchvision's ConvNeXt",
        mark=r"features\.1\.0\.block\.0\.weight",
        rules=(
            (r"features\.0\.0\.(.*)", r"stem.conv.\1"),
            (r"features\.0\.1\.(.*)", r"stem.norm.\1"),
            (r"features\.(\d)\.(\d+)\.layer_scale", _halved(r"stages.#.blocks.\2.gamma")),
            (r"features\.(\d)\.(\d+)\.block\.0\.(.*)", _halved(r"stages.#.blocks.\2.conv_dw.\3")),
            (r"features\.(\d)\.(\d+)\.block\.2\.(.*)", _halved(r"stages.#.blocks.\2.norm.\3")),
            (r"features\.(\d)\.(\d+)\.block\.3\.(.*)", _halved(r"stages.#.blocks.\2.mlp.fc1.\3")),
            (r"features\.(\d)\.(\d+)\.block\.5\.(.*)", _halved(r"stages.#.blocks.\2.mlp.fc2.\3")),
            (r"features\.(\d)\.([01])\.(.*)", _halved(r"stages.#.downsample.\2.\3")),
            (r"classifier\.0\.(.*)", r"clf.norm.\1"),
        ),
    ),
    Naming(
        name="Facebook's ConvNeXt",
        mark=r"downsample_layers\.0\.0\.weight",
        rules=(
            (r"downsample_layers\.0\.0\.(.*)", r"stem.conv.\1"),
            (r"downsample_layers\.0\.1\.(.*)", r"stem.norm.\1"),
            (r"downsample_layers\.(\d)\.(.*)", r"stages.\1.downsample.\2"),
            (r"stages\.(\d)\.(\d+)\.dwconv\.(.*)", r"stages.\1.blocks.\2.conv_dw.\3"),
            (r"stages\.(\d)\.(\d+)\.pwconv([12])\.(.*)", r"stages.\1.blocks.\2.mlp.fc\3.\4"),
            (r"stages\.(\d)\.(\d+)\.(.*)", r"stages.\1.blocks.\2.\3"),
            (r"norm\.(.*)", r"clf.norm.\1"),
        ),
    ),
    Naming(
        name="torchvision's video ResNet",
        mark=r"layer1\.0\.conv1\.0\.weight",
        rules=(
            (r"stem\.0\.(.*)", r"conv1.\1"),
            (r"stem\.1\.(.*)", r"bn1.\1"),
            (r"(layer\d\.\d+)\.conv([12])\.0\.(.*)", r"\1.conv\2.\3"),
            (r"(layer\d\.\d+)\.conv([12])\.1\.(.*)", r"\1.bn\2.\3"),
        ),
    ),
    Naming(name="ResNet's", mark=r"layer1\.0\.conv1\.weight", rules=()),
    Naming(
        name="torchvision's ViT",
        mark=r"encoder\.layers\.encoder_layer_0\.ln_1\.weight",
        rules=(
            (r"conv_proj\.(.*)", r"patch_embed.proj.\1"),
            (r"class_token", r"cls_token"),
            (r"encoder\.pos_embedding", r"pos_embed"),
            (r"encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.(.*)", r"blocks.\1.norm\2.\3"),
            (
                r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_(.*)",
                r"blocks.\1.attn.qkv.\2",
            ),
            (
                r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.(.*)",
                r"blocks.\1.attn.proj.\2",
            ),
            (
                r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:0|linear_1)\.(.*)",
                r"blocks.\1.mlp.fc1.\2",
            ),
            (
                r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:3|linear_2)\.(.*)",
                r"blocks.\1.mlp.fc2.\2",
            ),
            (r"encoder\.ln\.(.*)", r"norm.\1"),
        ),
    ),
    Naming(
        name="MONAI's ViT",
        mark=r"patch_embedding\.position_embeddings",
        rules=(
            (r"patch_embedding\.position_embeddings", r"pos_embed"),
            (r"patch_embedding\.patch_embeddings\.(?:1\.)?(weight|bias)", r"patch_embed.proj.\1"),
            (r"(blocks\.\d+)\.mlp\.linear([12])\.(.*)", r"\1.mlp.fc\2.\3"),
            (r"(blocks\.\d+)\.attn\.out_proj\.(.*)", r"\1.attn.proj.\2"),
        ),
    ),
    Naming(
        name="timm's and Facebook's ViT",
        mark=r"blocks\.(\d+\.)?0\.attn\.qkv\.weight",
        rules=(
            (r"(?:register_tokens|storage_tokens)", r"reg_token"),
            (r"blocks\.\d+\.(\d+\..*)", r"blocks.\1"),  # in chunks, as trained in parallel
        ),
    ),
)
"""The first whose mark is in the file is taken."""
