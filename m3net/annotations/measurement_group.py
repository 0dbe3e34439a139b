"""One Measurement Group of a report (TID 1410, 1411 and what viewers make of them).

What it says of its mark stands in its Finding, its sites and in any text below it: a label may be a
comment, a short label or the tracking identifier.  Where the mark is stands in coordinates, which
may hang under a measurement or a code, or in a reference to a segment.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from m3net.annotations.coding import decisive_finding, decisive_site, first_code
from m3net.annotations.content_tree import DEEPEST, ContentTree, concept, is_named
from m3net.annotations.image_classes import SEGMENTATIONS
from m3net.annotations.labels import DENIED, Verdict, read_label
from m3net.annotations.meaning import Meaning, Reading, Said, meaning_of
from m3net.annotations.sites import LATERALITY, agreed, site_of
from m3net.annotations.types import SegmentReference
from m3net.annotations.vocabulary import without_accents
from m3net.nodule import Site
from m3net.uids import SOPInstanceUID

GROUP = Code("125007", "DCM", "Measurement Group")
TRACKING_ID = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
COMMENT = Code("121106", "DCM", "Comment")
FINDING = Code("121071", "DCM", "Finding")
FINDING_CATEGORY = Code("276214006", "SCT", "Finding category")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
REFERENCE_POINTS = Code("122438", "DCM", "Reference Points")
REFERENCE_GEOMETRY = Code("128773", "DCM", "Reference Geometry")
TARGET_REGION = Code("123014", "DCM", "Target Region")
BODY_STRUCTURES = (
    Code("91723000", "SCT", "Anatomical structure"),
    Code("123037004", "SCT", "Body structure"),
    Code("442083009", "SCT", "Anatomical or acquired body structure"),
)
"""Names under which some reports say where a finding is."""
ABSENT = (Code("2667000", "SCT", "Absent"), Code("373067005", "SCT", "No"))
CENTRE = Code("111010", "DCM", "Center")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
DIAMETERS = (Code("81827009", "SCT", "Diameter"), LONG_AXIS, codes.SCT.Length)
"""In this order: a diameter is preferred to a long axis, and that to a mere length."""
MM_PER = {"mm": 1.0, "cm": 10.0}

_NO_REGION = re.compile(
    r"text(annotation)?position|controlpoints?|referencepoints?|textbox|labelposition"
)
"""Coordinates by which a viewer remembers how it drew: OHIF's, and dwv's (122438, DCM)."""
_ANGLE = re.compile(r"\b(cobb)?angle|winkel|\bangulo|\bangolo|cobb", re.IGNORECASE)
_PRESENCE = re.compile(r"\b(presence|existence|status)\b", re.IGNORECASE)
_LINES = ("POLYLINE", "MULTIPOINT", "POINT")
_AREA = re.compile(
    r"area|surface|volume|perimeter|circumference|mean|average|deviation|maximum|minimum|median"
    r"|attenuation|hounsfield|density|intensity|\bsuv|flache",
    re.IGNORECASE,
)
"""What is measured of an area only: its lines enclose one, if the last point is the first or not.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """One SCOORD or SCOORD3D of a group that outlines something.

    of_angle : the lines are the legs of an angle
    of_area  : what is measured of them is an area's
    """

    item: Dataset
    of_angle: bool
    of_area: bool


class MeasurementGroup:
    """One group of a report's tree."""

    def __init__(
        self,
        tree: ContentTree,
        item: Dataset,
        number: int,
        *,
        sites_above: Sequence[tuple[Dataset, Code]] = (),
    ) -> None:
        self._tree = tree
        self._item = item
        self._sites_above = sites_above
        self.place = f"measurement group {number}"

    def reading(self) -> Reading:
        """What the group is about."""
        if self._is_said_to_be_absent():
            return Reading(meaning=Meaning.OTHER, says=DENIED)
        return meaning_of(
            Said(
                kind=decisive_finding(self._codes(FINDING)),
                category=next(self._codes(FINDING_CATEGORY), None),
                site=decisive_site(self._sites()),
                texts=tuple(self._texts()),
            )
        )

    def site(self) -> Site | None:
        """Where in the lungs its site, with its laterality, says that it is."""
        return agreed(
            *(site_of(code, self._codes_of(item, LATERALITY)) for item, code in self._site_items())
        )

    @property
    def tracking_uid(self) -> str | None:
        """Its Tracking Unique Identifier."""
        return self._value(TRACKING_UID, "UID")

    @property
    def tracking_id(self) -> str | None:
        """Its Tracking Identifier; of some viewers the name of a tool."""
        return self._value(TRACKING_ID, "TextValue")

    def coordinates(self) -> list[Coordinates]:
        """Every SCOORD and SCOORD3D that outlines something, each once."""
        found: dict[int, Coordinates] = {}
        measured = [concept(item) for item in self._tree.children(self._item)]
        for item, under in self._below(self._item, None):
            if _is_drawn(item):
                names = [name for name in (measured if under is None else [under]) if name]
                found.setdefault(
                    id(item),
                    Coordinates(
                        item=item,
                        of_angle=any(_ANGLE.search(without_accents(name.meaning)) for name in names)
                        and str(item.get("GraphicType")) in _LINES,
                        of_area=any(_AREA.search(without_accents(name.meaning)) for name in names),
                    ),
                )
        return list(found.values())

    def is_on_a_view(self) -> bool:
        """Whether its points are on a viewer's reformat and not on the image that it names."""
        return any(is_named(item, REFERENCE_GEOMETRY) for item, _ in self._below(self._item, None))

    def segment(self) -> SegmentReference | None:
        """The segment that it speaks of: concept 121191 or 121214, or any reference to a SEG."""
        for item in self._tree.children(self._item):
            for reference in item.get("ReferencedSOPSequence") or []:
                numbers = reference.get("ReferencedSegmentNumber")
                if numbers in (None, "", []):
                    continue
                if str(reference.get("ReferencedSOPClassUID")) in SEGMENTATIONS:
                    number = numbers if isinstance(numbers, int) else numbers[0]
                    return SegmentReference(
                        sop_instance_uid=SOPInstanceUID(str(reference.ReferencedSOPInstanceUID)),
                        segment_number=int(number),
                    )
        return None

    def sources_of_segment(self) -> list[Dataset]:
        """The references to the images that its segment was drawn on."""
        return [
            reference
            for source in self._tree.named(self._item, codes.DCM.SourceImageForSegmentation)
            for reference in source.get("ReferencedSOPSequence") or []
        ]

    def diameter_mm(self) -> float | None:
        """The stated diameter; the longest if several are stated under one name."""
        for name in DIAMETERS:
            found = [
                length
                for item in self._tree.named(self._item, name)
                for length in _lengths_mm(item)
                if length > 0
            ]
            if found:
                return max(found)
        return None

    def is_bidirectional_or_arrow(self) -> bool:
        """Whether it is a tool that points at one thing, rather than a ruler, an angle, an area."""
        children = self._tree.children(self._item)
        names = [name for name in map(concept, children) if name is not None]
        if any(name == LONG_AXIS for name in names) and any(name == SHORT_AXIS for name in names):
            return True
        drawn = [str(each.item.get("GraphicType")) for each in self.coordinates()]
        pointed = bool(drawn) and set(drawn) <= {"POINT"}
        tool = (self.tracking_id or "").lower()
        return pointed and ("arrow" in tool or any(name == CENTRE for name in names))

    def _below(
        self, item: Dataset, under: Code | None, depth: int = 8
    ) -> Iterator[tuple[Dataset, Code | None]]:
        """Every item below, with the measurement or code that it hangs under; no other group's."""
        for child in self._tree.children(item) if depth else ():
            if is_named(child, GROUP):
                continue
            yield child, under
            named = child.get("ValueType") in ("NUM", "CODE")
            yield from self._below(child, concept(child) if named else under, depth - 1)

    def _codes(self, name: Code) -> Iterator[Code]:
        for item in self._tree.named(self._item, name):
            code = first_code(item, "ConceptCodeSequence")
            if code is not None:
                yield code

    def _is_said_to_be_absent(self) -> bool:
        """ "Presence: absent", "Status: resolved", "Nodule: no"; not "Calcification: absent"."""
        for item, _ in self._below(self._item, None):
            name, value = concept(item), first_code(item, "ConceptCodeSequence")
            if name is None or value is None or not _is_of_presence(name):
                continue
            if value in ABSENT or read_label(value.meaning).says == DENIED:
                return True
        return False

    def _sites(self) -> Iterator[Code]:
        return (code for _, code in self._site_items())

    def _site_items(self) -> Sequence[tuple[Dataset, Code]]:
        """Its own sites; without any, those of the containers that it stands in."""
        own = _sites_among(item for item, _ in self._below(self._item, None))
        return own or self._sites_above

    def _codes_of(self, item: Dataset, name: Code) -> list[Code]:
        below = (first_code(each, "ConceptCodeSequence") for each in self._tree.named(item, name))
        return [code for code in below if code is not None]

    def _texts(self) -> Iterator[str]:
        """Labels, then the tracking identifier, then comments, which may be prose."""
        found = [item for item, _ in self._below(self._item, None) if _is_text(item)]
        for item in sorted(found, key=_after_labels):
            yield str(item.get("TextValue") or "")

    def _value(self, name: Code, keyword: str) -> str | None:
        for item in self._tree.named(self._item, name):
            text = str(item.get(keyword) or "").strip()
            if text:
                return text
        return None


def groups_of(tree: ContentTree) -> list[MeasurementGroup]:
    """The report's groups, numbered from 1 in its order."""
    items = [item for item in tree.below(tree.root) if is_named(item, GROUP)]
    if is_named(tree.root, GROUP):  # dwv 0.34: all that is said of a mark hangs under its SCOORD
        items = [_alone(item) for item in tree.children(tree.root) if _is_drawn(item)]
    above = _sites_above(tree)
    return [
        MeasurementGroup(tree, item, number, sites_above=above.get(id(item), ()))
        for number, item in enumerate(items, start=1)
    ]


def _sites_above(tree: ContentTree) -> dict[int, list[tuple[Dataset, Code]]]:
    """By group, the sites of the innermost container about it that has any.

    A container speaks for all that it holds (PS3.3 C.17.3.2.4); the report's root for too much.
    """
    found: dict[int, list[tuple[Dataset, Code]]] = {}

    def walk(container: Dataset, sites: list[tuple[Dataset, Code]], depth: int) -> None:
        # as written, not as referred to: references may lead round
        for child in container.get("ContentSequence") or () if depth else ():
            if is_named(child, GROUP):
                found[id(child)] = sites
            elif child.get("ValueType") == "CONTAINER":
                walk(child, _sites_among(tree.children(child)) or sites, depth - 1)

    walk(tree.root, [], DEEPEST)
    return found


def _sites_among(items: Iterable[Dataset]) -> list[tuple[Dataset, Code]]:
    return [
        (item, code)
        for item in items
        if is_named(item, FINDING_SITE, TARGET_REGION, *BODY_STRUCTURES)
        and (code := first_code(item, "ConceptCodeSequence")) is not None
    ]


def _alone(item: Dataset) -> Dataset:
    group = Dataset()
    group.ContentSequence = [item]
    return group


def _is_of_presence(name: Code) -> bool:
    label = read_label(name.meaning)
    if label.verdict is Verdict.NOTHING:
        return label.plain and bool(_PRESENCE.search(name.meaning))
    return label.verdict in (Verdict.NODULE, Verdict.LESION)


def _is_drawn(item: Dataset) -> bool:
    return str(item.get("ValueType")) in ("SCOORD", "SCOORD3D") and not _remembers(item)


def _is_text(item: Dataset) -> bool:
    return str(item.get("ValueType")) == "TEXT"


def _after_labels(item: Dataset) -> tuple[bool, bool]:
    return is_named(item, COMMENT), is_named(item, TRACKING_ID)


def _remembers(item: Dataset) -> bool:
    name = concept(item)
    if name is None:
        return False
    letters = re.sub(r"[^a-z]", "", name.meaning.lower())
    named = name in (REFERENCE_POINTS, REFERENCE_GEOMETRY)
    return bool(named or _NO_REGION.fullmatch(letters))


def _lengths_mm(item: Dataset) -> Iterator[float]:
    """A measurement's values in mm; one that cannot be read is none."""
    for value in item.get("MeasuredValueSequence") or []:
        unit = first_code(value, "MeasurementUnitsCodeSequence")
        if unit is None or unit.value not in MM_PER:
            continue
        try:
            number = value.get("NumericValue")
            if number not in (None, ""):
                yield float(number) * MM_PER[unit.value]
        except (TypeError, ValueError):
            continue
