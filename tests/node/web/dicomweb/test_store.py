"""STOW-RS over real sockets: what is stored, what is refused, and how either is answered."""

import logging
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
)

from node.core.diary import sentence
from node.core.sender import SenderKind
from tests.node.core.facts_of import STUDY, THICK
from tests.node.inbound.test_intake import encoded
from tests.node.objects import ct_image
from tests.node.web.dicomweb.posting import (
    BOUNDARY,
    MULTIPART,
    failed,
    image,
    multipart,
    part10,
    post,
    stored,
)
from tests.node.web.serving import Served, serving
from tests.peers import wait_until


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for tests that do not care what others have stored."""
    with serving(tmp_path_factory.mktemp("web")) as it:
        yield it


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as it:
        yield it


@contextmanager
def held_open(served: Served, *, finish: bool = True) -> Iterator[None]:
    """Within the block a transaction has stored one object, and is in the midst of the next."""
    body = multipart([image(40), image(41)])
    head = (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {MULTIPART}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(head.encode() + body[:-100])
        wait_until(lambda: f"{THICK}.40" in kept(served), "the first object is stored")
        yield
        if finish:
            connection.sendall(body[-100:])
            assert connection.recv(12) == b"HTTP/1.1 200"


def senders(served: Served) -> list[tuple[str, bool]]:
    """Kind of each, and whether it is still open."""
    with sqlite3.connect(served.services.store._engine.url.database) as database:
        return list(database.execute("SELECT kind, closed_at IS NULL FROM sender"))


def kept(served: Served) -> dict[str, bytes]:
    """SOP Instance UID -> the stored file, of the current versions."""
    with sqlite3.connect(served.services.store._engine.url.database) as database:
        rows = database.execute("SELECT sop_instance_uid, path FROM instance WHERE current")
        return {uid: served.services.spool.locate(path).read_bytes() for uid, path in rows}


def nothing_half_written(served: Served) -> bool:
    return not list((served.services.spool.directory / "parts").iterdir())


def test_objects_are_stored_durably_and_each_is_named_in_the_answer(served: Served) -> None:
    files = [image(number) for number in range(3)]
    answer = post(served, multipart(files))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/dicom+json"
    assert stored(answer) == [f"{THICK}.0", f"{THICK}.1", f"{THICK}.2"]
    assert failed(answer) == {}
    held = kept(served)
    assert {uid: content[-32:] for uid, content in held.items()} == {
        f"{THICK}.{number}": bytes(range(32)) for number in range(3)
    }
    assert nothing_half_written(served)


def test_the_same_object_is_the_same_file_as_over_c_store(served: Served) -> None:
    post(served, multipart([image(0)]))
    (over_http,) = kept(served).values()
    arrival = served.services.intake.accept(
        encoded(ct_image(0)),
        sop_class_uid=CTImageStorage,
        sop_instance_uid=f"{THICK}.0",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        sender_id=None,
    )
    assert arrival.value == "same"
    assert over_http.endswith(encoded(ct_image(0)))


@pytest.mark.parametrize(
    "content_type",
    [
        f"multipart/related; type=application/dicom; boundary={BOUNDARY}",
        f'Multipart/Related;boundary={BOUNDARY};Type="APPLICATION/DICOM"',
        f'multipart/related ; type="application/dicom" ; start="<x@y>" ; boundary="{BOUNDARY}" ;',
        f"multipart/related; boundary={BOUNDARY}",
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_sloppy_clients_are_understood(everybody: Served, content_type: str, end: bytes) -> None:
    body = b"a preamble" + end + multipart([image(7)], end=end) + b"an epilogue"
    answer = post(everybody, body, content_type=content_type)
    assert (answer.status_code, stored(answer)) == (200, [f"{THICK}.7"])


@pytest.mark.parametrize(
    "type", ["application/dicom", None, "application/octet-stream", "APPLICATION/DICOM; a=b"]
)
def test_a_part_may_say_little_of_its_type(everybody: Served, type: str | None) -> None:
    assert stored(post(everybody, multipart([image(8)], type=type))) == [f"{THICK}.8"]


def test_a_body_may_be_one_object(everybody: Served) -> None:
    answer = post(everybody, image(9), content_type="application/dicom")
    assert (answer.status_code, stored(answer)) == (200, [f"{THICK}.9"])


def test_a_chunked_body_is_stored_whatever_its_pieces(everybody: Served) -> None:
    body = multipart([image(10), image(11)])
    answer = post(everybody, (body[at : at + 37] for at in range(0, len(body), 37)))
    assert stored(answer) == [f"{THICK}.10", f"{THICK}.11"]


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_every_transfer_syntax_of_a_part_is_stored_as_it_came(served: Served, syntax: str) -> None:
    one = ct_image(0)
    head = part10(one).replace(
        b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0",
        b"\x02\x00\x10\x00UI" + len(_even(syntax)).to_bytes(2, "little") + _even(syntax),
    )
    data = encoded(one, syntax)
    head = head[: len(head) - len(encoded(one))]
    assert post(served, multipart([head + data])).status_code == 200
    assert kept(served)[f"{THICK}.0"].endswith(data)


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_data_set_without_file_meta_is_stored_as_the_part_says(
    everybody: Served, syntax: str
) -> None:
    part = encoded(ct_image(12), syntax)
    answer = post(everybody, multipart([part], type=f"application/dicom; transfer-syntax={syntax}"))
    assert stored(answer) == [f"{THICK}.12"]


def test_what_is_known_of_the_syntax_of_a_bare_data_set_is_believed(served: Served) -> None:
    part = encoded(ct_image(0))
    type = f'application/dicom; transfer-syntax="{JPEGLSLossless}"'
    post(served, multipart([part], type=type))
    assert _even(JPEGLSLossless) in kept(served)[f"{THICK}.0"][:400]


def test_objects_that_fail_stand_beside_those_that_are_stored(served: Served) -> None:
    lacking = part10(ct_image(1))
    lacking = lacking.replace(b"\x20\x00\x0d\x00UI", b"\x20\x00\x0c\x00UI")
    answer = post(served, multipart([image(0), b"no DICOM at all", b"", lacking]))
    assert answer.status_code == 202
    assert stored(answer) == [f"{THICK}.0"]
    assert failed(answer) == {"": "C000"}
    assert len(answer.json()["0008119A"]["Value"]) == 3
    assert answer.headers["Warning"] == (
        '299 m3node "C000: not a DICOM file (1); C000: the part is empty (1); '
        'C000: StudyInstanceUID is missing (1)"'
    )


def test_an_object_of_another_study_fails_with_its_reason(served: Served) -> None:
    other = image(1, StudyInstanceUID="1.2.3.4")
    answer = post(served, multipart([image(0), other]), f"/studies/{STUDY}")
    assert answer.status_code == 202
    assert (stored(answer), failed(answer)) == ([f"{THICK}.0"], {f"{THICK}.1": "A900"})
    alone = post(served, multipart([other]), f"/studies/{STUDY}")
    assert alone.status_code == 409
    assert list(kept(served)) == [f"{THICK}.0"]


def test_what_no_presentation_context_would_carry_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, receiver={"accept": "listed"}) as served:
        answer = post(
            served,
            multipart(
                [
                    image(0, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"),
                    image(1).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0"),
                ]
            ),
        )
        assert answer.status_code == 409
        assert failed(answer) == {f"{THICK}.0": "0122", f"{THICK}.1": "C122"}
        assert kept(served) == {}
        assert nothing_half_written(served)


@pytest.mark.parametrize(
    ("content_type", "status", "says"),
    [
        (None, 415, "the Content-Type is none that is stored here"),
        ("application/json", 415, "is none that is stored here"),
        ('multipart/related; type="application/dicom+json"; boundary=b', 415, "stored here"),
        ("multipart/form-data; boundary=b", 415, "stored here"),
        ('multipart/related; type="application/dicom"; boundary="b', 415, "stored here"),
        ("multipart/related; boundary=b; boundary=c", 415, "stored here"),
        ('multipart/related; type="application/dicom"', 400, "names no boundary"),
        ("multipart/related; boundary=" + "b" * 201, 400, "names no boundary"),
        ("multipart/related; boundary=" + "b" * 10_000, 415, "stored here"),
        ("multipart/related; boundary=other", 400, "the multipart body is broken: no part begins"),
    ],
)
def test_a_request_that_is_none_says_what_is_expected(
    everybody: Served, content_type: str | None, status: int, says: str
) -> None:
    answer = post(everybody, multipart([image(0)]) + b"x" * (65 << 10), content_type=content_type)
    assert answer.status_code == status
    assert says in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", f"--{BOUNDARY}--".encode()])
def test_a_body_without_parts_is_400(everybody: Served, body: bytes) -> None:
    if body:
        assert post(everybody, body).json()["error"].startswith("the body has no part")
    assert post(everybody, body).status_code == 400


def test_a_compressed_body_is_415_and_says_what_is_taken(everybody: Served) -> None:
    answer = post(everybody, b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")


def test_a_body_that_is_cut_off_keeps_what_came_whole(served: Served) -> None:
    body = multipart([image(0), image(1)])
    answer = post(served, body[: len(body) - 60])
    assert answer.status_code == 400
    assert "its last boundary is missing" in answer.json()["error"]
    assert list(kept(served)) == [f"{THICK}.0"]
    assert nothing_half_written(served)


def test_a_name_in_the_path_goes_nowhere(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    answer = post(served, multipart([image(0)]), "/studies/DOE^JANE?PatientName=DOE")
    assert answer.status_code == 400
    assert answer.json()["error"] == "the study in the path is no UID"
    assert "DOE" not in caplog.text + str(answer.headers)
    assert kept(served) == {}


def test_a_full_disk_is_507(tmp_path: Path) -> None:
    with serving(tmp_path, min_free_bytes=1 << 60) as served:
        answer = post(served, multipart([image(0), image(1)]))
        assert answer.status_code == 507
        assert failed(answer) == {f"{THICK}.0": "A700", f"{THICK}.1": "A700"}


def test_an_object_that_is_too_large_is_413_alone_and_fails_beside_others(tmp_path: Path) -> None:
    with serving(tmp_path, receiver={"max_object_mb": 1}) as served:
        large = image(1, PixelData=bytes(3 << 19))
        alone = post(served, multipart([large]))
        assert (alone.status_code, failed(alone)) == (413, {f"{THICK}.1": "C000"})
        beside = post(served, multipart([image(0), large, image(2)]))
        assert beside.status_code == 202
        assert (stored(beside), failed(beside)) == (
            [f"{THICK}.0", f"{THICK}.2"],
            {f"{THICK}.1": "C000"},
        )
        assert nothing_half_written(served)


def test_a_locked_database_is_503_soon_and_nothing_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path, patience_s=0.2) as served:
        database = served.services.store._engine.url.database
        with sqlite3.connect(database, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = post(served, multipart([image(0), image(1), image(2)]))
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert failed(answer) == {f"{THICK}.0": "A700"}
        again = post(served, multipart([image(0), image(1), image(2)]))
        assert (again.status_code, len(kept(served))) == (200, 3)


def test_an_address_that_may_not_send_is_403(tmp_path: Path) -> None:
    with serving(tmp_path, receiver={"allowed_peers": ["10.1.0.0/16"]}) as served:
        answer = post(served, multipart([image(0)]))
        assert answer.status_code == 403
        assert answer.json()["error"] == "this address is not in allowed_peers"
        assert kept(served) == {}


def test_so_many_store_at_a_time_as_associations_may_be_open(tmp_path: Path) -> None:
    with serving(tmp_path, receiver={"max_associations": 1}) as served:
        with held_open(served):
            busy = post(served, multipart([image(0)]))
            assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")
        assert post(served, multipart([image(0)])).status_code == 200


def test_a_study_is_not_quiet_while_a_transaction_is_open(served: Served) -> None:
    store = served.services.store
    with held_open(served):
        assert store.study_snapshot(STUDY).open_senders == 1
    assert store.study_snapshot(STUDY).open_senders == 0
    assert [sentence(event) for event in store.diary(STUDY)] == [
        "127.0.0.1 began to send over STOW-RS",
        "127.0.0.1 has ended: 2 new, 0 known, 0 newer versions of known instances",
    ]
    assert senders(served) == [(SenderKind.DICOMWEB, 0)]


def test_a_client_that_vanishes_ends_its_transaction(served: Served) -> None:
    with held_open(served, finish=False):
        pass
    store = served.services.store
    wait_until(lambda: store.study_snapshot(STUDY).open_senders == 0, "the sender has ended")
    assert list(kept(served)) == [f"{THICK}.40"]
    assert nothing_half_written(served)


def test_each_object_is_named_with_where_it_can_be_had(everybody: Served) -> None:
    said = post(everybody, multipart([image(20)])).json()
    study = f"{everybody.url}/studies/{STUDY}"
    assert said["00081190"] == {"vr": "UR", "Value": [study]}
    (item,) = said["00081199"]["Value"]
    assert item["00081190"]["Value"] == [f"{study}/series/{THICK}/instances/{THICK}.20"]
    assert everybody.get(item["00081190"]["Value"][0].partition(str(everybody.port))[2]).ok


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/dicom+xml", "application/dicom+xml"),
        ("application/dicom+json;q=0.5, application/dicom+xml", "application/dicom+xml"),
        ("text/xml", "application/dicom+xml"),
        ("*/*", "application/dicom+json"),
        ("application/json, application/dicom+xml;q=0.9", "application/dicom+json"),
        ("text/html", "application/dicom+json"),
    ],
)
def test_the_answer_is_json_or_xml_as_it_is_asked_for(
    everybody: Served, accept: str, form: str
) -> None:
    answer = post(everybody, multipart([image(21), b"junk"]), Accept=accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, form)
    if form == "application/dicom+xml":
        root = ElementTree.fromstring(answer.content)
        assert [each.get("keyword") for each in root] == [
            "RetrieveURL",
            "ReferencedSOPSequence",
            "OtherFailuresSequence",
        ]
        assert root[2].find(".//{*}Value").text == str(0xC000)


def test_of_two_versions_in_one_request_the_last_is_current(served: Served) -> None:
    versions = [image(0, PixelData=bytes([number] * 32)) for number in range(6)]
    assert stored(post(served, multipart(versions))) == [f"{THICK}.0"] * 6
    assert kept(served)[f"{THICK}.0"].endswith(bytes([5] * 32))
