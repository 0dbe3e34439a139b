"""STOW-RS as it is sent: one object a request, from the file, compressed where that is taken."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from node.config import DicomwebDestination
from node.core.errors import DestinationError, DestinationNotReady, DestinationUnreachable
from node.outbound.connect import connect
from node.outbound.destination import OutgoingObject
from tests.node.outbound.answering import DICOM_JSON, Server, failed, stored
from tests.peers import free_port
from tests.results import pixels

REPORT_UID, PICTURE_UID = "2.25.343", "2.25.2301"


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


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
    with pytest.raises(DestinationError):
        send(server, picture)
    assert len(server.asked) == 1


def test_a_destination_that_wants_nothing_compressed_gets_nothing_compressed(
    server: Server, picture: OutgoingObject
) -> None:
    server.answers(200)
    send(server, picture, compression="never")
    ((_, _, body),) = server.asked
    assert pixels().tobytes() in body


@pytest.mark.parametrize("code", [400, 406, 409, 413, 415, 422])
def test_an_answer_that_an_object_may_cause_names_it_so_that_the_others_can_go_without_it(
    server: Server, artifact: OutgoingObject, code: int
) -> None:
    server.answers(code)
    with pytest.raises(DestinationError) as refused:
        send(server, artifact)
    assert refused.value.sop_instance_uid == REPORT_UID


def test_a_redirect_is_not_followed_since_it_would_turn_into_a_get(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(302)
    server.headers["Location"] = f"{server.url}/elsewhere"
    with pytest.raises(DestinationNotReady, match=r"it redirects to 127\.0\.0\.1; put"):
        send(server, artifact)
    assert len(server.asked) == 1


def test_nobody_there_is_tried_again(artifact: OutgoingObject) -> None:
    config = DicomwebDestination(name="web", url=f"http://127.0.0.1:{free_port()}/x", timeout_s=2)
    with pytest.raises(DestinationUnreachable, match="accepts no connection"):
        connect(config).send([artifact], lambda *_: None)
    with pytest.raises(DestinationUnreachable, match="accepts no connection"):
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
    with pytest.raises(DestinationNotReady) as caught:
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
    with pytest.raises(DestinationNotReady, match=f"answered HTTP {code}"):
        verify(server)
