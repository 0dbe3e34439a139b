"""The 3D-CNN of Zunair et al. 2020 (Uniformizing techniques, section 3.3): 17 layers.

Four times convolution 3x3x3 (64, 64, 128, 256), ReLU, max-pooling, batch norm; then flattened, 512
neurons, dropout, 2 neurons.  On 64x128x128, as in that paper, it has its 10,658,498 parameters.
"""

from math import prod
from typing import cast

from torch import Tensor, nn

Size3 = tuple[int, int, int]


class CNN3D(nn.Module):
    """(B, 1, D, H, W) -> logits (B, 2)."""

    def __init__(
        self, size: Size3, *, widths: tuple[int, ...] = (64, 64, 128, 256), hidden: int = 512
    ) -> None:
        """Unpadded as published where `size` allows it, else padded by one voxel."""
        super().__init__()
        padding = 0 if all(n > 0 for n in _after(size, padding=0, times=len(widths))) else 1
        layers: list[nn.Module] = []
        for width_in, width in zip((1, *widths), widths, strict=False):
            layers += [
                nn.Conv3d(width_in, width, 3, padding=padding),
                nn.ReLU(),
                nn.MaxPool3d(2),
                nn.BatchNorm3d(width),
            ]
        self.features = nn.Sequential(*layers)
        places = prod(_after(size, padding=padding, times=len(widths)))
        self.head = nn.Sequential(
            nn.Linear(widths[-1] * places, hidden), nn.ReLU(), nn.Dropout(0.6), nn.Linear(hidden, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, D, H, W) -> (B, 2)."""
        return cast(Tensor, self.head(self.features(x).flatten(1)))  # (B, 2)


def _after(size: Size3, *, padding: int, times: int) -> tuple[int, ...]:
    """What is left of each axis after `times` convolutions and poolings."""
    axes = tuple(size)
    for _ in range(times):
        axes = tuple((n - 2 + 2 * padding) // 2 for n in axes)
    return axes
