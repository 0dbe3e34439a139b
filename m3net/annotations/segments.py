"""The segments of a segmentation: how each is described, and what it is said to be."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.coding import decisive_site, first_code, read_code
from m3net.annotations.meaning import Meaning, Reading, Said, meaning_of
from m3net.annotations.sites import agreed, site_of
from m3net.annotations.types import Drawn, Marking, PassedOver
from m3net.attributes import items, whole
from m3net.errors import AnnotationUnusable
from m3net.nodule import Site

_REGIONS = {
    "AnatomicRegionSequence": "AnatomicRegionModifierSequence",
    "PrimaryAnatomicStructureSequence": "PrimaryAnatomicStructureModifierSequence",
}
_BACKGROUND = Code("125040", "DCM", "Background")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One described segment, and what it is said to be."""

    number: int
    described: Dataset
    reading: Reading

    @property
    def place(self) -> str:
        """As a marking of it is named."""
        return f"segment {self.number}"

    def site(self) -> Site | None:
        """Where in the lungs its anatomic region, with its modifiers, says that it is."""
        return agreed(
            *(
                site_of(read_code(region), _codes(region, modifiers))
                for sequence, modifiers in _REGIONS.items()
                for region in items(self.described, sequence)
            )
        )

    def passed_over(self, marking: Marking | None = None) -> PassedOver:
        """The segment as one that was not read as a nodule.

        marking : its mask, where a setting may have it judged all the same
        """
        return PassedOver(
            drawn=Drawn.SEGMENT,
            place=self.place,
            says=self.reading.says,
            unsaid=self.reading.meaning is Meaning.UNSAID,
            marking=marking,
        )


def segments_of(dataset: Dataset) -> list[Segment]:
    """The segments that the object describes, without what it names its background.

    A segment may have any number, 0 as well: only Pixel Padding Value names the background of a
    label map (PS3.3 C.8.20.2.3.3).

    Raises AnnotationUnusable if two have one number.
    """
    background = _background(dataset)
    found = []
    for item in items(dataset, "SegmentSequence"):
        number = int(item.SegmentNumber)
        code = first_code(item, "SegmentedPropertyTypeCodeSequence")
        if number == background or (code is not None and code == _BACKGROUND):
            continue
        found.append(Segment(number=number, described=item, reading=_reading(item, code)))
    twice = [n for n, k in Counter(segment.number for segment in found).items() if k > 1]
    if twice:
        raise AnnotationUnusable(
            f"the segmentation describes {len(twice)} of its segments twice, so that it is not "
            f"known what is drawn as segment {twice[0]}"
        )
    return found


def _background(dataset: Dataset) -> int | None:
    padding = dataset.get("PixelPaddingValue") if is_labelmap(dataset) else None
    return None if padding is None else int(padding)


def is_labelmap(dataset: Dataset) -> bool:
    """Whether a pixel's value is its segment's number."""
    return str(dataset.get("SegmentationType")) == "LABELMAP"


def _codes(item: Dataset, sequence: str) -> list[Code]:
    return [code for each in items(item, sequence) if (code := read_code(each)) is not None]


def _reading(item: Dataset, kind: Code | None) -> Reading:
    texts = (text_of(item, word) for word in ("SegmentLabel", "TrackingID", "SegmentDescription"))
    return meaning_of(
        Said(
            kind=kind,
            category=first_code(item, "SegmentedPropertyCategoryCodeSequence"),
            site=decisive_site(code for sequence in _REGIONS for code in _codes(item, sequence)),
            texts=tuple(text for text in texts if text is not None),
        )
    )


def segment_number(dataset: Dataset, group: Dataset) -> int | None:
    """The segment that a frame is of; None where that is not said."""
    for holder in (group, *items(dataset, "SharedFunctionalGroupsSequence")):
        for named in items(holder, "SegmentIdentificationSequence"):
            return whole(named, "ReferencedSegmentNumber")
    return None


def undescribed(dataset: Dataset, numbers: Collection[int | None]) -> list[PassedOver]:
    """Segments that are drawn, and that Segment Sequence does not describe.

    numbers : that frames name, or that occur in a label map
    """
    if is_labelmap(dataset):
        background = _background(dataset)
        # Without Pixel Padding Value 0 is left to be background if nobody describes it.
        return _not_described(dataset, set(numbers) - {0 if background is None else background})
    return _not_described(dataset, set(numbers))


def undescribed_frames(dataset: Dataset) -> list[PassedOver]:
    """The same from the frames' headers; a label map's say nothing."""
    if is_labelmap(dataset):
        return []
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    return _not_described(dataset, {segment_number(dataset, group) for group in groups})


def _not_described(dataset: Dataset, numbers: set[int | None]) -> list[PassedOver]:
    described = {int(item.SegmentNumber) for item in items(dataset, "SegmentSequence")}
    return [
        PassedOver(
            drawn=Drawn.SEGMENT,
            place=f"segment {number}",
            says="not described in Segment Sequence",
            unsaid=True,
        )
        for number in sorted(number for number in numbers if number is not None)
        if number not in described
    ]


def text_of(described: Dataset, keyword: str) -> str | None:
    """What a segment's description says there; None if nothing."""
    return str(described.get(keyword) or "").strip() or None
