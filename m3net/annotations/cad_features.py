"""The features of a chest CAD report (PS3.16 TID 4102, TID 4104), and where each is marked.

The topmost Composite Feature that says what it is stands for all findings below it, by value or by
reference; one that says nothing leaves them to stand on their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.attributes import items, text
from m3net.annotations.coding import decisive_site, first_code
from m3net.annotations.content_tree import ContentTree, is_named
from m3net.annotations.evidence import evidence_of
from m3net.annotations.image_references import frames_named, is_of_ct
from m3net.annotations.meaning import Meaning, Reading, Said, meaning_of
from m3net.annotations.measurement_group import MeasurementGroup
from m3net.uids import FrameReference, SOPInstanceUID

COMPOSITE_FEATURE = Code("111015", "DCM", "Composite Feature")
SINGLE_IMAGE_FINDING = Code("111059", "DCM", "Single Image Finding")
MODIFIERS = (
    Code("112023", "DCM", "Composite Feature Modifier"),
    Code("112024", "DCM", "Single Image Finding Modifier"),
)
SITES = (
    Code("363698007", "SCT", "Finding Site"),
    Code("112013", "DCM", "Location in Chest"),
)
RENDERING_INTENT = Code("111056", "DCM", "Rendering Intent")
NOT_FOR_PRESENTATION = Code("111152", "DCM", "Not for Presentation")
CENTRE = Code("111010", "DCM", "Center")
OUTLINE = Code("111041", "DCM", "Outline")
CERTAINTIES = (
    Code("111012", "DCM", "Certainty of Finding"),
    Code("111011", "DCM", "Certainty of Feature"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One SCOORD of a finding, and the images that it is selected from."""

    item: Dataset
    is_outline: bool
    images: tuple[FrameReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A feature that stands on its own: a composite with all below it, or a single finding.

    number  : from 1, in the order of the report
    spots   : where it is on this study's CT
    skipped : why there are none, if there are none
    """

    number: int
    group: MeasurementGroup
    reading: Reading
    certainty_percent: float | None
    spots: Sequence[Spot]
    skipped: str

    @property
    def place(self) -> str:
        """For people, and to tell it from the others."""
        return f"CAD finding {self.number}"

    @property
    def is_nodule(self) -> bool:
        """Whether it is of nodule type and has a place on this study's CT."""
        return self.reading.meaning is Meaning.NODULE and not self.skipped


def features_of(tree: ContentTree) -> list[Feature]:
    """The features of the report that stand on their own, each finding in one of them.

    Raises AnnotationUnusable where references make the tree endless.
    """
    every = [item for item in tree.below(tree.root) if _is_feature(item)]
    composites = [item for item in every if is_named(item, COMPOSITE_FEATURE)]
    elsewhere = evidence_of(tree.root).elsewhere
    found: list[Feature] = []
    taken: set[int] = set()
    for item in (*composites, *every):
        if id(item) in taken:
            continue
        reading = _meaning(tree, item)
        if is_named(item, COMPOSITE_FEATURE) and reading.meaning is Meaning.UNSAID:
            continue  # what it holds is read on its own
        together = [item, *filter(_is_feature, tree.below(item))]
        findings = {id(each) for each in together if is_named(each, SINGLE_IMAGE_FINDING)}
        if findings and taken.issuperset(findings):
            continue  # another way to what a composite above has taken
        spots, skipped = _spots(tree, together, elsewhere)
        number = len(found) + 1
        found.append(
            Feature(
                number=number,
                group=MeasurementGroup(tree, item, number),
                reading=reading,
                certainty_percent=_certainty(tree, item),
                spots=spots,
                skipped=skipped,
            )
        )
        taken.update(id(each) for each in together)
    return found


def _is_feature(item: Dataset) -> bool:
    return is_named(item, COMPOSITE_FEATURE, SINGLE_IMAGE_FINDING)


def _meaning(tree: ContentTree, item: Dataset) -> Reading:
    """By its modifiers, else its own code: "abnormal opacity" with the modifier "nodule" is one."""
    own = first_code(item, "ConceptCodeSequence")
    site = decisive_site(_codes(tree, item, *SITES))
    kinds = [*_codes(tree, item, *MODIFIERS), *([own] if own else [])]
    readings = [meaning_of(Said(kind=kind, site=site)) for kind in kinds]
    for wanted in (Meaning.NODULE, Meaning.OTHER):
        for reading in readings:
            if reading.meaning is wanted:
                return reading
    return readings[-1] if readings else Reading(meaning=Meaning.UNSAID, says="")


def _codes(tree: ContentTree, item: Dataset, *names: Code) -> list[Code]:
    found = (first_code(each, "ConceptCodeSequence") for each in tree.named(item, *names))
    return [code for code in found if code is not None]


def _certainty(tree: ContentTree, item: Dataset) -> float | None:
    """In percent; None if it is not given, or no number from 0 to 100."""
    for each in tree.named(item, *CERTAINTIES):
        for measured in items(each, "MeasuredValueSequence"):
            try:
                value = float(text(measured, "NumericValue"))
            except ValueError:
                continue
            if 0 <= value <= 100:
                return value
    return None


def _spots(
    tree: ContentTree, features: Sequence[Dataset], elsewhere: frozenset[SOPInstanceUID]
) -> tuple[list[Spot], str]:
    """The outlines and centres on this study's CT; why there are none, if there are none."""
    spots = []
    why = "it marks no place"
    for feature in features:
        if NOT_FOR_PRESENTATION in _codes(tree, feature, RENDERING_INTENT):
            why = "the device says that it is not to be rendered"
            continue
        for item in tree.named(feature, CENTRE, OUTLINE):
            if item.get("ValueType") not in ("SCOORD", "SCOORD3D"):
                continue
            images = [
                image
                for child in tree.children(item)
                for image in items(child, "ReferencedSOPSequence")
            ]
            if not all(map(is_of_ct, images)):
                why = "it is on an image that is no CT"
                continue
            named = tuple(frame for image in images for frame in frames_named(image))
            if any(frame.sop_instance_uid in elsewhere for frame in named):
                why = "it is on an image of another study"
                continue
            spots.append(Spot(item=item, is_outline=is_named(item, OUTLINE), images=named))
    return spots, "" if spots else why
