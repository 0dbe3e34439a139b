"""Measurement reports as viewers write them: geometry under the numbers, tools for names.

sr = viewer_report(ct, [group(tracking("Cornerstone3DTools:Length"), length(ct[3], A, B))])
"""

from collections.abc import Sequence

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from pydicom.uid import EnhancedSRStorage

from tests.encodings import item, new_object, reference

MM = ("mm", "UCUM", "millimeter")
PIXELS = ("[arb'U]", "UCUM", "px")
Code = tuple[str, str, str]


def coded(code: Code) -> list[Dataset]:
    """A code sequence of one item."""
    made = Dataset()
    for tag, vr, value in zip(
        (0x00080100, 0x00080102, 0x00080104), ("SH", "SH", "LO"), code, strict=True
    ):
        made.add(DataElement(tag, vr, value, validation_mode=IGNORE))
    return [made]


def content(value_type: str, name: Code | None, *children: Dataset, **values: object) -> Dataset:
    """A content item."""
    made = item(RelationshipType="CONTAINS", ValueType=value_type, **values)
    if name is not None:
        made.ConceptNameCodeSequence = coded(name)
    if children:
        made.ContentSequence = list(children)
    return made


def tracking(identifier: str, uid: str | None = None) -> list[Dataset]:
    """Tracking Identifier, and a Tracking Unique Identifier if there is one."""
    found = [content("TEXT", ("112039", "DCM", "Tracking Identifier"), TextValue=identifier)]
    if uid is not None:
        name = ("112040", "DCM", "Tracking Unique Identifier")
        found.append(content("UIDREF", name, UID=uid))
    return found


def text(value: str, name: Code = ("121106", "DCM", "Comment")) -> Dataset:
    """A label or comment."""
    return content("TEXT", name, TextValue=value)


def finding(code: Code, *children: Dataset) -> Dataset:
    """What the group is about."""
    name = ("121071", "DCM", "Finding")
    return content("CODE", name, *children, ConceptCodeSequence=coded(code))


def site(code: Code) -> Dataset:
    """Where it is."""
    name = ("363698007", "SCT", "Finding Site")
    return content("CODE", name, ConceptCodeSequence=coded(code))


def scoord(
    image: Dataset, shape: str, points: Sequence[Sequence[float]], name: Code | None = None
) -> Dataset:
    """Points as (column, row) on an image."""
    flat = [float(value) for point in points for value in point]
    on = content("IMAGE", None, ReferencedSOPSequence=[reference(image)])
    return content("SCOORD", name, on, GraphicType=shape, GraphicData=flat)


def scoord3d(frame: str, shape: str, points: Sequence[Sequence[float]]) -> Dataset:
    """Points in LPS mm."""
    flat = [float(value) for point in points for value in point]
    return content(
        "SCOORD3D", None, GraphicType=shape, GraphicData=flat, ReferencedFrameOfReferenceUID=frame
    )


def number(name: Code, *coordinates: Dataset, value: str | None = None, unit: Code = MM) -> Dataset:
    """A measurement with what it was measured on; without a value where None is given."""
    made = content("NUM", name, *coordinates)
    if value is not None:
        measured = item(MeasurementUnitsCodeSequence=coded(unit))
        measured[0x0040A30A] = RawDataElement(
            BaseTag(0x0040A30A), "DS", len(value), value.encode(), 0, False, True
        )
        made.MeasuredValueSequence = [measured]
    return made


LENGTH: Code = ("G-D7FE", "SRT", "Length")
LONG_AXIS: Code = ("G-A185", "SRT", "Long Axis")
SHORT_AXIS: Code = ("G-A186", "SRT", "Short Axis")
CENTRE: Code = ("111010", "DCM", "Center")
AREA: Code = ("G-D7FE", "SRT", "AREA")
ANGLE: Code = ("1483009", "SCT", "Angle")
COBB: Code = ("285285000", "SCT", "Cobb angle")


def group(*parts: Dataset | list[Dataset]) -> Dataset:
    """A Measurement Group of these content items."""
    children = [child for part in parts for child in (part if isinstance(part, list) else [part])]
    return content("CONTAINER", ("125007", "DCM", "Measurement Group"), *children)


def viewer_report(
    ct: Sequence[Dataset],
    groups: Sequence[Dataset],
    *,
    name: str = "viewer",
    sop_class_uid: str = EnhancedSRStorage,
) -> Dataset:
    """The groups under Imaging Measurements, with the CT's slices as evidence."""
    ds = new_object(ct[0], sop_class_uid=sop_class_uid, modality="SR", name=name)
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = coded(("126000", "DCM", "Imaging Measurement Report"))
    ds.ContentSequence = [
        content("CONTAINER", ("126010", "DCM", "Imaging Measurements"), *groups),
    ]
    return ds
