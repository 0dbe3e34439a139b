"""dcmtk's storescu sends, the real Intake and Store keep: every transfer syntax, every ending."""

import base64
import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from m3net.uids import StudyInstanceUID
from node.config import ReceiverConfig
from node.inbound.dimse.receiver import Receiver
from node.persistence.spool import Spool
from node.persistence.store import Store
from tests.integration.queueing import open_node
from tests.node.scu import associated
from tests.peers import dcmtk, echoscu, free_port, listens, storescu, wait_until
from tests.peers import running as process
from tests.required import require_binary

STUDY = StudyInstanceUID("2.25.4001")


HTJ2K_RAMP = base64.b64decode(
    "/0//UQApQAAAAABAAAAAQAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAAABDwEB/1AACAACAAAADP9SAAwAAgABAAUE"
    "BEAB/1wAEyCQmJigmJigmJigmJiYkJCY/2QAFwABT3BlbkpQSCBWZXIgMC4xNC4wLv+QAAoAAAAAARcAAf+TwAAV"
    "gP9/bftt+9v2AoG0AMAACeAABOBIkPwCAnQASCL5AINUAMAACpgAAVcAABGAIiIiIqpxgnUAIkVERP7AMYHstgDw"
    "AwDAAAr4AAFpABAIBAKBQCDnynp6cQJ4AJAQCAQCgUD+/YhAe/YhAey6AMAAC2YAAF0AhmEYhmEYhmEYhmEY+f8K"
    "enp6enp6cIJ9AEbDMAzDMAzDMAzDMP7/eGBCB79hCB79hCB79hCB7LMBwAAXSwAAXVju7u7u7u7u7u7u7u7u7u7u"
    "/r/8p6enp6enp6enp6enp6enwnUB3t3d3d3d3d3d3d3d3d3d3f9/2wcnv3ye/fJ798nv3ye/fJ798nv3yey7Af/Z"
)
"""The pixels of `ct_slice` as an HTJ2K code stream (lossless, RPCL), made with OpenJPH 0.14."""


@dataclass
class Node:
    port: int
    receiver: Receiver
    store: Store
    spool: Spool

    def kept(self) -> list[Dataset]:
        """What the spool holds, read."""
        rows = self.store.list_instances(STUDY)
        return [dcmread(self.spool.locate(row.path)) for row in rows]

    def open_associations(self) -> int:
        return self.store.study_snapshot(STUDY).open_senders


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running(tmp_path) as here:
        yield here


@contextmanager
def running(tmp_path: Path, *, min_free_bytes: int = 0, **settings: Any) -> Iterator[Node]:
    store, spool, intake = open_node(tmp_path / "node", min_free_bytes=min_free_bytes)
    config = ReceiverConfig(**{"port": free_port(), **settings})
    receiver = Receiver(config, intake, store)
    receiver.start()
    try:
        yield Node(config.port, receiver, store, spool)
    finally:
        receiver.stop(drain_s=5)
        store.close()


def ct_slice(path: Path, number: int = 1, *, bits: int = 16) -> Path:
    """A CT slice of 64 x 64 with something to compress."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    meta.MediaStorageSOPInstanceUID = UID(f"2.25.4002{number}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = STUDY
    dataset.SeriesInstanceUID = "2.25.4003"
    dataset.FrameOfReferenceUID = "2.25.4004"
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "P-1"
    dataset.Modality, dataset.InstanceNumber = "CT", number
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [0, 0, 2.5 * number]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [0.7, 0.7]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = dataset.Columns = 64
    dataset.BitsAllocated = bits
    dataset.BitsStored = 12 if bits == 16 else 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    ramp = np.add.outer(np.arange(64), np.arange(64)) * (16 if bits == 16 else 1)
    dataset.PixelData = ramp.astype(np.uint16 if bits == 16 else np.uint8).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path


def by_dcmtk(*command: str) -> Any:
    def encode(source: Path, target: Path) -> None:
        dcmtk(command[0], *command[1:], source, target)

    return encode


def by_pydicom(syntax: str) -> Any:
    def encode(source: Path, target: Path) -> None:
        dataset = dcmread(source)
        dataset.compress(UID(syntax), generate_instance_uid=False)
        dataset.save_as(target)

    return encode


LOSSLESS = [
    ("1.2.840.10008.1.2", by_dcmtk("dcmconv", "+ti"), "-xi"),
    ("1.2.840.10008.1.2.1", by_dcmtk("dcmconv", "+te"), "-xe"),
    ("1.2.840.10008.1.2.2", by_dcmtk("dcmconv", "+tb"), "-xb"),
    ("1.2.840.10008.1.2.1.99", by_dcmtk("dcmconv", "+td"), "-xd"),
    ("1.2.840.10008.1.2.5", by_dcmtk("dcmcrle"), "-xr"),
    ("1.2.840.10008.1.2.4.57", by_dcmtk("dcmcjpeg", "+el"), ""),
    ("1.2.840.10008.1.2.4.70", by_dcmtk("dcmcjpeg", "+e1"), "-xs"),
    ("1.2.840.10008.1.2.4.80", by_dcmtk("dcmcjpls", "+el"), "-xt"),
    ("1.2.840.10008.1.2.4.90", by_pydicom("1.2.840.10008.1.2.4.90"), "-xv"),
]
LOSSY = [
    ("1.2.840.10008.1.2.4.50", by_dcmtk("dcmcjpeg", "+eb"), "-xy", 8),
    ("1.2.840.10008.1.2.4.51", by_dcmtk("dcmcjpeg", "+ee"), "-xx", 8),
    ("1.2.840.10008.1.2.4.81", by_dcmtk("dcmcjpls", "+en"), "-xu", 16),
]


@pytest.mark.parametrize(("syntax", "encode", "option"), LOSSLESS, ids=[s for s, *_ in LOSSLESS])
def test_a_lossless_slice_is_kept_as_it_came_and_decodes_to_the_same_pixels(
    node: Node, tmp_path: Path, syntax: str, encode: Any, option: str
) -> None:
    source, sent = ct_slice(tmp_path / "source.dcm"), tmp_path / "sent.dcm"
    encode(source, sent)
    # an empty option: storescu proposes this syntax from a profile only
    options = ["-R", option] if option else ["-xf", str(proposing(tmp_path, syntax)), "Only"]
    result = storescu(node.port, [sent], options=options)
    assert result.returncode == 0, result.stdout
    (kept,) = node.kept()
    assert kept.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(kept.pixel_array, dcmread(source).pixel_array)


@pytest.mark.parametrize(
    ("syntax", "encode", "option", "bits"), LOSSY, ids=[syntax for syntax, *_ in LOSSY]
)
def test_a_lossy_slice_is_kept_as_it_came_and_decodes(
    node: Node, tmp_path: Path, syntax: str, encode: Any, option: str, bits: int
) -> None:
    source, sent = ct_slice(tmp_path / "source.dcm", bits=bits), tmp_path / "sent.dcm"
    encode(source, sent)
    result = storescu(node.port, [sent], options=["-R", option])
    assert result.returncode == 0, result.stdout
    (kept,) = node.kept()
    assert kept.file_meta.TransferSyntaxUID == syntax
    difference = kept.pixel_array.astype(int) - dcmread(source).pixel_array
    assert np.abs(difference).max() <= 64


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"]
)
def test_high_throughput_jpeg_2000_is_kept_and_decodes(
    node: Node, tmp_path: Path, syntax: str
) -> None:
    """Neither dcmtk nor Orthanc of Debian 12 knows it: sent by pynetdicom."""
    source = dcmread(ct_slice(tmp_path / "source.dcm"))
    expected = source.pixel_array
    source.PixelData = encapsulate([HTJ2K_RAMP])
    source["PixelData"].VR = "OB"
    source["PixelData"].is_undefined_length = True
    source.file_meta.TransferSyntaxUID = UID(syntax)
    source.save_as(tmp_path / "sent.dcm")
    with associated(node.port, sop_classes=(source.SOPClassUID,), transfer_syntaxes=(syntax,)) as a:
        assert a.send_c_store(tmp_path / "sent.dcm").Status == 0x0000
    (kept,) = node.kept()
    assert kept.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(kept.pixel_array, expected)


def test_the_data_set_is_stored_byte_for_byte(node: Node, tmp_path: Path) -> None:
    source, sent = ct_slice(tmp_path / "source.dcm"), tmp_path / "sent.dcm"
    dcmtk("dcmcjpeg", "+e1", source, sent)
    storescu(node.port, [sent], options=["-R", "-xs"])
    (row,) = node.store.list_instances(STUDY)
    assert data_set(node.spool.locate(row.path)) == data_set(sent)


def test_the_same_again_changes_nothing_and_other_bytes_are_a_newer_version(
    node: Node, tmp_path: Path
) -> None:
    slices = [ct_slice(tmp_path / f"{n}.dcm", n) for n in (1, 2)]
    storescu(node.port, slices)
    storescu(node.port, slices)
    assert [row.version for row in node.store.list_instances(STUDY)] == [1, 1]
    changed = dcmread(slices[0])
    changed.PatientName = "Doe^Janet"
    changed.save_as(slices[0])
    assert storescu(node.port, slices).returncode == 0
    versions = {(row.sop_instance_uid, row.version) for row in node.store.list_instances(STUDY)}
    assert ("2.25.40021", 2) in versions


def test_what_cannot_be_filed_is_refused_and_leaves_nothing(node: Node, tmp_path: Path) -> None:
    path = ct_slice(tmp_path / "no-study.dcm")
    dataset = dcmread(path)
    del dataset.StudyInstanceUID
    dataset.save_as(path)
    result = storescu(node.port, [path])
    assert "Error: CannotUnderstand" in result.stdout
    assert list(node.spool.directory.rglob("*.dcm")) == []
    assert list(node.spool.directory.rglob("*.part")) == []


def test_too_little_space_is_out_of_resources(tmp_path: Path) -> None:
    with running(tmp_path, min_free_bytes=2**62) as here:
        result = storescu(here.port, [ct_slice(tmp_path / "slice.dcm")])
        assert "OutOfResources" in result.stdout.replace(" ", "")
        assert list(here.spool.directory.rglob("*.dcm")) == []


def test_echoscu_is_answered(node: Node) -> None:
    assert echoscu(node.port).returncode == 0


def test_dcmsend_is_served_and_findscu_is_told_that_there_is_no_query(
    node: Node, tmp_path: Path
) -> None:
    files = [ct_slice(tmp_path / f"{n}.dcm", n) for n in range(3)]
    peer = ["127.0.0.1", str(node.port)]
    dcmtk("dcmsend", "-aec", "M3NODE", *peer, *files)
    assert len(node.store.list_instances(STUDY)) == 3
    found = subprocess.run(
        [require_binary("findscu", "dcmtk"), "-P", "-k", "0010,0010", *peer],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert found.returncode != 0
    assert "No Acceptable Presentation Contexts" in found.stderr


@contextmanager
def routing_orthanc(
    folder: Path,
    modality: Any,
    settings: Mapping[str, Any] | None = None,
    *,
    echoes: bool = True,
) -> Iterator[Callable[..., None]]:
    """Orthanc, and what has it send files to the modality "node", over one association.

    It opens associations itself: unlike elsewhere, it has no network namespace of its own.
    """
    http, home = free_port(), folder / "orthanc"
    home.mkdir()
    config = {
        "StorageDirectory": str(home / "storage"),
        "IndexDirectory": str(home / "index"),
        "DicomServerEnabled": False,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"node": modality},
    } | dict(settings or {})
    (home / "orthanc.json").write_text(json.dumps(config))

    def post(path: str, body: bytes) -> Any:
        url = f"http://127.0.0.1:{http}{path}"
        with urlopen(Request(url, data=body, method="POST"), timeout=30) as answer:
            return json.load(answer)

    def send(*files: Path) -> None:
        ids = [post("/instances", file.read_bytes())["ID"] for file in files]
        post("/modalities/node/store", json.dumps(ids).encode())

    command = [require_binary("Orthanc", "orthanc"), str(home / "orthanc.json")]
    with process(command, log=home / "log"):
        wait_until(lambda: listens(http), "Orthanc answers", 60)
        if echoes:
            post("/modalities/node/echo", b"{}")
        yield send


def test_orthanc_routes_to_the_node(node: Node, tmp_path: Path) -> None:
    with routing_orthanc(tmp_path, ["M3NODE", "127.0.0.1", node.port]) as send:
        send(*(ct_slice(tmp_path / f"{number}.dcm", number) for number in range(3)))
    assert [row.version for row in node.store.list_instances(STUDY)] == [1, 1, 1]


def test_a_sender_that_aborts_at_the_end_has_delivered_what_was_answered(
    node: Node, tmp_path: Path
) -> None:
    files = [ct_slice(tmp_path / f"{n}.dcm", n) for n in range(3)]
    storescu(node.port, files, options=["-R", "--abort"])
    wait_until(lambda: node.open_associations() == 0, "the association is over")
    assert len(node.store.list_instances(STUDY)) == 3


def test_dcmtk_reads_the_reason_of_a_rejection(tmp_path: Path) -> None:
    file = ct_slice(tmp_path / "slice.dcm")
    with running(tmp_path, allowed_calling_ae_titles=("CT1",)) as here:
        refused = storescu(here.port, [file], calling="CT2")
        assert refused.returncode != 0
        assert "Calling AE Title Not Recognized" in refused.stdout
        assert storescu(here.port, [file], calling="CT1").returncode == 0
    with running(tmp_path, allowed_called_ae_titles=("M3NODE",)) as here:
        assert "Called AE Title Not Recognized" in echoscu(here.port, called="OTHER").stdout


def test_a_sender_that_is_killed_in_the_middle_leaves_no_open_association(
    node: Node, tmp_path: Path
) -> None:
    files = [ct_slice(tmp_path / f"{n:03}.dcm", n) for n in range(300)]
    program = require_binary("storescu", "dcmtk")
    sender = subprocess.Popen(
        [program, "-R", "-aec", "M3NODE", "127.0.0.1", str(node.port), *files]
    )
    wait_until(lambda: len(node.store.list_instances(STUDY)) >= 3, "some have arrived")
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    wait_until(lambda: node.open_associations() == 0, "the association is over")
    assert len(node.store.list_instances(STUDY)) < 300
    assert storescu(node.port, files).returncode == 0
    assert len(node.store.list_instances(STUDY)) == 300


def test_four_senders_at_once_lose_nothing(node: Node, tmp_path: Path) -> None:
    program = require_binary("storescu", "dcmtk")
    files = [ct_slice(tmp_path / f"{n:03}.dcm", n) for n in range(80)]
    senders = [
        subprocess.Popen(
            [program, "-R", "-aec", "M3NODE", "127.0.0.1", str(node.port), *files[k::4]]
        )
        for k in range(4)
    ]
    assert [sender.wait(60) for sender in senders] == [0, 0, 0, 0]
    assert len(node.store.list_instances(STUDY)) == 80
    wait_until(lambda: node.open_associations() == 0, "every association is over")


def proposing(tmp_path: Path, syntax: str) -> Path:
    """A storescu profile "Only" that proposes CT in one transfer syntax."""
    profile = tmp_path / "storescu.cfg"
    profile.write_text(
        f"[[TransferSyntaxes]]\n[One]\nTransferSyntax1 = {syntax}\n"
        "[[PresentationContexts]]\n[Contexts]\n"
        "PresentationContext1 = 1.2.840.10008.5.1.4.1.1.2\\One\n"
        "[[Profiles]]\n[Only]\nPresentationContexts = Contexts\n"
    )
    return profile


def data_set(path: Path) -> bytes:
    """The bytes behind the File Meta header."""
    encoded = path.read_bytes()
    length = int.from_bytes(encoded[140:144], "little")
    return encoded[144 + length :]
