"""The colours of the heat maps: dark to light without a fold, clear where the network did not look.

A few anchors of steadily growing lightness, joined in CIE Lab, so that equal steps look equal and
a grey print keeps their order.  Blue and green are left out: they belong to the outlines.
"""

import numpy as np
from numpy.typing import NDArray

_ANCHORS = (  # (CIE L*, a*, b*)
    (18.0, 28.0, -28.0),  # dusk violet
    (36.0, 52.0, -14.0),  # plum
    (52.0, 62.0, 26.0),  # vermilion
    (70.0, 34.0, 66.0),  # amber
    (84.0, 4.0, 76.0),  # gold
    (93.0, -8.0, 60.0),  # lemon
)
_D65 = (0.95047, 1.0, 1.08883)
_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)

CLEAR_BELOW = 0.15
OPAQUE_ABOVE = 0.75
STRONGEST = 0.8
"""Opacity of the hottest spot: the CT beneath stays visible."""


def colours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values in [0, 1] -> (..., 3) sRGB in [0, 255]."""
    index = np.clip(np.nan_to_num(values) * 255.0, 0, 255).round().astype(np.uint8)
    return np.asarray(HEAT[index], dtype=np.float32)


def opacity(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of the colour covers the CT, in [0, 1]; nothing where the map is low or NaN."""
    x = np.clip((np.nan_to_num(values) - CLEAR_BELOW) / (OPAQUE_ABOVE - CLEAR_BELOW), 0, 1)
    return np.asarray(STRONGEST * x * x * (3 - 2 * x), dtype=np.float32)


def _table() -> NDArray[np.uint8]:
    anchors = np.array(_ANCHORS)
    at = np.linspace(0, 1, len(anchors))
    lab = np.stack([np.interp(np.linspace(0, 1, 256), at, channel) for channel in anchors.T], -1)
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * np.array(_D65)
    linear = np.clip(xyz @ _XYZ_TO_RGB.T, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray((255 * srgb).round(), dtype=np.uint8)


HEAT: NDArray[np.uint8] = _table()
"""(256, 3) sRGB."""
