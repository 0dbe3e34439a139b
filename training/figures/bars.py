"""Fig. 3 (b) and (c): every metric of every model, the paper's number as a mark."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from training.figures.series import Series
from training.figures.style import OTHERS, OURS, PAPER, new_figure, quiet_grid
from training.tables.columns import percents

PANELS = {
    "acc": "Accuracy",
    "pre": "Precision",
    "rec": "Recall",
    "f1": "F1",
    "spec": "Specificity, as the paper has it",
    "bacc": "BACC, as the paper has it",
    "roc": "ROC AUC",
    "pr": "PR AUC",
}


def draw_bars(series: Sequence[Series]) -> Figure:
    """Eight panels of horizontal bars, in percent, each from 0."""
    figure = new_figure(10.5, 2 * (0.26 * len(series) + 0.9))
    panels = figure.subplots(2, 4, sharey=True).ravel()
    found = [percents(each.predictions, bacc_is_recall=not each.is_baseline) for each in series]
    height = np.arange(len(series))
    for axes, (metric, title) in zip(panels, PANELS.items(), strict=True):
        values = [each[metric] for each in found]
        colours = [OURS if each.ours else OTHERS[3] for each in series]
        axes.barh(height, values, color=colours, height=0.68)
        for y, value in zip(height, values, strict=True):
            axes.text(1.5, y, f"{value:.1f}", va="center", fontsize=7.5, color="black")
        marked = [(each.printed[metric], y) for each, y in zip(series, height, strict=True)
                  if metric in each.printed]  # fmt: skip
        if marked:
            axes.plot(*zip(*marked, strict=True), linestyle="", marker="D", markersize=4.5,
                      markerfacecolor="white", markeredgecolor=PAPER)  # fmt: skip
        axes.set(xlim=(0, 100), title=title)
        axes.set_yticks(height, [each.name for each in series])
        axes.tick_params(axis="y", length=0)
        quiet_grid(axes)
        axes.grid(axis="y", visible=False)
    for axes in (panels[0], panels[4]):
        for label, each in zip(axes.get_yticklabels(), series, strict=True):
            if each.ours:
                label.set(fontweight="bold", color=OURS)
    panels[0].invert_yaxis()
    figure.legend(handles=_keys(), loc="outside lower center", ncols=3)
    return figure


def _keys() -> list[Patch | Line2D]:
    return [
        Patch(color=OURS, label="M³Net, run here"),
        Patch(color=OTHERS[3], label="another network, run here"),
        Line2D([], [], linestyle="", marker="D", markersize=4.5, markerfacecolor="white",
               markeredgecolor=PAPER, label="printed in the paper"),
    ]  # fmt: skip
