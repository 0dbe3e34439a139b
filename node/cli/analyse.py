"""`m3node analyse`: studies in folders, judged without a PACS, into a folder of results."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import config_option, json_option, loaded_or_default
from node.core.results import COMPANIONS, ArtifactKind

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from node.offline import AnalysedStudy, Analysis, Odd

DONE, FAILED, INCOMPLETE = 0, 1, 3


@click.command()
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True),
)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the results; a new one, or one of an earlier run, which is gone on with.",
)
@click.option(
    "--device",
    metavar="DEVICE",
    help='What the network runs on: "auto", "cpu", "cuda", "cuda:1"; default: as configured.',
)
@click.option(
    "--with",
    "companions",
    type=click.Choice([kind.value for kind in COMPANIONS]),
    multiple=True,
    help="Make this too, beside report and captures; may be given several times.",
)
@json_option
@config_option
def analyse(
    paths: tuple[Path, ...],
    out: Path,
    device: str | None,
    companions: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Judge the studies in files and folders, without a PACS.

    Chest CTs, their annotations and LIDC-IDRI's XML are found under any name, grouped by study and
    judged as the node would judge them.  DIR/results.jsonl has a line for each nodule, and one for
    each study without any; DIR/study_UID has the study's report, captures and pictures.  Studies
    that are there already, from the same inputs and settings, are not judged again.  No
    configuration is needed.

    \b
    Exit status 0  every study was analysed, with every nodule that is marked in it
                3  the same, but for studies or nodules that could not be: the table says why
                1  a file could not be read, the analysis itself failed, or there was no study
                2  misused
    """
    from node.offline import analyse_paths

    config = loaded_or_default(config_path)
    with _watch(quiet=as_json) as watch:
        analysis = analyse_paths(
            paths,
            out=out,
            config=config,
            device=device,
            companions=[ArtifactKind(each) for each in companions],
            on_file=watch.on_file,
            on_study=watch.on_study,
        )
    status = FAILED if analysis.failed else DONE if analysis.complete else INCOMPLETE
    if as_json:
        click.echo(json.dumps(_as_json(analysis, status), indent=2, ensure_ascii=False))
    else:
        _say(analysis)
    raise SystemExit(status)


class _Watch:
    """Two bars on a terminal, files and studies; elsewhere one line a study."""

    def __init__(self, progress: "Progress | None", *, quiet: bool) -> None:
        self._progress, self._quiet = progress, quiet
        self._bars: dict[str, TaskID] = {}

    def on_file(self, done: int, of: int) -> None:
        """So many files are read."""
        self._show("reading files", done, of)

    def on_study(self, study: "AnalysedStudy", done: int, of: int) -> None:
        """So many studies are settled; what is said of this one."""
        if not self._quiet:
            again = " (finished before)" if study.finished else ""
            said = f"{done}/{of}  {study.study_instance_uid}{again}: {study.headline}"
            if self._progress is None:
                click.echo(said)
            else:
                self._progress.console.print(said, markup=False, highlight=False, soft_wrap=True)
        self._show("studies", done, of)

    def _show(self, what: str, done: int, of: int) -> None:
        if self._progress is None:
            return
        if what not in self._bars:
            self._bars[what] = self._progress.add_task(what, total=of)
        self._progress.update(self._bars[what], completed=done)


@contextmanager
def _watch(*, quiet: bool) -> Iterator[_Watch]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from node.cli.options import console

    shown = console()
    if quiet or not shown.is_terminal:
        yield _Watch(None, quiet=quiet)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=shown) as progress:
        yield _Watch(progress, quiet=quiet)


def _say(analysis: "Analysis") -> None:
    for path in analysis.skipped:
        click.echo(f"skipped, not a DICOM object: {path}")
    for odd in analysis.remarks:
        click.echo(f"taken, {_odd(odd)}", err=True)
    for odd in analysis.unread:
        click.echo(f"refused {_odd(odd)}", err=True)
    if not analysis.studies:
        click.echo("no study was found", err=True)
    counted = Counter(study.outcome.replace("_", " ") for study in analysis.studies)
    click.echo(", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items())))
    studies, before = len(analysis.studies), sum(study.finished for study in analysis.studies)
    click.echo(
        f"{studies} stud{'y' if studies == 1 else 'ies'}, {before} finished before; "
        f"{len(analysis.skipped)} files skipped, {len(analysis.unread)} refused"
    )
    click.echo(f"table: {analysis.results}")


def _odd(odd: "Odd") -> str:
    return odd.says if odd.path is None else f"{odd.path}: {odd.says}"


def _as_json(analysis: "Analysis", status: int) -> dict[str, object]:
    return {
        "exit_status": status,
        "results": str(analysis.results),
        "studies": [
            {
                "study_instance_uid": study.study_instance_uid,
                "outcome": study.outcome,
                "headline": study.headline,
                "folder": str(study.folder),
                "finished_before": study.finished,
            }
            for study in analysis.studies
        ],
        "skipped": [str(path) for path in analysis.skipped],
        "refused": [_odd(odd) for odd in analysis.unread],
        "remarks": [_odd(odd) for odd in analysis.remarks],
    }
