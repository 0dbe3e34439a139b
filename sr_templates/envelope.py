"""What a report and a capture have in common: whose, by whom, when, and under which UIDs."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian

from sr_templates import codes
from sr_templates.character_sets import UNREADABLE, holds_raw, speak_ascii
from sr_templates.findings import Algorithm, ObjectIdentity
from sr_templates.identity import copy_identity
from sr_templates.probability import UNTRAINED
from sr_templates.uids import derive_uid

RESEARCH_USE = "For research use; not a cleared medical device"

_IMPLEMENTATION_CLASS_UID = UID(derive_uid("implementation class"))


def new_object(
    *,
    sop_class_uid: str,
    modality: str,
    series_description: str,
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
) -> Dataset:
    """An object of ours without its content: identity, series, equipment, SOP common.

    All dates are `identity.at`.  Timezone Offset From UTC also governs the study's date and time,
    which are copied: so they are written in the offset that `subject` states, and only without one
    in that of `identity.at`, which should be the site's zone.
    """
    at = identity.at.astimezone(_zone_of(subject) or identity.at.tzinfo)
    new = Dataset()
    copy_identity(subject, new)
    new.SOPClassUID = UID(sop_class_uid)
    new.SOPInstanceUID = UID(identity.sop_instance_uid)
    new.SeriesInstanceUID = UID(identity.series_instance_uid)
    new.SeriesNumber = identity.series_number
    new.InstanceNumber = identity.instance_number
    new.Modality = modality
    new.SeriesDescription = _of_revision(series_description, identity.revision)
    new.Manufacturer = long_string(algorithm.manufacturer)
    new.ManufacturerModelName = long_string(algorithm.device_model)
    new.DeviceSerialNumber = long_string(algorithm.device_serial)
    new.SoftwareVersions = long_string(algorithm.software_version)
    new.ContentQualification = "RESEARCH"
    new.InstanceCreationDate = new.ContentDate = at.strftime("%Y%m%d")
    new.InstanceCreationTime = new.ContentTime = at.strftime("%H%M%S.%f")
    new.TimezoneOffsetFromUTC = at.strftime("%z")[:5]
    new.ContributingEquipmentSequence = [_equipment(algorithm, at)]
    new.file_meta = _file_meta(new, algorithm)
    new.preamble = b"\0" * 128
    return new


def finish(new: Dataset) -> None:
    """The object, complete now, may be written: its texts are of its character set.

    Where the patient's name had to be copied byte for byte (`identity.copy_identity`), our own
    words are made ASCII.
    """
    if holds_raw(new):
        speak_ascii(new)


def _of_revision(description: str, revision: int) -> str:
    """Told apart from the earlier one in the list of a PACS: "AI ..., revision 2 (...)"."""
    if revision == 1:
        return description
    what, _, use = description.partition(" (")
    return f"{what}, revision {revision}{' (' if use else ''}{use}"


def _zone_of(subject: Dataset) -> timezone | None:
    try:
        offset = str(subject.get("TimezoneOffsetFromUTC", "") or "").strip()
    except UNREADABLE:
        return None
    if len(offset) != 5 or offset[0] not in "+-" or not offset[1:].isdigit():
        return None
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _equipment(algorithm: Algorithm, at: datetime) -> Dataset:
    """Contributing Equipment, PS3.3 C.12.1.1.5: this node, the model that it ran, its hashes."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(codes.PROCESSING_EQUIPMENT)]
    item.Manufacturer = long_string(algorithm.manufacturer)
    item.ManufacturerModelName = long_string(algorithm.device_model)
    item.DeviceSerialNumber = long_string(algorithm.device_serial)
    item.SoftwareVersions = long_string(algorithm.software_version)
    item.DeviceUID = UID(algorithm.device_uid)
    item.ContributionDateTime = at.strftime("%Y%m%d%H%M%S.%f") + at.strftime("%z")[:5]
    state = "" if algorithm.trained else f" ({UNTRAINED})"
    named = f"{algorithm.name} {algorithm.version}{state}"
    item.ContributionDescription = "; ".join((named, RESEARCH_USE, *algorithm.fingerprints))
    return item


def _file_meta(new: Dataset, algorithm: Algorithm) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = new.SOPClassUID
    meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"M3NODE_{algorithm.software_version}"[:16]
    return meta


def coded(code: Code) -> Dataset:
    """A code as an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def long_string(text: str, limit: int = 64) -> str:
    r"""`text` as an LO: one line, no backslash, shortened with "..." at a word if too long."""
    text = " ".join(text.replace("\\", "/").split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 3]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut).rstrip(" ,;:.") + "..."


def reference(dataset: Dataset) -> Dataset:
    """Referenced SOP Class and Instance UID of a dataset."""
    item = Dataset()
    item.ReferencedSOPClassUID = UID(str(dataset.SOPClassUID))
    item.ReferencedSOPInstanceUID = UID(str(dataset.SOPInstanceUID))
    return item


def evidence_items(datasets: Sequence[Dataset]) -> list[Dataset]:
    """The hierarchical references (study, series, instance) to datasets, each of them once."""
    tree: dict[str, dict[str, dict[str, Dataset]]] = {}
    for dataset in datasets:
        series = tree.setdefault(str(dataset.StudyInstanceUID), {})
        instances = series.setdefault(str(dataset.SeriesInstanceUID), {})
        instances.setdefault(str(dataset.SOPInstanceUID), reference(dataset))
    items = []
    for study_uid, series in tree.items():
        study_item = Dataset()
        study_item.StudyInstanceUID = study_uid
        study_item.ReferencedSeriesSequence = []
        for series_uid, instances in series.items():
            series_item = Dataset()
            series_item.SeriesInstanceUID = series_uid
            series_item.ReferencedSOPSequence = list(instances.values())
            study_item.ReferencedSeriesSequence.append(series_item)
        items.append(study_item)
    return items
