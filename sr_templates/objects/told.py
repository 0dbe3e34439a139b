"""What a stored report says, read back from its tree, for whoever reads no DICOM.

A RIS is told what the report says and nothing else, in its words: so the report itself is read, not
what it was made of.  Items and codes: `sr_templates.objects.measurement_report` (PS3.16 TID 1500).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydicom import Dataset
from pydicom.sr.coding import Code

from sr_templates import codes
from sr_templates.envelope import RESEARCH_USE
from sr_templates.findings import Outcome
from sr_templates.objects.measurement_report import SERIES_DESCRIPTIONS
from sr_templates.uids import derive_uid

_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
_FINDING_SITE = Code("363698007", "SCT", "Finding Site")
_LATERALITY = Code("272741003", "SCT", "Laterality")
_FAILURE = SERIES_DESCRIPTIONS[Outcome.TECHNICAL_FAILURE].partition(" (")[0]
_PROBABILITIES = frozenset({codes.PROBABILITY_OF_CANCER, codes.UNTRAINED_OUTPUT})
_RANGES = frozenset({codes.RATED_FROM, codes.RATED_TO})
"""Neither says anything without the other: the sentence tells both."""

NOT_TOLD = (LookupError, AttributeError, ValueError, TypeError, StopIteration)
"""What reading a report that a version before wrote otherwise may raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A number of the report; the unit is of UCUM."""

    name: Code
    value: float
    unit: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFinding:
    """One nodule of the report, one that was not analysed, or the study in which none is told.

    probability : in %, as the report has it for programs; None if nothing was judged
    sentence    : what the report says of it to people, with band and limits
    image       : SOP Instance UID of its key slice
    """

    tracking_uid: str
    tracking_id: str
    probability: Measured | None
    sizes: tuple[Measured, ...]
    texture: Code | None
    site: Code | None
    side: Code | None
    sentence: str
    image: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldInstance:
    """An object of the study that the report is, or rests on."""

    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One report.

    identity : the UID of what a RIS knows as one report: the study's, of whatever revision; a
               technical failure has one of its own, since it must not take the place of a result
    headline : what happened, in one line
    summary  : what it replaces; of several nodules one line each, by risk
    refused  : which nodules were not analysed, and why
    evidence : the slices that findings are drawn on, and the captures
    revision : 1, 2, ... within the study
    header   : whose report it is: the report's own attributes
    """

    identity: str
    report: ToldInstance
    evidence: tuple[ToldInstance, ...]
    headline: str
    summary: tuple[str, ...]
    refused: tuple[str, ...]
    remarks: tuple[str, ...]
    findings: tuple[ToldFinding, ...]
    revision: int
    replaces: bool
    at: datetime
    header: Dataset

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, line by line."""
        research = f"{RESEARCH_USE}."
        return (self.headline, research, *self.summary, *self.refused, *self.remarks)


def told(report: Dataset) -> Told:
    """What the report says.  Raises one of `NOT_TOLD` of what is no report of this version's."""
    summaries = [str(item.TextValue) for item in _named(report, codes.SUMMARY)]
    groups = [g for each in _named(report, _MEASUREMENTS) for g in each.ContentSequence]
    evaluations = list(_named(report, codes.QUALITATIVE_EVALUATIONS))
    refused = [_finding(f) for each in evaluations for f in _named(each, codes.FINDING)]
    remarks = [str(c.TextValue) for each in evaluations for c in _named(each, codes.COMMENT)]
    at = f"{report.ContentDate}{report.ContentTime}{report.TimezoneOffsetFromUTC}"
    failed = str(report.SeriesDescription).startswith(_FAILURE)
    return Told(
        identity=derive_uid(
            "m3node", "technical failure" if failed else "RIS report", str(report.StudyInstanceUID)
        ),
        report=ToldInstance(
            series_instance_uid=str(report.SeriesInstanceUID),
            sop_class_uid=str(report.SOPClassUID),
            sop_instance_uid=str(report.SOPInstanceUID),
        ),
        evidence=tuple(_evidence(report)),
        headline=summaries[0],
        summary=tuple(summaries[1:]),
        refused=tuple(f"{each.tracking_id}: {each.sentence}" for each in refused),
        remarks=tuple(remarks),
        findings=(*map(_finding, groups), *refused),
        revision=int(report.InstanceNumber),
        replaces="PredecessorDocumentsSequence" in report,
        at=datetime.strptime(at, "%Y%m%d%H%M%S.%f%z"),
        header=report,
    )


def _finding(group: Dataset) -> ToldFinding:
    """Of a measurement group, or of a row that says that a nodule was not evaluated."""
    numbers = [_measured(item) for item in _items(group) if item.ValueType == "NUM"]
    site = next(_named(group, _FINDING_SITE), None)
    regions = (item for item in _items(group) if item.ValueType == "SCOORD")
    images = (each for region in regions for each in _items(region))
    image = next(images, None)
    return ToldFinding(
        tracking_uid=str(next(_named(group, codes.TRACKING_UID)).UID),
        tracking_id=str(next(_named(group, codes.TRACKING_ID)).TextValue),
        probability=next((each for each in numbers if each.name in _PROBABILITIES), None),
        sizes=tuple(each for each in numbers if each.name not in _PROBABILITIES | _RANGES),
        texture=_coded(next(_named(group, codes.TEXTURE), None)),
        site=_coded(site),
        side=None if site is None else _coded(next(_named(site, _LATERALITY), None)),
        sentence=" ".join(str(item.TextValue) for item in _named(group, codes.COMMENT)),
        image=None
        if image is None
        else str(image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID),
    )


def _measured(item: Dataset) -> Measured:
    measured = item.MeasuredValueSequence[0]
    return Measured(
        name=_code(item.ConceptNameCodeSequence[0]),
        value=float(measured.NumericValue),
        unit=_code(measured.MeasurementUnitsCodeSequence[0]),
    )


def _evidence(report: Dataset) -> Iterator[ToldInstance]:
    for study in report.get("CurrentRequestedProcedureEvidenceSequence") or ():
        for series in study.ReferencedSeriesSequence:
            for each in series.ReferencedSOPSequence:
                yield ToldInstance(
                    series_instance_uid=str(series.SeriesInstanceUID),
                    sop_class_uid=str(each.ReferencedSOPClassUID),
                    sop_instance_uid=str(each.ReferencedSOPInstanceUID),
                )


def _items(parent: Dataset) -> Iterable[Dataset]:
    return parent.get("ContentSequence") or ()


def _named(parent: Dataset, name: Code) -> Iterator[Dataset]:
    for item in _items(parent):
        concept = item.get("ConceptNameCodeSequence")
        if concept and _code(concept[0]) == name:
            yield item


def _coded(item: Dataset | None) -> Code | None:
    return None if item is None else _code(item.ConceptCodeSequence[0])


def _code(item: Dataset) -> Code:
    return Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))
