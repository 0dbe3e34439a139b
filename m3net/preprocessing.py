"""From patches in HU to the network's input: one function, for training and for serving."""

import torch
from torch import Tensor

from m3net.config import M3NetConfig, Preprocessing
from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.patches import Patch, Patches, box_seen, cut_patches
from m3net.scales import Scale
from m3net.volume import CTVolume


def cut_for(config: M3NetConfig, volume: CTVolume, nodule: Nodule) -> Patches:
    """The patches that a network wants of a nodule: its scales, context, mask and description.

    Raises NoduleUnusable if the centre is not in the volume.
    """
    return cut_patches(
        volume,
        nodule,
        {scale: config.branch(scale).patch for scale in config.scales},
        context=config.preprocessing.context,
        mask=config.preprocessing.mask,
        described=config.preprocessing.description,
        sliced=config.appearance,
    )


def box_for(config: M3NetConfig, volume: CTVolume, nodule: Nodule) -> GridBox:
    """The voxels that `cut_for` looks at, and those of the nodule; they may lie beyond the scan."""
    return box_seen(
        volume,
        nodule,
        {scale: config.branch(scale).patch for scale in config.scales},
        context=config.preprocessing.context,
        described=config.preprocessing.description,
    )


def to_input(hu: Tensor, valid: Tensor, mask: Tensor | None, config: Preprocessing) -> Tensor:
    """The network's input channels: intensity, then validity, then mask, as configured.

    hu      : (B, D, H, W) float, HU
    valid   : (B, D, H, W) bool
    mask    : (B, D, H, W) float in [0, 1]; None only if the config wants none
    returns : (B, C, D, H, W) float32
    """
    hu = hu.float()
    match config.intensity:
        case "none":
            intensity = hu  # (B, D, H, W)
        case "hu_window":
            low, high = config.window_hu
            # padding is 0 whatever the window, so that it never looks like tissue
            intensity = ((hu - low) / (high - low)).clamp(0, 1) * valid  # (B, D, H, W)
        case "minmax_per_crop":
            low_of, high_of = hu.amin((1, 2, 3), keepdim=True), hu.amax((1, 2, 3), keepdim=True)
            # a crop of one value becomes 0, not NaN
            spread = (high_of - low_of).clamp_min(torch.finfo(hu.dtype).tiny)
            intensity = (hu - low_of) / spread  # (B, D, H, W)
    channels = [intensity]
    if config.validity:
        channels.append(valid.float())
    if config.mask:
        if mask is None:
            raise ValueError("the config wants the nodule's mask as a channel, and none was cut")
        channels.append(mask.float())
    return torch.stack(channels, dim=1)  # (B, C, D, H, W)


def input_of(patch: Patch, config: Preprocessing) -> Tensor:
    """One patch as a batch of one: (1, C, D, H, W) float32."""
    mask = None if patch.mask is None else torch.from_numpy(patch.mask)[None]
    return to_input(
        torch.from_numpy(patch.hu)[None], torch.from_numpy(patch.valid)[None], mask, config
    )


def inputs_of(patches: Patches, config: Preprocessing) -> dict[Scale, Tensor]:
    """All patches of a nodule as batches of one: (1, C, D, H, W) float32 each."""
    return {scale: input_of(patch, config) for scale, patch in patches.scales.items()}
