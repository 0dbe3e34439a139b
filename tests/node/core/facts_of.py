"""Facts of a small chest study, as intake would have read them."""

from collections.abc import Iterable

from m3net.annotations.types import References, SlicePlane
from m3net.nodule import Point
from m3net.uids import (
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from node.core.inputs import InstanceFacts, Role

STUDY = StudyInstanceUID("1.2.3")
FRAME = FrameOfReferenceUID("1.2.3.9")
THICK = SeriesInstanceUID("1.2.3.10")
THIN = SeriesInstanceUID("1.2.3.11")
CT_CLASS = SOPClassUID("1.2.840.10008.5.1.4.1.1.2")
SEG_CLASS = SOPClassUID("1.2.840.10008.5.1.4.1.1.66.4")
RTSTRUCT_CLASS = SOPClassUID("1.2.840.10008.5.1.4.1.1.481.3")


def facts(
    *,
    uid: str,
    role: Role,
    series: str = "1.2.3.99",
    kind: str = "object",
    sop_class: str = "1.2.840.10008.5.1.4.1.1.7",
    patient: str = "patient",
    issuer: str = "",
    identity: str = "identity",
    **more: object,
) -> InstanceFacts:
    """Any instance of the study."""
    return InstanceFacts(
        study_instance_uid=STUDY,
        series_instance_uid=SeriesInstanceUID(series),
        sop_instance_uid=SOPInstanceUID(uid),
        sop_class_uid=SOPClassUID(sop_class),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        role=role,
        kind=kind,
        patient_key=patient,
        issuer_key=issuer,
        identity_digest=identity,
        content_digest=f"content of {uid} of {identity}",
        **more,
    )


def ct_slice(
    number: int,
    *,
    series: SeriesInstanceUID = THICK,
    step_mm: float = 2.5,
    series_number: int = 3,
    kernel: str | None = "B30f",
    row: Point = (1.0, 0.0, 0.0),
    col: Point = (0.0, 1.0, 0.0),
    patient: str = "patient",
    issuer: str = "",
    identity: str = "identity",
) -> InstanceFacts:
    """Slice 0, 1, ... of an axial series from z = -100 mm upwards, 512 x 512 at 0.7 mm."""
    return facts(
        uid=f"{series}.{number}",
        role=Role.CT,
        series=series,
        kind="CT",
        sop_class=CT_CLASS,
        patient=patient,
        issuer=issuer,
        identity=identity,
        series_number=series_number,
        convolution_kernel=kernel,
        planes={
            1: SlicePlane(
                series_instance_uid=series,
                frame_of_reference_uid=FRAME,
                position_mm=(-180.0, -180.0, -100.0 + step_mm * number),
                row_direction=row,
                col_direction=col,
                spacing_mm=(0.7, 0.7),
                rows=512,
                columns=512,
            )
        },
    )


def ct_series(count: int, **of: object) -> list[InstanceFacts]:
    """That many slices."""
    return [ct_slice(number, **of) for number in range(count)]


def uids(*slices: InstanceFacts) -> list[SOPInstanceUID]:
    """Their SOP Instance UIDs."""
    return [item.sop_instance_uid for item in slices]


def segmentation(
    *,
    uid: str = "1.2.3.50.1",
    drawn_on: Iterable[str] = (),
    refers_to: Iterable[str] = (),
    frame: str | None = FRAME,
    centres_mm: tuple[Point, ...] = ((0.0, 0.0, -80.0),),
    patient: str = "patient",
    issuer: str = "",
    identity: str = "identity",
    nodules: bool = True,
    image_classes: Iterable[str] = (),
) -> InstanceFacts:
    """A readable annotation with one mark at z = -80 mm."""
    drawn = frozenset(SOPInstanceUID(item) for item in drawn_on)
    return facts(
        uid=uid,
        role=Role.ANNOTATION,
        series="1.2.3.50",
        kind="Segmentation",
        sop_class=SEG_CLASS,
        patient=patient,
        issuer=issuer,
        identity=identity,
        references=References(
            frame_of_reference_uid=None if frame is None else FrameOfReferenceUID(frame),
            series_instance_uids=frozenset(),
            sop_instance_uids=drawn | frozenset(SOPInstanceUID(item) for item in refers_to),
            marked=frozenset(FrameReference(item) for item in drawn),
            centres_mm=centres_mm,
            nodules=nodules,
            image_classes=frozenset(SOPClassUID(item) for item in image_classes),
        ),
    )


def structure_set(*, uid: str = "1.2.3.60.1") -> InstanceFacts:
    """An annotation that this version cannot read."""
    return facts(
        uid=uid,
        role=Role.UNSUPPORTED_ANNOTATION,
        series="1.2.3.60",
        kind="RT Structure Set",
        sop_class=RTSTRUCT_CLASS,
    )


NOT_SUPPORTED = (
    "RT Structure Set not supported yet; send the nodules as a segmentation, an RT structure set "
    "or a TID 1500 report"
)
"""What a report says of `structure_set`, which here stands for a kind that has no reader."""
