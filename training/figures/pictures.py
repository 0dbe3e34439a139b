"""Fig. 4 (cases that one model gets right and others do not) and Fig. 5 (Grad-CAM panels)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from m3net.scales import Scale
from m3net.weights import load_classifier
from training.figures.series import Series, same_nodules
from training.figures.style import OURS, RIGHT, WRONG, new_figure
from training.figures.views import LUNG_HU, View, read_case, view
from training.measure.predictions import PredictionsUnusable

CASES = 6
MAPS = 4
SIDE_MM = 48.0
MAP_SIDE_MM = 72.0
UNKNOWN = "#BFBFBF"
"""Where there is no CT: beyond a cut-out, beyond the scan."""


def _ours(series: Sequence[Series]) -> Series:
    ours = [each for each in series if each.ours]
    if not ours:
        raise PredictionsUnusable("M³Net's row of this table is not done; its figure needs it")
    return ours[0]


def corrected(series: Sequence[Series], *, most: int = CASES) -> tuple[list[int], int, int]:
    """The nodules that ours calls right and most others wrong, both classes in turn; then how many
    ours alone-or-with-some corrects (right where half of the others or more are wrong), and how
    many the other way round.
    """
    same_nodules(list(series))
    ours = _ours(series)
    others = [each for each in series if each is not ours]
    if not others:
        raise PredictionsUnusable("there is no other model whose calls could be corrected")
    truth = ours.predictions.truth
    right = np.array([(each.predictions.p >= 0.5) == truth for each in others])  # (M, N)
    mine = (ours.predictions.p >= 0.5) == truth
    wrong_share = 1 - right.mean(axis=0)
    gained = mine & (wrong_share >= 0.5)
    lost = ~mine & (wrong_share <= 0.5)
    own = np.where(truth, ours.predictions.p, 1 - ours.predictions.p)
    order = [int(i) for i in np.lexsort((-own, -wrong_share)) if gained[i]]
    benign = [i for i in order if not truth[i]]
    malignant = [i for i in order if truth[i]]
    turns = [i for pair in zip(malignant, benign, strict=False) for i in pair]
    rest = [i for i in order if i not in turns]
    return (turns + rest)[:most], int(gained.sum()), int(lost.sum())


def draw_cases(series: Sequence[Series], data: Path) -> Figure:
    """Above the nodules, below what each model said of them."""
    chosen, gained, lost = corrected(series)
    ours = _ours(series)
    total = len(ours.predictions.names)
    title = (
        f"M³Net is right where half of the others or more are wrong: {gained} of {total} nodules. "
        f"The other way round: {lost}."
    )
    if not chosen:
        raise PredictionsUnusable(f"no case to show. {title}")
    shown = sorted(series, key=lambda each: each.ours)
    count = len(chosen)
    figure = new_figure(max(1.45 * count, 5.5) + 1.3, 2.0 + 0.24 * len(shown) + 0.5)
    grid = figure.add_gridspec(2, count, height_ratios=[1.6, 0.24 * len(shown)])
    for column, index in enumerate(chosen):
        case = read_case(data, ours.predictions.names[index])
        axes = figure.add_subplot(grid[0, column])
        _ct(axes, view(case, side_mm=SIDE_MM))
        axes.set_title("malignant" if case.label.malignant else "benign", loc="center")
        calls = figure.add_subplot(grid[1, column])
        _calls(calls, shown, index, named=column == 0)
    figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
    figure.supxlabel(
        "probability of malignancy, ✓ right and ✗ wrong at 0.5; "
        f"squares of {SIDE_MM:.0f} mm, lung window; grey: no CT",
        fontsize=8,
    )
    return figure


def _calls(axes: Axes, shown: Sequence[Series], index: int, *, named: bool) -> None:
    for row, each in enumerate(shown):
        p = float(each.predictions.p[index])
        right = (p >= 0.5) == bool(each.predictions.truth[index])
        axes.add_patch(
            Rectangle((0, row - 0.46), 1, 0.92, color=RIGHT if right else WRONG, alpha=0.85)
        )
        text = f"{'✓' if right else '✗'} {p:.2f}"
        axes.text(0.5, row, text, ha="center", va="center", fontsize=8,
                  color="white" if right else "black")  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), xticks=[])
    axes.set_yticks(range(len(shown)), [each.name for each in shown] if named else [])
    axes.tick_params(length=0)
    if named:
        for label, each in zip(axes.get_yticklabels(), shown, strict=True):
            if each.ours:
                label.set(fontweight="bold", color=OURS)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_gradcam(series: Sequence[Series], data: Path, *, names: Sequence[str] = ()) -> Figure:
    """A nodule a row: the CT, then each branch's map over it, each by its own maximum.

    names : which nodules; none: the most and the least suspicious that were called right
    """
    ours = _ours(series)
    weights = ours.runs[0] / "weights.safetensors"
    if not weights.is_file():
        raise PredictionsUnusable(f"{ours.runs[0]} holds no weights.safetensors to look into")
    classifier = load_classifier(weights, device="cpu")
    cases = [read_case(data, name) for name in names or _telling(ours)]
    scales: list[Scale] = []
    rows = []
    for case in cases:
        (prediction,) = classifier.classify(case.volume, [case.nodule])
        scales = scales or list(prediction.heat_maps)
        rows.append((view(case, side_mm=MAP_SIDE_MM), prediction))
    figure = new_figure(2.0 * (len(scales) + 1) + 0.9, 2.05 * len(rows) + 0.75)
    grid = figure.subplots(len(rows), len(scales) + 1, squeeze=False)
    for line, (seen, prediction) in zip(grid, rows, strict=True):
        _ct(line[0], seen)
        truth = "malignant" if seen.case.label.malignant else "benign"
        line[0].set_ylabel(f"{truth}\np = {prediction.probability:.2f}")
        for axes, scale in zip(line[1:], scales, strict=True):
            heat = prediction.heat_maps[scale]
            _ct(axes, seen, outlined=False)
            values = seen.map(heat.values, heat.affine)
            image = axes.imshow(
                values, cmap="inferno", vmin=0, vmax=1, extent=seen.extent,
                alpha=np.nan_to_num(0.15 + 0.55 * values, nan=0.0),
            )  # fmt: skip
            _outline(axes, seen)
            _patch(axes, np.isfinite(values), seen)
    names_of = {Scale.MICRO: "micro", Scale.MESO: "meso", Scale.MACRO: "macro"}
    flat = [s for s in scales if not rows[0][1].heat_maps[s].has_depth]
    for axes, title in zip(grid[0], ["CT", *(names_of[s] for s in scales)], strict=True):
        axes.set_title(title, loc="center")
    figure.colorbar(image, ax=grid[:, -1], shrink=0.7, label="Grad-CAM, by each map's maximum")
    note = f"slices through the nodule's centre, squares of {MAP_SIDE_MM:.0f} mm; white: outline; "
    note += "dashed: the patch; no colour: nothing there spoke for malignancy"
    if flat:
        note += f"\nthe {' and '.join(flat)} map has no depth: it is the same on every slice"
    figure.supxlabel(note, fontsize=8)
    return figure


def _telling(ours: Series) -> list[str]:
    """The most and the least suspicious nodules that were called right; else of all."""
    p, truth = ours.predictions.p, ours.predictions.truth
    right = [int(i) for i in np.argsort(-p) if (p[i] >= 0.5) == truth[i]]
    order = right if len(right) >= MAPS else [int(i) for i in np.argsort(-p)]
    half = MAPS // 2
    chosen = order if len(order) <= MAPS else [*order[:half], *order[-half:]]
    return [ours.predictions.names[i] for i in chosen]


def _ct(axes: Axes, seen: View, *, outlined: bool = True) -> None:
    low, high = LUNG_HU
    axes.set_facecolor(UNKNOWN)
    axes.imshow(seen.hu(), cmap="gray", vmin=low, vmax=high, extent=seen.extent)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if outlined:
        _outline(axes, seen)


def _outline(axes: Axes, seen: View) -> None:
    mask = seen.mask()
    if mask is not None and mask.max() > 0.5:
        left, right, bottom, top = seen.extent
        axes.contour(
            mask, levels=[0.5], colors="white", linewidths=0.9, origin="upper",
            extent=(left, right, bottom, top),
        )  # fmt: skip


def _patch(axes: Axes, inside: np.ndarray, seen: View) -> None:
    """The edge of what the branch was shown, where it lies in the picture."""
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    if not len(rows):
        return
    step, half = seen.side_mm / inside.shape[0], seen.side_mm / 2
    left, top = columns[0] * step - half, rows[0] * step - half
    width, height = (columns[-1] - columns[0] + 1) * step, (rows[-1] - rows[0] + 1) * step
    axes.add_patch(
        Rectangle((left, top), width, height, fill=False, edgecolor="#56B4E9", linewidth=1.1,
                  linestyle="--")
    )  # fmt: skip
