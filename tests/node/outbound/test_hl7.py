"""What a RIS is told in HL7 v2: what the report says, valid in 2.5.1; its answer is read."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from pydicom import Dataset

from node.config import Hl7Destination
from node.core.errors import DestinationError, DestinationNotReady, DestinationUnreachable
from node.core.results import Artifact, ArtifactKind
from node.dicom.tls import accepting
from node.outbound.connect import connect
from node.outbound.destination import OutgoingObject
from node.outbound.hl7_message import Acknowledgement, Envelope, acknowledgement, number, oru, text
from sr_templates.findings import Outcome
from sr_templates.objects.told import told
from tests.certificates import Authority, authority
from tests.node.outbound.answering import outgoing
from tests.node.outbound.raw import drip, keeps_silent, speaking
from tests.node.outbound.test_fhir import PREDECESSOR
from tests.peers import free_port
from tests.sr_templates.examples import ALGORITHM, FULL, GROWN, ROUND, identity
from tests.sr_templates.objects.test_measurement_report import report, without_nodule

ENVELOPE = Envelope(
    sending_application="M3NODE",
    sending_facility="RAD",
    receiving_application="RIS",
    receiving_facility="H&K",
)


def segments(dataset: Dataset, kind: str) -> list[list[str]]:
    """The segments of a kind, field by field; the whole message is valid in version 2.5.1."""
    message = oru(told(dataset), ENVELOPE)
    parse_message(message, validation_level=VALIDATION_LEVEL.STRICT).validate()
    return [line.split("|") for line in message.split("\r") if line.startswith(kind)]


def segment(dataset: Dataset, kind: str) -> list[str]:
    """The only segment of a kind."""
    (only,) = segments(dataset, kind)
    return only


def observations(dataset: Dataset) -> list[tuple[str, ...]]:
    """OBX-2 to OBX-6 and OBX-11 of each."""
    rows = segments(dataset, "OBX")
    assert [row[1] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    return [(*row[2:7], row[11]) for row in rows]


def test_the_report_is_told_line_by_line_and_nodule_by_nodule() -> None:
    narrative = "18782-3^Radiology Study observation (narrative)^LN"
    rows = observations(report())
    assert [(row[2], row[3]) for row in rows if row[1] == narrative] == [
        ("0.1", "2 of 3 nodules analysed; Nodule 3 was not"),
        ("0.2", "For research use; not a cleared medical device."),
        ("0.3", "Nodule 1: 87 %."),
        ("0.4", "Nodule 2: < 5 %; left lung."),
        ("0.5", "Nodule 3: not analysed."),
        ("0.6", "Nodule 3: Not analysed: its centre is outside the CT"),
        ("0.7", "8 of 8 slices read."),
        ("0.8", "The CT was compressed with loss."),
    ]
    assert [row for row in rows if row[2] == "1"] == [
        ("NM", "111047^Probability of cancer^DCM", "1", "87.3", "%^Percent^UCUM", "P"),
        ("NM", "81827009^Diameter^SCT", "1", "12.4", "mm^mm^UCUM", "P"),
        ("ST", "363698007^Finding site^SCT", "1", "Lung", "", "P"),
        ("TX", "121106^Comment^DCM", "1", f"Nodule 1: {ROUND.comment}", "", "P"),
    ]
    assert [row for row in rows if row[2] == "3"] == [
        (
            "TX",
            "111047^Probability of cancer^DCM",
            "3",
            "Nodule 3: Not analysed: its centre is outside the CT",
            "",
            "X",
        )
    ]


def test_growth_is_told_beside_the_sizes() -> None:
    rows = observations(report(replace(FULL, nodules=(ROUND, GROWN))))
    assert [row for row in rows if "99M3NODE" in row[1] and row[0] == "NM"] == [
        (
            "NM",
            "VOLUME_CHANGE^Change in volume since the earlier CT^99M3NODE",
            "2",
            "52",
            "%^Percent^UCUM",
            "P",
        ),
        ("NM", "DOUBLING_TIME^Volume doubling time^99M3NODE", "2", "304.6", "d^day^UCUM", "P"),
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.NOTHING_MARKED,
        Outcome.NOT_ANNOTATED,
        Outcome.NOT_ANALYSED,
        Outcome.TECHNICAL_FAILURE,
    ],
)
def test_a_study_without_a_result_says_so_and_gives_no_number(outcome: Outcome) -> None:
    content = without_nodule(outcome)
    rows = observations(report(content, captures={}))
    assert rows[0][3] == content.headline
    assert not [row for row in rows if row[0] == "NM"]


def test_numbers_of_untrained_weights_are_no_probability_of_cancer() -> None:
    content = replace(FULL, nodules=(replace(ROUND, call=None),), refused=())
    rows = observations(report(content, algorithm=replace(ALGORITHM, trained=False)))
    assert rows[0][3].startswith("UNTRAINED, NOT A RESULT")
    assert not [row for row in rows if row[1].startswith("111047")]


def test_a_revision_corrects_the_same_filler_order_number() -> None:
    first, second = report(), report(predecessor=PREDECESSOR, identity=identity(2))
    assert (segment(first, "OBR")[25], segment(second, "OBR")[25]) == ("P", "C")
    assert segment(first, "OBR")[3] == segment(second, "OBR")[3]
    assert segment(first, "MSH")[9] != segment(second, "MSH")[9], "it is another message"
    failure = report(without_nodule(Outcome.TECHNICAL_FAILURE), captures={})
    assert segment(failure, "OBR")[3] != segment(first, "OBR")[3], "it takes no result's place"


@pytest.mark.parametrize(
    ("day", "time", "written"),
    [
        ("20260301", "093015.25", "20260301093015"),
        ("20260301", "0930", "202603010930"),
        ("20260301", "09", "2026030109"),
        ("20260301", "093", "20260301"),
        ("20260301", "", "20260301"),
    ],
)
def test_a_time_is_told_as_far_as_it_is_one(day: str, time: str, written: str) -> None:
    dataset = report()
    dataset.StudyDate, dataset.StudyTime = day, time
    assert segment(dataset, "OBR")[7] == written


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("written", ["1956.01.24", "1956", "195601", "\u0661" * 8])
def test_what_is_no_day_is_left_out(written: str) -> None:
    dataset = report()
    dataset.PatientBirthDate = written
    assert len(segment(dataset, "PID")) <= 8 or segment(dataset, "PID")[7] == ""


def test_it_names_patient_order_and_study() -> None:
    dataset = report()
    dataset.PatientName = "Müller^Anna^^Dr."
    dataset.IssuerOfPatientID = "CITY"
    request = Dataset()
    request.PlacerOrderNumberImagingServiceRequest = "P77"
    dataset.ReferencedRequestSequence = [request]
    _, _, _, number, _, name, _, birth, sex = segment(dataset, "PID")
    assert (number, name, birth, sex) == ("SYN-1^^^CITY", "Müller^Anna^^^Dr.", "19500101", "O")
    order = segment(dataset, "OBR")
    assert (order[2], order[7], order[18]) == ("P77", "20260102030405", "A1")
    assert segment(dataset, "MSH")[2:6] == ["M3NODE", "RAD", "RIS", "H\\T\\K"]
    uid = str(dataset.StudyInstanceUID)
    assert ("ST", "110180^Study Instance UID^DCM", "0", uid, "", "P") in observations(dataset)
    nobody = report()
    nobody.PatientName = nobody.PatientID = nobody.PatientBirthDate = ""
    assert segment(nobody, "PID")[3:6] == ['""', "", "^^^^^^U"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(87.3, "87.3"), (25.0, "25"), (1_234_567.0, "1234567"), (-474.0, "-474"), (0.1, "0.1")],
)
def test_a_number_has_no_exponent_and_loses_no_digit(value: float, written: str) -> None:
    assert number(value) == written


def test_what_separates_is_escaped_and_what_frames_is_dropped() -> None:
    assert text("a\x0bb\x1cc\x85d\u2028e") == "a b c d e"
    assert text("a|b^c&d~e\\f") == "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f"
    assert text("one\r\ntwo\nthree") == "one\\.br\\two\\.br\\three"
    assert text("\x0bbegins \x1cends") == " begins  ends"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("MSH|^~\\&|RIS\rMSA|AA|17\r", Acknowledgement(code="AA", control_id="17")),
        ("MSH|^~\\&|RIS\nMSA|AE|17|words\nERR|x", Acknowledgement(code="AE", control_id="17")),
        ("MSH#^~\\&#RIS\rMSA#AR#17", Acknowledgement(code="AR", control_id="17")),
        ("", None),
        ("MSH", None),
        ("MSH|^~\\&|RIS\r", None),
        ("MSA|AA|17", None),
        ("HTTP/1.1 400 Bad Request\r\n", None),
    ],
)
def test_an_acknowledgement_is_read(answer: str, said: Acknowledgement | None) -> None:
    assert acknowledgement(answer) == said


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> OutgoingObject:
    """A report as it lies in the spool."""
    return outgoing(
        Artifact(kind=ArtifactKind.REPORT, dataset=report()), tmp_path_factory.mktemp("report")
    )


def ris(port: int, timeout_s: float = 3) -> Hl7Destination:
    return Hl7Destination(name="ris", host="127.0.0.1", port=port, timeout_s=timeout_s)


def acknowledges(code: str, *, control_id: str | None = None) -> Callable[[socket.socket], None]:
    """A RIS that reads a message to its end and answers so."""

    def talk(connection: socket.socket) -> None:
        received = b""
        while not received.endswith(b"\x1c\r"):
            received += connection.recv(1 << 16)
        assert received.startswith(b"\x0bMSH|")
        given = received.decode().split("|")[9] if control_id is None else control_id
        connection.sendall(f"\x0bMSH|^~\\&|RIS\rMSA|{code}|{given}|Mueller\r\x1c\r".encode())

    return talk


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_what_is_accepted_is_told(artifact: OutgoingObject, code: str) -> None:
    confirmed: list[int] = []
    with speaking(acknowledges(code)) as port:
        connect(ris(port)).send([artifact], lambda _, status: confirmed.append(status))
    assert confirmed == [0x0000]


@pytest.mark.parametrize(
    ("talk", "error", "says"),
    [
        (acknowledges("AE"), DestinationNotReady, r"acknowledged with an error \(AE\)"),
        (acknowledges("AR"), DestinationNotReady, r"acknowledged with a rejection \(AR\)"),
        (acknowledges("AA", control_id="x"), DestinationNotReady, "acknowledged something else"),
        (acknowledges("??"), DestinationNotReady, "acknowledged something else"),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 400\r\n\r\n\x1c\r"),
            DestinationNotReady,
            "no HL7 acknowledgement",
        ),
        (
            lambda connection: connection.recv(1),
            DestinationUnreachable,
            "reset the connection|closed the connection without",
        ),
    ],
)
def test_what_is_not_accepted_is_tried_again_and_nothing_said_is_quoted(
    artifact: OutgoingObject,
    talk: Callable[[socket.socket], None],
    error: type[DestinationError],
    says: str,
) -> None:
    with speaking(talk) as port, pytest.raises(error, match=says) as caught:
        connect(ris(port)).send([artifact], lambda *_: None)
    assert "Mueller" not in str(caught.value)


def test_an_interface_that_is_silent_drips_or_floods_is_given_up(artifact: OutgoingObject) -> None:
    def drips(connection: socket.socket) -> None:
        drip(connection, b"\x0b" + b" " * 4000)

    def floods(connection: socket.socket) -> None:
        while True:
            connection.sendall(b" " * (1 << 20))

    for talk, says in (
        (keeps_silent, r"was silent for 0\.3 s"),
        (drips, "took longer than"),
        (floods, "no HL7 acknowledgement"),
    ):
        with speaking(talk) as port, pytest.raises(DestinationError, match=says):
            connect(ris(port, timeout_s=0.3)).send([artifact], lambda *_: None)


def test_whether_something_listens_is_asked() -> None:
    with speaking(keeps_silent) as port:
        connect(ris(port)).verify()
    with pytest.raises(DestinationUnreachable, match="accepts no connection"):
        connect(ris(free_port())).verify()


def test_pictures_are_not_told(picture: OutgoingObject) -> None:
    connect(ris(free_port())).send([picture], lambda *_: None)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("hospital"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("stranger"))


def over_tls(
    talk: Callable[[socket.socket], None], context: ssl.SSLContext
) -> Callable[[socket.socket], None]:
    """The same peer behind TLS."""

    def secured(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            talk(wrapped)

    return secured


def listens(
    hospital: Authority, *, name: str = "127.0.0.1", wants_certificate: bool = False
) -> ssl.SSLContext:
    """How a RIS of that name listens, signed for by the hospital."""
    holder = hospital.issue(f"ris {name}", hosts=[name])
    return accepting(
        certificate_file=holder.certificate_file,
        key_file=holder.key_file,
        ca_file=hospital.ca_file,
        client_certificate="required" if wants_certificate else "none",
        minimum_version="1.2",
    )


def trusting(authority: Authority, port: int, **more: object) -> Hl7Destination:
    return Hl7Destination.model_validate(
        {**ris(port).model_dump(), "tls": True, "ca_file": authority.ca_file, **more}
    )


def test_a_ris_that_shows_who_it_is_is_told_over_tls(
    artifact: OutgoingObject, hospital: Authority
) -> None:
    confirmed: list[int] = []
    with speaking(over_tls(acknowledges("AA"), listens(hospital))) as port:
        connect(trusting(hospital, port)).send([artifact], lambda _, s: confirmed.append(s))
    elsewhere = listens(hospital, name="ris.example")
    with speaking(over_tls(acknowledges("AA"), elsewhere)) as port:
        by_name = trusting(hospital, port, server_name="ris.example")
        connect(by_name).send([artifact], lambda _, s: confirmed.append(s))
    assert confirmed == [0x0000, 0x0000]


def test_a_ris_that_asks_who_tells_is_shown_a_certificate(
    artifact: OutgoingObject, hospital: Authority
) -> None:
    node, confirmed = hospital.issue("node"), []
    with speaking(over_tls(acknowledges("AA"), listens(hospital, wants_certificate=True))) as port:
        shown = trusting(
            hospital, port, certificate_file=node.certificate_file, key_file=node.key_file
        )
        connect(shown).send([artifact], lambda _, status: confirmed.append(status))
        with pytest.raises(DestinationError, match=r"agree on no TLS connection|reset"):
            connect(trusting(hospital, port)).send([artifact], lambda *_: None)
    assert confirmed == [0x0000]


def test_a_ris_that_is_not_surely_itself_is_told_nothing(
    artifact: OutgoingObject, hospital: Authority, stranger: Authority
) -> None:
    told: list[bytes] = []

    def listens_in(connection: socket.socket) -> None:
        told.append(connection.recv(1 << 16))

    for peer, says in (
        (over_tls(listens_in, listens(stranger)), "its certificate is not trusted"),
        (over_tls(listens_in, listens(hospital, name="other")), "its certificate is not trusted"),
        (lambda c: c.sendall(b"\x0bMSH|^~\\&|RIS\r\x1c\r"), "does not speak TLS there"),
        (lambda c: c.recv(1 << 16), "it broke off the handshake; is TLS spoken there"),
    ):
        with speaking(peer) as port:
            there = connect(trusting(hospital, port))
            with pytest.raises(DestinationNotReady, match=says):
                there.send([artifact], lambda *_: None)
            with pytest.raises(DestinationNotReady, match=says):
                there.verify()
    assert told == []


def test_a_ris_that_waits_for_words_in_the_clear_is_given_up(
    artifact: OutgoingObject, hospital: Authority
) -> None:
    with speaking(keeps_silent) as port, pytest.raises(DestinationUnreachable, match="silent"):
        connect(trusting(hospital, port, timeout_s=0.3)).send([artifact], lambda *_: None)


def test_certificates_that_cannot_be_read_are_waited_for(
    artifact: OutgoingObject, hospital: Authority, tmp_path: Path
) -> None:
    gone = trusting(hospital, free_port(), ca_file=tmp_path / "gone.pem")
    with pytest.raises(DestinationUnreachable, match=r"cannot be called over TLS: .*gone\.pem"):
        connect(gone).send([artifact], lambda *_: None)
