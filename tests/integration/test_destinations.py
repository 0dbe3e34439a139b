"""`m3node echo`: what a destination answers, and what is said if it does not."""

from pathlib import Path

import pytest

from node.config import DicomwebDestination, DimseDestination
from node.core.errors import DestinationNotReady, DestinationUnreachable
from node.outbound.connect import connect
from tests.peers import free_port, orthanc, storescp


def dimse(port: int, *, ae_title: str = "STORESCP") -> DimseDestination:
    return DimseDestination(
        name="pacs", host="127.0.0.1", port=port, ae_title=ae_title, timeout_s=2
    )


def test_storescp_answers_an_echo(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        connect(dimse(peer.port)).verify()


def test_orthanc_answers_over_dimse_and_over_dicomweb(tmp_path: Path) -> None:
    with orthanc(tmp_path) as peer:
        connect(dimse(peer.dicom_port, ae_title="ORTHANC")).verify()
        connect(DicomwebDestination(name="web", url=peer.dicomweb_url)).verify()
        wrong = DicomwebDestination(name="web", url=f"{peer.url}/no-such-place")
        with pytest.raises(DestinationNotReady, match="HTTP 404"):
            connect(wrong).verify()


def test_orthanc_that_checks_called_titles_rejects_a_wrong_one(tmp_path: Path) -> None:
    with orthanc(tmp_path, settings={"DicomCheckCalledAet": True}) as peer:
        wrong = connect(dimse(peer.dicom_port, ae_title="WRONG"))
        with pytest.raises(DestinationNotReady, match="Called AE title not recognised"):
            wrong.verify()


def test_nobody_at_the_port_is_said_with_its_address() -> None:
    port = free_port()
    with pytest.raises(DestinationUnreachable, match=f"STORESCP at 127.0.0.1:{port} accepts no"):
        connect(dimse(port)).verify()


def test_a_host_that_does_not_exist_is_said() -> None:
    nowhere = DimseDestination(name="pacs", host="pacs.invalid", port=104, ae_title="PACS")
    with pytest.raises(DestinationUnreachable, match=r"PACS at pacs\.invalid:104"):
        connect(nowhere).verify()


def test_a_peer_that_rejects_everybody_is_said(tmp_path: Path) -> None:
    with storescp(tmp_path, options=("--refuse",)) as peer:
        refusing = connect(dimse(peer.port))
        with pytest.raises(DestinationNotReady, match="called as M3NODE"):
            refusing.verify()
