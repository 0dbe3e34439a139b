"""What memory the node takes for an object of gigabytes, and for thousands of images.

    python -m tests.benchmarks.memory [--gigabytes 2] [--images 5000] [--folder DIR]

An Enhanced CT and a segmentation of that size are made as they are sent, over one association each;
then the images over another.  Told is the most that the receiver's process ever held, and what it
holds of its own (not the files that it has mapped) as the images come.  Then what was stored is
read as the scheduler reads it, in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from node.config import ReceiverConfig
from node.inbound.reading import Reading
from tests.benchmarks.ingest.__main__ import images, sender
from tests.integration.queueing import open_node
from tests.integration.test_receiver_under_load import connected, peak_kb, sent_object
from tests.node.inbound.dimse.senders_of_bytes import RELEASE
from tests.peers import free_port

MB = 1 << 20
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LOOKS = 5


def main() -> None:
    """Print a line a thing that was sent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--folder", type=Path, help="where the node stores; a local disk")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        _read(arguments.read)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        _measure(Path(folder), int(arguments.gigabytes * 1024) * MB, arguments.images)


def _measure(folder: Path, size: int, count: int) -> None:
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.ingest.node", str(port), str(folder)]
    node = subprocess.Popen(command)
    try:
        with connected(port) as asker:
            asker.sends(RELEASE)
        print(f"at the start: most {peak_kb(node.pid) / 1024:.0f} MB, own {_own_mb(node.pid):.0f}")
        for number, (sop_class, name) in enumerate(
            ((ENHANCED_CT, "Enhanced CT"), (SEGMENTATION, "segmentation")), 1
        ):
            started = time.monotonic()
            with connected(port) as wire:
                wire.asks(contexts=((1, sop_class),))
                assert sent_object(wire, size, number, sop_class=sop_class) == 0x0000
            rate = size / MB / (time.monotonic() - started)
            print(
                f"{name} of {size / MB:.0f} MB, {rate:.0f} MB/s: most "
                f"{peak_kb(node.pid) / 1024:.0f} MB, own {_own_mb(node.pid):.0f}"
            )
        files = images(folder)
        for _ in range(LOOKS):
            assert sender(port, files, count // LOOKS).wait() == 0
            print(
                f"{count // LOOKS} images more: most {peak_kb(node.pid) / 1024:.0f} MB, "
                f"own {_own_mb(node.pid):.0f}"
            )
    finally:
        node.terminate()
        node.wait(60)
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--read", str(folder)]
    subprocess.run(command, check=True)


def _read(folder: Path) -> None:
    """What is stored is read; the most memory that it took, the files that it maps included."""
    store, spool, _ = open_node(folder)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    number = Reading(store, spool, config=ReceiverConfig()).read(within_s=600)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    print(f"{number} objects were read, which took {grown_kb / 1024:.0f} MB more at most")
    store.close()


def _own_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no RssAnon")


if __name__ == "__main__":
    main()
