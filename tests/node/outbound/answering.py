"""A small HTTP server that answers as it is told, and the objects that are sent to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydicom import dcmread

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.core.results import Artifact
from node.dicom.compression import compressed
from node.outbound.destination import OutgoingObject
from node.persistence.rows import SentObject
from tests.results import write

DICOM_JSON = "application/dicom+json"


class Server:
    """Answers every request alike and keeps what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes = b""
        self.headers: dict[str, str] = {}
        self.next_answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Of its DICOMweb service."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def answers(self, status: int, module: Any = None, media_type: str = DICOM_JSON) -> None:
        """From now on it answers so."""
        self.status = status
        self.body = b"" if module is None else json.dumps(module).encode()
        self.headers = {"Content-Type": media_type}


@contextmanager
def answering() -> Iterator[Server]:
    """The server, on a port of its own."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.asked.append((self.path, dict(self.headers), body))
            status, answer = state.status, state.body
            if state.next_answers:
                status, answer = state.next_answers.pop(0)
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            http.shutdown()
            thread.join()


def outgoing(artifact: Artifact, folder: Path) -> OutgoingObject:
    """The artifact as it lies in the spool."""
    dataset = compressed(artifact.dataset)
    path = write(dataset, folder / f"{artifact.kind}.dcm")
    return OutgoingObject(
        sent=SentObject(
            kind=artifact.kind,
            sop_class_uid=SOPClassUID(dataset.SOPClassUID),
            sop_instance_uid=SOPInstanceUID(dataset.SOPInstanceUID),
            series_instance_uid=SeriesInstanceUID(dataset.SeriesInstanceUID),
        ),
        transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
        read=partial(dcmread, path),
        path=path,
    )


def stored(artifact: OutgoingObject, warning: int | None = None) -> dict[str, Any]:
    """A module that says that the instance is stored."""
    item = {"00081155": {"vr": "UI", "Value": [artifact.sop_instance_uid]}}
    if warning is not None:
        item["00081196"] = {"vr": "US", "Value": [warning]}
    return {"00081199": {"vr": "SQ", "Value": [item]}}


def failed(artifact: OutgoingObject, reason: int) -> dict[str, Any]:
    """A module that says that the instance is not stored."""
    item = {
        "00081150": {"vr": "UI", "Value": [artifact.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [artifact.sop_instance_uid]},
        "00081197": {"vr": "US", "Value": [reason]},
    }
    return {"00081198": {"vr": "SQ", "Value": [item]}}
