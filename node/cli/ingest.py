"""`m3node ingest`: files and folders, taken in as if they had been received."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import config_option, loaded

if TYPE_CHECKING:
    from node.inbound.intake import Intake

KEEP_EVERY_S = 10.0
"""How often hosts that share the database hear that files are still being taken in."""


@click.command()
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True),
)
@config_option
def ingest(paths: tuple[Path, ...], config_path: Path | None) -> None:
    """Take in files, and folders with all that lies below.

    What is not DICOM is skipped and listed.  LIDC-IDRI's XML is taken in as segmentations of the CT
    that lies in its folder, one for each of its readers.  A running node analyses the study when it
    is quiet; without one it is analysed by the next `m3node serve`.  Exit status 1 if a file was
    refused, a folder could not be looked into, or nothing was there to take in.
    """
    from rich.progress import track

    from m3net.errors import AnnotationUnusable
    from node.app import open_intake, open_node_store
    from node.cli.options import console
    from node.core.errors import Refused
    from node.core.sender import Sender, SenderKind
    from node.inbound.files import files_below
    from node.persistence.process_identity import this_process
    from node.persistence.upgrading import Change
    from node.words import in_words_with_place

    config = loaded(config_path)
    store = open_node_store(config, change=Change.MAKE)
    intake = open_intake(config, store)
    below = files_below(paths)
    counts: dict[str, int] = {}
    skipped: list[Path] = []
    refused = len(below.unread)
    for error in below.unread:
        click.echo(f"refused {in_words_with_place(error)}", err=True)
    sender = store.open_sender(
        Sender(kind=SenderKind.FILE, name="m3node ingest"),
        owner=this_process(),
        now=datetime.now(UTC),
    )
    kept_at = time.monotonic()
    try:
        shown = console()
        for file in track(below.files, "taking in", console=shown, disable=not shown.is_terminal):
            if time.monotonic() - kept_at > KEEP_EVERY_S:
                store.keep_senders(this_process(), datetime.now(UTC))
                kept_at = time.monotonic()
            try:
                arrivals = _take_in(file, intake, sender) if file.is_file() else []
            except (Refused, AnnotationUnusable, OSError) as error:
                # one file that cannot be read must not end the work on the others
                refused += 1
                click.echo(f"refused {file}: {in_words_with_place(error)}", err=True)
                continue
            if not arrivals:
                skipped.append(file)
            for arrival in arrivals:
                counts[arrival] = counts.get(arrival, 0) + 1
    finally:
        store.close_sender(sender, datetime.now(UTC))
        store.close()
    for file in skipped:
        click.echo(f"skipped, not a DICOM object: {file}")
    click.echo(
        f"{counts.get('new', 0)} new, {counts.get('same', 0)} known already, "
        f"{counts.get('newer_version', 0)} newer versions, "
        f"{len(skipped)} skipped, {refused} refused"
    )
    if refused:
        raise SystemExit(1)
    if not counts:
        raise click.ClickException("nothing was taken in: no DICOM object is there")


def _take_in(file: Path, intake: "Intake", sender: int) -> list[str]:
    """What each object of the file was when it arrived; none if it holds none."""
    from node.inbound.files import is_dicom_object
    from node.inbound.lidc_xml import is_lidc_xml

    if is_lidc_xml(file):
        return _take_in_lidc(file, intake, sender)
    if not is_dicom_object(file):
        return []

    def remark(words: str) -> None:
        click.echo(f"taken, {file}: {words}", err=True)

    return [intake.accept_file(file, sender_id=sender, remark=remark).value]


def _take_in_lidc(file: Path, intake: "Intake", sender: int) -> list[str]:
    """The readers' marks of one XML; those without an outline are counted out loud."""
    from node.inbound.lidc_xml import segmentations_of

    made = segmentations_of(file)
    if made.left_out:
        click.echo(f"{file}: {made.left_out_in_words()}")
    return [
        intake.accept(
            each.encoded,
            sop_class_uid=each.sop_class_uid,
            sop_instance_uid=each.sop_instance_uid,
            transfer_syntax_uid=each.transfer_syntax_uid,
            sender_id=sender,
        ).value
        for each in made.objects
    ]
