"""The drawn nodules as a radiologist would look at them, with what a model said of each."""

from collections.abc import Mapping
from math import ceil
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from m3net.nodule import Mask
from training.data.synthetic import CASES, Acquisition, drawn
from training.figures.style import OURS, RIGHT, new_figure
from training.figures.views import LUNG_HU
from training.measure.synthetic import Said

COLUMNS = 6
SIDE_MM = 40.0
WIDE = 34
"""Characters that fit below a picture."""


def draw_synthetic(said: Mapping[str, Said], acquired: Acquisition) -> Figure:
    """One axial slice of each, outlined as it was marked; below it p, or why there is none."""
    rows = ceil(len(said) / COLUMNS)
    figure = new_figure(2.2 * COLUMNS, 2.75 * rows)
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (name, each) in zip(grid.flat, said.items(), strict=False):
        _draw(axes, name, each, acquired)
    return figure


def _draw(axes: Axes, name: str, said: Said, acquired: Acquisition) -> None:
    case = CASES[name]
    volume, nodule = drawn(case, acquired)
    middle = volume.shape[0] // 2
    low, high = LUNG_HU
    axes.imshow(volume.hu[middle], cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    if nodule.mask is not None and nodule.mask.voxels[middle].any():
        inside = nodule.mask.voxels[middle].astype(np.float64)
        axes.contour(inside, levels=[0.5], colors=OURS, linewidths=0.8)
    half = SIDE_MM / 2 / acquired.pixel_mm
    y, x = (np.array(volume.shape[1:]) - 1) / 2
    reach = min(max(half, 0.6 * _extent(nodule.mask)), min(x, y))
    axes.set_xlim(x - reach, x + reach)
    axes.set_ylim(y + reach, y - reach)
    axes.set_title(name, fontsize=8)
    if said.p is None:
        words, colour = f"refused: {said.reason}", RIGHT
    else:
        words, colour = f"{100 * said.p:.0f} %", "black"
    if case.expected is None:
        expected = "expected: refused"
    else:
        expected = f"expected: {100 * case.expected[0]:.0f} to {100 * case.expected[1]:.0f} %"
    text = f"{fill(words, WIDE, max_lines=4, placeholder=' ...')}\n{expected}"
    if not said.signed:
        colour = OURS
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(text, fontsize=6.5, loc="left", color=colour)


def _extent(mask: Mask | None) -> float:
    """Voxels in plane that it spans."""
    return 0.0 if mask is None else float(np.ptp(np.argwhere(mask.voxels), axis=0)[1:].max())
