"""Structure sets, presentation states and chest CAD reports, written after PS3.3 and PS3.16.

rt = structure_set(ct, [ROI("Nodule 1", [closed(points_mm)])])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    ChestCADSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    RTStructureSetStorage,
)

from tests.synthetic import uid

STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"


def to_mm(header: Dataset, points: ArrayLike) -> NDArray[np.float64]:
    """(N, 3) LPS of (N, 2) points as (column, row), the centre of the first pixel being (0, 0)."""
    at = np.asarray(points, dtype=np.float64)
    rows_apart, columns_apart = (float(mm) for mm in header.PixelSpacing)
    row, column = (np.array(header.ImageOrientationPatient[i : i + 3], float) for i in (0, 3))
    origin = np.array(header.ImagePositionPatient, dtype=np.float64)
    placed: NDArray[np.float64] = (
        origin + at[:, :1] * columns_apart * row + at[:, 1:] * rows_apart * column
    )
    return placed


def new_object(like: Dataset, *, sop_class_uid: str, modality: str, name: str) -> Dataset:
    """A dataset of the same patient and study, with file meta, in a series of its own."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid(name))
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.Modality = modality
    ds.SeriesInstanceUID = uid(name, "series")
    ds.SeriesNumber, ds.InstanceNumber = 11, 1
    ds.Manufacturer, ds.ManufacturerModelName = "m3node tests", "synthetic"
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
        "ReferringPhysicianName",
    ):
        setattr(ds, keyword, like.get(keyword, ""))
    return ds


def item(**values: Any) -> Dataset:
    """A dataset with these attributes."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def reference(image: Dataset, **values: Any) -> Dataset:
    return item(
        ReferencedSOPClassUID=image.SOPClassUID,
        ReferencedSOPInstanceUID=image.SOPInstanceUID,
        **values,
    )


@dataclass(frozen=True, kw_only=True)
class Contour:
    """points_mm : (N, 3) LPS; image: what Contour Image Sequence names, if anything."""

    points_mm: ArrayLike
    shape: str = "CLOSED_PLANAR"
    image: Dataset | None = None


@dataclass(frozen=True, kw_only=True)
class ROI:
    name: str
    contours: Sequence[Contour]
    interpreted_type: str | None = ""
    code: Dataset | None = None
    frame_of_reference: str | None = None
    description: str = ""


def structure_set(
    ct: Sequence[Dataset],
    rois: Sequence[ROI],
    *,
    name: str = "rtstruct",
    images: bool = True,
) -> Dataset:
    """An RT Structure Set; `images` says whether it names the series' slices at its top."""
    ds = new_object(ct[0], sop_class_uid=RTStructureSetStorage, modality="RTSTRUCT", name=name)
    ds.StructureSetLabel, ds.StructureSetDate, ds.StructureSetTime = "RT", "20260102", "030405"
    series = item(SeriesInstanceUID=ct[0].SeriesInstanceUID)
    series.ContourImageSequence = [reference(image) for image in ct] if images else []
    study = item(
        ReferencedSOPClassUID=STUDY_MANAGEMENT,
        ReferencedSOPInstanceUID=ct[0].StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    ds.ReferencedFrameOfReferenceSequence = [
        item(FrameOfReferenceUID=ct[0].FrameOfReferenceUID, RTReferencedStudySequence=[study])
    ]
    ds.StructureSetROISequence = [
        item(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=roi.frame_of_reference or ct[0].FrameOfReferenceUID,
            ROIName=roi.name,
            ROIDescription=roi.description,
            ROIGenerationAlgorithm="MANUAL",
        )
        for number, roi in enumerate(rois, start=1)
    ]
    ds.ROIContourSequence = [
        item(ReferencedROINumber=number, ContourSequence=[_contour(c) for c in roi.contours])
        for number, roi in enumerate(rois, start=1)
    ]
    ds.RTROIObservationsSequence = [
        item(
            ObservationNumber=number,
            ReferencedROINumber=number,
            ROIInterpreter="",
            **(
                {}
                if roi.interpreted_type is None
                else {"RTROIInterpretedType": roi.interpreted_type}
            ),
            **({} if roi.code is None else {"RTROIIdentificationCodeSequence": [roi.code]}),
        )
        for number, roi in enumerate(rois, start=1)
    ]
    return ds


def _contour(contour: Contour) -> Dataset:
    points = np.asarray(contour.points_mm, dtype=np.float64)
    ds = item(
        ContourGeometricType=contour.shape,
        NumberOfContourPoints=len(points),
        ContourData=[f"{value:.10g}" for value in points.reshape(-1)],
    )
    if contour.image is not None:
        ds.ContourImageSequence = [reference(contour.image)]
    return ds


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A graphic object; points: (N, 2) in `units`, PIXEL counting from the outer corner."""

    shape: str
    points: ArrayLike
    units: str = "PIXEL"
    filled: str = "N"


@dataclass(frozen=True, kw_only=True)
class Words:
    """A text object; anchor: (column, row), or else only a box at `box`."""

    value: str
    anchor: Sequence[float] | None = None
    box: Sequence[float] = (1, 1)


@dataclass(frozen=True, kw_only=True)
class OnImages:
    """One item of the Graphic Annotation Sequence; images None: those of the top level."""

    graphics: Sequence[Drawn] = ()
    texts: Sequence[Words] = ()
    images: Sequence[Dataset] | None = None


def presentation_state(
    ct: Sequence[Dataset],
    annotations: Sequence[OnImages],
    *,
    name: str = "gsps",
    area: tuple[Sequence[float], Sequence[float]] | None = None,
    rotation: int | None = None,
    flip: str | None = None,
) -> Dataset:
    """A Grayscale Softcopy Presentation State of these slices."""
    ds = new_object(
        ct[0],
        sop_class_uid=GrayscaleSoftcopyPresentationStateStorage,
        modality="PR",
        name=name,
    )
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "MARKS", "", ""
    ds.PresentationCreationDate, ds.PresentationCreationTime = "20260102", "030405"
    ds.ReferencedSeriesSequence = [
        item(
            SeriesInstanceUID=ct[0].SeriesInstanceUID,
            ReferencedImageSequence=[reference(image) for image in ct],
        )
    ]
    top_left, bottom_right = area or ((1, 1), (ct[0].Columns, ct[0].Rows))
    ds.DisplayedAreaSelectionSequence = [
        item(
            DisplayedAreaTopLeftHandCorner=list(top_left),
            DisplayedAreaBottomRightHandCorner=list(bottom_right),
            PresentationSizeMode="SCALE TO FIT",
            PresentationPixelAspectRatio=[1, 1],
        )
    ]
    if rotation is not None:
        ds.ImageRotation, ds.ImageHorizontalFlip = rotation, flip or "N"
    if annotations:
        ds.GraphicAnnotationSequence = [_annotation(each) for each in annotations]
        ds.GraphicLayerSequence = [item(GraphicLayer="MARKS", GraphicLayerOrder=1)]
    ds.PresentationLUTShape = "IDENTITY"
    return ds


def _annotation(on: OnImages) -> Dataset:
    ds = item(GraphicLayer="MARKS")
    if on.images is not None:
        ds.ReferencedImageSequence = [reference(image) for image in on.images]
    if on.graphics:
        ds.GraphicObjectSequence = [
            item(
                GraphicAnnotationUnits=each.units,
                GraphicDimensions=2,
                NumberOfGraphicPoints=min(len(np.asarray(each.points)), 65_535),
                GraphicData=np.asarray(each.points, dtype=np.float64).reshape(-1).tolist(),
                GraphicType=each.shape,
                GraphicFilled=each.filled,
            )
            for each in on.graphics
        ]
    if on.texts:
        ds.TextObjectSequence = [_text(each) for each in on.texts]
    return ds


def _text(words: Words) -> Dataset:
    if words.anchor is not None:
        return item(
            UnformattedTextValue=words.value,
            AnchorPointAnnotationUnits="PIXEL",
            AnchorPoint=list(words.anchor),
            AnchorPointVisibility="Y",
        )
    x, y = words.box
    return item(
        UnformattedTextValue=words.value,
        BoundingBoxAnnotationUnits="PIXEL",
        BoundingBoxTopLeftHandCorner=[x, y],
        BoundingBoxBottomRightHandCorner=[x + 2, y + 1],
        BoundingBoxTextHorizontalJustification="LEFT",
    )


def code(value: str, scheme: str, meaning: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


NODULE = ("27925004", "SCT", "Nodule")
ABNORMAL_OPACITY = ("112033", "DCM", "Abnormal opacity")
RENDER = {
    "required": ("111150", "DCM", "Presentation Required: Rendering device is expected to present"),
    "never": (
        "111152",
        "DCM",
        "Not for Presentation: Rendering device expected not to present",
    ),
}


def content(
    relation: str, value_type: str, name: tuple[str, str, str] | None, **values: Any
) -> Dataset:
    """A content item of a report."""
    ds = item(RelationshipType=relation, ValueType=value_type)
    if name is not None:
        ds.ConceptNameCodeSequence = [code(*name)]
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A Single Image Finding: outline (N, 2) and centre as (column, row) of SCOORD, on `image`."""

    image: Dataset
    outline: ArrayLike | None = None
    centre: Sequence[float] | None = None
    kind: tuple[str, str, str] = NODULE
    modifier: tuple[str, str, str] | None = None
    render: str = "required"
    certainty: float | None = None
    site: tuple[str, str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Composite:
    """A Composite Feature inferred from findings, from other composites, or from items elsewhere.

    by_reference : identifiers of content items that it is inferred from as well
    """

    parts: "Sequence[Finding | Composite]" = ()
    kind: tuple[str, str, str] = NODULE
    render: str = "required"
    tracking_uid: str | None = None
    by_reference: Sequence[Sequence[int]] = ()


def chest_cad(
    ct: Sequence[Dataset],
    features: Sequence[Finding | Composite],
    *,
    name: str = "cad",
    priors: Sequence[Dataset] = (),
) -> Dataset:
    """A Chest CAD SR (TID 4100): image library, summary with the features, what was performed."""
    library = [*ct, *priors]
    ds = new_object(ct[0], sop_class_uid=ChestCADSRStorage, modality="SR", name=name)
    ds.SeriesDate = ds.ContentDate = "20260102"
    ds.SeriesTime = ds.ContentTime = "030405"
    ds.SoftwareVersions, ds.DeviceSerialNumber = "1", "1"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [code("112000", "DCM", "Chest CAD Report")]
    ds.ContentTemplateSequence = [item(MappingResource="DCMR", TemplateIdentifier="4100")]
    ds.CurrentRequestedProcedureEvidenceSequence = _evidence(ct)
    if priors:
        ds.PertinentOtherEvidenceSequence = _evidence(priors)
    summary = content(
        "CONTAINS",
        "CODE",
        ("111017", "DCM", "CAD Processing and Findings Summary"),
        ConceptCodeSequence=[code("111242", "DCM", "All algorithms succeeded; with findings")],
    )
    summary.ContentSequence = [_feature(each, library) for each in features]
    images = content(
        "CONTAINS", "CONTAINER", ("111028", "DCM", "Image Library"), ContinuityOfContent="SEPARATE"
    )
    images.ContentSequence = [
        content("CONTAINS", "IMAGE", None, ReferencedSOPSequence=[reference(image)])
        for image in library
    ]
    ds.ContentSequence = [
        content(
            "HAS CONCEPT MOD",
            "CODE",
            ("121049", "DCM", "Language of Content Item and Descendants"),
            ConceptCodeSequence=[code("en", "RFC5646", "English")],
        ),
        images,
        summary,
        *(
            content(
                "CONTAINS",
                "CODE",
                (number, "DCM", meaning),
                ConceptCodeSequence=[code("111225", "DCM", "Not Attempted")],
            )
            for number, meaning in (
                ("111064", "Summary of Detections"),
                ("111065", "Summary of Analyses"),
            )
        ),
    ]
    return ds


def _evidence(images: Sequence[Dataset]) -> list[Dataset]:
    return [
        item(
            StudyInstanceUID=images[0].StudyInstanceUID,
            ReferencedSeriesSequence=[
                item(
                    SeriesInstanceUID=images[0].SeriesInstanceUID,
                    ReferencedSOPSequence=[reference(image) for image in images],
                )
            ],
        )
    ]


def _feature(feature: Finding | Composite, library: Sequence[Dataset]) -> Dataset:
    """Below the summary or a composite: INFERRED FROM."""
    single = isinstance(feature, Finding)
    name = ("111059", "Single Image Finding") if single else ("111015", "Composite Feature")
    ds = content(
        "INFERRED FROM",
        "CODE",
        (name[0], "DCM", name[1]),
        ConceptCodeSequence=[code(*feature.kind)],
    )
    below = [
        content(
            "HAS CONCEPT MOD",
            "CODE",
            ("111056", "DCM", "Rendering Intent"),
            ConceptCodeSequence=[code(*RENDER[feature.render])],
        )
    ]
    if isinstance(feature, Finding):
        below += _of_finding(feature, library)
    else:
        if feature.tracking_uid is not None:
            below.append(
                content(
                    "HAS OBS CONTEXT",
                    "UIDREF",
                    ("112040", "DCM", "Tracking Unique Identifier"),
                    UID=feature.tracking_uid,
                )
            )
        below += [_feature(part, library) for part in feature.parts]
        below += [
            item(RelationshipType="INFERRED FROM", ReferencedContentItemIdentifier=list(path))
            for path in feature.by_reference
        ]
    ds.ContentSequence = below
    return ds


def _of_finding(finding: Finding, library: Sequence[Dataset]) -> list[Dataset]:
    below = []
    for name, scheme, value in (
        ("112024", "Single Image Finding Modifier", finding.modifier),
        ("112013", "Location in Chest", finding.site),
    ):
        if value is not None:
            below.append(
                content(
                    "HAS CONCEPT MOD",
                    "CODE",
                    (name, "DCM", scheme),
                    ConceptCodeSequence=[code(*value)],
                )
            )
    if finding.certainty is not None:
        number = item(
            NumericValue=str(finding.certainty),
            MeasurementUnitsCodeSequence=[code("%", "UCUM", "Percent")],
        )
        below.append(
            content(
                "HAS PROPERTIES",
                "NUM",
                ("111012", "DCM", "Certainty of Finding"),
                MeasuredValueSequence=[number],
            )
        )
    places = (
        (("111010", "DCM", "Center"), "POINT", finding.centre),
        (("111041", "DCM", "Outline"), "POLYLINE", finding.outline),
    )
    for concept, shape, at in places:
        if at is None:
            continue
        place = content(
            "HAS PROPERTIES",
            "SCOORD",
            concept,
            GraphicType=shape,
            GraphicData=np.asarray(at, dtype=np.float64).reshape(-1).tolist(),
        )
        number_in_library = [id(image) for image in library].index(id(finding.image)) + 1
        place.ContentSequence = [
            item(
                RelationshipType="SELECTED FROM",
                ReferencedContentItemIdentifier=[1, 2, number_in_library],
            )
        ]
        below.append(place)
    return below


def borders(mask: ArrayLike) -> list[NDArray[np.float64]]:
    """The closed borders of a (rows, columns) mask along its pixels' edges, holes' among them.

    (N, 2) each as (column, row), pixels' centres being whole numbers; the first point is repeated.
    """
    inside = np.pad(np.asarray(mask, dtype=np.bool_), 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column in np.argwhere(inside):
        corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
        beyond = [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]
        for number, neighbour in enumerate(beyond):
            if not inside[neighbour]:
                following.setdefault(corners[number], []).append(corners[(number + 1) % 4])
    loops = []
    while following:
        start = at = next(iter(following))
        loop = [start]
        while True:
            onward = following[at].pop()
            if not following[at]:
                del following[at]
            loop.append(onward)
            at = onward
            if at == start:
                break
        loops.append(np.array([(column - 1.5, row - 1.5) for row, column in loop], dtype=float))
    return loops
