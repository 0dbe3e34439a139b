"""How many images a second the receiver keeps, with dcmtk's storescu as the sender.

    python -m tests.benchmarks.receiver_throughput [FOLDER] [--associations 1 4] [--rounds 3]

FOLDER holds *.dcm; by default the real 133-slice study (M3NODE_LIDC).  The receiver is a process of
its own with the real Intake, spool and SQLite under a temporary folder, as in `serve`; every image
is synced to disk and its row committed before it is answered.  Every round starts with an empty
disk.
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from node.config import ReceiverConfig
from node.inbound.dimse import receiver
from tests import lidc
from tests.integration.queueing import open_node
from tests.peers import free_port, listens, wait_until
from tests.required import require_binary


def main() -> None:
    """Print one line for each number of associations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--associations", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.folder is None:
        files = lidc.study("LIDC-IDRI-0001").ct
    else:
        files = sorted(arguments.folder.rglob("*.dcm"))
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    print(
        f"{len(files)} images, {megabytes:.0f} MB, {os.cpu_count()} CPUs, load {os.getloadavg()[0]}"
    )
    for associations in arguments.associations:
        images = len(files) * associations
        rounds = [one_round(files, associations) for _ in range(arguments.rounds)]
        rates = sorted(images / seconds for seconds, _ in rounds)
        cpu_ms = 1000 * statistics.median(cpu_s for _, cpu_s in rounds) / images
        print(
            f"{associations} associations: {statistics.median(rates):.0f} images/s "
            f"(rounds: {', '.join(f'{rate:.0f}' for rate in rates)}), "
            f"{cpu_ms:.1f} ms of the receiver's CPU time an image"
        )


def one_round(files: Sequence[Path], associations: int) -> tuple[float, float]:
    """Seconds until every association has sent every file to an empty node, and its CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        node = multiprocessing.get_context("spawn").Process(
            target=_receive, args=(port, Path(folder)), daemon=True
        )
        node.start()
        wait_until(lambda: listens(port), "the receiver listens", 60)
        started, cpu_before = time.perf_counter(), _cpu_s(node.pid)
        senders = [_sender(port, files, f"CT{n}") for n in range(associations)]
        codes = [sender.wait() for sender in senders]
        seconds, cpu_s = time.perf_counter() - started, _cpu_s(node.pid) - cpu_before
        node.terminate()
        node.join()
    assert codes == [0] * associations, codes
    return seconds, cpu_s


def _cpu_s(pid: int | None) -> float:
    """User and system time, fields 14 and 15 of /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _sender(port: int, files: Sequence[Path], title: str) -> subprocess.Popen[bytes]:
    program = require_binary("storescu", "dcmtk")
    command = [program, "-R", "-aet", title, "-aec", "M3NODE", "127.0.0.1", str(port), *files]
    return subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"})


def _receive(port: int, folder: Path) -> None:
    store, _, intake = open_node(folder)
    receiver.run(ReceiverConfig(port=port), intake, store, threading.Event())


if __name__ == "__main__":
    main()
