"""How long after its last C-STORE the report of a study is at the PACS, and where the time goes.

    python -m tests.benchmarks.turnaround PATH... [--rounds 3]

PATH: the objects of one annotated study, files or folders.  A whole node serves, with the weights
that ship and the settings that `m3node init` writes, but for a quiet period of 2 s, which is taken
off.  Each round sends the study to a node of its own that has been up for a while.  Told are the
steps, from the node's own log, and the CPU time that each process took from the first object to the
report: where others are at work on the machine, it says what is the node's.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path

from pydicom import dcmread

from node.inbound.files import files_below, is_dicom_object
from tests.acceptance.bed import bed
from tests.benchmarks.ingest.__main__ import cpu_s_of
from tests.peers import storescu, wait_until

QUIET_S = 2.0
ROLES = ("receiver", "scheduler", "worker", "deliverer")
_OURS = ("OMP_NUM_THREADS", "M3NODE_STUDY__LOOK_EVERY_S", "M3NODE_WORKER__POLL_S")


def main() -> None:
    """Print a line a round, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    files = [file for file in files_below(arguments.paths).files if is_dicom_object(file)]
    taken = [_round(files) for _ in range(arguments.rounds)]
    print(f"median {statistics.median(taken):.2f} s of {arguments.rounds} rounds")


def _round(files: list[Path]) -> float:
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    settings = {
        "M3NODE_MODEL__WEIGHTS": "default",
        "M3NODE_STUDY__QUIET_PERIOD_S": str(QUIET_S),
        "M3NODE_LOG__FORMAT": "json",
    }
    with tempfile.TemporaryDirectory() as folder, bed(Path(folder), settings=settings) as node:
        for name in (*_OURS, "M3NODE_DELIVERY__POLL_S"):
            node._environment.pop(name)
        node.start()
        wait_until(lambda: "model.loaded" in node.log.read_text(), "the model is loaded", 300)
        time.sleep(2)
        pids = {role: node.role(role) for role in ROLES}
        before = {role: cpu_s_of(pid) for role, pid in pids.items() if pid is not None}
        load = os.getloadavg()[0]
        sent = storescu(node.port, files, options=["-R"])
        assert sent.returncode == 0, sent.stdout
        ended = time.time()
        wait_until(lambda: len(node.report_objects(study)) > 0, "the report is there", 300)
        report = next(
            file
            for file in node.pacs.directory.rglob("*")
            if file.is_file() and dcmread(file, stop_before_pixels=True).Modality == "SR"
        )
        taken = report.stat().st_mtime - ended - QUIET_S
        used = {role: cpu_s_of(pids[role]) - of for role, of in before.items()}
        print(
            f"{taken:.2f} s after the quiet period; load {load:.1f}; CPU "
            + ", ".join(f"{role} {of:.2f} s" for role, of in used.items())
        )
        for line in node.log.read_text().splitlines():
            said = json.loads(line)
            at = datetime.fromisoformat(said["time"]).timestamp() - ended - QUIET_S
            if at > -QUIET_S - 0.5:
                print(f"  {at:+7.2f} {said['role']:10} {said['action']}")
        node.kill(group=True)
    return taken


if __name__ == "__main__":
    main()
