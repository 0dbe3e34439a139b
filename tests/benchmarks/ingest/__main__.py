"""How fast the node receives, beside dcmtk, Orthanc and a bare loop, in one run.

    python -m tests.benchmarks.ingest [--associations 1 4 16] [--images 532] [--rounds 3]

dcmtk's storescu sends 512 x 512 CT slices under new UIDs, PDUs of 128 KB; the real series where it
is there (TESTS_LIDC), else slices of noise.  The receivers take turns within each round, each from
an empty disk, so that whatever else the machine does hits all of them; what is told are medians,
and ratios of medians.  A receiver whose rounds differ by more than half says that the machine was
too noisy to tell, and so does the whole table if others had more than a tenth of the CPU time
meanwhile.  What a receiver has stored is emptied at once and removed at the end: for minutes after
files were removed, ext4 spends a millisecond on each new one, looking for a number that none of
those had, and whoever receives next would pay for it.  So a folder that was emptied just before is
no place to measure in (--folder).

The node is durable: file, directory and row are synced before each answer; the bare loop syncs its
files, Orthanc and dcmtk nothing.

The node receives in one process.  Two on one port (SO_REUSEPORT) were tried on two CPUs and reached
0.65 of its rate with 4 associations and 0.75 with 16: the rows of all associations go into one
transaction here, and there into two that wait for each other.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from pydicom import dcmread

from tests import lidc
from tests.integration.test_receiver import ct_slice
from tests.peers import free_port, listens, running, wait_until
from tests.required import require_binary

NOISY = 1.5
OTHERS = 0.1
Serving = tuple[int, int]
"""The port and the process of a receiver."""


@contextmanager
def the_node(folder: Path) -> Iterator[Serving]:
    """`tests.benchmarks.ingest.node`."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.ingest.node", str(port), str(folder)]
    with running(command, log=folder / "log") as process:
        wait_until(lambda: listens(port), "the node listens", 120)
        yield port, process.pid


@contextmanager
def bare_loop(folder: Path) -> Iterator[Serving]:
    """`tests.benchmarks.ingest.bare`."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.ingest.bare", str(port), str(folder)]
    with running(command, log=folder / "log") as process:
        wait_until(lambda: listens(port), "the bare loop listens", 60)
        yield port, process.pid


@contextmanager
def dcmtk(folder: Path) -> Iterator[Serving]:
    """storescp, a process an association."""
    port, program = free_port(), require_binary("storescp", "dcmtk")
    command = [program, "--fork", "-pdu", "131072", "-od", str(folder), str(port)]
    with running(command, log=folder / "log") as process:
        wait_until(lambda: listens(port), "storescp listens", 60)
        yield port, process.pid


@contextmanager
def an_orthanc(folder: Path) -> Iterator[Serving]:
    """Orthanc, reached through nothing: not in a network namespace, as tests have it."""
    port, program = free_port(), require_binary("Orthanc", "orthanc")
    config = folder / "orthanc.json"
    config.write_text(
        f'{{"StorageDirectory": "{folder}/s", "IndexDirectory": "{folder}/i", "DicomPort": {port},'
        f' "HttpServerEnabled": false, "DicomAlwaysAllowStore": true, "DicomThreadsCount": 32,'
        f' "OverwriteInstances": true, "DicomServerEnabled": true}}'
    )
    with running([program, str(config)], log=folder / "log") as process:
        wait_until(lambda: listens(port), "Orthanc listens", 60)
        yield port, process.pid


RECEIVERS: dict[str, Callable[[Path], AbstractContextManager[Serving]]] = {
    "node": the_node,
    "bare loop": bare_loop,
    "Orthanc": an_orthanc,
    "dcmtk --fork": dcmtk,
}


def main() -> None:
    """Print a table for each number of associations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--associations", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--images", type=int, default=532)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(RECEIVERS))
    parser.add_argument("--folder", type=Path, help="where the receivers write; a local disk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        files = images(Path(folder))
        for associations in arguments.associations:
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in arguments.only}
            loads = []
            with others() as share:
                for _ in range(arguments.rounds):
                    for name in arguments.only:
                        found[name].append(
                            one_round(
                                RECEIVERS[name], files, associations, arguments.images, folder
                            )
                        )
                    loads.append(os.getloadavg()[0])
            _tell(found, associations, arguments.images, loads)
            if share[0] > OTHERS:
                print(f"  too noisy to tell: others had {share[0]:.0%} of the CPU time")


def _tell(
    found: dict[str, list[tuple[float, float]]],
    associations: int,
    images: int,
    loads: Sequence[float],
) -> None:
    medians = {name: statistics.median(rate for rate, _ in of) for name, of in found.items()}
    print(
        f"\n{associations} associations, {images} images each; {os.cpu_count()} CPUs, "
        f"load {min(loads):.1f} to {max(loads):.1f}"
    )
    for name, of in found.items():
        rates = [rate for rate, _ in of]
        cpu_ms = statistics.median(cpu_ms for _, cpu_ms in of)
        print(
            f"  {name:13} {medians[name]:6.0f} images/s  ({min(rates):.0f} to {max(rates):.0f}), "
            f"{cpu_ms:.2f} ms of CPU an image"
        )
    for other in set(medians) - {"node"}:
        if "node" in medians:
            print(f"  node / {other}: {medians['node'] / medians[other]:.2f}")
    unsteady = [n for n, of in found.items() if max(of)[0] > NOISY * min(of)[0]]
    if unsteady:
        print(f"  too noisy to tell: rounds of {', '.join(unsteady)} differ by more than half")


@contextmanager
def others() -> Iterator[list[float]]:
    """Of the CPU time that the machine had within the block, the part that went neither to this
    process nor to its children; the kernel's own work is in it.
    """
    share: list[float] = []
    ticks = os.sysconf("SC_CLK_TCK")

    def used_s() -> tuple[float, float]:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        busy = sum(map(int, fields)) - int(fields[3]) - int(fields[4])  # idle, waiting for a disk
        return busy / ticks, sum(os.times()[:4])

    started, (busy_s, ours_s) = time.perf_counter(), used_s()
    yield share
    passed_s = (time.perf_counter() - started) * (os.cpu_count() or 1)
    busy_after_s, ours_after_s = used_s()
    share.append((busy_after_s - busy_s - (ours_after_s - ours_s)) / passed_s)


def one_round(
    serve: Callable[[Path], AbstractContextManager[Serving]],
    files: Sequence[Path],
    associations: int,
    count: int,
    folder: str,
) -> tuple[float, float]:
    """Images a second, and milliseconds of CPU an image, until all that is sent is answered."""
    with a_room(folder) as room, serve(room) as (port, pid):
        started, cpu_before_s = time.perf_counter(), cpu_s_of(pid)
        senders = [sender(port, files, count) for _ in range(associations)]
        codes = [each.wait() for each in senders]
        seconds, cpu_s = time.perf_counter() - started, cpu_s_of(pid) - cpu_before_s
    assert codes == [0] * associations, codes
    return associations * count / seconds, 1000 * cpu_s / (associations * count)


@contextmanager
def a_room(folder: str) -> Iterator[Path]:
    """A folder within it; its files are empty in the end, and stay."""
    room = Path(tempfile.mkdtemp(dir=folder))
    yield room
    for parent, _, names in os.walk(room):
        for name in names:
            os.truncate(Path(parent, name), 0)


def sender(port: int, files: Sequence[Path], count: int) -> subprocess.Popen[bytes]:
    """dcmtk's storescu, which sends so many images over one association."""
    program = require_binary("storescu", "dcmtk")
    named = [files[number % len(files)] for number in range(count)]
    command = [program, "-R", "+II", "-pdu", "131072", "--max-send-pdu", "131072"]
    return subprocess.Popen(
        [*command, "127.0.0.1", str(port), *map(str, named)],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def cpu_s_of(pid: int) -> float:
    """User and system time of the process and its ended children, fields 14 to 17 of stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def images(folder: Path) -> list[Path]:
    """CT slices of 512 x 512: of the real series, or of noise."""
    try:
        return lidc.study("LIDC-IDRI-0001").ct
    except BaseException:  # a skip: the series is not here
        return [_noise(folder / f"{number}.dcm", number) for number in range(32)]


def _noise(path: Path, number: int) -> Path:
    made = dcmread(ct_slice(path, number))
    made.Rows = made.Columns = 512
    noise = np.random.default_rng(number).integers(0, 4096, 512 * 512, dtype=np.uint16)
    made.PixelData = noise.tobytes()
    made.save_as(path)
    return path


if __name__ == "__main__":
    main()
