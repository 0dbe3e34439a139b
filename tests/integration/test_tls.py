"""DICOM TLS with real peers, both ways: dcmtk's tools and Orthanc."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from node.config import DimseDestination, ReceiverTLSConfig, as_destination
from node.core.errors import DestinationError
from node.core.results import ArtifactKind
from node.outbound.destination import OutgoingObject
from node.outbound.dimse import StorageProvider
from node.persistence.rows import SentObject
from tests.certificates import Authority, Holder, authority
from tests.integration.test_receiver import STUDY, Node, ct_slice, routing_orthanc, running
from tests.peers import echoscu, free_port, orthanc, storescp, storescu

pytestmark = pytest.mark.peers


@dataclass
class Hospital:
    """An authority, the node's certificate, a peer's, and a stranger's."""

    ca: Authority
    node: Holder
    peer: Holder
    stranger: Holder


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    ca = authority(tmp_path_factory.mktemp("tls"))
    other = authority(tmp_path_factory.mktemp("other"), "Stranger CA")
    # Of RSA keys, as most are; the authority's is an elliptic curve's.
    return Hospital(
        ca, ca.issue("m3node", use_rsa=True), ca.issue("pacs", use_rsa=True), other.issue("pacs")
    )


@pytest.fixture
def node(tmp_path: Path, hospital: Hospital) -> Any:
    tls = ReceiverTLSConfig(
        port=free_port(),
        certificate_file=hospital.node.certificate_file,
        key_file=hospital.node.key_file,
        ca_file=hospital.ca.ca_file,
    )
    with running(tmp_path, tls=tls, network_timeout_s=5) as here:
        yield here, tls.port


def shown(hospital: Hospital, holder: Holder | None) -> Sequence[str]:
    """dcmtk's options: TLS with the holder's certificate, or without one."""
    trust = ("+cf", str(hospital.ca.ca_file))
    if holder is None:
        return ("+tla", *trust)
    return ("+tls", str(holder.key_file), str(holder.certificate_file), *trust)


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_dcmtk_sends_over_tls_in_each_profile(
    node: tuple[Node, int], hospital: Hospital, tmp_path: Path, profile: str
) -> None:
    here, port = node
    files = [ct_slice(tmp_path / f"{n}.dcm", n) for n in range(3)]
    options = ("-R", *shown(hospital, hospital.peer), profile)
    done = storescu(port, files, options=options)
    assert done.returncode == 0, done.stdout
    assert len(here.kept()) == 3
    assert here.store.study_snapshot(STUDY).open_senders == 0
    assert echoscu(port, options=(*shown(hospital, hospital.peer), profile)).returncode == 0


def test_dcmtk_without_a_certificate_with_a_strangers_and_in_the_clear_is_refused(
    node: tuple[Node, int], hospital: Hospital, tmp_path: Path
) -> None:
    here, port = node
    file = ct_slice(tmp_path / "1.dcm")
    for options in ((), shown(hospital, None), shown(hospital, hospital.stranger)):
        assert storescu(port, [file], options=("-R", *options)).returncode != 0
    assert storescu(here.port, [file], options=("-R", *shown(hospital, hospital.peer))).returncode
    assert here.kept() == []
    assert storescu(here.port, [file]).returncode == 0  # and the plain port serves as before


def test_orthanc_sends_over_tls(node: tuple[Node, int], hospital: Hospital, tmp_path: Path) -> None:
    here, port = node
    modality = {"AET": "M3NODE", "Host": "127.0.0.1", "Port": port, "UseDicomTls": True}
    with routing_orthanc(tmp_path, modality, orthanc_tls(hospital)) as send:
        send(ct_slice(tmp_path / "1.dcm"))
    assert len(here.kept()) == 1


def orthanc_tls(hospital: Hospital) -> dict[str, Any]:
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(hospital.peer.certificate_file),
        "DicomTlsPrivateKey": str(hospital.peer.key_file),
        "DicomTlsTrustedCertificates": str(hospital.ca.ca_file),
    }


def destination(hospital: Hospital, port: int, ae_title: str, **settings: Any) -> DimseDestination:
    return DimseDestination(
        **{
            "name": "pacs",
            "host": "127.0.0.1",
            "port": port,
            "ae_title": ae_title,
            "timeout_s": 5,
            "tls": True,
            "ca_file": hospital.ca.ca_file,
            "certificate_file": hospital.node.certificate_file,
            "key_file": hospital.node.key_file,
            **settings,
        }
    )


def refusal(config: DimseDestination) -> str:
    with pytest.raises(DestinationError) as raised:
        StorageProvider(config).verify()
    return str(raised.value)


def an_object(path: Path) -> OutgoingObject:
    dataset = dcmread(ct_slice(path))
    sent = SentObject(
        kind=ArtifactKind.CAPTURE,
        sop_class_uid=SOPClassUID(dataset.SOPClassUID),
        sop_instance_uid=SOPInstanceUID(dataset.SOPInstanceUID),
        series_instance_uid=SeriesInstanceUID(dataset.SeriesInstanceUID),
    )
    return OutgoingObject(
        sent=sent, transfer_syntax_uid=ExplicitVRLittleEndian, read=lambda: dataset
    )


@pytest.mark.parametrize("profile", ["+py", "+pz"])
def test_results_leave_over_tls_and_nobody_else_is_trusted(
    hospital: Hospital, tmp_path: Path, profile: str
) -> None:
    options = (*shown(hospital, hospital.peer), profile)
    with storescp(tmp_path, options=options) as peer:
        StorageProvider(destination(hospital, peer.port, "STORESCP")).send(
            [an_object(tmp_path / "1.dcm")], lambda each, status: None
        )
        assert len(peer.received()) == 1
        for settings, words in {
            ("ca_file", hospital.stranger.certificate_file): "its certificate is not trusted",
            ("server_name", "pacs.example"): "Hostname mismatch",
            (
                "ca_file",
                hospital.ca.folder / "absent.pem",
            ): "absent.pem cannot be read: No such file",
            (
                "certificate_file",
                None,
            ): "over TLS: it says: ",  # certificate required; handshake failure in TLS 1.2
        }.items():
            key, value = settings
            more = {"key_file": None} if key == "certificate_file" else {}
            said = refusal(destination(hospital, peer.port, "STORESCP", **{key: value, **more}))
            assert words in said, settings
        any_name = destination(hospital, peer.port, "STORESCP", server_name="")
        StorageProvider(any_name).verify()


def test_a_destination_that_speaks_in_the_clear_is_told_apart(
    hospital: Hospital, tmp_path: Path
) -> None:
    with storescp(tmp_path) as peer:
        said = refusal(destination(hospital, peer.port, "STORESCP"))
        assert said.endswith("over TLS: it broke off the handshake; is TLS spoken there?")


def test_orthanc_takes_results_over_tls_from_whom_it_trusts(
    hospital: Hospital, tmp_path: Path
) -> None:
    with orthanc(tmp_path, settings=orthanc_tls(hospital)) as peer:
        sent = an_object(tmp_path / "1.dcm")
        own = destination(hospital, peer.dicom_port, "ORTHANC")
        StorageProvider(own).send([sent], lambda each, status: None)
        assert peer.sop_instance_uids() == {sent.sop_instance_uid}
        stranger = {
            "certificate_file": hospital.stranger.certificate_file,
            "key_file": hospital.stranger.key_file,
        }
        said = refusal(destination(hospital, peer.dicom_port, "ORTHANC", **stranger))
        assert said.endswith("over TLS: it says: unknown ca")


def test_the_node_finds_itself_on_its_port_for_tls(
    node: tuple[Node, int], hospital: Hospital
) -> None:
    here, _ = node
    own = as_destination(here.receiver._config.model_copy(update={"port": 0}))
    StorageProvider(own).verify()
