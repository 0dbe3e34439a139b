"""One look for all figures: colours that the colour-blind tell apart, one type, no backend.

Matplotlib's classes are used without pyplot, so that nothing is kept and no window is opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

OURS = "#D55E00"
"""Vermilion: M³Net, wherever it stands beside others."""

OTHERS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C8C8C")
"""Okabe and Ito 2008, the rest, and a grey."""

DASHES = ("-", "--", ":")
RIGHT, WRONG = "#0072B2", "#E69F00"
PAPER = "#000000"
GRID = "#D9D9D9"

TYPE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


@contextmanager
def styled() -> Iterator[None]:
    """Everything drawn inside has the one look."""
    with mpl.rc_context(TYPE):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, laid out so that nothing overlaps."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def line_style(number: int) -> dict[str, Any]:
    """Colour and dash of the n-th other model; 21 are told apart."""
    colour = OTHERS[number % len(OTHERS)]
    return {"color": colour, "linestyle": DASHES[number // len(OTHERS) % len(DASHES)]}


def quiet_grid(axes: Axes) -> None:
    """Faint lines behind the data."""
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """The figure as a picture of 200 dots an inch (or whatever the name's ending says)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)
