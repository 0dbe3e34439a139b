"""When two inputs are the same: digests over what DICOM objects say, not over how they are encoded.

Canonical form of a dataset: its elements by tag, values decoded.  Not in it: group lengths, the
character set (text is compared after decoding), the transfer syntax, padding, private elements
(whose VR is unknown in implicit VR, and which no reader reads).  So the same object sent in another
transfer syntax or character set has the same digest.  What cannot be decoded goes by its bytes: a
name in an unknown character set is nobody else's.
"""

import hashlib
import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.utils import iter_pixels
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import PersonName

from m3net.attributes import PARSER_ERRORS, is_encapsulated
from m3net.codestream import require_sizes
from m3net.uids import SOPInstanceUID
from node.core.inputs import PriorStudy, StudyInputs
from sr_templates.character_sets import (
    SPECIFIC_CHARACTER_SET,
    UNREADABLE,
    Terms,
    character_set_of,
    read_element,
    stored,
)
from sr_templates.identity import IDENTITY_KEYWORDS

_PIXEL_DATA = 0x7FE00010
_TIMES = "+"
_UNREADABLE = "unreadable"

_CT_KEYWORDS = (
    # Which object, and where its voxels lie.
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    # What its numbers mean in HU, and whether they have been tampered with.
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "LossyImageCompression",
    # By what two acquisitions in one series are told apart, and a viewer finds the slice.
    "ImageType",
    "AcquisitionNumber",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "TemporalPositionIdentifier",
    "NominalPercentageOfCardiacPhase",
    "KVP",
    "InstanceNumber",
    # What the choice of the series goes by, and says.
    "SeriesNumber",
    "SliceThickness",
    "ConvolutionKernel",
)


def identity_digest(dataset: Dataset) -> str:
    """Over the patient and study attributes that every result copies."""
    return _sha256(_keyed(dataset, IDENTITY_KEYWORDS))


NO_PATIENT = ""
"""The key of a Patient ID that is absent or empty."""


def patient_key(dataset: Dataset) -> str:
    """Over the Patient ID: to compare patients without naming them."""
    named = _keyed(dataset, ("PatientID",))
    return _sha256(named) if named else NO_PATIENT


def issuer_key(dataset: Dataset) -> str:
    """Over the Patient ID's issuer; empty where none is named."""
    named = _keyed(dataset, ("IssuerOfPatientID",))
    return _sha256(named) if named else ""


def image_digest(dataset: Dataset, *, identity: str | None = None) -> str:
    """The content of a CT image as far as it reaches a result, by its header alone.

    identity : its `identity_digest`, if that is known already
    """
    return _sha256([identity or identity_digest(dataset), _keyed(dataset, _CT_KEYWORDS)])


def annotation_digest(dataset: Dataset, *, identity: str | None = None) -> str:
    """The content of an annotation: all of it.

    identity : its `identity_digest`, if that is known already
    """
    return _sha256([identity or identity_digest(dataset), _canonical(dataset, top=True)])


def inputs_digest(inputs: StudyInputs) -> str:
    """Part of a job's key: what the job works on, and what its report says of that.

    Order does not count, nor does anything that was not chosen: a dose report changes nothing.
    """
    return _sha256(
        {
            "study": inputs.study_instance_uid,
            "intent": inputs.intent,
            "series": inputs.series and [inputs.series.series_instance_uid, inputs.series.because],
            "ct": sorted(facts.content_digest for facts in inputs.ct),
            "annotations": sorted(facts.content_digest for facts in inputs.annotations),
            "elsewhere": sorted(facts.content_digest for facts in inputs.elsewhere),
            "missing": sorted(inputs.missing),
            **({"scouts": sorted(inputs.scouts)} if inputs.scouts else {}),
            "reason": inputs.reason,
            "unread": list(inputs.unread),
            "remarks": list(inputs.remarks),
            **({"at_source": asdict(inputs.at_source)} if inputs.at_source else {}),
        }
    )


def results_digest(input_digest: str, prior: PriorStudy | None) -> str:
    """What the UIDs of a job's results are made of: its key, and what it compares with.

    The earlier CT is no part of the key: that it came, or is erased, makes no new job.
    """
    if prior is None:
        return input_digest
    rests_on = [input_digest, inputs_digest(prior.inputs), sorted(prior.judged)]
    return _sha256([*rests_on, "newer"] if prior.newer else rests_on)


def question_digest(inputs: StudyInputs) -> str:
    """What a question to a source rests on: the annotations, and the series that they are on.

    Not the slices: what a fetch has brought asks no new question.
    """
    return _sha256(
        {
            "annotations": sorted(facts.content_digest for facts in inputs.annotations),
            "series": inputs.series and inputs.series.series_instance_uid,
        }
    )


def freed_digest(instances: Collection[SOPInstanceUID]) -> str:
    """Of the question for a study whose files were freed: the same is asked once."""
    return _sha256({"freed": sorted(instances)})


def next_occurrence(job_digest: str) -> str:
    """The key of a new job on the inputs of an earlier one, which others have followed.

    A name that was corrected by mistake and set right again: the last report must be the right one,
    under UIDs of its own.
    """
    digest, _, times = job_digest.partition(_TIMES)
    return f"{digest}{_TIMES}{int(times or 0) + 1}"


def later_occurrences(digest: str) -> str:
    """The SQL pattern of all keys that `next_occurrence` makes of these inputs."""
    return f"{digest}{_TIMES}%"


def analysis_id(*, fingerprint: str, template_version: str, settings: Mapping[str, object]) -> str:
    """Part of a job's key: who judges and how it is said.

    fingerprint : of the weights and whatever else decides a probability
    settings    : every setting that changes the content of a result
    """
    return _sha256([fingerprint, template_version, dict(settings)])


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _keyed(dataset: Dataset, keywords: Iterable[str]) -> list[object]:
    character_set = character_set_of(dataset)
    present = dataset.keys()
    found: list[object] = []
    for keyword in sorted(keywords):
        tag = Tag(keyword)
        if tag in present:
            value = _value(dataset, tag, character_set)
            if value:  # an empty element says as much as an absent one
                found.append([keyword, value])
    return found


def _canonical(dataset: Dataset, inherited: Terms = (), *, top: bool = False) -> list[object]:
    character_set = character_set_of(dataset, inherited)
    elements: list[object] = []
    for tag in sorted(dataset.keys()):
        tag = BaseTag(tag)
        if tag.is_private or tag.element == 0 or tag in (SPECIFIC_CHARACTER_SET, 0xFFFCFFFC):
            continue
        if top and tag == _PIXEL_DATA:
            elements.append([int(tag), _pixels(dataset)])
            continue
        value = _value(dataset, tag, character_set)
        if value:
            elements.append([int(tag), value])
    return elements


def _value(dataset: Dataset, tag: BaseTag, character_set: Terms) -> list[object]:
    """The element's values, decoded; [] if it is empty; its bytes if nobody can read it."""
    raw = stored(dataset, tag)
    if raw is None:
        return []
    try:
        element = read_element(dataset, tag, character_set)
    except UNREADABLE:
        return [[_UNREADABLE, _sha256_bytes(raw.value or b"")]]
    if element.VR == "SQ":
        return [_canonical(item, character_set) for item in element.value or ()]
    value = element.value
    if value is None or value == "" or value == b"":
        return []
    values: Sequence[object] = (
        list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    )
    return [_atom(element.VR, atom) for atom in values]


def _atom(vr: str, value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return _sha256_bytes(bytes(value))
    if vr in ("DS", "FD", "FL", "OD", "OF") and isinstance(value, int | float | str):
        return _number(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, PersonName):
        groups = [group.rstrip("^ ") for group in str(value).split("=")]
        return _text("=".join(groups).rstrip("="))
    return _text(str(value))


def _number(value: float | str) -> object:
    try:
        return f"{float(value):z}"  # -0 is 0
    except ValueError:
        return _text(str(value))


def _text(text: str) -> str:
    # A lone surrogate is what is left of an undecodable byte; JSON escapes it.
    return unicodedata.normalize("NFC", text).strip(" \0")


def _pixels(dataset: Dataset) -> str:
    """A segmentation's voxels: decoded, so that RLE and native are the same.

    Frame by frame, so that a small object which says that it is a huge one costs no memory.  What
    cannot be decoded goes by its bytes: it is kept, and its report says that it is unreadable.
    """
    # At one bit a voxel, the padding after the last one is nobody's content.
    if is_encapsulated(dataset) or dataset.get("BitsAllocated") == 1:
        try:
            return _decoded_pixels(dataset)
        except PARSER_ERRORS:
            pass
    return _sha256_bytes(bytes(dataset.PixelData))


def _decoded_pixels(dataset: Dataset) -> str:
    size = int(dataset.Rows) * int(dataset.Columns)
    if size > _MAX_FRAME or size * int(dataset.get("NumberOfFrames") or 1) > _MAX_VOXELS:
        raise ValueError("more voxels than are decoded on arrival")
    require_sizes(dataset)
    digest, zeros = hashlib.sha256(), 0
    for frame in iter_pixels(dataset):
        voxels = frame.tobytes()
        kept = voxels.rstrip(b"\0")
        if kept:
            digest.update(bytes(zeros) + kept)
            zeros = 0
        zeros += len(voxels) - len(kept)
    return digest.hexdigest()


_MAX_FRAME = 1 << 26
_MAX_VOXELS = 1 << 31


def _sha256_bytes(value: bytes) -> str:
    """Without padding; the voxels' number stands in other attributes."""
    return hashlib.sha256(value.rstrip(b"\0")).hexdigest()
