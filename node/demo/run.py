"""`m3node demo`: a study goes the whole way, in over C-STORE and out again, on this machine alone.

Everything that is shown at the end is read from the DICOM objects that the receiving SCP got, not
from the node's database: what is seen here is what a PACS would have.
"""

import re
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from pydicom import Dataset
from rich.console import Console

from node.demo.own_node import OwnNode, own_node, send
from node.demo.present import (
    say_where_to_look,
    show_findings,
    show_report,
    step,
    terminal,
)
from node.demo.reading import ReadReport, read_report, write_frames
from node.demo.receiving_scp import ReceivingSCP
from node.demo.study import DemoFailed, DemoStudy, survey, write_phantom

_MARK = ".m3node-demo"
_SIZE, _SLICES = 512, 120
_PATIENCE_S = 600.0


def run_demo(
    input_directory: Path | None = None,
    *,
    output: Path = Path("demo-out"),
    size: int = _SIZE,
    slices: int = _SLICES,
    keep: bool = False,
    console: Console | None = None,
) -> int:
    """The results of a study lie in `output`, and a table of them has been printed.

    input_directory : a folder with one study of the user's; None: the phantom
    size, slices    : of the phantom
    keep            : the node and its page go on until Ctrl-C
    returns         : 0, or 1 after the reason was printed
    """
    console = console or terminal()
    try:
        _prepare(output)
        if input_directory is None:
            with step(console, f"Making a chest phantom, {slices} slices of {size} x {size}"):
                write_phantom(output / "study", size=size, slices=slices)
        study = survey(input_directory or output / "study")
        show_findings(console, study.found, study.missing)
        received = output / "received"
        with ReceivingSCP(received) as pacs, ExitStack() as stack:
            with step(console, "Starting the node and a receiving SCP"):
                node = stack.enter_context(
                    own_node(output / "node", pacs_port=pacs.port, page=keep)
                )
            report = _through_the_node(study, node, pacs, console)
            if not keep:
                with step(console, "Stopping the node"):
                    stack.close()
            _show(report, study, pacs, output, console)
            say_where_to_look(console, node if keep else None, report, output)
            if keep:
                _stay(node)
    except DemoFailed as failure:
        console.print(f"Demo failed: {failure}", style="bold red", soft_wrap=True)
        return 1
    return 0


def _prepare(output: Path) -> None:
    """`output` is a folder of the demo's own, and empty but for its mark.

    Raises DemoFailed if it holds something else: nothing of the user's is ever removed.
    """
    mark = output / _MARK
    if output.exists():
        if not output.is_dir() or (any(output.iterdir()) and not mark.exists()):
            raise DemoFailed(f"{output} is not the demo's; name another folder with --output")
        for name in ("study", "node", "received", "png"):
            shutil.rmtree(output / name, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    mark.write_text("Made by `m3node demo`, which empties this folder when it runs again.\n")


def _through_the_node(
    study: DemoStudy, node: OwnNode, pacs: ReceivingSCP, console: Console
) -> Dataset:
    """The study is sent to the node; its report, as it came back."""
    text = f"Sending {len(study.files)} objects over C-STORE"
    with step(console, text, total=len(study.files)) as sending:
        send(study.files, node.port, sending.advance)
    return _wait_for_report(node, pacs, console)


def _stay(node: OwnNode) -> None:
    """Until Ctrl-C, or until the node ends by itself, which raises DemoFailed."""
    with suppress(KeyboardInterrupt):
        node.process.wait()
        node.require_alive()


def _wait_for_report(node: OwnNode, pacs: ReceivingSCP, console: Console) -> Dataset:
    deadline = time.monotonic() + _PATIENCE_S
    with step(console, "Waiting until the study is quiet (3 s), then analysing") as waiting:
        while time.monotonic() < deadline:
            node.require_alive()
            arrived = pacs.received()
            reports = [ds for ds in arrived if ds.Modality == "SR"]
            if reports:
                return reports[-1]
            if arrived:
                waiting.say(f"Receiving results: {len(arrived)} objects so far")
            time.sleep(0.25)
    raise DemoFailed(f"no report arrived within {_PATIENCE_S:.0f} s; see {node.log}")


def _show(
    report: Dataset, study: DemoStudy, pacs: ReceivingSCP, output: Path, console: Console
) -> None:
    read = read_report(report, study.headers)
    by_uid = {
        str(ds.SOPInstanceUID): (path, ds)
        for path, ds in zip(pacs.files(), pacs.received(), strict=True)
    }
    report_path = by_uid[str(report.SOPInstanceUID)][0]
    pictures: dict[str, tuple[Path, Sequence[Path]]] = {}
    for number, nodule in enumerate(read.nodules, start=1):
        captures = [by_uid[uid] for uid in nodule.captures if uid in by_uid]
        if captures:
            # A tracking identifier is free text from elsewhere: only its harmless letters go on.
            word = re.sub(r"[^A-Za-z0-9]+", "-", nodule.tracking_id).strip("-").lower()
            name = f"{number:02d}-{word[:30]}" if word else f"{number:02d}"
            frames = write_frames([ds for _, ds in captures], output / "png", name)
            pictures[nodule.tracking_uid] = (captures[0][0], frames)
    of_nodules = {uid for nodule in read.nodules for uid in nodule.captures}
    of_all = [
        ds for uid, (_, ds) in by_uid.items() if ds.Modality == "OT" and uid not in of_nodules
    ]
    if of_all:
        write_frames(of_all, output / "png", "00-all-nodules")
    _require_explained(read, pictures)
    show_report(console, read, report_path=report_path, pictures=pictures)


def _require_explained(read: ReadReport, pictures: dict[str, tuple[Path, Sequence[Path]]]) -> None:
    for nodule in read.nodules:
        if nodule.probability is not None and nodule.tracking_uid not in pictures:
            raise DemoFailed(
                f"{nodule.tracking_id} has a probability, and its capture did not come"
            )
