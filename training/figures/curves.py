"""ROC, precision-recall and reliability curves of the models of a table."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.figures.series import Series
from training.figures.style import GRID, OTHERS, OURS, line_style, new_figure, quiet_grid
from training.measure import metrics
from training.measure.calibration import expected_calibration_error, reliability

PER_ROW = 4


def draw_roc(series: Sequence[Series]) -> Figure:
    """One line per model, the legend by area, the paper's area beside ours."""

    def area(each: Series) -> float:
        return metrics.roc_auc(each.predictions.truth, each.predictions.p)

    figure = new_figure(7.2, 4.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for each, style in _styled(series, area):
        x, y, _ = metrics.roc_curve(each.predictions.truth, each.predictions.p)
        axes.plot(x, y, label=_label(each, area(each), "roc"), **style)
    _square(axes)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC, malignant is positive")
    _legend(axes, "model, area (paper)")
    return figure


def draw_pr(series: Sequence[Series]) -> Figure:
    """Of the malignant class; areas as Eq. 22 has them, over both classes, beside the paper's."""

    def area(each: Series) -> float:
        return metrics.weighted_average_precision(each.predictions.truth, each.predictions.p)

    figure = new_figure(7.2, 4.6)
    axes = figure.subplots()
    share = float(series[0].predictions.truth.mean())
    axes.axhline(share, color=GRID, linewidth=1)
    axes.text(1, share - 0.01, "share of malignant nodules", color="#595959", fontsize=7.5,
              ha="right", va="top")  # fmt: skip
    for each, style in _styled(series, area):
        y, x, _ = metrics.precision_recall_curve(each.predictions.truth, each.predictions.p)
        x, y = np.concatenate([[0.0], x]), np.concatenate([y[:1], y])
        axes.step(x, y, where="pre", label=_label(each, area(each), "pr"), **style)
    _square(axes)
    axes.set(xlabel="recall (sensitivity)", ylabel="precision", title="Precision and recall")
    _legend(axes, "model, area by Eq. 22 (paper)")
    return figure


def draw_reliability(series: Sequence[Series]) -> Figure:
    """A panel per model: ten equal bins of p, the area of a dot is its number of nodules."""
    rows = math.ceil(len(series) / PER_ROW)
    columns = math.ceil(len(series) / rows)
    figure = new_figure(2.1 * columns + 0.5, 2.3 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, each in zip(panels, series, strict=False):
        truth, p = each.predictions.truth, each.predictions.p
        curve = reliability(truth, p)
        x = [b.mean_probability for b in curve]
        y = [b.malignant_fraction for b in curve]
        largest = max(b.nodules for b in curve)
        colour = OURS if each.ours else OTHERS[0]
        axes.plot([0, 1], [0, 1], color="#8C8C8C", linewidth=0.8)
        axes.plot(x, y, color=colour, linewidth=1)
        sizes = [8 + 70 * b.nodules / largest for b in curve]
        axes.scatter(x, y, s=sizes, color=colour, edgecolor="white", linewidth=0.6, zorder=3)
        _square(axes, ticks=3)
        weight = "bold" if each.ours else "normal"
        axes.set_title(each.name, fontweight=weight, color=OURS if each.ours else "black")
        error = expected_calibration_error(truth, p)
        axes.text(0.98, 0.04, f"ECE {error:.3f}", ha="right", fontsize=8)
    for axes in panels[len(series) :]:
        axes.set_axis_off()
    figure.supxlabel("mean probability of malignancy in the bin", fontsize=9)
    figure.supylabel("share of malignant nodules", fontsize=9)
    return figure


def _styled(
    series: Sequence[Series], area: Callable[[Series], float]
) -> list[tuple[Series, dict[str, Any]]]:
    """Largest area first; ours stressed and on top."""
    others = 0
    styled: list[tuple[Series, dict[str, Any]]] = []
    for each in sorted(series, key=area, reverse=True):
        if each.ours:
            styled.append((each, {"color": OURS, "linewidth": 2.4, "zorder": 4}))
        else:
            styled.append((each, {"linewidth": 1.1, **line_style(others)}))
            others += 1
    return styled


def _label(each: Series, area: float, metric: str) -> str:
    printed = each.printed.get(metric)
    paper = "" if printed is None else f" ({printed / 100:.3f})"
    return f"{each.name}, {area:.3f}{paper}"


def _square(axes: Axes, *, ticks: int = 5) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xticks(np.linspace(0, 1, ticks))
    axes.set_yticks(np.linspace(0, 1, ticks))
    quiet_grid(axes)


def _legend(axes: Axes, title: str) -> None:
    axes.legend(
        title=title, loc="upper left", bbox_to_anchor=(1.02, 1), alignment="left", handlelength=2.6
    )
