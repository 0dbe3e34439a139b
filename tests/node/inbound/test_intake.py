"""From a sender's bytes to the disk: what is kept, what is refused, and that nothing is left."""

import contextlib
import logging
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from node.config import ReceiverConfig
from node.core.errors import Refused
from node.core.inputs import InstanceFacts, Role
from node.core.results import ArtifactKind
from node.core.uids import result_series_uid
from node.inbound import intake as module
from node.inbound.encoded import Parts, take_apart
from node.inbound.intake import Intake
from node.inbound.reading import Reading
from node.persistence.rows import Arrival
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import FRAME, STUDY
from tests.node.objects import ct_image
from tests.sr_templates.encoded_text import element, sequence

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'm3node.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def intake(store: Store, tmp_path: Path) -> Intake:
    return Intake(spool=Spool(tmp_path / "spool"), store=store, min_free_bytes=0, clock=lambda: NOW)


def encoded(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The Data Set as it goes over the wire."""
    buffer = DicomBytesIO()
    buffer.is_little_endian = transfer_syntax != ExplicitVRBigEndian
    buffer.is_implicit_VR = transfer_syntax == ImplicitVRLittleEndian
    write_dataset(buffer, dataset)
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return deflater.compress(buffer.getvalue()) + deflater.flush()
    return buffer.getvalue()


def send(
    intake: Intake,
    dataset: Dataset,
    *,
    transfer_syntax: str = ExplicitVRLittleEndian,
    data: bytes | None = None,
    sop_class_uid: str = CTImageStorage,
    sop_instance_uid: str | None = None,
) -> Arrival:
    return intake.accept(
        encoded(dataset, transfer_syntax) if data is None else data,
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid or str(dataset.SOPInstanceUID),
        transfer_syntax_uid=transfer_syntax,
        sender_id=None,
    )


def instances_of(store: Store) -> tuple[InstanceFacts, ...]:
    """What is known of the study's instances once they have been read."""
    spool = Spool(Path(str(store._engine.url.database)).parent / "spool")
    Reading(store, spool, config=ReceiverConfig()).read(within_s=60)
    snapshot = store.study_snapshot(STUDY)
    assert snapshot.unread == 0
    return tuple(snapshot.instances)


def spooled(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "transfer_syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian],
)
def test_the_bytes_are_stored_as_they_came(
    intake: Intake, store: Store, tmp_path: Path, transfer_syntax: str
) -> None:
    image = ct_image(0)
    assert send(intake, image, transfer_syntax=transfer_syntax) is Arrival.NEW
    (path,) = spooled(tmp_path)
    assert path.read_bytes().endswith(encoded(image, transfer_syntax))
    assert dcmread(path).file_meta.TransferSyntaxUID == transfer_syntax
    assert dcmread(path).PixelData == image.PixelData
    (facts,) = instances_of(store)
    assert facts.role is Role.CT
    assert facts.transfer_syntax_uid == transfer_syntax


def test_facts_hold_the_geometry_and_what_the_choice_goes_by(intake: Intake, store: Store) -> None:
    send(intake, ct_image(4))
    (facts,) = instances_of(store)
    assert list(facts.planes) == [1]
    assert facts.planes[1].position_mm == (-180.0, -180.0, -90.0)
    assert facts.planes[1].spacing_mm == (0.7, 0.7)
    assert facts.planes[1].frame_of_reference_uid == FRAME
    assert (facts.series_number, facts.slice_thickness_mm, facts.convolution_kernel) == (
        3,
        2.5,
        "B30f",
    )


def test_whose_software_wrote_the_files_header_makes_no_difference(
    intake: Intake, tmp_path: Path
) -> None:
    image = ct_image(0)
    send(intake, image)
    path = tmp_path / "exported.dcm"
    image.file_meta.ImplementationVersionName = "SOMEBODY"
    image.save_as(path, enforce_file_format=True)
    assert intake.accept_file(path, sender_id=None) is Arrival.SAME
    data = path.read_bytes()
    assert send(intake, image, data=data) is Arrival.SAME


def test_the_same_image_in_another_transfer_syntax_is_kept_and_changes_no_digest(
    intake: Intake, store: Store
) -> None:
    send(intake, ct_image(0))
    (before,) = instances_of(store)
    assert (
        send(intake, ct_image(0), transfer_syntax=ImplicitVRLittleEndian) is Arrival.NEWER_VERSION
    )
    (after,) = instances_of(store)
    assert after.content_digest == before.content_digest


def test_too_little_space_is_out_of_resources(store: Store, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    full = Intake(spool=spool, store=store, min_free_bytes=1 << 60, clock=lambda: NOW)
    with pytest.raises(Refused) as refused:
        send(full, ct_image(0))
    assert refused.value.status == 0xA700
    assert refused.value.comment == "less than min_free_gb is left on the disk"


@pytest.mark.parametrize(
    ("changed", "command", "status", "comment"),
    [
        ({}, {"sop_instance_uid": "9.9"}, 0xA900, "data set and command differ"),
        (
            {},
            {"sop_class_uid": SecondaryCaptureImageStorage},
            0xA900,
            "data set and command differ",
        ),
        ({"StudyInstanceUID": ""}, {}, 0xC000, "StudyInstanceUID is missing"),
        ({"SeriesInstanceUID": "../../etc/passwd"}, {}, 0xC000, "SeriesInstanceUID is no UID"),
        ({"StudyInstanceUID": "1" * 65}, {}, 0xC000, "StudyInstanceUID is no UID"),
    ],
)
def test_what_cannot_be_indexed_is_refused_and_leaves_nothing(
    intake: Intake,
    store: Store,
    tmp_path: Path,
    changed: dict[str, object],
    command: dict[str, str],
    status: int,
    comment: str,
) -> None:
    image = ct_image(0)
    for keyword, value in changed.items():
        image[keyword].value = value
    with pytest.raises(Refused) as refused:
        send(intake, image, **command)
    assert refused.value.status == status
    assert refused.value.comment.startswith(comment)
    assert spooled(tmp_path) == []
    assert store.list_studies() == []


_SOUND = encoded(ct_image(0))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")  # pydicom warns of nonsense; here it is the point
def test_damaged_bytes_are_refused_or_stored_and_never_anything_else(
    intake: Intake, data: st.DataObject
) -> None:
    damaged = bytearray(_SOUND)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    with contextlib.suppress(Refused):
        send(intake, ct_image(0), data=bytes(damaged[:cut]))


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize("sop_class", [CTImageStorage, SegmentationStorage])
def test_what_inflates_to_more_than_the_largest_object_is_refused(
    store: Store, tmp_path: Path, sop_class: str
) -> None:
    spool = Spool(tmp_path / "spool")
    small = ReceiverConfig(max_object_mb=1)
    strict = Intake(spool=spool, store=store, min_free_bytes=0, clock=lambda: NOW, config=small)
    image = ct_image(0, SOPClassUID=sop_class, PixelData=bytes(2 << 20))
    with pytest.raises(Refused, match="it inflates to more than receiver"):
        send(
            strict,
            image,
            transfer_syntax=DeflatedExplicitVRLittleEndian,
            sop_class_uid=sop_class,
        )
    with pytest.raises(Refused, match="larger than receiver"):
        send(strict, image, sop_class_uid=sop_class)
    assert spooled(tmp_path) == []


def test_a_deflated_image_is_inflated_as_far_as_its_header(intake: Intake) -> None:
    image = ct_image(0)
    data = deflated(encoded(image)[:-32] + bytes(256 << 20))
    tracemalloc.start()
    try:
        send(intake, image, transfer_syntax=DeflatedExplicitVRLittleEndian, data=data)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"\xff" + data])
def test_a_deflated_object_that_is_cut_off_or_none_is_refused(
    intake: Intake, damage: Callable[[bytes], bytes]
) -> None:
    data = damage(encoded(ct_image(0), DeflatedExplicitVRLittleEndian))
    with pytest.raises(Refused, match=r"cut off|does not inflate|missing"):
        send(intake, ct_image(0), transfer_syntax=DeflatedExplicitVRLittleEndian, data=data)


COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"


def report_of(tree: bytes) -> bytes:
    """A measurement report with this content tree."""
    meaning = element(0x00080100, b"126000") + element(0x00080102, b"DCM ")
    return (
        element(0x00080016, COMPREHENSIVE_SR.encode())
        + element(0x00080018, b"1.9")
        + element(0x00100020, b"4711")
        + element(0x0020000D, STUDY.encode())
        + element(0x0020000E, b"1.8")
        + sequence(0x0040A043, meaning)
        + sequence(0x0040A504, element(0x0040DB00, b"1500"))
        + tree
    )


def a_deep_tree() -> bytes:
    tree = element(0x0040A040, b"TEXT")
    for _ in range(200):
        tree = sequence(0x0040A730, tree)
    return tree


@pytest.mark.parametrize(
    "tree",
    [
        sequence(0x0040A730, *[element(0x0040A040, b"TEXT")] * 160_000),
        a_deep_tree(),
        a_deep_tree() + element(0x0040A730, b""),
    ],
    ids=["many", "deep", "twice"],
)
def test_an_object_with_too_many_elements_is_kept_and_said_to_be_beyond_us(
    intake: Intake, store: Store, tree: bytes
) -> None:
    started = time.process_time()
    intake.accept(
        report_of(tree),
        sop_class_uid=COMPREHENSIVE_SR,
        sop_instance_uid="1.9",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        sender_id=None,
    )
    assert time.process_time() - started < 5
    (facts,) = instances_of(store)
    assert facts.role is Role.UNSUPPORTED_ANNOTATION
    assert facts.kind == "Measurement report with more than 300000 elements or 64 levels"


PIXELS = b"\xe0\x7f\x10\0OW\0\0\x02\0\0\0\0\0"


@pytest.mark.parametrize("behind_the_pixels", [False, True])
def test_an_image_with_too_many_elements_is_kept_and_never_read_as_ct(
    intake: Intake, store: Store, behind_the_pixels: bool
) -> None:
    tag = 0xFFFCFFFC if behind_the_pixels else 0x0040A730
    many = sequence(tag, *[b""] * 310_000)
    parts = (PIXELS, many) if behind_the_pixels else (many, PIXELS)
    data = {
        0x00080016: CTImageStorage.encode(),
        0x00080018: b"1.9",
        0x0020000D: STUDY.encode(),
        0x0020000E: b"1.8",
    }
    intake.accept(
        b"".join((*(element(tag, value) for tag, value in data.items()), *parts)),
        sop_class_uid=CTImageStorage,
        sop_instance_uid="1.9",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        sender_id=None,
    )
    (facts,) = instances_of(store)
    assert facts.role is Role.OTHER
    assert facts.kind == "CT with more than 300000 elements or 64 levels"


def test_too_many_elements_before_the_identifiers_are_refused(intake: Intake) -> None:
    many = sequence(0x00081115, *[b""] * 310_000)
    data = element(0x00080016, COMPREHENSIVE_SR.encode()) + element(0x00080018, b"1.9") + many
    with pytest.raises(Refused, match="StudyInstanceUID is missing"):
        intake.accept(
            data,
            sop_class_uid=COMPREHENSIVE_SR,
            sop_instance_uid="1.9",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            sender_id=None,
        )


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.99"]
)
def test_a_segmentation_in_a_syntax_that_nothing_here_decodes_is_kept(
    intake: Intake, store: Store, tmp_path: Path, syntax: str
) -> None:
    mask = ct_image(0, SOPClassUID=SegmentationStorage)
    mask.PixelData = encapsulate([b"\x78\x9c\x00\x00"])
    mask["PixelData"].VR = "OB"
    mask["PixelData"].is_undefined_length = True
    send(intake, mask, transfer_syntax=syntax, data=encoded(mask), sop_class_uid=mask.SOPClassUID)
    (facts,) = instances_of(store)
    assert facts.role is Role.ANNOTATION
    assert facts.transfer_syntax_uid == syntax
    (path,) = spooled(tmp_path)
    assert dcmread(path).file_meta.TransferSyntaxUID == syntax


@pytest.mark.parametrize("implicit", [True, False])
def test_file_meta_within_a_data_set_is_left_out(
    intake: Intake, tmp_path: Path, implicit: bool, caplog: pytest.LogCaptureFixture
) -> None:
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    image = ct_image(0)
    stray = element(0x00020010, b"1.2.840.10008.1.2.4.90") + element(0x00020002, b"1.2.3")
    with caplog.at_level(logging.WARNING):
        send(intake, image, transfer_syntax=syntax, data=stray + encoded(image, syntax))
    (path,) = spooled(tmp_path)
    kept = dcmread(path)
    assert kept.file_meta.TransferSyntaxUID == syntax
    assert kept.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert path.read_bytes().endswith(encoded(image, syntax))
    assert b"1.2.840.10008.1.2.4.90" not in path.read_bytes()
    assert "store.file_meta_left_out" in [record.action for record in caplog.records]


def test_a_long_file_meta_in_fragments_of_a_byte_is_taken_apart_a_few_times(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []

    def counted(data: memoryview) -> Parts:
        lengths.append(len(data))
        return take_apart(data)

    monkeypatch.setattr(module, "take_apart", counted)
    image = ct_image(0)
    data = encoded(image)
    front = bytes(128) + b"DICM" + element(0x00020016, b"ABCDEFGH") * 1250
    with intake.begin(
        sop_class_uid=CTImageStorage,
        sop_instance_uid=str(image.SOPInstanceUID),
        transfer_syntax_uid=ExplicitVRLittleEndian,
    ) as incoming:
        for at in range(len(front)):
            incoming.write(memoryview(front)[at : at + 1])
        incoming.write(memoryview(data))
        incoming.keep(None)
    assert lengths == [132, 264, 528, 1056, 2112, 4224, 8448, 16896, 20132 + len(data)]
    (path,) = spooled(tmp_path)
    assert path.read_bytes().endswith(data)
    assert b"ABCDEFGH" not in path.read_bytes()


def test_nothing_is_taken_of_an_object_that_is_closed(intake: Intake, tmp_path: Path) -> None:
    with intake.begin(
        sop_class_uid=CTImageStorage,
        sop_instance_uid="1.2",
        transfer_syntax_uid=ExplicitVRLittleEndian,
    ) as incoming:
        incoming.write(memoryview(bytes(200)))
    incoming.write(memoryview(bytes(200)))
    with pytest.raises(ValueError, match="closed"):
        incoming.keep(None)
    assert spooled(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "uid"),
    [
        ("sop_instance_uid", "1" * 65),
        ("sop_instance_uid", "Müller^Jörg"),
        ("sop_instance_uid", ""),
        ("sop_class_uid", "None"),
    ],
)
def test_a_command_that_names_no_uid_is_refused_before_anything_else(
    intake: Intake, tmp_path: Path, command: str, uid: str
) -> None:
    named = {"sop_class_uid": CTImageStorage, "sop_instance_uid": "1.2", command: uid}
    with pytest.raises(Refused) as refused:
        intake.accept(
            encoded(ct_image(0)),
            transfer_syntax_uid=ExplicitVRLittleEndian,
            sender_id=None,
            **named,
        )
    assert refused.value.status == 0xC000
    assert uid not in refused.value.comment or not uid
    assert spooled(tmp_path) == []


def test_a_file_that_is_not_dicom_is_refused(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "readings.xml"
    path.write_text("<LidcReadMessage/>")
    with pytest.raises(Refused, match="not a DICOM file"):
        intake.accept_file(path, sender_id=None)


def test_a_file_that_is_cut_short_while_it_is_read_kills_nobody(
    intake: Intake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network share; a file that was mapped would end the process (SIGBUS)."""
    monkeypatch.setattr(module, "_AT_ONCE", 4096)
    path = tmp_path / "exported.dcm"
    image = ct_image(0)
    image.PixelData = bytes(300_000)
    image.save_as(path, enforce_file_format=True)
    whole = path.stat().st_size

    def cut_short() -> None:
        with path.open("r+b") as file:
            file.truncate(whole // 2)

    monkeypatch.setattr(intake, "require_space", cut_short)
    assert intake.accept_file(path, sender_id=None) is Arrival.NEW
    (kept,) = spooled(tmp_path)
    assert whole // 2 - 1000 < kept.stat().st_size < whole // 2 + 1000


def test_a_large_file_costs_little_memory_and_leaves_no_copy(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 1 << 20)
    path = tmp_path / "exported.dcm"
    image = ct_image(0)
    image.PixelData = bytes(64 << 20)
    image.save_as(path, enforce_file_format=True)
    del image.PixelData
    tracemalloc.start()
    try:
        assert intake.accept_file(path, sender_id=None) is Arrival.NEW
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert [each.name for each in (tmp_path / "spool" / "parts").iterdir()] == []


def meta_of(**changes: bytes) -> bytes:
    """File Meta without a group length; a value of b"" leaves the element out."""
    values = {
        "MediaStorageSOPClassUID": CTImageStorage.encode(),
        "MediaStorageSOPInstanceUID": ct_image(0).SOPInstanceUID.encode(),
        "TransferSyntaxUID": ExplicitVRLittleEndian.encode(),
        **changes,
    }
    tags = sorted((tag_for_keyword(keyword) or 0, value) for keyword, value in values.items())
    return b"".join(element(tag, value) for tag, value in tags if value)


FRONT = bytes(128) + b"DICM"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (FRONT + meta_of(), []),
        (FRONT + b"\2\0\0\0UL\4\0\xff\xff\0\0" + meta_of(), []),
        (meta_of(), ["no preamble"]),
        (FRONT, ["no File Meta Information; taken as the Data Set that follows"]),
        (b"", ["no File Meta Information; taken as the Data Set that follows"]),
        (
            FRONT + meta_of(TransferSyntaxUID=b""),
            ["File Meta names no transfer syntax; it was guessed"],
        ),
        (
            FRONT + meta_of(MediaStorageSOPInstanceUID=b"9.9"),
            ["File Meta names another SOP Instance; the Data Set's was taken"],
        ),
        (
            FRONT + meta_of(MediaStorageSOPClassUID=SegmentationStorage.encode()),
            ["File Meta names another SOP Class; the Data Set's was taken"],
        ),
    ],
    ids=[
        "no length",
        "wrong length",
        "no preamble",
        "front only",
        "bare",
        "syntax",
        "uid",
        "class",
    ],
)
def test_a_file_is_taken_whatever_its_header_lacks_and_that_is_said(
    intake: Intake, store: Store, tmp_path: Path, head: bytes, said: list[str]
) -> None:
    path = tmp_path / "exported.dcm"
    path.write_bytes(head + encoded(ct_image(0)))
    heard: list[str] = []
    arrival = intake.accept_file(path, sender_id=None, remark=heard.append)
    assert (arrival, heard) == (Arrival.NEW, said)
    (facts,) = instances_of(store)
    assert facts.sop_instance_uid == ct_image(0).SOPInstanceUID
    assert send(intake, ct_image(0)) is Arrival.SAME


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_syntax_of_a_bare_data_set_is_seen(
    intake: Intake, store: Store, tmp_path: Path, syntax: str
) -> None:
    path = tmp_path / "bare.dcm"
    path.write_bytes(encoded(ct_image(0), syntax))
    intake.accept_file(path, sender_id=None)
    (facts,) = instances_of(store)
    assert facts.transfer_syntax_uid == syntax


def test_undeclared_text_is_read_as_the_setting_says(store: Store, tmp_path: Path) -> None:
    chinese = ReceiverConfig(assumed_character_set="GB18030")
    spool = Spool(tmp_path / "spool")
    here = Intake(spool=spool, store=store, min_free_bytes=0, clock=lambda: NOW, config=chinese)
    data = encoded(ct_image(0)).replace(element(0x00080005, b"ISO_IR 100"), b"")
    sent = "Müller^Jörg ".encode("latin-1")
    assert sent in data
    send(here, ct_image(0), data=data.replace(sent, "王东^小东 ".encode("gb18030") + b"  "))
    assert store.find_study("A17").identity.patient_name == "王东^小东"


def test_our_own_results_are_recognised_by_their_series_and_by_their_device(
    intake: Intake, store: Store
) -> None:
    ours = result_series_uid(STUDY, ArtifactKind.CAPTURE, revision=2)
    send(intake, ct_image(0, SeriesInstanceUID=ours))
    send(intake, ct_image(1, SeriesInstanceUID="9.9", ManufacturerModelName="m3node"))
    roles = [facts.role for facts in instances_of(store)]
    assert roles == [Role.OWN_RESULT, Role.OWN_RESULT]


def test_a_scout_a_ct_without_position_and_an_unknown_object_have_their_roles(
    intake: Intake, store: Store
) -> None:
    send(intake, ct_image(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    nowhere = ct_image(1)
    del nowhere.ImagePositionPatient
    send(intake, nowhere)
    unknown = ct_image(2, SOPClassUID="1.2.840.10008.5.1.4.1.1.999")
    send(intake, unknown, sop_class_uid="1.2.840.10008.5.1.4.1.1.999")
    instances = instances_of(store)
    assert [(facts.role, facts.kind) for facts in instances] == [
        (Role.LOCALIZER, "CT scout or projection"),
        (Role.CT, "CT"),
        (Role.OTHER, "object of an unknown kind"),
    ]
    assert instances[1].planes == {}


def test_the_operator_finds_the_study_by_its_accession_number(intake: Intake, store: Store) -> None:
    send(intake, ct_image(0))
    found = store.find_study("A17")
    assert found.study_instance_uid == STUDY
    assert found.identity.patient_name == "Müller^Jörg"
    assert "Müller" not in repr(found)


def test_a_full_disk_leaves_no_part_file(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(Refused) as refused:
        Spool(tmp_path / "spool").write(chunks())
    assert refused.value.status == 0xA700
    assert spooled(tmp_path) == []


def test_the_spool_names_files_by_their_content_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    first, second = spool.write([b"con", b"tent"]), spool.write([memoryview(b"content")])
    assert first == second
    assert first.path == ("ed/ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73.dcm")
    with spool.open(first.path) as file:
        assert BytesIO(file.read()).getvalue() == b"content"


@pytest.mark.parametrize("before", [b"\x20\0\x0d\0", b"\x28\0\2\0"])
def test_an_object_that_names_two_patients_is_refused(intake: Intake, before: bytes) -> None:
    """dcmtk takes the first of them, pydicom the last: CT and report would part."""
    image = ct_image(0)
    data = encoded(image)
    at = data.index(before)
    with pytest.raises(Refused, match="an element stands twice") as refused:
        send(intake, image, data=data[:at] + element(0x00100020, b"OTHER ") + data[at:])
    assert refused.value.status == 0xC000
