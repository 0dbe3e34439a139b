"""Weights of others find their layers by the names that their libraries give them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from m3net.config import ConvNeXt2D, ResNet3D
from m3net.encoders import build_encoder
from m3net.errors import WeightsError
from training.baselines.vit import SliceViT, ViTConfig, VolumeViT
from training.learn.init_weights import initialise, read_tensors

CONVNEXT = ConvNeXt2D(depths=(1, 1, 2, 1), widths=(4, 8, 16, 32))
VIT = ViTConfig(patch=(8, 8), image=(32, 32), dim=16, depth=2, heads=2)


def convnext() -> nn.Module:
    torch.manual_seed(1)
    return build_encoder(CONVNEXT, channels=1, size=(56, 32, 32), classifier=True)


def resnet() -> nn.Module:
    torch.manual_seed(1)
    config = ResNet3D(depths=(1, 1, 1, 1), widths=(4, 8, 8, 16))
    return build_encoder(config, channels=1, size=(56, 32, 32), classifier=True)


def drawn(network: nn.Module, skip: str) -> dict[str, Tensor]:
    """Other numbers for every tensor but those that match `skip`."""
    generator = torch.Generator().manual_seed(2)
    return {
        name: torch.randn(tensor.shape, generator=generator)
        for name, tensor in network.state_dict().items()
        if not re.match(skip, name)
    }


def saved(folder: Path, tensors: dict[str, Tensor]) -> Path:
    file = folder / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return file


def timm(name: str) -> str:
    return name.replace("stem.norm", "stem.1").replace("clf.norm", "head.norm")


def torchvision(name: str) -> str:
    name = name.replace("stem.norm", "features.0.1").replace("clf.norm", "classifier.0")
    name = re.sub(r"stages\.(\d)\.downsample", lambda m: f"features.{2 * int(m[1])}", name)
    name = re.sub(
        r"stages\.(\d)\.blocks\.(\d)\.", lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}.", name
    )
    layers = {"conv_dw": "block.0", "norm": "block.2", "mlp.fc1": "block.3", "mlp.fc2": "block.5"}
    for ours, theirs in layers.items():
        name = re.sub(rf"(features\.\d\.\d\.){re.escape(ours)}\.", rf"\1{theirs}.", name)
    return name.replace("gamma", "layer_scale")


def facebook(name: str) -> str:
    name = name.replace("stem.norm", "downsample_layers.0.1").replace("clf.norm", "norm")
    name = re.sub(r"stages\.(\d)\.downsample", r"downsample_layers.\1", name)
    name = re.sub(r"(stages\.\d)\.blocks", r"\1", name)
    return name.replace("conv_dw", "dwconv").replace("mlp.fc", "pwconv")


@pytest.mark.parametrize(
    ("rename", "stem", "naming"),
    [
        (timm, "stem.0", "timm's ConvNeXt"),
        (torchvision, "features.0.0", "torchvision's ConvNeXt"),
        (facebook, "downsample_layers.0.0", "Facebook's ConvNeXt"),
    ],
)
def test_a_convnext_takes_all_but_the_stem_and_the_classifier(
    tmp_path: Path, rename: object, stem: str, naming: str
) -> None:
    network = convnext()
    wanted = drawn(network, r"stem\.conv|clf\.fc")
    theirs = {rename(name): tensor for name, tensor in wanted.items()}
    if naming.startswith("torchvision"):
        theirs = {n: t[:, None, None] if "layer_scale" in n else t for n, t in theirs.items()}
    theirs |= {f"{stem}.weight": torch.zeros(4, 3, 4, 4), f"{stem}.bias": torch.ones(4)}
    theirs["head.fc.weight"] = torch.zeros(1000, 32)
    before = network.state_dict()["clf.fc.weight"].clone()
    report = initialise(network, saved(tmp_path, theirs))
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in wanted.items())
    assert torch.equal(after["clf.fc.weight"], before)
    assert report.naming == naming
    assert report.missing == ("stem.conv.weight", "clf.fc.weight", "clf.fc.bias")
    assert report.unused == {
        f"{stem}.weight": "shape (4, 3, 4, 4) does not fit stem.conv.weight (4, 56, 1, 1)",
        "head.fc.weight": "no such layer here",
    }
    assert report.sentence().startswith(f"started from weights.safetensors ({naming} names), 9")
    assert report.sentence().endswith("; freshly drawn: clf.fc, stem.conv")


def test_torchvisions_video_resnet_fits_all_but_its_stem(tmp_path: Path) -> None:
    network = resnet()
    wanted = drawn(network, r"conv1\.|fc\.")
    theirs = {
        re.sub(r"(layer\d\.\d)\.(conv|bn)(\d)", _video, name.replace("bn1.", "stem.1.", 1))
        if name.startswith("bn1.")
        else re.sub(r"(layer\d\.\d)\.(conv|bn)(\d)", _video, name): tensor
        for name, tensor in wanted.items()
    }
    theirs["stem.0.weight"] = torch.zeros(4, 3, 3, 7, 7)
    report = initialise(network, saved(tmp_path, theirs))
    after = network.state_dict()
    assert all(torch.equal(after[n], t.to(after[n].dtype)) for n, t in wanted.items())
    assert report.missing == ("conv1.weight", "fc.weight", "fc.bias")


def _video(match: re.Match[str]) -> str:
    return f"{match[1]}.conv{match[3]}.{0 if match[2] == 'conv' else 1}"


def test_a_2d_resnet_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    network = resnet()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    theirs = {
        name: tensor[:, :, 0] if tensor.ndim == 5 else tensor
        for name, tensor in drawn(network, "fc").items()
    }
    with pytest.raises(WeightsError, match=r"2D kernels do not fit 3D ones") as refusal:
        initialise(network, saved(tmp_path, theirs))
    assert "conv1.weight: shape (4, 1, 7, 7) does not fit" in str(refusal.value)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())


def test_timms_vit_fits_with_its_positions_interpolated(tmp_path: Path) -> None:
    network = SliceViT(VIT)
    wanted = drawn(network.backbone, "pos_embed")
    theirs = wanted | {"pos_embed": torch.full((1, 1 + 7 * 7, 16), 0.25)}
    theirs["pos_embed"][:, 0] = 9.0
    report = initialise(network, saved(tmp_path, theirs | {"head.weight": torch.zeros(1000, 16)}))
    assert report.adapted == {"backbone.pos_embed": "positions from 7x7 to 4x4"}
    assert report.missing == ("head.weight", "head.bias")
    positions = network.backbone.pos_embed
    assert positions is not None
    torch.testing.assert_close(positions[0, 0], torch.full((16,), 9.0))
    torch.testing.assert_close(positions[0, 1:], torch.full((16, 16), 0.25))
    assert all(torch.equal(network.backbone.state_dict()[n], t) for n, t in wanted.items())


def test_dinov3s_registers_are_found_and_its_keys_have_no_bias(tmp_path: Path) -> None:
    config = replace(VIT, registers=4, positions="rotary", layer_scale=1e-5, depth=1)
    network = SliceViT(config)
    theirs = drawn(network.backbone, "reg_token")
    mask = torch.ones(48)
    mask[16:32] = float("nan")
    theirs |= {
        "storage_tokens": torch.ones(1, 4, 16),
        "blocks.0.attn.qkv.bias_mask": mask,
        "mask_token": torch.zeros(1, 16),
        "rope_embed.periods": torch.ones(2),
    }
    bias = theirs["blocks.0.attn.qkv.bias"].clone()
    report = initialise(network, saved(tmp_path, theirs))
    backbone = network.backbone.state_dict()
    assert torch.equal(backbone["reg_token"], torch.ones(1, 4, 16))
    assert torch.equal(backbone["blocks.0.attn.qkv.bias"][16:32], torch.zeros(16))
    assert torch.equal(backbone["blocks.0.attn.qkv.bias"][:16], bias[:16])
    assert set(report.unused) == {
        "blocks.0.attn.qkv.bias_mask",
        "mask_token",
        "rope_embed.periods",
    }


def test_torchvisions_vit_fits(tmp_path: Path) -> None:
    network = SliceViT(VIT)
    wanted = drawn(network.backbone, "$")
    layers = {
        "norm1": "ln_1",
        "norm2": "ln_2",
        "attn.qkv.": "self_attention.in_proj_",
        "attn.proj": "self_attention.out_proj",
        "mlp.fc1": "mlp.0",
        "mlp.fc2": "mlp.3",
    }
    theirs = {}
    for name, tensor in wanted.items():
        renamed = re.sub(r"^blocks\.(\d)\.", r"encoder.layers.encoder_layer_\1.", name)
        for ours, other in layers.items():
            renamed = renamed.replace(ours, other) if renamed != name else renamed
        renamed = re.sub(r"^norm\.", "encoder.ln.", renamed)
        renamed = renamed.replace("patch_embed.proj", "conv_proj")
        renamed = renamed.replace("cls_token", "class_token")
        theirs[renamed.replace("pos_embed", "encoder.pos_embedding")] = tensor
    report = initialise(network, saved(tmp_path, theirs))
    assert report.naming == "torchvision's ViT"
    assert report.unused == {}
    assert all(torch.equal(network.backbone.state_dict()[n], t) for n, t in wanted.items())


def test_m3d_clips_vision_encoder_fits_from_a_checkpoint_of_the_whole(tmp_path: Path) -> None:
    config = ViTConfig(
        patch=(2, 4, 4),
        image=(4, 8, 8),
        dim=16,
        depth=1,
        heads=2,
        channels=1,
        positions="patches",
        qkv_bias=False,
        pretrained_grid=(2, 3, 3),
    )
    network = VolumeViT(config)
    wanted = drawn(network.backbone, "pos_embed")
    theirs = {}
    for name, tensor in wanted.items():
        renamed = name.replace("mlp.fc", "mlp.linear").replace("attn.proj", "attn.out_proj")
        renamed = renamed.replace("patch_embed.proj", "patch_embedding.patch_embeddings.1")
        theirs[f"vision_encoder.{renamed}"] = tensor.flatten(1) if tensor.ndim == 5 else tensor
    theirs["vision_encoder.patch_embedding.position_embeddings"] = torch.ones(1, 18, 16)
    theirs["language_encoder.layer.weight"] = torch.zeros(3)
    file = tmp_path / "m3d.pt"
    torch.save({"state_dict": theirs, "epoch": 3}, file)
    report = initialise(network, file)
    assert report.adapted == {
        "backbone.patch_embed.proj.weight": "the linear layer over a patch as a convolution",
        "backbone.pos_embed": "positions from 2x3x3 to 2x2x2",
    }
    assert report.unused == {}
    assert all(torch.equal(network.backbone.state_dict()[n], t) for n, t in wanted.items())


def test_3dinos_chunked_blocks_are_found_under_the_teacher(tmp_path: Path) -> None:
    config = replace(VIT, patch=(8, 8, 8), image=(16, 16, 16), channels=1, layer_scale=1e-5)
    network = VolumeViT(config)
    wanted = drawn(network.backbone, "pos_embed")
    theirs = {
        "backbone." + re.sub(r"^blocks\.(\d)", r"blocks.0.\1", name): tensor
        for name, tensor in wanted.items()
    }
    theirs["backbone.pos_embed"] = torch.ones(1, 1 + 27, 16)
    theirs["dino_head.mlp.weight"] = torch.ones(2)
    file = tmp_path / "3dino.pth"
    torch.save({"teacher": theirs}, file)
    report = initialise(network, file)
    assert report.adapted == {"backbone.pos_embed": "positions from 3x3x3 to 2x2x2"}
    assert all(torch.equal(network.backbone.state_dict()[n], t) for n, t in wanted.items())


def test_unknown_names_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    file = saved(tmp_path, {"encoder.rnn.weight": torch.zeros(2)})
    with pytest.raises(WeightsError, match=r"tensors named encoder\.rnn\.weight; understood are"):
        initialise(convnext(), file)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    theirs = {"blocks.0.attn.qkv.weight": torch.zeros(48, 16)}
    with pytest.raises(WeightsError, match="no layer has the same name"):
        initialise(convnext(), saved(tmp_path, theirs))


def test_a_file_that_wants_to_run_code_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "whole.pt"
    torch.save(nn.Linear(2, 2), file)
    with pytest.raises(WeightsError, match=r"whole\.pt holds no weights that can be read"):
        read_tensors(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.safetensors holds no weights"):
        read_tensors(tmp_path / "absent.safetensors")
