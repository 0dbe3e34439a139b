"""From an assessment to DICOM objects, in every variant that a destination may need.

Captures come first, since the report refers to them; pictures are drawn once for all variants.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from m3net.annotations.vocabulary import LANGUAGES
from m3net.card import ModelCard
from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core import uids
from node.core.assessment import Assessment
from node.core.findings import (
    DescribedNodule,
    describe_nodule,
    name_without_patient,
    nodule_rows,
    omissions,
    report_content,
)
from node.core.pictured import Look
from node.core.results import Artifact, ArtifactKind, CaptureVariant, ReportVariant, Results
from sr_templates.band import Band
from sr_templates.capture_view import MapStyle
from sr_templates.findings import (
    Algorithm,
    ObjectIdentity,
    Outcome,
    PredecessorReference,
    ReportContent,
)
from sr_templates.layout import FRAME_BYTES
from sr_templates.measurement_report import build_report
from sr_templates.secondary_capture import build_captures
from sr_templates.uids import derive_uid

Variant = tuple[ReportVariant, CaptureVariant]
Captures = Mapping[str, Sequence[Dataset]]
"""Per tracking UID."""

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
    """What results say and how they look; all of it is in the analysis id, except the variants.

    Those have UIDs of their own.

    judge_unlabelled      : bidirectional and arrow marks without a finding count as nodules
    languages             : in which a text may call a mark a nodule
    assumed_character_set : of CT and annotations that declare none
    max_diameter_mm       : what reaches further is no nodule
    max_nodules           : a study in which more is marked is not analysed
    maps                  : how a heat map is laid over the CT
    """

    report_series_number: int
    capture_series_number: int
    max_frames: int
    max_capture_bytes: int
    indeterminate_half_width: float
    manufacturer: str
    device_model: str
    device_serial: str
    software_version: str
    variants: Sequence[Variant]
    judge_unlabelled: bool = False
    languages: Sequence[str] = LANGUAGES
    assumed_character_set: str | None = None
    max_diameter_mm: float = 100.0
    max_nodules: int = 500
    maps: MapStyle = MapStyle.OVERLAY

    def band(self, card: ModelCard) -> Band | None:
        """In which a probability is indeterminate; None: this model makes no call."""
        if not card.trained or card.threshold is None:
            return None
        return Band.about(card.threshold, half_width=self.indeterminate_half_width)

    def look(self, stamp: Stamp) -> Look:
        """How the pictures look: an overview and as many slices as number and size allow."""
        frames = min(self.max_frames, self.max_capture_bytes // FRAME_BYTES)
        return Look(
            max_slices=max(1, frames - 1), maps=self.maps, revision=stamp.revision, at=stamp.at
        )


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
    described = []
    for number, judged in enumerate(assessment.judged, start=1):
        assert assessment.volume is not None, "judged in a volume"  # noqa: S101
        described.append(
            describe_nodule(
                judged,
                assessment.volume,
                name=name_without_patient(judged.nodule.tracking_id, subject, number),
                warnings=omissions(assessment),
                card=card,
                band=settings.band(card),
                header_of=header_of,
                look=settings.look(stamp),
            )
        )
    content = report_content(assessment, described, card, subject)
    author = _Author(
        algorithm=_algorithm(card, fingerprint, stamp, settings),
        stamp=stamp,
        settings=settings,
        subject=subject,
    )
    return Results(
        outcome=assessment.outcome,
        headline=content.headline,
        remarks=tuple(content.remarks),
        nodules=nodule_rows(assessment, subject),
        artifacts=author.artifacts(content, described),
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
            f"indeterminate within = {settings.indeterminate_half_width:.3f}",
            f"model = {fingerprint}",
            f"analysis = {stamp.analysis_id}",
        ),
        device_uid=uids.device_uid(settings.software_version),
        device_model=settings.device_model,
        device_serial=settings.device_serial,
        software_version=settings.software_version,
        trained=card.trained,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Author:
    """Writes the objects of one job: all share the algorithm, the stamp and the subject."""

    algorithm: Algorithm
    stamp: Stamp
    settings: ResultSettings
    subject: Dataset

    def artifacts(
        self, content: ReportContent, described: Sequence[DescribedNodule]
    ) -> list[Artifact]:
        """Every capture of every form, then every report of every variant."""
        captures = {
            form: self._captures(described, form)
            for form in dict.fromkeys(form for _, form in self.settings.variants)
        }
        reports = {
            (report, form): self._report(content, described, captures[form], report, form)
            for report, form in self.settings.variants
        }
        return [
            *(
                Artifact(
                    kind=ArtifactKind.CAPTURE,
                    report_variant=None,
                    capture_variant=form,
                    dataset=dataset,
                    tracking_uid=tracking_uid,
                )
                for form, of_nodule in captures.items()
                for tracking_uid, datasets in of_nodule.items()
                for dataset in datasets
            ),
            *(
                Artifact(
                    kind=ArtifactKind.REPORT,
                    report_variant=report,
                    capture_variant=form,
                    dataset=dataset,
                )
                for (report, form), dataset in reports.items()
            ),
        ]

    def _captures(self, described: Sequence[DescribedNodule], form: CaptureVariant) -> Captures:
        return {
            nodule.finding.tracking_uid: build_captures(
                frames=nodule.frames,
                subject=self.subject,
                algorithm=self.algorithm,
                identity_of=self._capture_identities(nodule, number, form),
                tracking_id=nodule.name,
                multi_frame=form is CaptureVariant.MULTI_FRAME,
                patient_orientation=nodule.orientation,
            )
            for number, nodule in enumerate(described)
        }

    def _capture_identities(
        self, nodule: DescribedNodule, number: int, form: CaptureVariant
    ) -> Callable[[int], ObjectIdentity]:
        stamp = self.stamp

        def identity_of(frame: int) -> ObjectIdentity:
            return ObjectIdentity(
                sop_instance_uid=uids.capture_uid(
                    study=stamp.study_instance_uid,
                    input_digest=stamp.input_digest,
                    analysis_id=stamp.analysis_id,
                    tracking_uid=nodule.finding.tracking_uid,
                    captures=form,
                    number=frame,
                ),
                series_instance_uid=uids.result_series_uid(
                    stamp.study_instance_uid, ArtifactKind.CAPTURE
                ),
                series_number=self.settings.capture_series_number,
                instance_number=stamp.revision * 10_000 + number * 100 + frame + 1,
                at=stamp.at,
            )

        return identity_of

    def _report(
        self,
        content: ReportContent,
        described: Sequence[DescribedNodule],
        captures: Captures,
        report: ReportVariant,
        form: CaptureVariant,
    ) -> Dataset:
        stamp = self.stamp
        key_slices = {str(nodule.key.SOPInstanceUID): nodule.key for nodule in described}
        return build_report(
            content=content,
            evidence=list(key_slices.values()) or [self.subject],
            subject=self.subject,
            algorithm=self.algorithm,
            identity=self._report_identity(content.outcome, report, form),
            sop_class_uid=REPORT_CLASSES[report],
            captures=captures,
            predecessor=stamp.predecessors.get((report, form)),
            tracking_uid_of_study=derive_uid("m3node", "study", stamp.study_instance_uid),
        )

    def _report_identity(
        self, outcome: Outcome, report: ReportVariant, form: CaptureVariant
    ) -> ObjectIdentity:
        stamp = self.stamp
        return ObjectIdentity(
            sop_instance_uid=uids.report_uid(
                study=stamp.study_instance_uid,
                input_digest=stamp.input_digest,
                analysis_id=stamp.analysis_id,
                outcome=outcome,
                report=report,
                captures=form,
            ),
            series_instance_uid=uids.result_series_uid(
                stamp.study_instance_uid, ArtifactKind.REPORT
            ),
            series_number=self.settings.report_series_number,
            instance_number=stamp.revision,
            at=stamp.at,
        )
