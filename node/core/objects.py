"""From an assessment to DICOM objects: one set, in the richest form.

Captures come first, since the report refers to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from m3net.annotations.vocabulary import LANGUAGES
from m3net.card import ModelCard
from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core import uids
from node.core.assessment import Assessment
from node.core.companions import Companions
from node.core.findings import (
    DescribedNodule,
    describe_nodule,
    names_of,
    nodule_rows,
    omissions,
    report_content,
    study_pages,
)
from node.core.pictured import Look, method_of
from node.core.results import Artifact, ArtifactKind, Results
from node.core.series_numbers import series_numbers
from sr_templates.band import Band
from sr_templates.findings import (
    Algorithm,
    ObjectIdentity,
    Outcome,
    PredecessorReference,
    ReportContent,
)
from sr_templates.objects.measurement_report import build_report
from sr_templates.objects.secondary_capture import build_capture
from sr_templates.pictures.capture_view import CaptureFrame, MapStyle
from sr_templates.pictures.layout import FRAME_BYTES
from sr_templates.uids import derive_uid

Captures = Mapping[str, Dataset]
"""Per tracking UID."""


_OF_A_REVISION = 100_000
"""Instance Numbers of a revision's captures: its pages of all nodules, then a hundred a nodule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a result takes from its job's row, so that a rebuild is the same object.

    at          : when the job was made, in the site's time zone; every date of every object
    revision    : 1, 2, ... within the study; the Instance Number
    predecessor : the report that this one replaces
    numbered_above : what the Series Numbers of all results of the study are greater than
    """

    study_instance_uid: StudyInstanceUID
    input_digest: str
    analysis_id: str
    revision: int
    at: datetime
    predecessor: PredecessorReference | None = None
    numbered_above: int = 0

    def in_words(self) -> str:
        """ "Revision 2 of 28 Nov 2026 03:05, replaces revision 1 of 27 Nov 2026 14:12"."""
        before = self.predecessor
        replaces = "" if before is None else f", replaces {before.in_words}"
        return f"R{revision_in_words(self.revision, self.at)[1:]}{replaces}"


def revision_in_words(revision: int, at: datetime) -> str:
    """ "revision 1 of 27 Nov 2026 14:12"; the hour is the site's."""
    return f"revision {revision} of {at.day} {at:%b %Y %H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSettings:
    """What results say and how they look; all of it is in the analysis id, except the companions.

    Those stand beside what is said, and change nothing of it.

    judge_unlabelled      : bidirectional and arrow marks without a finding count as nodules
    languages             : in which a text may call a mark a nodule
    assumed_character_set : of CT and annotations that declare none
    max_diameter_mm       : what reaches further is no nodule
    max_nodules           : a study in which more is marked is not analysed
    maps                  : how a heat map is laid over the CT
    companions            : what some destination asks for beside report and captures
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
    judge_unlabelled: bool = False
    languages: Sequence[str] = LANGUAGES
    assumed_character_set: str | None = None
    max_diameter_mm: float = 100.0
    max_nodules: int = 500
    maps: MapStyle = MapStyle.OVERLAY
    companions: frozenset[ArtifactKind] = frozenset()

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
    names, _ = names_of(assessment, subject)
    for name, judged in zip(names, assessment.judged, strict=True):
        described.append(
            describe_nodule(
                judged,
                name=name,
                warnings=omissions(assessment),
                card=card,
                band=settings.band(card),
                header_of=header_of,
                look=settings.look(stamp),
            )
        )
    content = report_content(
        assessment,
        described,
        card,
        subject,
        revision="" if stamp.predecessor is None else f"{stamp.in_words()}.",
    )
    nodules = nodule_rows(assessment, described, subject)
    author = _Author(
        algorithm=_algorithm(card, fingerprint, stamp, settings),
        stamp=stamp,
        settings=settings,
        subject=subject,
    )
    companions = Companions(
        content=content,
        described=described,
        names={nodule.tracking_uid: nodule.tracking_id for nodule in nodules},
        band=settings.band(card),
        method=method_of(card),
        revision=stamp.in_words(),
        subject=subject,
        algorithm=author.algorithm,
        identity_of=partial(author.companion_identity, content.outcome),
    )
    *captures, report = author.artifacts(
        content, described, study_pages(assessment, described, subject)
    )
    beside = companions.build(settings.companions)
    return Results(
        outcome=assessment.outcome,
        headline=content.headline,
        remarks=tuple(content.remarks),
        nodules=nodules,
        artifacts=[*captures, *beside.artifacts, report],
        left_out=beside.left_out,
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
        ),
        fingerprints=(f"model = {fingerprint}", f"analysis = {stamp.analysis_id}"),
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
        self,
        content: ReportContent,
        described: Sequence[DescribedNodule],
        pages: Sequence[CaptureFrame],
    ) -> list[Artifact]:
        """The captures, those of the whole study first, then the report."""
        captures = {
            nodule.finding.tracking_uid: self._capture(nodule, number)
            for number, nodule in enumerate(described, start=1)
        }
        report = self._report(content, described, captures)
        return [
            *(
                Artifact(kind=ArtifactKind.CAPTURE, dataset=self._study_page(page, number))
                for number, page in enumerate(pages, start=1)
            ),
            *(
                Artifact(kind=ArtifactKind.CAPTURE, dataset=dataset, tracking_uid=tracking_uid)
                for tracking_uid, dataset in captures.items()
            ),
            Artifact(kind=ArtifactKind.REPORT, dataset=report),
        ]

    def _study_page(self, page: CaptureFrame, number: int) -> Dataset:
        """A page, from 1, as an object: where single images are wanted, none is left out."""
        return build_capture(
            frames=[page],
            subject=self.subject,
            algorithm=self.algorithm,
            identity=self._identity(
                ArtifactKind.CAPTURE,
                self._uid("study page", str(number)),
                instance_number=self.stamp.revision * _OF_A_REVISION + number,
            ),
            shows="Probabilities",
            tracking_id=page.label,
            patient_orientation=None,
        )

    def _capture(self, nodule: DescribedNodule, number: int) -> Dataset:
        """Of the nodule with this number from 1."""
        return build_capture(
            frames=nodule.frames,
            subject=self.subject,
            algorithm=self.algorithm,
            identity=self._identity(
                ArtifactKind.CAPTURE,
                self._uid("capture", nodule.finding.tracking_uid),
                # Frames that stand alone are numbered on from their capture.
                instance_number=self.stamp.revision * _OF_A_REVISION + number * 100 + 1,
            ),
            shows=nodule.listed.legend.method,
            tracking_id=nodule.name,
            patient_orientation=nodule.orientation,
        )

    def _report(
        self,
        content: ReportContent,
        described: Sequence[DescribedNodule],
        captures: Captures,
    ) -> Dataset:
        stamp = self.stamp
        key_slices = {str(nodule.key.SOPInstanceUID): nodule.key for nodule in described}
        return build_report(
            content=content,
            evidence=list(key_slices.values()) or [self.subject],
            subject=self.subject,
            algorithm=self.algorithm,
            identity=self._identity(
                ArtifactKind.REPORT,
                self._uid("report", content.outcome),
                instance_number=stamp.revision,
                outcome=content.outcome,
            ),
            sop_class_uid=Comprehensive3DSRStorage,
            captures={uid: [capture] for uid, capture in captures.items()},
            predecessor=stamp.predecessor,
            tracking_uid_of_study=derive_uid("m3node", "study", stamp.study_instance_uid),
        )

    def _uid(self, what: Literal["report", "capture", "study page"], which: str) -> SOPInstanceUID:
        return uids.result_uid(
            what,
            which,
            study=self.stamp.study_instance_uid,
            input_digest=self.stamp.input_digest,
            analysis_id=self.stamp.analysis_id,
        )

    def companion_identity(
        self, outcome: Outcome, kind: ArtifactKind, number: int
    ) -> ObjectIdentity:
        """Of the companion with this number, from 0, of a kind."""
        return self._identity(
            kind,
            uids.companion_uid(self._uid("report", outcome), kind, number),
            instance_number=self.stamp.revision * 10_000 + number + 1,
        )

    def _identity(
        self,
        kind: ArtifactKind,
        uid: SOPInstanceUID,
        *,
        instance_number: int,
        outcome: Outcome | None = None,
    ) -> ObjectIdentity:
        numbers = series_numbers(
            report=self.settings.report_series_number,
            captures=self.settings.capture_series_number,
            above=self.stamp.numbered_above,
        )
        return ObjectIdentity(
            sop_instance_uid=uid,
            series_instance_uid=uids.result_series_uid(
                self.stamp.study_instance_uid,
                kind,
                revision=self.stamp.revision,
                outcome=outcome,
            ),
            series_number=numbers[kind],
            instance_number=instance_number,
            at=self.stamp.at,
            revision=self.stamp.revision,
        )
