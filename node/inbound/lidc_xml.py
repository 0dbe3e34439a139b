"""LIDC-IDRI's XML as DICOM: a segmentation for each reading session, a segment for each nodule.

TCIA delivers the readers' marks of a series as one LidcReadMessage beside its CT.  An outline runs
through the first pixels outside of the nodule, so those are left out; one with inclusion FALSE is a
hole.  Nodules under 3 mm are single points and non-nodules have no outline: they make no segment.
The same file makes the same objects, whenever it is taken in.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from m3net.errors import AnnotationUnusable
from sr_templates.uids import derive_uid

_NAMES = {"n": "http://www.nih.gov"}
_MESSAGE = "{http://www.nih.gov}LidcReadMessage"
_AIM = b"gme://caCORE.caCORE/"
"""The namespace of Annotation and Image Markup, all versions."""
_LARGEST_BYTES = 10_000_000
"""A study of LIDC-IDRI has half a megabyte; nested tags take a hundred times their bytes."""
_LARGEST_IMAGE = 1 << 16
_FEWEST_POINTS = 3
"""Fewer in all enclose nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LidcObject:
    """One reader's segmentation, as a file."""

    encoded: bytes
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LidcObjects:
    """What a file makes.

    objects  : one for each reading session with an outlined nodule
    left_out : marks that are no outlined nodule
    """

    objects: tuple[LidcObject, ...]
    left_out: int

    def left_out_in_words(self) -> str:
        """What is said of the marks that are left out."""
        return (
            f"{self.left_out} marks without an outline (nodules under 3 mm, non-nodules) "
            "are left out"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outline:
    """points : (N, 2) as (column, row)."""

    sop_instance_uid: str
    points: NDArray[np.int64]
    is_hole: bool


def is_lidc_xml(path: Path) -> bool:
    """Whether the file says that it is such a message.

    Raises AnnotationUnusable of an AIM file: it marks something, and nobody is to take it for read.
    """
    if path.suffix.lower() != ".xml":
        return False
    with path.open("rb") as stream:
        begins = stream.read(4096)
    if _AIM in begins:
        raise AnnotationUnusable(
            "an AIM file is not read; export its annotation as a DICOM Segmentation or a TID 1500 "
            "structured report"
        )
    return b"<LidcReadMessage" in begins


def segmentations_of(path: Path) -> LidcObjects:
    """The file's marks, as objects of the CT that lies in its folder.

    Raises AnnotationUnusable if the file is damaged, or a marked slice does not lie beside it.
    """
    if path.stat().st_size > _LARGEST_BYTES:
        raise AnnotationUnusable("the XML is larger than 10 MB")
    try:
        root = ET.fromstring(path.read_bytes())
        if root.tag != _MESSAGE:
            raise AnnotationUnusable("the XML is no LidcReadMessage")
        sessions = [list(_nodules(each)) for each in root.iterfind("n:readingSession", _NAMES)]
    except (ET.ParseError, ValueError) as error:
        raise AnnotationUnusable("the XML is damaged: no whole LidcReadMessage") from error
    marks = len(root.findall("n:readingSession/n:unblindedReadNodule", _NAMES))
    marks += len(root.findall("n:readingSession/n:nonNodule", _NAMES))
    wanted = {o.sop_instance_uid for nodules in sessions for n in nodules for o in n}
    slices = _slices(path.parent, wanted)
    if len(slices) < len(wanted):
        raise AnnotationUnusable(
            f"{len(wanted) - len(slices)} CT slices that the XML marks do not lie beside it; "
            "put it into the folder of its CT"
        )
    message = root.get("uid") or ""
    return LidcObjects(
        objects=tuple(
            _object(_segmentation(nodules, slices, f"{message} {number}"))
            for number, nodules in enumerate(sessions, start=1)
            if nodules
        ),
        left_out=marks - sum(map(len, sessions)),
    )


def _nodules(session: ET.Element) -> Iterator[list[_Outline]]:
    for marked in session.iterfind("n:unblindedReadNodule", _NAMES):
        outlines = [
            _Outline(
                sop_instance_uid=(roi.findtext("n:imageSOP_UID", "", _NAMES)).strip(),
                points=np.array(
                    [
                        (_coordinate(edge, "n:xCoord"), _coordinate(edge, "n:yCoord"))
                        for edge in roi.iterfind("n:edgeMap", _NAMES)
                    ],
                    dtype=np.int64,
                ).reshape(-1, 2),
                is_hole=roi.findtext("n:inclusion", "", _NAMES).strip().upper() == "FALSE",
            )
            for roi in marked.iterfind("n:roi", _NAMES)
        ]
        scored = marked.find("n:characteristics/n:malignancy", _NAMES) is not None
        if scored and sum(len(outline.points) for outline in outlines) >= _FEWEST_POINTS:
            yield outlines


def _coordinate(edge: ET.Element, name: str) -> int:
    """Raises ValueError if it lies on no image (Rows and Columns are US)."""
    value = int(edge.findtext(name, "", _NAMES))
    if not 0 <= value < _LARGEST_IMAGE:
        raise ValueError(name)
    return value


def _slices(folder: Path, wanted: set[str]) -> dict[str, Dataset]:
    """The headers of these slices, by UID."""
    found: dict[str, Dataset] = {}
    for path in sorted(folder.iterdir()):
        if len(found) == len(wanted):
            break
        try:
            header = dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            continue
        if str(header.get("SOPInstanceUID")) in wanted:
            found[str(header.SOPInstanceUID)] = header
    return found


def _segmentation(
    nodules: Sequence[Sequence[_Outline]], slices: Mapping[str, Dataset], name: str
) -> Dataset:
    import highdicom as hd

    drawn = {outline.sop_instance_uid for nodule in nodules for outline in nodule}
    images = sorted((slices[uid] for uid in drawn), key=_height)
    layers = np.zeros((len(images), images[0].Rows, images[0].Columns, len(nodules)), np.uint8)
    at = {str(image.SOPInstanceUID): number for number, image in enumerate(images)}
    for number, nodule in enumerate(nodules):
        for outline in sorted(nodule, key=lambda each: each.is_hole):
            plane = layers[at[outline.sop_instance_uid], :, :, number]
            plane[_inside(outline.points, plane.shape)] = 0 if outline.is_hole else 1
    altered = hd.sr.CodedConcept("49755003", "SCT", "Morphologically Altered Structure")
    nodule_type = hd.sr.CodedConcept("27925004", "SCT", "Nodule")
    made: Dataset = hd.seg.Segmentation(
        source_images=images,
        pixel_array=layers,
        segmentation_type="BINARY",
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=f"Nodule {number}",
                segmented_property_category=altered,
                segmented_property_type=nodule_type,
                algorithm_type="MANUAL",
            )
            for number in range(1, len(nodules) + 1)
        ],
        series_instance_uid=derive_uid("m3node", "LIDC-IDRI series", name),
        series_number=1,
        sop_instance_uid=derive_uid("m3node", "LIDC-IDRI", name),
        instance_number=1,
        manufacturer="TCIA",
        manufacturer_model_name="LIDC-IDRI XML",
        software_versions="1",
        device_serial_number="1",
        content_label="NODULES",
    )
    _make_repeatable(made, images[0], name)
    return made


def _make_repeatable(made: Dataset, image: Dataset, name: str) -> None:
    """Nothing in the object is of today or drawn, so that taking the file in again adds nothing."""
    for keyword in ("Content", "Series", "InstanceCreation"):
        setattr(made, f"{keyword}Date", image.get("StudyDate") or "20000101")
        setattr(made, f"{keyword}Time", image.get("StudyTime") or "000000")
    del made.ContributingEquipmentSequence
    organization = derive_uid("m3node", "LIDC-IDRI dimensions", name)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _height(image: Dataset) -> float:
    across = np.cross(image.ImageOrientationPatient[:3], image.ImageOrientationPatient[3:])
    return float(across @ np.array(image.ImagePositionPatient, dtype=np.float64))


def _inside(points: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels within the closed outline, its own not among them."""
    image = Image.new("1", (shape[1], shape[0]))
    corners = [(int(x), int(y)) for x, y in points]
    ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
    ImageDraw.Draw(image).line([*corners, corners[0]], fill=0)
    return np.array(image, dtype=np.bool_)


def _object(dataset: Dataset) -> LidcObject:
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return LidcObject(
        encoded=file.getvalue(),
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
    )
