"""How the demo shows itself: steps with progress, the table of nodules, where the files lie."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pydicom import Dataset
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from node.demo.own_node import OwnNode
from node.demo.reading import ReadNodule, ReadReport
from sr_templates.probability import UNTRAINED, percent_text


def terminal() -> Console:
    """Standard output; 120 columns where no terminal says otherwise."""
    width = None if sys.stdout.isatty() else 120
    return Console(markup=False, highlight=False, width=width)


class Step(Protocol):
    """One step of the demo while it runs."""

    def advance(self) -> None:
        """One more of the step's parts is done."""
        ...

    def say(self, text: str) -> None:
        """What the step is at now."""
        ...


class _Bar:
    def __init__(self, progress: Progress, text: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total)

    def advance(self) -> None:
        self._progress.advance(self._task)

    def say(self, text: str) -> None:
        self._progress.update(self._task, description=text)


class _Lines:
    """Without a terminal: one line a change, no escape codes."""

    def __init__(self, console: Console, text: str) -> None:
        self._console, self._last = console, text
        console.print(text, soft_wrap=True)

    def advance(self) -> None:
        return

    def say(self, text: str) -> None:
        if text != self._last:
            self._last = text
            self._console.print(text, soft_wrap=True)


@contextmanager
def step(console: Console, text: str, *, total: int | None = None) -> Iterator[Step]:
    """The step's progress shows within the block: a bar on a terminal, else plain lines."""
    if not console.is_terminal:
        yield _Lines(console, text)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = _Bar(progress, text, total)
        yield bar
        progress.update(bar._task, total=total or 1, completed=total or 1)


def show_findings(console: Console, found: Sequence[str], missing: Sequence[str]) -> None:
    """What the study consists of, before it is sent."""
    for sentence in found:
        console.print(f"  found    {sentence}", soft_wrap=True)
    for sentence in missing:
        console.print(f"  missing  {sentence}", style="yellow", soft_wrap=True)


def show_report(
    console: Console,
    report: ReadReport,
    *,
    report_path: Path,
    pictures: Mapping[str, tuple[Path, Sequence[Path]]],
) -> None:
    """The report's first line, its nodules, its remarks, and where everything lies.

    pictures : tracking UID -> (the capture object, its frames as PNG)
    """
    console.print()
    if UNTRAINED in report.headline:
        console.print(
            Panel(
                f"{UNTRAINED}\nThe weights are a seeded initialisation: the probabilities below"
                " show that the way works, and nothing about the nodules.",
                style="bold red",
            )
        )
    console.print(f"Report: {report.headline}", soft_wrap=True)
    if report.nodules:
        console.print(_table(report.nodules))
    for remark in report.remarks:
        console.print(f"  - {remark}", soft_wrap=True)
    console.print()
    console.print("Received over DICOM:")
    console.print(f"  report    {report_path}", soft_wrap=True)
    for nodule in report.nodules:
        if nodule.tracking_uid in pictures:
            capture, frames = pictures[nodule.tracking_uid]
            name = nodule.tracking_id
            console.print(f"  capture   {capture}  ({name})", soft_wrap=True)
            console.print(
                f"            as PNG: {_span(frames)}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


def say_where_to_look(
    console: Console, node: OwnNode | None, report: Dataset, output: Path
) -> None:
    """The last word: the page of the node that still runs, or how to have it."""
    console.print()
    if node is None:
        console.print(f"Look at {output / 'png'}; `make demo KEEP=1` leaves the page running.")
        return
    console.print("The node and its page run until Ctrl-C. Look at", soft_wrap=True)
    console.print(
        f"  http://127.0.0.1:{node.web_port}/study/{report.StudyInstanceUID}", soft_wrap=True
    )


def _table(nodules: Sequence[ReadNodule]) -> Table:
    table = Table(show_lines=True)
    table.add_column("Nodule", no_wrap=True)
    table.add_column("Drawn at (x, y, z)\nLPS mm", justify="right", no_wrap=True)
    table.add_column("Diameter\nmm", justify="right")
    table.add_column("Probability of\nmalignancy", justify="right")
    table.add_column("Note")
    for nodule in nodules:
        centre, diameter, probability = nodule.centre_mm, nodule.diameter_mm, nodule.probability
        table.add_row(
            nodule.tracking_id,
            "-" if centre is None else ", ".join(f"{value:.1f}" for value in centre),
            "-" if diameter is None else f"{diameter:.1f}",
            "none" if probability is None else percent_text(probability),
            nodule.note,
        )
    return table


def _span(frames: Sequence[Path]) -> str:
    if len(frames) == 1:
        return str(frames[0])
    return f"{frames[0]} ... {frames[-1].name} ({len(frames)} frames)"
