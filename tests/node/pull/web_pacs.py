"""A DICOMweb origin server that may lie, stop in the middle, or be none."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pydicom import Dataset

from node.config import DicomwebSource
from tests.node.inbound.test_intake import encoded

DICOM_JSON = "application/dicom+json"
BOUNDARY = "cut here"


@dataclass
class WebPacs:
    """What it holds, and what it does otherwise than it should.

    says      : number of instances that it says a series has
    pages     : whether it heeds limit and offset
    cut_after : of an answer with objects, so many bytes come
    behind    : what comes behind the last part
    drip_s    : between two bytes of such an answer
    instead   : what it answers to every search: status, media type, body
    """

    holds: Sequence[Dataset]
    port: int = 0
    says: int | None = None
    pages: bool = True
    cut_after: int | None = None
    behind: bytes = b""
    drip_s: float | None = None
    instead: tuple[int, str, bytes] | None = None
    asked: list[str] = field(default_factory=list)

    def source(self, name: str = "WEB", *, timeout_s: float = 5) -> DicomwebSource:
        return DicomwebSource(
            name=name, url=f"http://127.0.0.1:{self.port}/dicom-web", timeout_s=timeout_s
        )

    def answer(self, path: str) -> tuple[int, str, bytes]:
        if self.instead is not None:
            return self.instead
        url = urlsplit(path)
        _, _, *parts = url.path.strip("/").split("/")  # dicom-web/studies/...
        held = [each for each in self.holds if not parts or each.StudyInstanceUID == parts[0]]
        if len(parts) > 2:
            held = [each for each in held if each.SeriesInstanceUID == parts[2]]
        match parts:
            case []:
                return self._matches(held, "StudyInstanceUID", path)
            case [_, "series"]:
                return self._matches(held, "SeriesInstanceUID", path)
            case [_, "series", _, "instances"]:
                return self._matches(held, "SOPInstanceUID", path)
            case [_, "series", _]:
                return self._objects(held)
            case [_, "series", _, "instances", uid]:
                return self._objects([each for each in held if each.SOPInstanceUID == uid])
        return 404, "text/plain", b"nothing is here"

    def _matches(self, held: Sequence[Dataset], key: str, path: str) -> tuple[int, str, bytes]:
        query = parse_qs(urlsplit(path).query)
        different = list({each[key].value: each for each in held}.values())
        if self.pages:
            first = int(query.get("offset", ["0"])[0])
            different = different[first : first + int(query.get("limit", ["1000"])[0])]
        found = []
        for each in different:
            match = Dataset()
            for keyword in ("AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID", "Modality"):
                setattr(match, keyword, each.get(keyword))
            match.SOPInstanceUID = each.SOPInstanceUID
            if self.says is not None:
                match.NumberOfSeriesRelatedInstances = self.says
            found.append(match.to_json_dict())
        return (200, DICOM_JSON, json.dumps(found).encode()) if found else (204, "", b"")

    def _objects(self, held: Sequence[Dataset]) -> tuple[int, str, bytes]:
        if not held:
            return 404, "text/plain", b"nothing is here"
        head = f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join(head + encoded(each) for each in held)
        said = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
        return 200, said, body + f"\r\n--{BOUNDARY}--\r\n".encode() + self.behind


@contextmanager
def running(pacs: WebPacs) -> Iterator[WebPacs]:
    """It answers on a port of this machine."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pacs.asked.append(self.path)
            status, media_type, body = pacs.answer(self.path)
            objects = media_type.startswith("multipart")
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            if not (objects and pacs.cut_after):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                if objects and pacs.drip_s:
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        if over.wait(pacs.drip_s):
                            return
                self.wfile.write(body[: pacs.cut_after] if objects else body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        pacs.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield pacs
        finally:
            over.set()
            http.shutdown()
            thread.join()
