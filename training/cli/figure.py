"""`m3train figure NAME`: drawn from the predictions that tables and runs left behind."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click
from matplotlib.figure import Figure

from m3net.errors import M3NetError
from training.data.errors import DataUnusable
from training.figures.bars import draw_bars
from training.figures.confusion import draw_confusion
from training.figures.curves import draw_pr, draw_reliability, draw_roc
from training.figures.pictures import draw_cases, draw_gradcam
from training.figures.series import Series, read_series
from training.figures.style import save, styled
from training.measure.predictions import PredictionsUnusable
from training.tables.grid import GRIDS

CHARTS: dict[str, Callable[[Sequence[Series]], Figure]] = {
    "confusion": draw_confusion,
    "bars": draw_bars,
    "roc": draw_roc,
    "pr": draw_pr,
    "reliability": draw_reliability,
}
PICTURES = ("cases", "gradcam")
NAMES = [*CHARTS, *PICTURES]
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("figure")
@click.argument("name", type=click.Choice(NAMES))
@click.option("--from", "source", type=FOLDER, required=True, help="Tables' --out, or one run.")
@click.option(
    "--table", "number", type=click.Choice([str(n) for n in GRIDS]), default="3",
    show_default=True, help="Whose rows are drawn.",
)  # fmt: skip
@click.option("--data", type=FOLDER, help="The nodules, for cases and gradcam.")
@click.option("--nodule", "nodules", multiple=True, help="For gradcam: this one; may be repeated.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="FILE.png, or .pdf, .svg.",
)  # fmt: skip
def figure(
    name: str,
    source: Path,
    number: str,
    data: Path | None,
    nodules: tuple[str, ...],
    out: Path,
) -> None:
    """Draw one figure: Fig. 3 is confusion and bars, Fig. 4 cases, Fig. 5 gradcam."""
    if name in PICTURES and data is None:
        raise click.UsageError(f"figure {name} shows CT: give --data")
    if out.suffix not in {".png", ".pdf", ".svg"}:
        raise click.UsageError(f"--out {out}: give a name ending in .png, .pdf or .svg")
    try:
        series = read_series(source, table=int(number))
        with styled():
            save(_drawn(name, series, data, nodules), out)
    except (PredictionsUnusable, DataUnusable, M3NetError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"written to {out}")


def _drawn(
    name: str, series: Sequence[Series], data: Path | None, nodules: Sequence[str]
) -> Figure:
    if name in CHARTS:
        return CHARTS[name](series)
    assert data is not None  # noqa: S101
    return (
        draw_cases(series, data) if name == "cases" else draw_gradcam(series, data, names=nodules)
    )
