"""Where the network looked: class activation maps of all branches in one pass, for "malignant".

Two ways to weigh an activation (`M3NetConfig.cam`): Grad-CAM (Selvaraju et al. 2017) gives each
channel its mean gradient, as the paper does; HiResCAM (Draelos and Carin 2020) multiplies place by
place, so that a channel counts only where it moved the decision.  In a patch that is mostly padding
the mean is mostly padding's, and Grad-CAM's maximum then lies at the border of what was shown.

The graph is cut below the target stage, one before the last in the published network: everything
under it runs without autograd, so one forward pass gives the decision, and a backward pass through
the last stages alone the maps.  There is nothing to hook: encoders are split where the cut is.
One nodule through `release` on one CPU core: forward 1.03 s, with maps 1.14 s, with maps and the
whole graph 2.82 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from m3net.config import Cam
from m3net.encoders import AxisMap
from m3net.network import Network, Outputs
from m3net.scales import Scale

MALIGNANT = 1
"""Index of the class in the logits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The decision and where it was taken from.

    maps : per scale (B, D, H, W) float32 >= 0 on the patch's grid, in the logit's own measure, so
           that the maps of one nodule's mirrorings may be averaged before they are `scaled`;
           all zero where nothing spoke for malignancy
    """

    outputs: Outputs
    maps: Mapping[Scale, Tensor]


def explain(
    network: Network,
    patches: Mapping[Scale, Tensor],
    description: Tensor | None = None,
    *,
    valid: Mapping[Scale, Tensor] | None = None,
) -> Explained:
    """One pass over patches (B, C, D, H, W); the network should be in eval mode.

    valid : per scale (B, D, H, W), 1 where the network was shown the scan: an element counts by the
            share of its surroundings that were, so that no heat leaks in from padding; None: all

    Parameters get no gradients; the caller's grad mode does not matter.
    """
    # inside inference_mode there is no autograd at all, so it is left for the time being
    with torch.inference_mode(False), torch.no_grad():
        below = network.lower(patches)  # (B, c, d, h, w) per scale
    with torch.inference_mode(False), torch.enable_grad():
        activations = {scale: a.detach().requires_grad_() for scale, a in below.items()}
        outputs = network.upper(activations, description=description)
        score = outputs.logits[:, MALIGNANT].sum()  # samples do not mix in eval mode
        gradients = torch.autograd.grad(score, list(activations.values()), allow_unused=True)
    maps = {}
    # maps are drawn in fp32 whatever the network ran in
    with torch.no_grad(), torch.autocast(score.device.type, enabled=False):
        for (scale, activation), gradient in zip(activations.items(), gradients, strict=True):
            depth, height, width = patches[scale].shape[2:]
            cam = class_activation(activation, gradient, network.config.cam)  # (B, d, h, w)
            axes = network.encoder(scale).target_axes
            if valid is not None:
                shown = valid[scale].to(cam)  # (B, D, H, W)
                cam = cam * gathered(shown, axes, cam.shape[1:])  # (B, d, h, w)
            maps[scale] = spread(cam, axes, (depth, height, width))  # (B, D, H, W)
    return Explained(outputs=_detached(outputs), maps=maps)


def class_activation(activation: Tensor, gradient: Tensor | None, cam: Cam) -> Tensor:
    """ReLU of the channels' sum, weighted by their mean gradient, or place by place by their own.

    (B, c, d, h, w), the same or None (the score does not depend on it) -> (B, d, h, w) float32.
    """
    if gradient is None:
        return torch.zeros_like(activation[:, 0], dtype=torch.float32)
    weights = gradient.float()  # (B, c, d, h, w)
    if cam == "gradcam":
        weights = weights.mean((2, 3, 4), keepdim=True)  # (B, c, 1, 1, 1)
    return torch.relu((weights * activation.float()).sum(1))  # (B, d, h, w)


def spread(
    cam: Tensor, axes: tuple[AxisMap, AxisMap, AxisMap], size: tuple[int, int, int]
) -> Tensor:
    """A map on the patch's grid, each element at the voxel that it is centred on.

    (B, d, h, w) -> (B, D, H, W), trilinear; beyond the outermost elements their value goes on.
    A plain resize would move a peak by up to half a stride, 7.5 voxels in X64.
    """
    z, y, x = (
        _interpolation(n, count, axis).to(cam.device)
        for n, count, axis in zip(size, cam.shape[1:], axes, strict=True)
    )  # (D, d), (H, h), (W, w)
    return torch.einsum("bdhw,zd,yh,xw->bzyx", cam, z, y, x)  # (B, D, H, W)


def gathered(values: Tensor, axes: tuple[AxisMap, AxisMap, AxisMap], grid: Sequence[int]) -> Tensor:
    """What lies about each element, by the weights with which `spread` draws it.

    (B, D, H, W) -> (B, d, h, w), the weighted mean over the voxels that the element is drawn on.
    """
    matrices = [
        _interpolation(n, count, axis).to(values.device)
        for n, count, axis in zip(values.shape[1:], grid, axes, strict=True)
    ]  # (D, d), (H, h), (W, w)
    z, y, x = (m / m.sum(0).clamp_min(1e-6) for m in matrices)
    return torch.einsum("bzyx,zd,yh,xw->bdhw", values, z, y, x)  # (B, d, h, w)


def scaled(maps: Tensor) -> Tensor:
    """(B, D, H, W) >= 0 -> each by its own maximum to [0, 1]; a map of zeros stays one."""
    peak = maps.amax((1, 2, 3), keepdim=True)  # (B, 1, 1, 1)
    return torch.where(peak > 0, maps / torch.where(peak > 0, peak, 1.0), 0.0)  # (B, D, H, W)


def _interpolation(voxels: int, elements: int, axis: AxisMap) -> Tensor:
    """The matrix (voxels, elements) of linear interpolation along one axis."""
    stride, offset = axis
    at = ((torch.arange(voxels) - offset) / stride).clamp(0, elements - 1)  # (voxels,)
    distance = (at[:, None] - torch.arange(elements)[None, :]).abs()  # (voxels, elements)
    return (1 - distance).clamp_min(0)  # (voxels, elements)


def _detached(outputs: Outputs) -> Outputs:
    """The same without the graph, whose memory is freed."""

    return Outputs(
        logits=outputs.logits.detach(),
        features={s: t.detach() for s, t in outputs.features.items()},
        latents={s: t.detach() for s, t in outputs.latents.items()},
        branch_logits={s: t.detach() for s, t in outputs.branch_logits.items()},
        attention={name: t.detach() for name, t in outputs.attention.items()},
        undescribed=None if outputs.undescribed is None else outputs.undescribed.detach(),
    )
