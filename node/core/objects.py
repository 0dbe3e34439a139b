"""From an assessment to DICOM objects, in every variant that a destination may need.

Captures come first, since the report refers to them; pictures are drawn once for all variants.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
)

from m3net.card import ModelCard
from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core import uids
from node.core.assessment import Assessment, JudgedNodule
from node.core.results import (
    Artifact,
    ArtifactKind,
    CaptureVariant,
    NoduleResult,
    ReportVariant,
    Results,
)
from node.core.view import (
    NOMINAL_RADIUS_MM,
    image_reference,
    key_slice,
    nodule_on_ct,
    nodule_view,
    region_of,
    slices_shown,
)
from node.core.wording import UNTRAINED, headline, percent
from sr_templates.capture_view import Frame, Legend
from sr_templates.findings import (
    Algorithm,
    Call,
    NoduleFinding,
    ObjectIdentity,
    PredecessorReference,
    RefusedFinding,
    ReportContent,
)
from sr_templates.identity import names_patient
from sr_templates.measurement_report import build_report
from sr_templates.orientation import letters
from sr_templates.overlay import FRAME_BYTES, render_capture
from sr_templates.secondary_capture import build_captures
from sr_templates.uids import derive_uid

Variant = tuple[ReportVariant, CaptureVariant]

REPORT_CLASSES: Mapping[ReportVariant, str] = {
    ReportVariant.COMPREHENSIVE_3D: Comprehensive3DSRStorage,
    ReportVariant.COMPREHENSIVE: ComprehensiveSRStorage,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a result takes from its job's row, so that a rebuild is the same object.

    at           : when the job was made, in the site's time zone; every date of every object
    revision     : 1, 2, ... within the study; the Instance Number
    predecessors : per variant the report that this one replaces
    """

    study_instance_uid: StudyInstanceUID
    input_digest: str
    analysis_id: str
    revision: int
    at: datetime
    predecessors: Mapping[Variant, PredecessorReference]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSettings:
    """How results look; a change makes other results, so all of it is in the analysis id, except
    the variants, which have UIDs of their own.
    """

    report_series_number: int
    capture_series_number: int
    max_frames: int
    max_capture_bytes: int
    manufacturer: str
    device_model: str
    device_serial: str
    software_version: str
    variants: Sequence[Variant]

    def frames(self) -> int:
        """Most frames of one capture, by number and by size."""
        return max(1, min(self.max_frames, self.max_capture_bytes // FRAME_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """One judged nodule, ready for both kinds of object."""

    finding: NoduleFinding
    frames: Sequence[Frame]
    orientation: tuple[str, str]
    key: Dataset


def build_results(
    assessment: Assessment,
    *,
    card: ModelCard,
    fingerprint: str,
    stamp: Stamp,
    settings: ResultSettings,
    subject: Dataset,
    header_of: Callable[[SOPInstanceUID], Dataset],
) -> Results:
    """The study's results; the same arguments give the same objects.

    subject   : header whose patient and study every result belongs to, and the report's evidence
                where no nodule is drawn
    header_of : the header of a CT slice
    """
    algorithm = _algorithm(card, fingerprint, stamp, settings)
    drawn = [
        _draw(judged, assessment, card, settings, subject, header_of, number)
        for number, judged in enumerate(assessment.judged, start=1)
    ]
    content = _content(assessment, card, drawn)
    artifacts: list[Artifact] = []
    captures: dict[CaptureVariant, dict[str, list[Dataset]]] = {}
    for variant in dict.fromkeys(captures_as for _, captures_as in settings.variants):
        captures[variant] = {
            nodule.finding.tracking_uid: _captures(
                nodule, variant, number, algorithm, stamp, settings, subject
            )
            for number, nodule in enumerate(drawn)
        }
        artifacts += [
            Artifact(
                kind=ArtifactKind.CAPTURE,
                report_variant=None,
                capture_variant=variant,
                dataset=dataset,
            )
            for datasets in captures[variant].values()
            for dataset in datasets
        ]
    for report_as, captures_as in settings.variants:
        report = build_report(
            content=content,
            evidence=_distinct([nodule.key for nodule in drawn]) or [subject],
            subject=subject,
            algorithm=algorithm,
            identity=_report_identity(assessment, report_as, captures_as, stamp, settings),
            sop_class_uid=REPORT_CLASSES[report_as],
            captures=captures[captures_as],
            predecessor=stamp.predecessors.get((report_as, captures_as)),
            tracking_uid_of_study=derive_uid("m3node", "study", stamp.study_instance_uid),
        )
        artifacts.append(
            Artifact(
                kind=ArtifactKind.REPORT,
                report_variant=report_as,
                capture_variant=captures_as,
                dataset=report,
            )
        )
    return Results(
        outcome=assessment.outcome,
        headline=content.headline,
        remarks=tuple(content.remarks),
        nodules=_rows(assessment),
        artifacts=artifacts,
    )


def _algorithm(
    card: ModelCard, fingerprint: str, stamp: Stamp, settings: ResultSettings
) -> Algorithm:
    threshold = "none" if card.threshold is None else f"{card.threshold:.3f}"
    return Algorithm(
        name=card.name,
        version=card.version,
        manufacturer=settings.manufacturer,
        parameters=(
            f"preset = {card.preset}",
            f"threshold = {threshold}",
            f"model = {fingerprint}",
            f"analysis = {stamp.analysis_id}",
        ),
        device_uid=uids.device_uid(settings.software_version),
        device_model=settings.device_model,
        device_serial=settings.device_serial,
        software_version=settings.software_version,
        trained=card.trained,
    )


def _draw(
    judged: JudgedNodule,
    assessment: Assessment,
    card: ModelCard,
    settings: ResultSettings,
    subject: Dataset,
    header_of: Callable[[SOPInstanceUID], Dataset],
    number: int,
) -> _Drawn:
    volume, nodule, prediction = assessment.volume, judged.nodule, judged.prediction
    assert volume is not None  # noqa: S101  # a nodule is judged in a volume
    box, voxels = nodule_on_ct(nodule, volume)
    key = key_slice(nodule, volume, box, voxels)
    shown = slices_shown(volume, box=box, voxels=voxels, key=key, max_frames=settings.frames())
    headers = {
        uid: header_of(uid) for z in shown if (uid := volume.sop_instance_uids[z]) is not None
    }
    key_uid = volume.sop_instance_uids[key]
    assert key_uid is not None  # noqa: S101  # key_slice takes received slices only
    region = region_of(
        nodule,
        volume,
        box=box,
        voxels=voxels,
        key=key,
        image=image_reference(headers[key_uid]),
    )
    view = nodule_view(
        nodule,
        prediction,
        volume,
        box=box,
        voxels=voxels,
        shown=shown,
        key=key,
        headers=headers,
    )
    call = _call(card, prediction.probability)
    notes = (*_extent_note(judged), *nodule.notes, *prediction.notes)
    legend = Legend(
        tracking_id=f"Nodule {number}"
        if names_patient(nodule.tracking_id, subject)
        else nodule.tracking_id,
        probability=prediction.probability,
        call=call,
        threshold=card.threshold,
        diameter_mm=nodule.diameter_mm,
        model_name=card.name,
        model_version=card.version,
        trained=card.trained,
        notes=notes,
    )
    finding = NoduleFinding(
        tracking_uid=nodule.tracking_uid,
        tracking_id=nodule.tracking_id,
        probability=prediction.probability,
        call=call,
        diameter_mm=nodule.diameter_mm,
        region=region,
        comment=_comment(card, prediction.probability, key + 1, volume.shape[0], notes),
    )
    return _Drawn(
        finding=finding,
        frames=render_capture(view, legend),
        orientation=(letters(view.row_direction), letters(view.col_direction)),
        key=headers[key_uid],
    )


def _call(card: ModelCard, probability: float) -> Call | None:
    if not card.trained or card.threshold is None:
        return None
    return Call.MALIGNANT if probability >= card.threshold else Call.BENIGN


def _extent_note(judged: JudgedNodule) -> tuple[str, ...]:
    if judged.nodule.mask is None and judged.nodule.diameter_mm is None:
        return (
            "the annotation gives a point without extent, drawn as a circle of nominal radius "
            f"{NOMINAL_RADIUS_MM:g} mm",
        )
    return ()


def _comment(
    card: ModelCard, probability: float, slice_number: int, slices: int, notes: Sequence[str]
) -> str:
    """The finding in one line."""
    parts = [f"Slice {slice_number} of {slices}"]
    if card.trained:
        parts.insert(0, f"Probability of malignancy {percent(probability)}")
        if card.threshold is not None:
            parts.append(f"called malignant from {percent(card.threshold)}")
    else:
        parts.insert(0, UNTRAINED)
    return ". ".join(["; ".join(parts), *(note.rstrip(".") for note in notes), card.meaning])


def _content(assessment: Assessment, card: ModelCard, drawn: Sequence[_Drawn]) -> ReportContent:
    return ReportContent(
        outcome=assessment.outcome,
        headline=headline(
            assessment.outcome,
            trained=card.trained,
            probabilities=[(n.finding.tracking_id, n.finding.probability) for n in drawn],
            reasons=[*assessment.reasons, *(each.reason for each in assessment.refused)],
            unread=assessment.unread,
        ),
        nodules=[nodule.finding for nodule in drawn],
        refused=[
            RefusedFinding(
                tracking_uid=each.tracking_uid, tracking_id=each.tracking_id, reason=each.reason
            )
            for each in assessment.refused
        ],
        remarks=(*assessment.unread, *assessment.remarks, *((card.meaning,) if drawn else ())),
    )


def _captures(
    nodule: _Drawn,
    variant: CaptureVariant,
    number: int,
    algorithm: Algorithm,
    stamp: Stamp,
    settings: ResultSettings,
    subject: Dataset,
) -> list[Dataset]:
    def identity_of(index: int) -> ObjectIdentity:
        return ObjectIdentity(
            sop_instance_uid=uids.capture_uid(
                study=stamp.study_instance_uid,
                input_digest=stamp.input_digest,
                analysis_id=stamp.analysis_id,
                tracking_uid=nodule.finding.tracking_uid,
                captures=variant,
                number=index,
            ),
            series_instance_uid=uids.result_series_uid(
                stamp.study_instance_uid, ArtifactKind.CAPTURE
            ),
            series_number=settings.capture_series_number,
            instance_number=stamp.revision * 10_000 + number * 100 + index + 1,
            at=stamp.at,
        )

    return build_captures(
        frames=nodule.frames,
        subject=subject,
        algorithm=algorithm,
        identity_of=identity_of,
        tracking_id=nodule.finding.tracking_id,
        multi_frame=variant is CaptureVariant.MULTI_FRAME,
        patient_orientation=nodule.orientation,
    )


def _report_identity(
    assessment: Assessment,
    report: ReportVariant,
    captures: CaptureVariant,
    stamp: Stamp,
    settings: ResultSettings,
) -> ObjectIdentity:
    return ObjectIdentity(
        sop_instance_uid=uids.report_uid(
            study=stamp.study_instance_uid,
            input_digest=stamp.input_digest,
            analysis_id=stamp.analysis_id,
            outcome=assessment.outcome,
            report=report,
            captures=captures,
        ),
        series_instance_uid=uids.result_series_uid(stamp.study_instance_uid, ArtifactKind.REPORT),
        series_number=settings.report_series_number,
        instance_number=stamp.revision,
        at=stamp.at,
    )


def _rows(assessment: Assessment) -> list[NoduleResult]:
    volume = assessment.volume
    judged = []
    for each in assessment.judged:
        assert volume is not None  # noqa: S101  # a nodule is judged in a volume
        z, y, x = (float(value) for value in volume.to_index(each.nodule.centre_mm))
        judged.append(
            NoduleResult(
                tracking_uid=each.nodule.tracking_uid,
                tracking_id=each.nodule.tracking_id,
                centre_mm=each.nodule.centre_mm,
                centre_index=(z, y, x),
                diameter_mm=each.nodule.diameter_mm,
                probability=each.prediction.probability,
                reason=None,
            )
        )
    return judged + [
        NoduleResult(
            tracking_uid=each.tracking_uid,
            tracking_id=each.tracking_id,
            centre_mm=None,
            centre_index=None,
            diameter_mm=None,
            probability=None,
            reason=each.reason,
        )
        for each in assessment.refused
    ]


def _distinct(headers: Sequence[Dataset]) -> list[Dataset]:
    return list({str(header.SOPInstanceUID): header for header in headers}.values())
