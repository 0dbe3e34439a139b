"""How fast STOW-RS takes the slices of a CT, beside C-STORE, in one run; and in how much memory.

    python -m tests.benchmarks.stow [--senders 1 4] [--images 200] [--rounds 3] [--large-gb 2]

curl sends bodies that lie on the disk, as storescu sends its files; each sender has UIDs of its
own.  The two ways take turns within each round, each into an empty folder; medians are told.  Then
one object of so many GB is stored, and the most memory is told that the server ever had.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread

from tests.benchmarks.ingest.__main__ import (
    Serving,
    a_room,
    cpu_s_of,
    images,
    one_round,
    the_node,
)
from tests.node.web.dicomweb.posting import BOUNDARY, MULTIPART, image
from tests.peers import free_port, listens, running, wait_until
from tests.required import require_binary


@contextmanager
def the_web(folder: Path) -> Iterator[Serving]:
    """`tests.benchmarks.ingest.web`."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.ingest.web", str(port), str(folder)]
    with running(command, log=folder / "log") as process:
        wait_until(lambda: listens(port), "the web server listens", 120)
        yield port, process.pid


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--senders", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large-gb", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, help="where the receivers write; a local disk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        files = images(Path(folder))
        most = max(arguments.senders)
        bodies = [_body(Path(folder), files, n, arguments.images) for n in range(most)]
        for senders in arguments.senders:
            found: dict[str, list[tuple[float, float]]] = {"C-STORE": [], "STOW-RS": []}
            for _ in range(arguments.rounds):
                found["C-STORE"].append(
                    one_round(the_node, files, senders, arguments.images, folder)
                )
                found["STOW-RS"].append(_stowed(bodies[:senders], arguments.images, folder))
            _tell(found, senders)
        for body in bodies:
            body.unlink()
        if arguments.large_gb:
            _large(Path(folder), arguments.large_gb)


def _tell(found: dict[str, list[tuple[float, float]]], senders: int) -> None:
    medians = {name: statistics.median(rate for rate, _ in of) for name, of in found.items()}
    print(f"\n{senders} senders")
    for name, of in found.items():
        rates, cpu_ms = [rate for rate, _ in of], statistics.median(ms for _, ms in of)
        print(
            f"  {name}  {medians[name]:6.0f} images/s  ({min(rates):.0f} to {max(rates):.0f}), "
            f"{cpu_ms:.2f} ms of CPU an image"
        )
    print(f"  STOW-RS / C-STORE: {medians['STOW-RS'] / medians['C-STORE']:.2f}", flush=True)


def _stowed(bodies: Sequence[Path], images: int, folder: str) -> tuple[float, float]:
    """Images a second, and milliseconds of CPU an image, until all that is sent is answered."""
    with a_room(folder) as room, the_web(room) as (port, pid):
        started, cpu_before_s = time.perf_counter(), cpu_s_of(pid)
        senders = [_sender(port, body) for body in bodies]
        said = [sender.communicate()[0] for sender in senders]
        seconds, cpu_s = time.perf_counter() - started, cpu_s_of(pid) - cpu_before_s
    assert [each[-3:] for each in said] == [b"200"] * len(bodies), said
    count = len(bodies) * images
    return count / seconds, 1000 * cpu_s / count


def _sender(port: int, body: Path) -> subprocess.Popen[bytes]:
    command = [require_binary("curl", "curl"), "-sS", "-X", "POST", "-T", str(body)]
    command += ["-H", f"Content-Type: {MULTIPART}", "-H", "Expect:", "-w", "%{http_code}"]
    return subprocess.Popen(
        [*command, f"http://127.0.0.1:{port}/dicom-web/studies"], stdout=subprocess.PIPE
    )


def _body(folder: Path, files: Sequence[Path], sender: int, images: int) -> Path:
    """A multipart body of so many slices under UIDs of this sender's own."""
    path = folder / f"body-{sender}"
    with path.open("wb") as body:
        for number in range(images):
            file = files[number % len(files)]
            uid = str(dcmread(file, stop_before_pixels=True).SOPInstanceUID).encode()
            ending = f".{sender + 1}.{number + 1}".encode()
            other = uid[: len(uid) - len(ending)] + ending
            body.write(_part(file.read_bytes().replace(uid, other)))
        body.write(f"--{BOUNDARY}--\r\n".encode())
    return path


def _part(content: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n"
    return head.encode() + content + b"\r\n"


def _large(folder: Path, size_gb: float) -> None:
    """One object of that size is stored; the most memory that the server had is told."""
    path, size = folder / "large", int(size_gb * 1e9) & ~1
    first = image(0, PixelData=b"\0\0")[:-6]
    with path.open("wb") as body:
        body.write(_part(first + (size).to_bytes(4, "little") + bytes(2))[:-4])
        for _ in range(size // (1 << 20)):
            body.write(bytes(1 << 20))
        body.write(bytes(size % (1 << 20) - 2) + f"\r\n--{BOUNDARY}--\r\n".encode())
    with tempfile.TemporaryDirectory(dir=folder) as room, the_web(Path(room)) as (port, pid):
        before_mb, started = _most_mb(pid), time.perf_counter()
        said = _sender(port, path).communicate()[0]
        seconds, after_mb = time.perf_counter() - started, _most_mb(pid)
    assert said.endswith(b"200"), said
    print(
        f"\none object of {size_gb:g} GB: {size / seconds / 1e6:.0f} MB/s; "
        f"most memory before {before_mb:.0f} MB, after {after_mb:.0f} MB"
    )


def _most_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [each for each in status.splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
