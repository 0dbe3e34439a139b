"""STOW-RS answers of every sort, from a small HTTP server."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.config import DicomwebDestination
from node.core.errors import DestinationRefused, DestinationUnreachable, VariantRejected
from node.core.results import Artifact
from node.dicom.compression import compressed
from node.outbound.connect import connect
from node.outbound.destination import OutgoingObject
from node.persistence.rows import SentObject
from tests.peers import free_port
from tests.results import SR_3D, one_set, pixels, write

DICOM_JSON = "application/dicom+json"
REPORT_UID, PICTURE_UID = "2.25.343", "2.25.2301"


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
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def answers(self, status: int, module: Any = None, media_type: str = DICOM_JSON) -> None:
        self.status = status
        self.body = b"" if module is None else json.dumps(module).encode()
        self.headers = {"Content-Type": media_type}


@pytest.fixture
def server() -> Iterator[Server]:
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
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def artifact(tmp_path: Path) -> OutgoingObject:
    """A report, ready to be sent."""
    return outgoing(one_set()[1], tmp_path)


@pytest.fixture
def picture(tmp_path: Path) -> OutgoingObject:
    """A capture as it lies in the spool."""
    return outgoing(one_set()[0], tmp_path)


def outgoing(artifact: Artifact, folder: Path) -> OutgoingObject:
    dataset = compressed(artifact.dataset)
    return OutgoingObject(
        sent=SentObject(
            kind=artifact.kind,
            sop_class_uid=SOPClassUID(dataset.SOPClassUID),
            sop_instance_uid=SOPInstanceUID(dataset.SOPInstanceUID),
            series_instance_uid=SeriesInstanceUID(dataset.SeriesInstanceUID),
        ),
        transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
        read=partial(dcmread, write(dataset, folder / f"{artifact.kind}.dcm")),
    )


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def stored(artifact: OutgoingObject, warning: int | None = None) -> dict[str, Any]:
    item = {"00081155": {"vr": "UI", "Value": [artifact.sop_instance_uid]}}
    if warning is not None:
        item["00081196"] = {"vr": "US", "Value": [warning]}
    return {"00081199": {"vr": "SQ", "Value": [item]}}


def failed(artifact: OutgoingObject, reason: int) -> dict[str, Any]:
    item = {
        "00081150": {"vr": "UI", "Value": [artifact.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [artifact.sop_instance_uid]},
        "00081197": {"vr": "US", "Value": [reason]},
    }
    return {"00081198": {"vr": "SQ", "Value": [item]}}


def send(server: Server, artifact: OutgoingObject, **settings: Any) -> list[tuple[str, int]]:
    config = DicomwebDestination(name="web", url=server.url, timeout_s=5, **settings)
    confirmed: list[tuple[str, int]] = []
    connect(config).send(
        [artifact], lambda file, status: confirmed.append((file.sop_instance_uid, status))
    )
    return confirmed


def test_an_instance_that_the_answer_names_is_stored(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(200, stored(artifact))
    assert send(server, artifact) == [(REPORT_UID, 0x0000)]
    path, headers, body = server.asked[0]
    assert path == "/dicom-web/studies"
    assert headers["Host"] == f"127.0.0.1:{server.port}"
    assert headers["Accept"] == DICOM_JSON
    assert encoded(artifact.read())[132:] in body


def test_a_slash_at_the_end_of_the_url_changes_nothing(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(200, stored(artifact))
    config = DicomwebDestination(name="web", url=f"{server.url}/", timeout_s=5)
    connect(config).send([artifact], lambda *_: None)
    assert server.asked[0][0] == "/dicom-web/studies"


@pytest.mark.parametrize("media_type", [f"{DICOM_JSON}; charset=utf-8", "application/json"])
def test_parameters_of_the_media_type_do_not_hide_a_failure(
    server: Server, artifact: OutgoingObject, media_type: str
) -> None:
    server.answers(200, failed(artifact, 0xC000), media_type)
    with pytest.raises(DestinationRefused, match=r"status C000 \(HTTP 200\)"):
        send(server, artifact)


@pytest.mark.parametrize("code", [200, 202, 409])
def test_a_failed_sop_sequence_means_failure_whatever_the_http_status(
    server: Server, artifact: OutgoingObject, code: int
) -> None:
    server.answers(code, failed(artifact, 0x0110))
    with pytest.raises(DestinationRefused, match="status 0110"):
        send(server, artifact)


@pytest.mark.parametrize("code", [200, 409])
def test_out_of_resources_in_the_answer_is_tried_again(
    server: Server, artifact: OutgoingObject, code: int
) -> None:
    server.answers(code, failed(artifact, 0xA700))
    with pytest.raises(DestinationUnreachable, match="status A700"):
        send(server, artifact)


@pytest.mark.parametrize("code", [200, 409])
def test_a_class_that_is_not_supported_asks_for_another_variant(
    server: Server, artifact: OutgoingObject, code: int
) -> None:
    server.answers(code, failed(artifact, 0x0122))
    with pytest.raises(VariantRejected) as caught:
        send(server, artifact)
    assert caught.value.sop_class_uid == SR_3D


@pytest.mark.parametrize("warning", [0xB000, 0xB006, 0xB007])
def test_a_warning_counts_as_stored_and_is_kept(
    server: Server, artifact: OutgoingObject, warning: int
) -> None:
    server.answers(202, stored(artifact, warning))
    assert send(server, artifact) == [(REPORT_UID, warning)]


def test_an_empty_answer_counts_as_stored_with_200_alone(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(200)
    assert send(server, artifact) == [(REPORT_UID, 0x0000)]
    server.answers(202)
    with pytest.raises(DestinationRefused, match="without saying that"):
        send(server, artifact)


@pytest.mark.parametrize("body", [b"<html>login</html>", b"{", b"[1, 2]", b'{"00081199": 3}'])
def test_an_answer_that_says_nothing_of_the_instance_is_no_success(
    server: Server, artifact: OutgoingObject, body: bytes
) -> None:
    server.answers(200)
    server.body = body
    with pytest.raises(DestinationRefused):
        send(server, artifact)


def test_an_answer_in_xml_is_read_as_well(server: Server, artifact: OutgoingObject) -> None:
    server.answers(200, media_type="application/dicom+xml")
    server.body = (
        '<NativeDicomModel><DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence">'
        '<Item number="1"><DicomAttribute tag="00081155" vr="UI" '
        'keyword="ReferencedSOPInstanceUID"><Value number="1">'
        f"{artifact.sop_instance_uid}</Value></DicomAttribute></Item></DicomAttribute>"
        "</NativeDicomModel>"
    ).encode()
    assert send(server, artifact) == [(REPORT_UID, 0x0000)]


@pytest.mark.parametrize("code", [400, 406, 409, 415, 422, 500, 501])
def test_a_picture_that_is_refused_compressed_is_sent_once_more_uncompressed(
    server: Server, picture: OutgoingObject, code: int
) -> None:
    server.next_answers = [(code, b"")]
    server.answers(200, stored(picture))
    assert send(server, picture) == [(PICTURE_UID, 0x0000)]
    as_stored, uncompressed = (body for _, _, body in server.asked)
    assert encoded(picture.read())[132:] in as_stored
    assert pixels().tobytes() in uncompressed


def test_a_transfer_syntax_that_the_answer_refuses_is_not_sent_again_for_the_next_object(
    server: Server, picture: OutgoingObject, artifact: OutgoingObject
) -> None:
    server.next_answers = [(409, json.dumps(failed(picture, 0xC122)).encode())]
    server.answers(200)
    config = DicomwebDestination(name="web", url=server.url, timeout_s=5)
    connect(config).send([picture, picture, artifact], lambda *_: None)
    plain = [pixels().tobytes() in body for _, _, body in server.asked]
    assert plain == [False, True, True, False]


@pytest.mark.parametrize("code", [401, 403, 404, 503])
def test_what_has_nothing_to_do_with_the_encoding_is_not_tried_in_another(
    server: Server, picture: OutgoingObject, code: int
) -> None:
    server.answers(code)
    with pytest.raises((DestinationRefused, DestinationUnreachable)):
        send(server, picture)
    assert len(server.asked) == 1


def test_a_destination_that_wants_nothing_compressed_gets_nothing_compressed(
    server: Server, picture: OutgoingObject
) -> None:
    server.answers(200)
    send(server, picture, compression="never")
    ((_, _, body),) = server.asked
    assert pixels().tobytes() in body


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_tried_again(
    server: Server, artifact: OutgoingObject, code: int
) -> None:
    server.answers(code)
    with pytest.raises(DestinationUnreachable, match=f"answered HTTP {code}"):
        send(server, artifact)
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 413, 415])
def test_a_server_that_does_not_want_it_is_for_a_person(
    server: Server, artifact: OutgoingObject, code: int
) -> None:
    server.answers(code)
    with pytest.raises(DestinationRefused, match=f"answered HTTP {code}"):
        send(server, artifact)


@pytest.mark.parametrize("code", [400, 406, 409, 413, 415, 422])
def test_an_answer_that_an_object_may_cause_names_it_so_that_the_others_can_go_without_it(
    server: Server, artifact: OutgoingObject, code: int
) -> None:
    server.answers(code)
    with pytest.raises(DestinationRefused) as refused:
        send(server, artifact)
    assert refused.value.sop_instance_uid == REPORT_UID


def test_a_redirect_is_not_followed_since_it_would_turn_into_a_get(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(302)
    server.headers["Location"] = f"{server.url}/elsewhere"
    with pytest.raises(DestinationRefused, match="redirects to into url"):
        send(server, artifact)
    assert len(server.asked) == 1


def test_nobody_there_is_tried_again(artifact: OutgoingObject) -> None:
    config = DicomwebDestination(name="web", url=f"http://127.0.0.1:{free_port()}/x", timeout_s=2)
    with pytest.raises(DestinationUnreachable, match="ConnectionError"):
        connect(config).send([artifact], lambda *_: None)
    with pytest.raises(DestinationUnreachable, match="ConnectionError"):
        connect(config).verify()


def test_secrets_go_out_with_each_request_and_into_no_message(
    server: Server,
    artifact: OutgoingObject,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer top-secret\n")
    server.answers(401)
    with pytest.raises(DestinationRefused) as caught:
        send(server, artifact, headers_file=file)
    assert server.asked[0][1]["Authorization"] == "Bearer top-secret"
    assert "top-secret" not in str(caught.value)
    assert "top-secret" not in caplog.text


def verify(server: Server) -> None:
    connect(DicomwebDestination(name="web", url=server.url, timeout_s=5)).verify()


@pytest.mark.parametrize("code", [200, 204, 405, 501])
def test_a_server_that_answers_a_search_or_does_not_search_is_there(
    server: Server, code: int
) -> None:
    server.answers(code)
    verify(server)
    assert server.asked[0][0] == "/dicom-web/studies?limit=1"


@pytest.mark.parametrize("code", [401, 404])
def test_a_wrong_password_or_address_is_said(server: Server, code: int) -> None:
    server.answers(code)
    with pytest.raises(DestinationRefused, match=f"answered HTTP {code}"):
        verify(server)
