"""What the answers of STOW-RS servers mean: the table, over real HTTP.

Every answer that servers were seen to give, or may give by the Standard, has one line: HTTP status,
media type and body, and what follows: the status under which it is stored, or the error and a part
of its sentence.
"""

import json
from dataclasses import dataclass
from gzip import compress
from typing import Any

import pytest

from node.config import DicomwebDestination
from node.core.errors import (
    DestinationError,
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
    VariantRejected,
)
from node.outbound.connect import connect
from node.outbound.destination import OutgoingObject
from tests.node.outbound.answering import Server

UID = "2.25.343"
JSON, XML, HTML = "application/dicom+json", "application/dicom+xml", "text/html"


@dataclass(frozen=True)
class Raises:
    error: type[DestinationError]
    says: str


def again(says: str) -> Raises:
    return Raises(DestinationUnreachable, says)


def later(says: str) -> Raises:
    return Raises(DestinationNotReady, says)


def refused(says: str) -> Raises:
    return Raises(DestinationRefused, says)


def poorer(says: str) -> Raises:
    return Raises(VariantRejected, says)


NOT_KNOWN = later("without saying that 2.25.343 is stored")


def stored(uid: str | None = UID, warning: Any = None) -> dict[str, Any]:
    item: dict[str, Any] = {} if uid is None else {"00081155": {"vr": "UI", "Value": [uid]}}
    if warning is not None:
        item["00081196"] = {"vr": "US", "Value": [warning]}
    return {"00081199": {"vr": "SQ", "Value": [item]}}


def failed(reason: Any, uid: str | None = UID, **more: Any) -> dict[str, Any]:
    item: dict[str, Any] = {} if uid is None else {"00081155": {"vr": "UI", "Value": [uid]}}
    if reason is not None:
        item["00081197"] = {"vr": "US", "Value": [reason]}
    return {"00081198": {"vr": "SQ", "Value": [item | more]}}


def in_xml(sequence: str, reason: int | None = None, uid: str = UID, more: str = "") -> str:
    said = (
        ""
        if reason is None
        else '<DicomAttribute tag="00081197" vr="US" keyword="FailureReason">'
        f'<Value number="1">{reason}</Value></DicomAttribute>'
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
        f'<DicomAttribute tag="{sequence}" vr="SQ"><Item number="1">'
        '<DicomAttribute tag="00081155" vr="UI" keyword="ReferencedSOPInstanceUID">'
        f'<Value number="1">{uid}</Value></DicomAttribute>{said}{more}</Item></DicomAttribute>'
        "</NativeDicomModel>"
    )


def related(kind: str, body: str) -> tuple[str, str]:
    """The media type, and the body in one part of it."""
    return (
        f'multipart/related; type="{kind}"; boundary=xyz',
        f"--xyz\r\nContent-Type: {kind}\r\n\r\n{body}\r\n--xyz--\r\n",
    )


GOOGLE_EXISTS = {
    "00090097": {
        "vr": "LT",
        "Value": ["An instance already exists in this DICOM Store with the same UIDs"],
    }
}
GOOGLE_EXISTS_XML = (
    '<DicomAttribute tag="00090097" vr="LT" keyword="FailureDetail" privateCreator="GOOGLE">'
    '<Value number="1">instance already exists</Value></DicomAttribute>'
)
GOOGLE_ERROR = {"code": 409, "message": "already exists", "status": "ALREADY_EXISTS"}
LOGIN = "<!DOCTYPE html><html><body>Sign in</body></html>"
BOTH = stored() | failed(0xC001, uid="2.25.9")

TABLE: list[tuple[str, int, str, Any, int | Raises]] = [
    # --- it is stored
    ("the Standard's answer", 200, JSON, stored(), 0x0000),
    ("with parameters of the media type", 200, f"{JSON}; charset=utf-8", stored(), 0x0000),
    ("plain JSON", 200, "application/json", stored(), 0x0000),
    ("JSON that is called text", 200, "text/plain", stored(), 0x0000),
    ("JSON without a media type", 200, "", stored(), 0x0000),
    ("JSON behind a byte order mark", 200, JSON, "\ufeff" + json.dumps(stored()), 0x0000),
    ("an array of one module", 200, JSON, [stored()], 0x0000),
    ("an array of a module each", 200, JSON, [stored("2.25.9"), stored()], 0x0000),
    ("an empty 200", 200, JSON, "", 0x0000),
    ("a blank 200", 200, "text/plain", "\r\n", 0x0000),
    ("202 that names it", 202, JSON, stored(), 0x0000),
    ("a UID padded with a null", 200, JSON, stored(f"{UID}\0"), 0x0000),
    ("another instance failed", 202, JSON, BOTH, 0x0000),
    ("XML", 200, XML, in_xml("00081199"), 0x0000),
    ("XML that is called text", 200, "text/xml; charset=utf-8", in_xml("00081199"), 0x0000),
    ("XML that is called nothing", 200, "", in_xml("00081199"), 0x0000),
    ("multipart of XML", 200, *related(XML, in_xml("00081199")), 0x0000),
    ("multipart of JSON", 200, *related(JSON, json.dumps(stored())), 0x0000),
    ("coerced", 202, JSON, stored(warning=0xB000), 0xB000),
    ("elements discarded", 200, JSON, stored(warning=0xB006), 0xB006),
    ("does not match its class", 202, JSON, stored(warning=0xB007), 0xB007),
    ("a number as text", 200, JSON, stored(warning="45056"), 0xB000),
    ("Azure: validation warnings", 202, JSON, stored(warning=1), 1),
    ("AWS: not transcoded", 200, JSON, stored(warning=0xB100), 0xB100),
    # --- it was there already
    ("duplicate", 409, JSON, failed(0x0111), 0x0111),
    ("duplicate, among others that failed", 202, JSON, failed(0x0111), 0x0111),
    ("duplicate, in XML", 409, XML, in_xml("00081198", 0x0111), 0x0111),
    ("duplicate, in an array", 409, JSON, [failed(0x0111)], 0x0111),
    ("Azure: already stored", 409, JSON, failed(45070), 0x0111),
    ("Google: already exists", 409, JSON, failed(272, **GOOGLE_EXISTS), 0x0111),
    (
        "Google: already exists, in XML",
        409,
        XML,
        in_xml("00081198", 272, more=GOOGLE_EXISTS_XML),
        0x0111,
    ),
    ("Google: its error", 409, "application/json", {"error": GOOGLE_ERROR}, 0x0111),
    ("Google: its error in an array", 409, "application/json", [{"error": GOOGLE_ERROR}], 0x0111),
    # --- try again soon
    ("out of resources", 200, JSON, failed(0xA700), again("status A700 (HTTP 200)")),
    ("out of resources, 409", 409, JSON, failed(0xA701), again("is out of resources")),
    ("out of resources, XML", 409, XML, in_xml("00081198", 0xA700), again("status A700")),
    ("out of resources, 507", 507, JSON, failed(0xA700), again("status A700 (HTTP 507)")),
    ("request timeout", 408, "", "", again("answered HTTP 408")),
    ("too many", 429, "", "", again("answered HTTP 429")),
    ("in trouble", 500, "", "", again("answered HTTP 500")),
    ("not implemented", 501, "", "", again("answered HTTP 501")),
    ("bad gateway", 502, HTML, "<html>nginx</html>", again("502 Bad Gateway with a web page")),
    ("unavailable", 503, "", "", again("answered HTTP 503")),
    ("gateway timeout", 504, "", "", again("answered HTTP 504")),
    ("full", 507, "", "", again("answered HTTP 507")),
    ("Orthanc's error", 500, "application/json", {"HttpStatus": 500}, again("HTTP 500")),
    # --- another form
    ("class not supported", 200, JSON, failed(0x0122), poorer("status 0122")),
    ("class not supported, 409", 409, JSON, failed(0x0122), poorer("does not take SOP class")),
    ("class not supported, XML", 409, "text/xml", in_xml("00081198", 290), poorer("status 0122")),
    # --- try again slowly
    ("processing failure", 409, JSON, failed(0x0110), later("status 0110 (HTTP 409), which is")),
    ("processing failure, 200", 200, JSON, failed(0x0110), later("status 0110")),
    ("failed for no reason", 409, JSON, failed(None), later("status 0110")),
    ("failed, no instance named", 409, JSON, failed(0xC001, uid=None), later("status C001")),
    ("Google: something else", 409, JSON, failed(272), later("status 0110")),
    ("not authorised", 409, JSON, failed(0x0124), later("status 0124")),
    ("Azure: being created", 409, JSON, failed(45071), later("is creating 2.25.343 for another")),
    (
        "failed with a warning",
        202,
        JSON,
        failed(0xB000),
        later("whether it is stored is not known"),
    ),
    ("failed with success", 202, JSON, failed(0), later("whether it is stored is not known")),
    ("conflict, no list", 409, "", "", later("answered HTTP 409")),
    ("Google: another conflict", 409, JSON, {"error": {"status": "ABORTED"}}, later("HTTP 409")),
    ("no token", 401, "", "", later("the credentials in headers_file are not taken")),
    ("no right", 403, JSON, {"error": {"status": "PERMISSION_DENIED"}}, later("do not allow it")),
    ("nothing there", 404, "", "", later("nothing is at that address: check url")),
    ("no POST there", 405, "", "", later("nothing is stored at that address: check url")),
    ("the proxy's password", 407, "", "", later("the proxy between wants credentials")),
    ("a web page for 404", 404, HTML, LOGIN, later("404 Not Found with a web page (text/html)")),
    ("a network login", 511, HTML, LOGIN, later("a network login stands between")),
    ("payment required", 402, "", "", later("answered HTTP 402")),
    ("a redirect", 302, "", "", later("it redirects")),
    ("a permanent redirect", 308, HTML, LOGIN, later("it redirects")),
    ("a login page", 200, HTML, LOGIN, later("with a web page (text/html): a proxy or a login")),
    ("a login page without a type", 200, "", LOGIN, later("a web page (HTML)")),
    ("a page in XHTML", 200, "application/xhtml+xml", "<html/>", later("a web page")),
    (
        "nginx: http on its https port",
        400,
        HTML,
        "<html>The plain HTTP request was sent to HTTPS port</html>",
        later("it wants https"),
    ),
    ("nginx: too large", 413, HTML, "<html>nginx</html>", later("413 Request Entity Too Large")),
    # --- whether it is stored is not known
    ("an empty 202", 202, JSON, "", NOT_KNOWN),
    ("204: nothing was in the request", 204, "", "", NOT_KNOWN),
    ("an empty module", 200, JSON, {}, NOT_KNOWN),
    ("another instance is stored", 200, JSON, stored("2.25.9"), NOT_KNOWN),
    ("no instance is named", 200, JSON, stored(None), NOT_KNOWN),
    ("another instance failed alone", 200, JSON, failed(0xC001, uid="2.25.9"), NOT_KNOWN),
    ("broken JSON", 200, JSON, '{"00081199": ', NOT_KNOWN),
    ("JSON of another shape", 200, JSON, "[1, 2]", NOT_KNOWN),
    ("a sequence that is none", 200, JSON, {"00081199": 3}, NOT_KNOWN),
    ("a reason that is no number", 200, JSON, failed("gone"), NOT_KNOWN),
    ("JSON nested without end", 200, JSON, "[" * 100_000, NOT_KNOWN),
    ("broken XML", 200, XML, "<NativeDicomModel>", NOT_KNOWN),
    ("XML of another kind", 200, "text/xml", "<ok/>", NOT_KNOWN),
    ("multipart without parts", 200, 'multipart/related; boundary="x"', "hello", NOT_KNOWN),
    ("words", 200, "text/plain", "OK", NOT_KNOWN),
    ("more than is read", 200, JSON, "[" + " " * (1 << 20), later("more than 1 MiB")),
    ("a reason that is no number", 409, JSON, failed(float("inf")), later("HTTP 409")),
    ("a reason of six digits", 409, JSON, failed(0xA90000), later("HTTP 409")),
    ("a warning of 40 digits", 200, JSON, stored(warning=10**40), later("is not known")),
    # --- it is refused for good
    ("does not match its class", 409, JSON, failed(0xA900), refused("refused 2.25.343: status A9")),
    ("Azure: invalid", 409, JSON, failed(43264), refused("status A900")),
    ("cannot understand", 200, JSON, failed(0xC000), refused("status C000 (HTTP 200)")),
    ("cannot understand, XML", 409, XML, in_xml("00081198", 0xC000), refused("status C000")),
    ("bad request", 400, JSON, "", refused("answered HTTP 400")),
    ("not acceptable", 406, "", "", refused("answered HTTP 406")),
    ("too large", 413, "", "", refused("answered HTTP 413")),
    ("unsupported media type", 415, "", "", refused("answered HTTP 415")),
    ("unprocessable", 422, "", "", refused("answered HTTP 422")),
]


@pytest.mark.parametrize(
    ("code", "media_type", "body", "follows"),
    [line[1:] for line in TABLE],
    ids=[line[0] for line in TABLE],
)
def test_an_answer_is_read_as_it_is_given(
    server: Server,
    artifact: OutgoingObject,
    code: int,
    media_type: str,
    body: Any,
    follows: int | Raises,
) -> None:
    server.status = code
    server.headers = {"Content-Type": media_type} if media_type else {}
    server.body = (body if isinstance(body, str) else json.dumps(body)).encode()
    if isinstance(follows, int):
        assert status_of(server, artifact) == follows
        return
    with pytest.raises(follows.error) as caught:
        status_of(server, artifact)
    assert type(caught.value) is follows.error
    assert follows.says in str(caught.value)
    assert len(server.asked) == 1


def status_of(server: Server, artifact: OutgoingObject) -> int:
    confirmed: list[int] = []
    config = DicomwebDestination(name="web", url=server.url, timeout_s=5)
    connect(config).send([artifact], lambda _, status: confirmed.append(status))
    (status,) = confirmed
    return status


def test_nothing_that_a_server_says_in_words_is_quoted(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(409, failed(0xC000, **{"00000902": {"vr": "LO", "Value": ["Müller^Anna"]}}))
    with pytest.raises(DestinationRefused) as caught:
        status_of(server, artifact)
    assert "Müller" not in str(caught.value)
    server.answers(302)
    server.headers = {"Location": "https://login.example/auth?token=top-secret"}
    with pytest.raises(DestinationNotReady, match=r"it redirects to login\.example;") as redirected:
        status_of(server, artifact)
    assert "top-secret" not in str(redirected.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("-3", 0.0)],
)
@pytest.mark.parametrize("code", [429, 503, 401])
def test_a_server_that_asks_to_be_left_alone_says_for_how_long(
    server: Server, artifact: OutgoingObject, code: int, header: str, seconds: float | None
) -> None:
    server.answers(code)
    server.headers["Retry-After"] = header
    with pytest.raises(DestinationError) as caught:
        status_of(server, artifact)
    assert caught.value.retry_after_s == seconds


def test_an_answer_that_is_packed_unasked_is_unpacked_within_bounds(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(200, stored())
    server.headers["Content-Encoding"] = "gzip"
    server.body = compress(server.body)
    assert status_of(server, artifact) == 0x0000
    server.body = compress(b" " * (64 << 20))
    with pytest.raises(DestinationNotReady, match="more than 1 MiB"):
        status_of(server, artifact)
    server.body = b"no gzip"
    with pytest.raises(DestinationNotReady, match="packed in a way"):
        status_of(server, artifact)
