"""More heat is lighter: on any CT, in a grey print and without a sense of red and green."""

import numpy as np
import pytest

from sr_templates.pictures.colour_map import COVER, DIMMED, HEAT, opacity
from sr_templates.pictures.panel import Field, with_heat

# Machado, Oliveira and Fernandes 2009, on linear RGB.
_DEUTERANOPE = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
_PROTANOPE = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)


def linear(rgb: np.ndarray) -> np.ndarray:
    share = rgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lightness(rgb: np.ndarray, seen_by: np.ndarray | None = None) -> np.ndarray:
    """CIE L* of sRGB in [0, 255]."""
    light = linear(rgb.astype(float))
    if seen_by is not None:
        light = np.clip(light @ seen_by.T, 0, 1)
    y = light @ (0.2126, 0.7152, 0.0722)
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def over(shade: int) -> np.ndarray:
    """Every level of heat over a CT of this shade: (256, 3)."""
    cover = COVER[:, None] / 255
    return HEAT * cover + np.round(shade * DIMMED) * (1 - cover)


@pytest.mark.parametrize("seen_by", [None, _DEUTERANOPE, _PROTANOPE], ids=["all", "deuter", "prot"])
@pytest.mark.parametrize("shade", [0, 60, 128, 200, 255])
def test_more_heat_is_never_darker_on_any_ct(shade, seen_by):
    light = lightness(over(shade), seen_by)
    assert np.diff(light).min() > -0.15  # of 100; rounding to 8 bits
    assert light[255] - light[0] > 40


@pytest.mark.parametrize("seen_by", [None, _DEUTERANOPE], ids=["all", "deuteranope"])
def test_a_quarter_more_heat_is_seen_as_more_in_a_grey_print_on_a_white_nodule(seen_by):
    light = lightness(over(255), seen_by)
    steps = np.diff(light[[64, 128, 191, 255]])
    assert steps.min() > 5  # twice what is just noticed side by side


def test_the_colours_grow_lighter_by_equal_steps():
    steps = np.diff(lightness(HEAT))
    assert steps.min() > -0.25
    assert lightness(HEAT)[[0, 255]] == pytest.approx([43, 96], abs=1)


def test_low_values_are_clear_and_the_hottest_still_shows_the_ct():
    values = np.array([0, 0.05, 0.1, 1, np.nan], dtype=np.float32)
    assert opacity(values).tolist() == pytest.approx([0, 0, 0, 0.85, 0])


def test_a_panel_is_coloured_by_the_same_table():
    field = Field.around((0, 20), (0, 20), (1.0, 1.0))
    heat = np.full((20, 20), 0.5, dtype=np.float32)
    panel = np.asarray(with_heat(np.full((20, 20), 200, np.uint8), heat, field, 40)).astype(int)
    assert np.abs(panel[20, 20] - over(200)[128]).max() <= 1
