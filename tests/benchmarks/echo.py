"""How long a C-ECHO waits while many send and studies are analysed.

    python -m tests.benchmarks.echo [--associations 16] [--seconds 20] [--folder DIR]

A whole node serves, with the weights that ship.  dcmtk's storescu sends CT slices over so many
associations, annotated phantoms come beside them and are analysed, and an association of its own
asks C-ECHO after C-ECHO.  Next to its waits stand those of the machine alone: bytes there and back
between two processes that do nothing else.  Senders and node share the machine, as nowhere else.
"""

import argparse
import multiprocessing
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from tests.acceptance import studies
from tests.acceptance.bed import Bed, bed
from tests.benchmarks.ingest.__main__ import images, sender
from tests.node.inbound.dimse.senders_of_bytes import RELEASE, Wire, echo
from tests.peers import listens, wait_until

PAUSE_S = 0.02


def main() -> None:
    """Print the waits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--associations", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--folder", type=Path, help="where the node stores; a local disk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        measure(Path(folder), arguments.associations, arguments.seconds)


def measure(folder: Path, associations: int, seconds: float) -> None:
    """A node in the folder is asked while it is at work."""
    own, theirs = multiprocessing.Pipe()
    bare = multiprocessing.Process(target=_answer_at_once, args=(theirs,), daemon=True)
    bare.start()
    files = images(folder)
    settings = {"M3NODE_MODEL__WEIGHTS": "default"}
    with bed(folder, settings=settings) as node:
        node._environment.pop("OMP_NUM_THREADS")
        node.start()
        wait_until(lambda: listens(node.port), "the node listens", 120)
        node.send(studies.marked(studies.phantom("echo")))
        stop = threading.Event()
        feeder = threading.Thread(target=_feed, args=(node, stop))
        feeder.start()
        senders = [sender(node.port, files, 3000) for _ in range(associations)]
        try:
            time.sleep(2)
            load = os.getloadavg()[0]
            with Wire(node.port, timeout_s=60) as asker:
                asker.asks()
                node_s, bare_s = _both(asker, own.recv(), seconds)
                asker.sends(RELEASE)
            jobs = node.json("job", "list")
        finally:
            stop.set()
            feeder.join()
            for each in senders:
                each.kill()
                each.wait()
            bare.kill()
        stored = sum(1 for _ in (node.config.parent / "data" / "spool").rglob("*.dcm"))
        node.stop()
    analysed = sum(job["state"] == "done" for job in jobs)
    print(
        f"{associations} associations sent {stored} objects, {analysed} studies were analysed; "
        f"{os.cpu_count()} CPUs, load {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    )
    print(_told("C-ECHO", node_s))
    print(_told("the machine alone", bare_s))


def _feed(node: Bed, stop: threading.Event) -> None:
    """Study after study, so that there is always one to analyse."""
    number = 0
    while not stop.wait(0.5):
        number += 1
        node.send(studies.marked(studies.phantom(f"echo {number}")))


def _both(asker: Wire, port: int, seconds: float) -> tuple[list[float], list[float]]:
    stop, bare_s = threading.Event(), list[float]()
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def there_and_back() -> None:
            connection.sendall(b"?" * 80)
            connection.recv(80, socket.MSG_WAITALL)

        beside = threading.Thread(target=_ask, args=(there_and_back, bare_s, stop))
        beside.start()
        node_s = list[float]()

        def an_echo() -> None:
            asker.sends(echo())
            assert asker.status() == 0x0000

        threading.Timer(seconds, stop.set).start()
        _ask(an_echo, node_s, stop)
        beside.join()
    return node_s, bare_s


def _ask(ask: Callable[[], None], waits_s: list[float], stop: threading.Event) -> None:
    while not stop.wait(PAUSE_S):
        started = time.perf_counter()
        ask()
        waits_s.append(time.perf_counter() - started)


def _answer_at_once(told: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told.send(listening.getsockname()[1])
        connection, _ = listening.accept()
        while asked := connection.recv(80, socket.MSG_WAITALL):
            connection.sendall(asked)


def _told(what: str, waits_s: list[float]) -> str:
    milliseconds = sorted(1000 * each for each in waits_s)
    cuts = statistics.quantiles(milliseconds, n=100)
    within = sum(each <= 50 for each in milliseconds) / len(milliseconds)
    return (
        f"  {what:18} median {cuts[49]:6.1f} ms, 95 of 100 within {cuts[94]:6.1f}, 99 within "
        f"{cuts[98]:6.1f}, longest {milliseconds[-1]:6.1f}; {within:.1%} of {len(milliseconds)} "
        "within 50 ms"
    )


if __name__ == "__main__":
    main()
