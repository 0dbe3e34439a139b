"""From a sender's bytes to the disk: what is kept, what is refused, and that nothing is left."""

import contextlib
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from node.core.errors import Refused
from node.core.inputs import Role
from node.core.results import ArtifactKind
from node.core.uids import result_series_uid
from node.inbound.intake import Intake
from node.persistence.rows import Arrival
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import FRAME, STUDY
from tests.node.objects import ct_image

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
    buffer.is_little_endian = True
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
    (facts,) = store.study_snapshot(STUDY).instances
    assert facts.role is Role.CT
    assert facts.transfer_syntax_uid == transfer_syntax


def test_facts_hold_the_geometry_and_what_the_choice_goes_by(intake: Intake, store: Store) -> None:
    send(intake, ct_image(4))
    (facts,) = store.study_snapshot(STUDY).instances
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
    (before,) = store.study_snapshot(STUDY).instances
    assert (
        send(intake, ct_image(0), transfer_syntax=ImplicitVRLittleEndian) is Arrival.NEWER_VERSION
    )
    (after,) = store.study_snapshot(STUDY).instances
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
        send(intake, image, **command)  # type: ignore[arg-type]  # the parameters above
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


def test_a_deflated_bomb_is_refused(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.inbound.intake._MAX_INFLATED_BYTES", 1000)
    with pytest.raises(Refused, match="inflates to more"):
        send(
            intake,
            ct_image(0, PixelData=bytes(4000)),
            transfer_syntax=DeflatedExplicitVRLittleEndian,
        )


def test_a_file_that_is_not_dicom_is_refused(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "readings.xml"
    path.write_text("<LidcReadMessage/>")
    with pytest.raises(Refused, match="not a DICOM file"):
        intake.accept_file(path, sender_id=None)


def test_our_own_results_are_recognised_by_their_series_and_by_their_device(
    intake: Intake, store: Store
) -> None:
    ours = result_series_uid(STUDY, ArtifactKind.REPORT)
    send(intake, ct_image(0, SeriesInstanceUID=ours))
    send(intake, ct_image(1, SeriesInstanceUID="9.9", ManufacturerModelName="m3node"))
    roles = [facts.role for facts in store.study_snapshot(STUDY).instances]
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
    instances = store.study_snapshot(STUDY).instances
    assert [(facts.role, facts.kind) for facts in instances] == [
        (Role.LOCALIZER, "CT localizer"),
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
