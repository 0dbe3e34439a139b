"""Nodules from wherever they lie into a folder of crops: in several processes, to be resumed.

A unit of work is what is read at once: a CT series, a study, a cut-out.  What cannot be used is
left out with its reason.  Units that were done without any such reason are not done again; the
others are, since a series may have been fetched again in the meantime.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from m3net.errors import StudyError
from training.data.crops import (
    FORMAT,
    MANIFEST,
    BlockSize,
    Crop,
    Skipped,
    cut_block,
    latest,
    manifest_lines,
    write_crop,
)
from training.data.cutouts import crop_of
from training.data.errors import CropsUnusable, DataUnusable
from training.data.voi import CutoutLabel, read_cutout


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What came of one unit; every nodule that it should hold is a crop or skipped.

    notes : what else is to be known of the unit, one sentence each
    """

    crops: tuple[Crop, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


class Unit(Protocol):
    """What is read at once; it travels to another process."""

    @property
    def name(self) -> str:
        """The same at every call of the command; no patient's name or number."""

    def cut(self, size: BlockSize) -> Cut:
        """Its nodules.

        Raises StudyError or DataUnusable if nothing of it can be used.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutUnit:
    """One nodule of a folder of cut-outs; beyond the cut-out is as if beyond the scan."""

    directory: Path
    label: CutoutLabel

    @property
    def name(self) -> str:
        """The cut-out's."""
        return self.label.name

    def cut(self, size: BlockSize) -> Cut:
        """One crop."""
        crop = crop_of(read_cutout(self.directory, self.label))
        return Cut(crops=(cut_block(crop.volume, crop.nodule, crop.label, size),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a call of the command did.

    crops   : in the folder now, earlier ones included
    skipped : what is not, by reason
    notes   : about units, beginning with their names
    before  : units that had been done by an earlier call
    """

    crops: int
    malignant: int
    patients: int
    skipped: Sequence[Skipped]
    notes: Sequence[str]
    units: int
    before: int


def prepare(
    units: Sequence[Unit],
    out: Path,
    *,
    source: Mapping[str, str],
    size: BlockSize = BlockSize(),  # noqa: B008  # because it is frozen
    jobs: int = 1,
    on_begin: Callable[[int], None] = lambda _: None,
    on_unit: Callable[[], None] = lambda: None,
) -> Prepared:
    """Every unit's crops in `out`.

    source   : what tells one preparation from another, such as whose masks are taken
    on_begin : called once with how many units are to be done now
    on_unit  : called after each of them

    Raises CropsUnusable if `out` holds crops that were prepared otherwise.
    """
    settings = {"format": FORMAT, "source": dict(source), "size": asdict(size)}
    done = _begin(out, settings)
    todo = [unit for unit in units if unit.name not in done]
    on_begin(len(todo))
    with (out / MANIFEST).open("a") as manifest:
        for record in _records(todo, out, size, jobs):
            _append(manifest, record)
            on_unit()
        _append(manifest, {"finished": True})
    records = latest(manifest_lines(out)).values()
    crops = [each for record in records for each in record["crops"]]
    return Prepared(
        crops=len(crops),
        malignant=sum(sum(each["scores"]) > 3 * len(each["scores"]) for each in crops),
        patients=len({each["patient_id"] for each in crops}),
        skipped=[Skipped(**each) for record in records for each in record["skipped"]],
        notes=[f"{record['unit']}: {note}" for record in records for note in record["notes"]],
        units=len(units),
        before=len(units) - len(todo),
    )


def _begin(out: Path, settings: Mapping[str, Any]) -> set[str]:
    """The folder is ready to go on; the units that need not be done again."""
    out.mkdir(parents=True, exist_ok=True)
    lines = manifest_lines(out)
    path = out / MANIFEST
    if not lines:
        if any(out.iterdir()) and not path.exists():
            raise CropsUnusable(f"{out} is not empty and holds no prepared crops; name another")
        path.write_text(json.dumps(settings) + "\n")
        return set()
    if lines[0] != settings:
        raise CropsUnusable(
            f"{out} was prepared with {json.dumps(lines[0])}, now {json.dumps(settings)} is "
            "asked for; name another folder"
        )
    whole = path.read_bytes()
    os.truncate(path, whole.rfind(b"\n") + 1)
    for part in out.glob("crops/*.part"):
        part.unlink()
    return {unit for unit, record in latest(lines).items() if not record["skipped"]}


def _append(manifest: Any, record: Mapping[str, Any]) -> None:
    manifest.write(json.dumps(record) + "\n")
    manifest.flush()
    os.fsync(manifest.fileno())


def _records(
    units: Sequence[Unit], out: Path, size: BlockSize, jobs: int
) -> Iterator[Mapping[str, Any]]:
    """One record per unit, as they are done."""
    if jobs == 1:
        yield from (_record(unit, out, size) for unit in units)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures: list[Future[Mapping[str, Any]]] = [
            pool.submit(_record, unit, out, size) for unit in units
        ]
        try:
            yield from (future.result() for future in as_completed(futures))
        except BrokenProcessPool as error:
            raise CropsUnusable(
                "a process was killed, perhaps for want of memory; give the command again, with "
                "fewer jobs"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _record(unit: Unit, out: Path, size: BlockSize) -> Mapping[str, Any]:
    """The unit's crops on disk, and the manifest's line about it."""
    try:
        cut = unit.cut(size)
    except (StudyError, DataUnusable) as error:
        cut = _none(unit, str(error))
    except Exception as error:  # one odd file must not end the work of hours
        cut = _none(unit, f"unforeseen {type(error).__name__}: {error}")
    crops = [asdict(crop.label) | {"file": write_crop(out, crop)} for crop in cut.crops]
    return {
        "unit": unit.name,
        "crops": crops,
        "skipped": [asdict(each) for each in cut.skipped],
        "notes": cut.notes,
    }


def _none(unit: Unit, reason: str) -> Cut:
    return Cut(crops=(), skipped=(Skipped(name=unit.name, reason=reason),))
