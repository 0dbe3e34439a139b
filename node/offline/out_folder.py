"""The folder of the results: a study is in it whole or not at all, whenever the process ends.

::

    OUT/
      results.jsonl            every line of every study
      study_<UID>/
        study.json             its lines, and of which inputs they are
        report.dcm             the structured report
        nodule-1.dcm           the capture, and as nodule-1-01.png ... its frames
      .m3node-analyse          the mark that the folder is ours, and the lock

A study's folder is written beside its place and renamed into it.  `results.jsonl` is made of the
`study.json`s whenever it could be anything else.  No name holds more of a patient than a UID.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3net.uids import StudyInstanceUID
from node.core.errors import ConfigError
from node.offline.records import Line
from sr_templates.findings import Outcome

RESULTS = "results.jsonl"
_RECORD = "study.json"
_MARK = ".m3node-analyse"
_WORK = ".work"
_OLD = ".replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What `study.json` says.

    revision   : 1, 2, ...: of how many different results in this folder it is the last
    companions : what was made beside report and captures
    files      : names of what lies beside it
    """

    input_digest: str
    analysis_id: str
    revision: int
    outcome: str
    headline: str
    lines: Sequence[Line]
    companions: Sequence[str]
    files: Sequence[str]

    def to_json(self) -> str:
        """Indented JSON."""
        return json.dumps(
            {
                "input_digest": self.input_digest,
                "analysis_id": self.analysis_id,
                "revision": self.revision,
                "outcome": self.outcome,
                "headline": self.headline,
                "companions": list(self.companions),
                "files": list(self.files),
                "lines": list(self.lines),
            },
            indent=1,
            ensure_ascii=False,
        )


class OutFolder:
    """The results of all studies that were ever analysed into this folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def results(self) -> Path:
        """The table."""
        return self._root / RESULTS

    @property
    def work(self) -> Path:
        """What is needed while the process runs, and swept before the next one."""
        return self._root / _WORK

    def place(self, study: StudyInstanceUID) -> Path:
        """Where the study's results lie: below the root, whatever characters a UID has."""
        return self._root / f"study_{study}"

    def finished(
        self,
        study: StudyInstanceUID,
        *,
        input_digest: str,
        analysis_id: str,
        companions: Collection[str],
    ) -> Record | None:
        """The study's record, if these inputs were analysed so, and everything is still there.

        companions : what must be there beside report and captures

        A study at which the machinery failed is not finished.
        """
        record = _read(self.place(study))
        if record is None or record.outcome == Outcome.TECHNICAL_FAILURE:
            return None
        same = (record.input_digest, record.analysis_id) == (input_digest, analysis_id)
        return record if same and set(companions) <= set(record.companions) else None

    def revision(self, study: StudyInstanceUID, *, input_digest: str, analysis_id: str) -> int:
        """Of the results that these inputs will have: the same results again are no new ones."""
        record = _said(self.place(study))
        if record is None:
            return 1
        if not record.files:
            return record.revision
        same = (record.input_digest, record.analysis_id) == (input_digest, analysis_id)
        return record.revision if same else record.revision + 1

    def keep(self, study: StudyInstanceUID, record: Record, files: Mapping[str, bytes]) -> None:
        """The study's results are here for good, in place of any earlier ones."""
        place, made = self.place(study), self.work / "made"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        for name, data in {**files, _RECORD: record.to_json().encode()}.items():
            _write(made / name, data)
        _sync(made)
        replaces = place.exists()
        if replaces:
            place.rename(self.work / _OLD)
        made.rename(place)
        _sync(self._root)
        if replaces:
            shutil.rmtree(self.work / _OLD, ignore_errors=True)
            self.tabulate()
        else:
            with self.results.open("ab") as table:
                table.write(_encoded(record.lines))

    def tabulate(self) -> None:
        """The table says what the studies' folders say, and nothing else."""
        part = self._root / f".{RESULTS}"
        with part.open("wb") as table:
            for folder in sorted(self._root.glob("study_*")):
                if (record := _read(folder)) is not None:
                    table.write(_encoded(record.lines))
            table.flush()
            os.fsync(table.fileno())
        part.rename(self.results)
        _sync(self._root)


@contextmanager
def open_out_folder(root: Path) -> Iterator[OutFolder]:
    """The folder, ours alone within the block; what a killed process left half done is gone.

    Raises ConfigError if it holds what is not ours, or another process writes into it.
    """
    mark = root / _MARK
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not mark.exists() and any(root.iterdir()):
            raise ConfigError(f"{root} holds something else; name an empty folder, or a new one")
        lock = mark.open("ab")
    except OSError as error:
        raise ConfigError(f"{root} cannot be written into: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"another process analyses into {root}; wait for it") from None
        folder = OutFolder(root)
        shutil.rmtree(folder.work, ignore_errors=True)
        folder.work.mkdir()
        folder.tabulate()
        try:
            yield folder
        finally:
            shutil.rmtree(folder.work, ignore_errors=True)


def _said(folder: Path) -> Record | None:
    """What the folder's record says; None if there is none."""
    try:
        said: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return Record(**said)
    except (OSError, ValueError, TypeError):
        return None


def _read(folder: Path) -> Record | None:
    """The same; None as well if something of it is gone."""
    record = _said(folder)
    whole = record is not None and all((folder / name).is_file() for name in record.files)
    return record if whole else None


def _encoded(lines: Sequence[Line]) -> bytes:
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """The names in the folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
