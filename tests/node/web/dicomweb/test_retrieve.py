"""WADO-RS answers what is asked for, and says what it has where it has not got that."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from urllib.parse import quote_from_bytes

import numpy as np
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from starlette.requests import Request

from m3net.uids import StudyInstanceUID
from node.config import WebConfig
from node.persistence.held import Held
from node.web.dicomweb.accept import ANYTHING
from node.web.dicomweb.asked import Answer, Asked
from node.web.dicomweb.instances import instances
from node.web.dicomweb.metadata import metadata
from node.web.dicomweb.paths import base_of
from node.web.dicomweb.rendered import rendered
from tests import synthetic
from tests.encodings import new_object
from tests.node.web.dicomweb.keeping import address, keep
from tests.node.web.dicomweb.parts import parts_of
from tests.node.web.serving import Served, serving
from tests.peers import wait_until

CT = synthetic.ct_series(shape=(3, 16, 20))
REGION = synthetic.scoord(CT[0], "CIRCLE", [[8, 8], [8, 11]])
REPORT = synthetic.measurement_report(
    CT, [synthetic.measurement_group([REGION], tracking_id="one", tracking_uid="1.2.9")]
)
SLICE = address(CT[0])
JLS = JPEGLSLossless


def compressed() -> Dataset:
    (image,) = synthetic.ct_series(shape=(1, 16, 20), series="compressed")
    image.compress(JLS, generate_instance_uid=False)
    return image


COMPRESSED = compressed()


def document() -> Dataset:
    """A page with a script in it that calls itself what it is."""
    page = new_object(
        CT[0], sop_class_uid="1.2.840.10008.5.1.4.1.1.104.2", modality="DOC", name="page"
    )
    page.MIMETypeOfEncapsulatedDocument = "text/html"
    page.EncapsulatedDocument = b"<script>alert(1)</script>" * 80
    return page


PAGE = document()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("web")
    with serving(folder) as served:
        keep(served, [*CT, REPORT, COMPRESSED, PAGE], folder)
        yield served


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A node of the test's own, to be damaged."""
    with serving(tmp_path) as served:
        keep(served, CT, tmp_path)
        yield served


def held(served: Served, dataset: Dataset) -> Held:
    found = served.services.store.held(StudyInstanceUID(dataset.StudyInstanceUID))
    return next(each for each in found if each.sop_instance_uid == dataset.SOPInstanceUID)


def file_of(served: Served, dataset: Dataset) -> Path:
    return served.services.spool.locate(held(served, dataset).path)


def asking(accept: str | None) -> dict[str, str | None]:
    return {"Accept": accept}


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        'multipart/related; type="*/*"',
        "multipart/related; type=application/dicom; transfer-syntax=*",
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80',
    ],
)
def test_as_stored_is_what_most_clients_mean(served: Served, accept: str | None) -> None:
    answer = served.get(address(COMPRESSED), headers=asking(accept))
    ((headers, content),) = parts_of(answer)
    assert headers["content-type"] == f"application/dicom; transfer-syntax={JLS}"
    assert content == file_of(served, COMPRESSED).read_bytes()


def test_a_client_that_says_nothing_of_transfer_syntaxes_has_the_standards_default(
    served: Served,
) -> None:
    answer = served.get(
        address(COMPRESSED), headers=asking('multipart/related; type="application/dicom"')
    )
    ((headers, content),) = parts_of(answer)
    assert headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert np.array_equal(dcmread(BytesIO(content)).pixel_array, COMPRESSED.pixel_array)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, JLS, RLELossless]
)
def test_an_instance_is_written_in_the_transfer_syntax_that_is_named(
    served: Served, syntax: str
) -> None:
    answer = served.get(SLICE, headers=asking(f"application/dicom; transfer-syntax={syntax}"))
    assert answer.headers["Content-Type"] == f"application/dicom; transfer-syntax={syntax}"
    image = dcmread(BytesIO(answer.content))
    assert image.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(image.pixel_array, CT[0].pixel_array)


@pytest.mark.parametrize(
    ("path", "accept", "says"),
    [
        (SLICE, "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", "transfer-syntax=*"),
        (SLICE, "image/png", "application/dicom as it is stored"),
        (address(CT[0], "series"), "application/dicom", "application/dicom as it is stored"),
        (f"{SLICE}/metadata", "text/html", "application/dicom+json"),
        (f"{SLICE}/frames/1", "image/jls", "application/octet-stream"),
        (
            f"{address(COMPRESSED)}/frames/1",
            "image/jp2",
            "image/jls; transfer-syntax=1.2.840.10008",
        ),
        (f"{SLICE}/frames/1", "application/octet-stream; transfer-syntax=1.2.3", "1.2.840.10008"),
        (f"{SLICE}/rendered", "image/webp", "image/jpeg and image/png"),
        (f"{address(REPORT)}/rendered", "*/*", "application/dicom+json at /metadata"),
        (SLICE, "image/png;q=0", "application/dicom"),
    ],
)
def test_what_cannot_be_had_is_answered_with_what_can(
    served: Served, path: str, accept: str, says: str
) -> None:
    answer = served.get(path, headers=asking(accept))
    assert answer.status_code == 406
    assert says in (answer.text if accept == "text/html" else answer.json()["error"])


def test_the_parameter_accept_goes_before_the_header(served: Served) -> None:
    answer = served.get(f"{SLICE}/rendered?accept=image/png", headers=asking("image/jpeg"))
    assert answer.headers["Content-Type"] == "image/png"
    answer = served.get(f"{SLICE}/rendered?accept=image/webp", headers=asking("image/jpeg"))
    assert answer.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dicom-web/studies/1.2.3", 404),
        ("/dicom-web/studies/1.2.3/metadata", 404),
        (f"/dicom-web/studies/{CT[0].StudyInstanceUID}/series/1.2", 404),
        (f"{address(CT[0], 'series')}/instances/{REPORT.SOPInstanceUID}", 404),
        ("/dicom-web/studies/..%2f..%2fetc/metadata", 404),
        ("/dicom-web/studies/1.2'--", 400),
        ("/dicom-web/studies/" + "1" * 65, 400),
        ("/dicom-web/studies/1.2%00", 400),
        (f"{SLICE}/frames/2", 404),
        (f"{SLICE}/frames/999999999", 404),
        (f"{SLICE}/frames/0", 400),
        (f"{SLICE}/frames/1,,2", 400),
        (f"{SLICE}/frames/-1", 400),
        (f"{SLICE}/frames/one", 400),
        (f"{SLICE}/frames/" + "1," * 10_001 + "1", 400),
        (f"{SLICE}/frames/2/rendered", 404),
        (f"{address(REPORT)}/frames/1", 404),
        (f"{address(REPORT)}/thumbnail", 404),
        (f"{SLICE}/bulkdata/7FE00010/1", 400),
        (f"{SLICE}/bulkdata/../../../etc/passwd", 404),
        (f"{SLICE}/bulkdata/7fe00010", 400),
        (f"{SLICE}/bulkdata/00420011", 404),
        (f"{address(REPORT)}/bulkdata/0040A730", 404),
        (f"{address(REPORT)}/bulkdata/0040A730/99/00080100", 404),
        (f"{SLICE}/bulkdata/" + "0040A730/1/" * 300 + "0040A730", 400),
    ],
)
def test_what_is_not_here_or_makes_no_sense_is_said(served: Served, path: str, status: int) -> None:
    answer = served.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_what_nobody_decodes_is_still_handed_out_as_it_is_stored(own: Served) -> None:
    image = compressed()
    image.PixelData = encapsulate([b"no JPEG-LS at all "])
    keep(own, [image], own.services.spool.directory)
    path = address(image)
    answer = own.get(path, headers=asking('multipart/related; type="application/dicom"'))
    ((headers, _),) = parts_of(answer)
    assert headers["content-type"] == f"application/dicom; transfer-syntax={JLS}"
    plain = "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert own.get(path, headers=asking(plain)).status_code == 406
    assert own.get(f"{path}/frames/1").status_code == 200
    octets = "multipart/related; type=application/octet-stream"
    assert own.get(f"{path}/frames/1", headers=asking(octets)).status_code == 406
    assert own.get(f"{path}/rendered").status_code == 406
    assert own.get(f"{path}/metadata").status_code == 200


def test_a_picture_longer_than_a_jpeg_can_be_is_had_as_png_or_smaller(own: Served) -> None:
    (strip,) = synthetic.ct_series(shape=(1, 1, 65_535), series="strip")
    keep(own, [strip], own.services.spool.directory)
    path = f"{address(strip)}/rendered"
    answer = own.get(path)
    assert answer.status_code == 406
    assert "ask for image/png, or a viewport" in answer.json()["error"]
    assert own.get(path, headers=asking("image/png")).status_code == 200
    assert own.get(f"{path}?viewport=1000,1000").status_code == 200


def test_frames_are_as_stored_unless_plain_samples_are_asked_for(served: Served) -> None:
    path = f"{address(COMPRESSED)}/frames/1"
    for accept, kind, syntax in (
        (None, "image/jls", JLS),
        ('multipart/related; type="*/*"', "image/jls", JLS),
        ("multipart/related; type=image/*", "image/jls", JLS),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*",
         "application/octet-stream", JLS),
        ("multipart/related; type=application/octet-stream",
         "application/octet-stream", ExplicitVRLittleEndian),
        (f"multipart/related; type=image/jls; transfer-syntax={JLS}", "image/jls", JLS),
    ):  # fmt: skip
        answer = served.get(path, headers=asking(accept))
        ((headers, content),) = parts_of(answer)
        assert headers["content-type"] == f"{kind}; transfer-syntax={syntax}"
        assert f'; type="{kind}"; ' in answer.headers["Content-Type"]
        if syntax == JLS:
            assert content.startswith(b"\xff\xd8\xff")
        else:
            assert content == COMPRESSED.pixel_array.astype("<i2").tobytes()


def test_metadata_are_xml_where_that_is_asked_for(served: Served) -> None:
    answer = served.get(
        address(CT[0], "series") + "/metadata",
        headers=asking('multipart/related; type="application/dicom+xml"'),
    )
    parts = parts_of(answer)
    assert len(parts) == 3
    assert all(headers["content-type"] == "application/dicom+xml" for headers, _ in parts)
    assert all(b"<NativeDicomModel" in content for _, content in parts)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("pacs.example:8080", "http://pacs.example:8080"),
        ("pacs.example", "http://pacs.example"),
        ("[::1]:99", "http://[::1]:99"),
        ('evil"/><script>', None),
        ("a b", None),
        ("evil.example/path?", None),
        ("user@evil.example", None),
        ("evil.example:80:90", None),
    ],
)
def test_bulk_data_are_at_the_host_seen_if_it_is_one(
    served: Served, host: str, base: str | None
) -> None:
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    (said,) = served.get(f"{SLICE}/metadata", headers={"Host": host, **forwarded}).json()
    here = base or f"http://127.0.0.1:{served.port}"
    assert said["7FE00010"]["BulkDataURI"] == f"{here}{SLICE}/bulkdata/7FE00010"


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8105", "::1", ""])
def test_an_ipv6_address_stands_in_brackets_with_its_port(served: Served, host: str) -> None:
    web = WebConfig(host="::1", port=8105)
    config = served.services.config.model_copy(update={"web": web})
    scope = {
        "type": "http",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "server": ("::1", 8105),
        "headers": [(b"host", host.encode())],
    }
    base = base_of(replace(served.services, config=config), Request(scope))
    assert base == "http://[::1]:8105"


def test_bulk_data_are_at_the_address_that_is_configured(tmp_path: Path) -> None:
    url = "https://pacs.example/m3node/dicom-web"
    with serving(tmp_path, web={"public_url": url}) as served:
        keep(served, CT[:1], tmp_path)
        (said,) = served.get(f"{SLICE}/metadata").json()
    assert said["7FE00010"]["BulkDataURI"].startswith(f"{url}/studies/{CT[0].StudyInstanceUID}/")


def test_a_document_goes_out_under_no_type_that_a_browser_would_run(served: Served) -> None:
    answer = served.get(
        f"{address(PAGE)}/bulkdata/00420011", headers=asking("text/html, application/*;q=0.1")
    )
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content == PAGE.EncapsulatedDocument


def test_one_lost_file_is_missing_from_the_rest_and_said(own: Served) -> None:
    file_of(own, CT[1]).unlink()
    for path, expected in (
        (address(CT[0], "series"), 206),
        (f"{address(CT[0], 'study')}/metadata", 200),
    ):
        answer = own.get(path)
        assert answer.status_code == expected
        assert answer.headers["Warning"] == (
            '299 m3node "1 of 3 instances cannot be read and are missing here: '
            f'{CT[1].SOPInstanceUID}"'
        )
    assert len(parts_of(own.get(address(CT[0], "series")))) == 2
    assert len(own.get(f"{address(CT[0], 'series')}/metadata").json()) == 2


def test_a_picture_that_is_missing_from_a_series_is_said(own: Served) -> None:
    file_of(own, CT[1]).unlink()
    answer = own.get(f"{address(CT[0], 'series')}/rendered")
    assert answer.status_code == 206
    assert str(CT[1].SOPInstanceUID) in answer.headers["Warning"]
    assert len(parts_of(answer)) == 2


def test_a_lost_file_alone_is_an_error(own: Served) -> None:
    file_of(own, CT[1]).unlink()
    for what in ("", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulkdata/7FE00010"):
        answer = own.get(address(CT[1]) + what)
        assert answer.status_code == 500, what
        assert "send" in answer.json()["error"]


def test_one_damaged_header_does_not_lose_the_metadata_of_its_series(own: Served) -> None:
    path = file_of(own, CT[2])
    path.write_bytes(path.read_bytes()[:700])
    answer = own.get(f"{address(CT[0], 'series')}/metadata")
    assert [each["00080018"]["Value"][0] for each in answer.json()] == [
        CT[0].SOPInstanceUID,
        CT[1].SOPInstanceUID,
    ]
    assert CT[2].SOPInstanceUID in answer.headers["Warning"]


def test_a_damaged_file_is_never_sent_to_its_end(own: Served) -> None:
    path = file_of(own, CT[1])
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    for accept in ("multipart/related; type=application/dicom; transfer-syntax=*",
                   "application/dicom; transfer-syntax=*"):  # fmt: skip
        with pytest.raises(requests.exceptions.RequestException, match=r"[Ii]ncomplete|broken"):
            own.get(address(CT[1]), headers=asking(accept))
    assert own.get(address(CT[0])).status_code == 200


def test_a_question_for_the_head_alone_has_no_body(served: Served) -> None:
    url = f"{served.url}{address(CT[0], 'study').removeprefix('/dicom-web')}"
    answer = requests.head(url, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len(requests.get(url, timeout=30).content))
    assert answer.content == b""


def test_no_answer_is_kept_by_proxies(served: Served) -> None:
    for what in ("", "/metadata", "/frames/1", "/rendered"):
        assert served.get(SLICE + what).headers["Cache-Control"] == "no-store"


def test_pictures_of_a_series_come_in_parts_and_reports_are_left_out(served: Served) -> None:
    answer = served.get(address(CT[0], "study") + "/rendered", headers=asking("multipart/related"))
    parts = parts_of(answer)
    assert [headers["content-type"] for headers, _ in parts] == ["image/jpeg"] * 4
    assert served.get(address(CT[0], "study") + "/rendered").status_code == 200


def test_a_thumbnail_is_of_the_image_in_the_middle(served: Served) -> None:
    for level in ("study", "series"):
        answer = served.get(f"{address(CT[0], level)}/thumbnail?viewport=10%2C10")
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert Image.open(BytesIO(answer.content)).size == (10, 8)
    there = f"{address(CT[1])}/thumbnail?viewport=10%2C10"
    assert served.get(f"{address(CT[0], 'series')}/thumbnail?viewport=10,10").content == (
        served.get(there).content
    )


def test_clients_that_read_nothing_hold_up_nobody(own: Served) -> None:
    image = synthetic.ct_series(shape=(1, 2048, 2048), series="large")
    keep(own, image, own.services.spool.directory)
    request = f"GET {address(image[0])} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with ExitStack() as open_connections:
        for _ in range(50):
            client = open_connections.enter_context(
                closing(socket.create_connection(("127.0.0.1", own.port)))
            )
            client.sendall(request)
        for path in (SLICE, f"{SLICE}/metadata", f"{SLICE}/frames/1", "/healthz"):
            assert own.get(path).status_code == 200


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["studies", "series", "instances", "frames", "metadata", "rendered", "bulkdata",
                 "thumbnail", "..", "", "1", "%00", "%2e%2e", "7FE00010", CT[0].StudyInstanceUID]
            ),
            st.binary(max_size=9).map(quote_from_bytes),
        ),
        max_size=9,
    ),
    st.binary(max_size=20).map(quote_from_bytes),
)  # fmt: skip
def test_no_path_and_no_query_is_too_odd_for_an_answer(
    served: Served, pieces: list[str], query: str
) -> None:
    client = HTTPConnection("127.0.0.1", served.port, timeout=30)
    with closing(client):
        client.request("GET", f"/dicom-web/{'/'.join(pieces)}?{query}={query}&window={query}")
        answer = client.getresponse()
        assert answer.status < 500, answer.read()


def test_a_query_of_nonsense_is_not_heeded(served: Served) -> None:
    answer = served.get(f"{SLICE}/metadata?includefield=all&%00=%ff&x[]=1&accept=")
    assert answer.status_code == 200
    assert len(json.loads(answer.content)) == 1


def test_a_client_that_hangs_up_in_the_middle_leaves_no_file_open(own: Served) -> None:
    for path in (address(CT[0], "study"), f"{SLICE}/frames/1", f"{SLICE}/metadata"):
        with closing(socket.create_connection(("127.0.0.1", own.port))) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert own.get(address(CT[0], "study")).status_code == 200
    wait_until(lambda: not open_files(own), "every file is closed")


class HungUp(Exception):
    """Nobody waits for the answer."""


@pytest.mark.parametrize("make", [instances, metadata, partial(rendered, numbers=None)])
def test_what_nobody_waits_for_any_more_is_not_made(
    own: Served, make: Callable[[Asked], Answer]
) -> None:
    looked = []

    def go_on() -> None:
        looked.append(True)
        if len(looked) == 2:
            raise HungUp

    asked = Asked(
        held=[held(own, each) for each in CT],
        wishes=[ANYTHING],
        query={},
        base="",
        spool=own.services.spool,
        max_bytes=1 << 20,
        assumed_character_set=None,
        go_on=go_on,
    )
    with pytest.raises(HungUp):
        make(asked)
    assert not open_files(own)


def test_a_client_that_never_reads_is_cut_off_and_its_file_closed(tmp_path: Path) -> None:
    image = synthetic.ct_series(shape=(1, 2048, 2048), series="large")
    with serving(tmp_path, receiver={"network_timeout_s": 1}) as served, socket.socket() as client:
        keep(served, image, tmp_path)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", served.port))
        request = f"GET {address(image[0])} HTTP/1.1\r\nHost: a\r\n\r\n"
        client.sendall(request.encode())
        wait_until(lambda: bool(open_files(served)), "the file is being sent")
        wait_until(lambda: not open_files(served), "the file is closed")


def open_files(served: Served) -> list[str]:
    """Of the spool, in this process."""
    spool = str(served.services.spool.directory)
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(link.readlink()))
    return [each for each in found if each.startswith(spool)]
