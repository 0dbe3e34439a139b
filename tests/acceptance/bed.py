"""A node made of real processes, the PACS that it delivers to, and a scanner that sends to it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from pydicom import Dataset

from m3net.uids import FrameKey, SOPInstanceUID
from node.cli import cli
from node.demo.reading import ReadReport, read_report
from node.demo.receiving_scp import ReceivingSCP
from tests.peers import free_port, listens, storescu, wait_until

PATIENCE_S = 150.0
"""Far more than anything takes on an idle machine; a busy one may need it."""
_SETTLED = ("done", "dead", "cancelled")

_QUICK = {
    # What the tests promise of headlines and speed must not hang on the weights that ship.
    "M3NODE_MODEL__WEIGHTS": "untrained",
    "M3NODE_STUDY__QUIET_PERIOD_S": "1",
    "M3NODE_STUDY__MAX_WAIT_S": "3",
    "M3NODE_STUDY__LOOK_EVERY_S": "0.2",
    "M3NODE_WORKER__POLL_S": "0.1",
    "M3NODE_DELIVERY__POLL_S": "0.1",
    "M3NODE_STORAGE__MIN_FREE_GB": "0.1",
    "M3NODE_LOG__FORMAT": "human",
    "OMP_NUM_THREADS": "1",
}

_DESTINATION = """
[[destinations]]
name = "pacs"
kind = "dimse"
host = "127.0.0.1"
port = {port}
ae_title = "PACS"
"""


class Bed:
    """A folder made by `m3node init`, the node that serves it, and the PACS beside it."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        more_destinations: str = "",
    ) -> None:
        self.directory = directory
        self.port, self.pacs_port, self.web_port = free_port(), free_port(), free_port()
        self._settings = {
            **_QUICK,
            "M3NODE_RECEIVER__PORT": str(self.port),
            "M3NODE_WEB__PORT": str(self.web_port),
            **(settings or {}),
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith("M3NODE_")}
        self._environment = {**others, **self._settings}
        self._sent = 0
        self.serve: subprocess.Popen[bytes] | None = None
        self.pacs = ReceivingSCP(directory / "pacs", ae_title="PACS", port=self.pacs_port)
        made = self._m3node("init", str(directory / "node"))
        assert made.returncode == 0, made.stdout
        self.config = directory / "node" / "node.toml"
        with self.config.open("a") as file:
            file.write(_DESTINATION.format(port=self.pacs_port) + more_destinations)

    # -- the node ------------------------------------------------------------------------------

    def start(self) -> None:
        """The node serves, in a process group of its own, and listens."""
        self.launch()
        wait_until(
            lambda: self.serve.poll() is not None or listens(self.port),
            "the node listens",
            PATIENCE_S,
        )
        assert self.serve.poll() is None, self.log.read_text()

    def launch(self) -> None:
        """The same has begun."""
        with self.log.open("ab") as log:
            self.serve = subprocess.Popen(
                [sys.executable, "-m", "node", "serve", "--config", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.serve is not None
        if self.serve.poll() is None:
            self.serve.terminate()
        return self.serve.wait(PATIENCE_S)

    def kill(self, *, group: bool) -> None:
        """kill -9: the supervisor alone, or its whole process group."""
        assert self.serve is not None
        pid = self.serve.pid
        os.killpg(pid, signal.SIGKILL) if group else os.kill(pid, signal.SIGKILL)
        self.serve.wait()

    @property
    def log(self) -> Path:
        return self.directory / "serve.log"

    def processes(self) -> dict[int, str]:
        """Every live process of this node, the supervisor too: pid -> command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    words = (entry / "cmdline").read_bytes().decode().split("\0")
                except OSError:
                    continue
                if str(self.config) in words and ("serve" in words or "_run" in words):
                    found[int(entry.name)] = " ".join(words)
        return found

    def role(self, name: str) -> int | None:
        """The pid of one role's process."""
        return next((pid for pid, line in self.processes().items() if f"_run {name}" in line), None)

    # -- the command line ----------------------------------------------------------------------

    def cli(self, *words: str) -> str:
        """What `m3node WORDS --config ...` prints; it must succeed."""
        done = self.asked(*words)
        assert done.returncode == 0, f"m3node {' '.join(words)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def asked(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """`m3node WORDS --config ...` at its end, whatever that was; `typed` is its input."""
        return self._m3node(*words, "--config", str(self.config), typed=typed)

    def json(self, *words: str) -> Any:
        """The same with --json, read."""
        return json.loads(self.cli(*words, "--json"))

    def _asked_here(self, *words: str) -> Any:
        """The same in this process: what is asked again and again need not start one each time."""
        asked = [*words, "--json", "--config", str(self.config)]
        others = {name: None for name in os.environ if name.startswith("M3NODE_")}
        done = CliRunner().invoke(cli, asked, env={**others, **self._settings})
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def _m3node(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "node", *words],
            input=typed,
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=PATIENCE_S,
            check=False,
        )

    # -- studies -------------------------------------------------------------------------------

    def send(self, objects: Sequence[Dataset | Path], *, options: Sequence[str] = ("-R",)) -> None:
        """dcmtk's storescu stores all of them over one association."""
        folder = self.directory / "sent" / f"{self._sent:03d}"
        folder.mkdir(parents=True)
        self._sent += 1
        files = []
        for number, item in enumerate(objects):
            path = item if isinstance(item, Path) else folder / f"{number:04d}.dcm"
            if isinstance(item, Dataset):
                item.save_as(path, enforce_file_format=True)
            files.append(path)
        done = storescu(self.port, files, options=options, timeout_s=PATIENCE_S)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("Received Store Response (Success)") == len(files), done.stdout

    def settle(self, study_uid: str) -> dict[str, Any]:
        """`study show --json`, once nothing is left to do for the study."""
        shown: dict[str, Any] = {}

        def settled() -> bool:
            shown.update(self._asked_here("study", "show", study_uid))
            work = [*shown["job_list"], *shown["deliveries"]]
            return (
                not shown["open_senders"]
                and shown["look_again_at"] is None
                and all(item["state"] in _SETTLED for item in work)
            )

        self._until(settled, f"study {study_uid} is settled")
        return shown

    def report_objects(self, study_uid: str) -> list[Dataset]:
        """Every report of the study that has arrived at the PACS, repeats included."""
        return [ds for ds in self.pacs.received("SR") if ds.StudyInstanceUID == study_uid]

    def captures(self, study_uid: str) -> list[Dataset]:
        """Every capture of the study that has arrived at the PACS, repeats included."""
        return [ds for ds in self.pacs.received("OT") if ds.StudyInstanceUID == study_uid]

    def wait_for_reports(self, study_uid: str, count: int = 1, *, within_s: float = PATIENCE_S):
        """The study's reports, once so many have arrived and the study is settled; no more have."""
        self._until(
            lambda: len(self.report_objects(study_uid)) >= count,
            f"{count} reports of {study_uid}",
            within_s,
        )
        self.settle(study_uid)
        reports = self.report_objects(study_uid)
        assert len(reports) == count, [str(ds.SOPInstanceUID) for ds in reports]
        return reports

    def analyse(self, objects: Sequence[Dataset | Path], **send: Any) -> ReadReport:
        """Send a study that is new here; its one report, read."""
        self.send(objects, **send)
        headers = {}
        for item in objects:
            if isinstance(item, Dataset) and "ImagePositionPatient" in item:
                headers[FrameKey(SOPInstanceUID(str(item.SOPInstanceUID)))] = item
        study_uid = next(str(i.StudyInstanceUID) for i in objects if isinstance(i, Dataset))
        return read_report(self.wait_for_reports(study_uid)[0], headers)

    def _until(self, condition, what: str, timeout_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])
                raise AssertionError(f"gave up after {timeout_s} s: {what}\n{tail}")
            time.sleep(0.3)


@contextmanager
def bed(
    directory: Path,
    *,
    settings: Mapping[str, str] | None = None,
    more_destinations: str = "",
) -> Iterator[Bed]:
    """A bed with its PACS up and its node not yet started; all of it ends with the block.

    settings          : environment variables of the node
    more_destinations : further [[destinations]] in TOML, beside the PACS
    """
    made = Bed(directory, settings, more_destinations)
    try:
        with made.pacs:
            yield made
    finally:
        if made.serve is not None and made.serve.poll() is None:
            made.kill(group=True)
