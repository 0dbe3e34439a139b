r"""Enhanced CT: the frames of one object as the slices that they are (PS3.3 A.38.1, A.70.1).

Geometry and rescale stand in functional groups, shared or of each frame, and frames stand in any
order.  Each frame becomes the header, and later the pixels, that a CT image of its own would have,
so that from there on one code reads both.  What tells frames apart that no classic header knows is
said in it as Stack ID: an object may hold the chest several times, as phases, energies or stacks.

Not every object of these classes is a CT in HU: maps of perfusion, materials and projections say so
in their Image Type and Frame Type.  An ordinary CT frame is in HU also where its Rescale Type is
US, as older converters wrote it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from pydicom import DataElement, Dataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage

from m3net import attributes
from m3net.ct.frame_types import why_no_ct
from m3net.errors import SeriesUnusable
from m3net.uids import FrameKey, SOPClassUID, SOPInstanceUID

ENHANCED_CT: Mapping[SOPClassUID, str] = {
    SOPClassUID("1.2.840.10008.5.1.4.1.1.2.1"): "Enhanced CT",
    SOPClassUID("1.2.840.10008.5.1.4.1.1.2.2"): "Legacy Converted Enhanced CT",
}
"""By the name that people use."""

MOST_FRAMES = 10_000
"""More are claimed by no scan of a chest, in any number of phases."""

_OF_THE_OBJECT = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "LossyImageCompression",
)
_OF_THE_FRAME: Mapping[str, Mapping[str, str]] = {
    "PixelMeasuresSequence": {"PixelSpacing": "PixelSpacing", "SliceThickness": "SliceThickness"},
    "PlanePositionSequence": {"ImagePositionPatient": "ImagePositionPatient"},
    "PlaneOrientationSequence": {"ImageOrientationPatient": "ImageOrientationPatient"},
    "PixelValueTransformationSequence": {
        "RescaleIntercept": "RescaleIntercept",
        "RescaleSlope": "RescaleSlope",
        "RescaleType": "RescaleType",
    },
    "CTImageFrameTypeSequence": {"FrameType": "ImageType"},
    "FrameContentSequence": {
        "FrameAcquisitionNumber": "AcquisitionNumber",
        "FrameAcquisitionDateTime": "AcquisitionDateTime",
        "TemporalPositionIndex": "TemporalPositionIdentifier",
    },
    "CTReconstructionSequence": {"ConvolutionKernel": "ConvolutionKernel"},
    "CTXRayDetailsSequence": {"KVP": "KVP"},
    "CardiacSynchronizationSequence": {
        "NominalPercentageOfCardiacPhase": "NominalPercentageOfCardiacPhase"
    },
}
"""By functional group: attribute of the frame -> attribute of a CT image."""

_TELLING_APART: Sequence[tuple[str, str]] = (
    ("FrameContentSequence", "StackID"),
    ("FrameContentSequence", "TemporalPositionIndex"),
    ("TemporalPositionSequence", "TemporalPositionTimeOffset"),
    ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ("RespiratorySynchronizationSequence", "NominalPercentageOfRespiratoryPhase"),
    ("RespiratorySynchronizationSequence", "NominalRespiratoryTriggerDelayTime"),
    ("CTXRayDetailsSequence", "KVP"),
    ("CTImageFrameTypeSequence", "FrameType"),
    ("CTReconstructionSequence", "ConvolutionKernel"),
    ("CTReconstructionSequence", "ReconstructionAlgorithm"),
    ("PixelMeasuresSequence", "SliceThickness"),
)
"""By what volumes in one object differ; the Stack ID first."""

_FRAME_TYPE = "CTImageFrameTypeSequence"
_SEQUENCES = frozenset({*_OF_THE_FRAME, *(sequence for sequence, _ in _TELLING_APART)})

_PLACES = frozenset(
    map(Tag, ("InStackPositionNumber", "ImagePositionPatient", "SliceLocation", "TablePosition"))
)
"""Dimensions along the stack."""


def is_enhanced(dataset: Dataset) -> bool:
    """Whether the object holds its slices as frames."""
    return attributes.uid(dataset, "SOPClassUID") in ENHANCED_CT


def frame_headers(dataset: Dataset) -> dict[FrameKey, Dataset]:
    """Of each frame that is an ordinary CT, the header of a CT image, by the frame's key.

    Raises SeriesUnusable if there is none, if the object contradicts itself, or if frames stand at
    one place and nothing tells them apart.
    """
    frames = _Frames(dataset)
    kept = frames.ordinary()
    parts = frames.parts(kept)
    return {frames.key(number): frames.header(number, parts[number]) for number in kept}


def converted_from(dataset: Dataset) -> dict[SOPInstanceUID, int]:
    """The single-frame images that the object was made of, and the frame that each became."""
    found = {}
    for number, group in enumerate(_groups(dataset), start=1):
        for source in attributes.items(group, "ConversionSourceAttributesSequence"):
            uid = attributes.uid(source, "ReferencedSOPInstanceUID")
            if uid and not attributes.whole(source, "ReferencedFrameNumber"):
                found[SOPInstanceUID(uid)] = number
    return found


class _Frames:
    """The frames of one object, numbered from 1, with shared groups and their own."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.name = object_name(dataset)
        groups, claimed = _groups(dataset), frame_count(dataset)
        if not groups:
            raise SeriesUnusable(f"{self.name} describes none of its frames; resend it")
        if claimed != len(groups):
            raise SeriesUnusable(
                f"{self.name} says that it has {claimed} frames and describes {len(groups)}; "
                "resend it"
            )
        if claimed > MOST_FRAMES:
            raise SeriesUnusable(
                f"{self.name} has {claimed} frames, expected at most {MOST_FRAMES}; "
                "send each phase as an object of its own"
            )
        self.uid = SOPInstanceUID(attributes.uid(dataset, "SOPInstanceUID"))
        self.own = [_by_sequence(group) for group in groups]
        shared = attributes.items(dataset, "SharedFunctionalGroupsSequence")
        self.shared = _by_sequence(shared[0]) if shared else {}
        self.common = Dataset()
        """What is the same in every frame's header, unless it has a group of its own."""
        self.common.SOPClassUID = CTImageStorage
        for keyword in (*_OF_THE_OBJECT, "ImageType"):
            _copy(self.dataset, keyword, self.common, keyword)
        _copy_groups(self.shared, self.common)

    def key(self, number: int) -> FrameKey:
        """What the frame is known by."""
        return FrameKey(self.uid, number)

    def group(self, number: int, sequence: str) -> Dataset:
        """A functional group of the frame: its own, else the shared one, else empty."""
        return self.own[number - 1].get(sequence) or self.shared.get(sequence) or _EMPTY

    def ordinary(self) -> list[int]:
        """The frames that are an ordinary CT."""
        why: list[str] = []
        kept = []
        shared = why_no_ct(self.shared.get(_FRAME_TYPE, _EMPTY), self.dataset)
        for number, own in enumerate(self.own, start=1):
            reason = why_no_ct(own[_FRAME_TYPE], self.dataset) if _FRAME_TYPE in own else shared
            if reason is None:
                kept.append(number)
            else:
                why.append(reason)
        if not kept:
            raise SeriesUnusable(f"{self.name} is no CT in Hounsfield units: {why[0]}")
        return kept

    def header(self, number: int, part: str) -> Dataset:
        """The frame as the header of a CT image; `part`, if it is any, as its Stack ID."""
        header = Dataset()
        header.update(self.common)
        _copy_groups(self.own[number - 1], header)
        if attributes.text(header, "RescaleType").upper() == "US":
            header.RescaleType = "HU"
        if part:
            header.add_new("StackID", "LO", part)
        return header

    def parts(self, numbers: Sequence[int]) -> dict[int, str]:
        """What each frame says of the volume that it belongs to: its Stack ID, and what differs."""
        places: dict[tuple[float, ...], list[int]] = defaultdict(list)
        for number in numbers:
            places[self._place(number)].append(number)
        labels: dict[int, list[str]] = {number: [] for number in numbers}
        for rank, said in enumerate(self._discriminators(places.values())):
            values = {number: said(number) for number in numbers}
            # A value of each frame's own, or of most of them, tells slices apart and no volumes.
            if (1 if rank else 0) < len(set(values.values())) <= len(numbers) / 2:
                for number in numbers:
                    labels[number].append(values[number])
        for place in places.values():
            told = [(*labels[number], *self._taken(number)) for number in place]
            if len(set(told)) < len(told):
                raise SeriesUnusable(
                    f"frames {place[0]} and {place[1]} of {self.name} stand at one place, and "
                    "nothing in it tells which belongs to which volume"
                )
        return {number: ", ".join(label) for number, label in labels.items()}

    def _taken(self, number: int) -> tuple[str, str]:
        """Also by these frames are told apart (`ct.acquisitions`), in sweeps, not by value."""
        group = self.group(number, "FrameContentSequence")
        return (
            attributes.text(group, "FrameAcquisitionNumber"),
            attributes.text(group, "FrameAcquisitionDateTime"),
        )

    def _place(self, number: int) -> tuple[float, ...]:
        position = attributes.numbers(
            self.group(number, "PlanePositionSequence"), "ImagePositionPatient"
        )
        cosines = attributes.numbers(
            self.group(number, "PlaneOrientationSequence"), "ImageOrientationPatient"
        )
        if len(position) != 3:
            return (float(number),)  # nowhere, and so at nobody's place
        return (*(round(mm, 1) for mm in position), *(round(cosine, 2) for cosine in cosines))

    def _discriminators(self, places: Collection[Sequence[int]]) -> Sequence[Callable[[int], str]]:
        """By what volumes may be told apart: what a frame says of each.

        Of the object's own dimensions those that differ among frames at one place.
        """
        vary = set().union(*self.own)
        found = [
            partial(self._said, sequence, keyword)
            for rank, (sequence, keyword) in enumerate(_TELLING_APART)
            if rank == 0 or sequence in vary
        ]
        for place, item in enumerate(attributes.items(self.dataset, "DimensionIndexSequence")):
            if item.get("DimensionIndexPointer") in _PLACES:
                continue
            index = partial(self._index, place)
            if any(len({index(number) for number in frames}) > 1 for frames in places):
                found.append(index)
        return found

    def _said(self, sequence: str, keyword: str, number: int) -> str:
        return attributes.text(self.group(number, sequence), keyword)

    def _index(self, dimension: int, number: int) -> str:
        group = self.group(number, "FrameContentSequence")
        values = attributes.texts(group, "DimensionIndexValues")
        return values[dimension] if dimension < len(values) else ""


_EMPTY = Dataset()


def _by_sequence(groups: Dataset) -> dict[str, Dataset]:
    """The functional groups that are read."""
    found = {}
    for sequence in _SEQUENCES:
        items = attributes.items(groups, sequence) if sequence in groups else ()
        if items:
            found[sequence] = items[0]
    return found


def _copy_groups(groups: Mapping[str, Dataset], header: Dataset) -> None:
    for sequence, names in _OF_THE_FRAME.items():
        if sequence in groups:
            for own, classic in names.items():
                _copy(groups[sequence], own, header, classic)


def _groups(dataset: Dataset) -> tuple[Dataset, ...]:
    return attributes.items(dataset, "PerFrameFunctionalGroupsSequence")


def frame_count(dataset: Dataset) -> int:
    """How many frames it says that it has."""
    return max(attributes.whole(dataset, "NumberOfFrames") or 0, 0)


def object_name(dataset: Dataset) -> str:
    """The object, for people."""
    kind = ENHANCED_CT.get(SOPClassUID(attributes.uid(dataset, "SOPClassUID")), "Enhanced CT")
    return f"{kind} {attributes.uid(dataset, 'SOPInstanceUID')}"


def _copy(source: Dataset, keyword: str, target: Dataset, name: str) -> None:
    """The element as it stands, readable or not: whether it is, its reader says."""
    try:
        if keyword not in source:
            return
        element = source[keyword]
        if name != keyword:
            element = DataElement(Tag(name), element.VR, element.value, already_converted=True)
        target.add(element)
    except attributes.PARSER_ERRORS:
        return
