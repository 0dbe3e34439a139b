"""A small Storage SCU and small objects for the receiver's tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from node.dicom.pynetdicom_fixes import prepare

CT = UID("1.2.840.10008.5.1.4.1.1.2")


def small_object(number: int, *, sop_class_uid: str = CT) -> Dataset:
    """A few hundred bytes that can be filed under a study."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = f"2.25.7777{number}"
    dataset.StudyInstanceUID = "2.25.1"
    dataset.SeriesInstanceUID = "2.25.2"
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = "secret-17"
    dataset.Modality = "OT"
    return dataset


def associate(
    port: int,
    *,
    calling: str = "CT1",
    called: str = "M3NODE",
    sop_classes: Sequence[str] = (CT, "1.2.840.10008.1.1"),
    transfer_syntaxes: Sequence[str] = (ExplicitVRLittleEndian,),
) -> Association:
    """An association request; look at `is_established` for the answer."""
    prepare()
    ae = AE(ae_title=calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 10
    contexts = [build_context(uid, list(transfer_syntaxes)) for uid in sop_classes]
    return ae.associate("127.0.0.1", port, contexts=contexts, ae_title=called)


@contextmanager
def associated(port: int, **options: object) -> Iterator[Association]:
    """An open association, released at the end if it is still there."""
    association = associate(port, **options)
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
