"""The colours of the heat maps, for those who see all colours, for those who do not, and in grey.

A few anchors of steadily growing lightness, joined in CIE Lab, so that equal steps look equal.  The
darkest of them is no darker than the CT beneath (`DIMMED`), so more heat is always lighter: also on
a white nodule, in a grey print and to an eye that tells no red from green.  Blue and green are left
out: they belong to the outlines.
"""

import numpy as np
from numpy.typing import NDArray

_ANCHORS = (  # (CIE L*, a*, b*)
    (43.0, 56.0, -24.0),  # plum
    (53.0, 64.0, 14.0),  # rose
    (64.0, 48.0, 54.0),  # vermilion
    (76.0, 22.0, 70.0),  # amber
    (87.0, -2.0, 68.0),  # gold
    (96.0, -8.0, 34.0),  # pale lemon
)
_D65 = (0.95047, 1.0, 1.08883)
_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)

DIMMED = 0.4
"""Brightness of the CT beneath a heat map: its white is as light as the lowest heat."""

CLEAR_BELOW = 0.1
OPAQUE_ABOVE = 0.7
STRONGEST = 0.85
"""Opacity of the hottest spot: the CT beneath stays visible."""


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

COVER: NDArray[np.uint8] = (255 * opacity(np.linspace(0, 1, 256, dtype=np.float32)) + 0.5).astype(
    np.uint8
)
"""(256,), `opacity` of each level in [0, 255]."""
