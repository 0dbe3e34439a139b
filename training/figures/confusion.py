"""Fig. 3 (a): a confusion matrix per model, the paper's below each."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.figures.series import Series
from training.figures.style import OURS, new_figure
from training.tables.columns import counts_of

PER_ROW = 5


def draw_confusion(series: Sequence[Series]) -> Figure:
    """Cells: nodules, and their share of the true class; the colour is that share."""
    rows = math.ceil(len(series) / PER_ROW)
    columns = math.ceil(len(series) / rows)
    figure = new_figure(1.95 * columns + 0.5, 2.35 * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, each in zip(axes, series, strict=False):
        _matrix(place, each)
    for place in axes[len(series) :]:
        place.set_axis_off()
    figure.supylabel("true", fontsize=9)
    figure.supxlabel("called, at a probability of 0.5", fontsize=9)
    return figure


def _matrix(axes: Axes, each: Series) -> None:
    counts = counts_of(each.predictions)
    cells = [[counts.tn, counts.fp], [counts.fn, counts.tp]]
    shares = [[cell / max(1, sum(row)) for cell in row] for row in cells]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            text = f"{cell}\n{100 * shares[i][j]:.0f} %"
            dark = shares[i][j] > 0.55
            axes.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    axes.axhline(0.5, color="white", linewidth=2)
    axes.axvline(0.5, color="white", linewidth=2)
    axes.set_xticks([0, 1], ["benign", "malignant"])
    axes.set_yticks([0, 1], ["benign", "malignant"], rotation=90, va="center")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    weight, colour = ("bold", OURS) if each.ours else ("normal", "black")
    axes.set_title(each.name, fontweight=weight, color=colour)
    if each.implied is not None:
        paper = each.implied
        axes.set_xlabel(
            f"paper: {paper.tn} {paper.fp} / {paper.fn} {paper.tp}", fontsize=7.5, color="#595959"
        )
