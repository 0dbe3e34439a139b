"""What a sender writes, recorded on its way; `recorded/` holds what real ones wrote.

    python -m tests.node.inbound.dimse.recording

records those anew: two objects of a few hundred bytes, made up, over one association, as dcmtk's
storescu, pynetdicom and Orthanc send them.
"""

import socket
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.node.scu import associated, small_object
from tests.peers import storescu

FOLDER = Path(__file__).parent / "recorded"
NUMBERS = (1, 2)
"""Of `small_object`, in the order in which they are sent."""


def recorded(send: Callable[[int], object], answering: int) -> bytes:
    """What a sender that is told this port sends to the one that listens on the other."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_relay, args=(listening, answering, heard))
        thread.start()
        send(listening.getsockname()[1])
        thread.join(30)
    return bytes(heard)


def _relay(listening: socket.socket, answering: int, heard: bytearray) -> None:
    client, _ = listening.accept()
    with client, socket.create_connection(("127.0.0.1", answering)) as server:
        back = threading.Thread(target=_pump, args=(server, client, bytearray()))
        back.start()
        _pump(client, server, heard)
        back.join()


def _pump(source: socket.socket, target: socket.socket, heard: bytearray) -> None:
    try:
        while more := source.recv(65536):
            heard += more
            target.sendall(more)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def main() -> None:
    """The files are written."""
    from tests.integration.test_receiver import routing_orthanc, running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as node:
        files = [Path(folder) / f"{number}.dcm" for number in NUMBERS]
        for number, file in zip(NUMBERS, files, strict=True):
            small_object(number).save_as(file, enforce_file_format=True)

        def by_orthanc(port: int) -> None:
            modality = ["M3NODE", "127.0.0.1", port]
            with routing_orthanc(Path(folder), modality, echoes=False) as send:
                send(*files)

        senders: dict[str, Callable[[int], object]] = {
            "dcmtk": lambda port: storescu(port, files),
            "pynetdicom": lambda port: _by_pynetdicom(port, NUMBERS),
            "orthanc": by_orthanc,
        }
        FOLDER.mkdir(exist_ok=True)
        for name, send in senders.items():
            (FOLDER / f"{name}.bin").write_bytes(recorded(send, node.port))


def _by_pynetdicom(port: int, numbers: Sequence[int]) -> None:
    with associated(port) as association:
        for number in numbers:
            assert association.send_c_store(small_object(number)).Status == 0x0000


if __name__ == "__main__":
    main()
