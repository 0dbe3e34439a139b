"""The report in force as text, and its pictures: what a reader of the page reads, and looks at."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from m3net.uids import SeriesInstanceUID, SOPInstanceUID
from node.core.results import ArtifactKind
from node.logs import event
from node.persistence.held import ResultInForce
from node.persistence.spool import Spool
from sr_templates import codes
from sr_templates.objects.told import NOT_TOLD, Told, ToldFinding, told
from sr_templates.probability import UNTRAINED, percent_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One capture: its frames, by number."""

    series: SeriesInstanceUID
    instance: SOPInstanceUID
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinding:
    """One nodule of the report.

    probability : as reports word it; "untrained" of a network that knows nothing; empty if none
    """

    name: str
    probability: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReport:
    """What the report says.

    headline : its first line
    summary  : what it replaces, and of several nodules one line each
    remarks  : what else it says; what it refuses is said by `findings`
    """

    headline: str
    summary: Sequence[str]
    remarks: Sequence[str]
    findings: Sequence[ShownFinding]
    revision: int

    @property
    def untrained(self) -> bool:
        """Whether its numbers are no results."""
        return UNTRAINED in self.headline


def read_report(results: Sequence[ResultInForce], spool: Spool) -> ShownReport | None:
    """The report among the results; None if there is none that can be read."""
    for result in results:
        if result.kind is ArtifactKind.REPORT:
            try:
                return _shown(told(dcmread(spool.locate(result.path))))
            except (*NOT_TOLD, OSError, InvalidDicomError) as error:
                event("page.report_unreadable", level=logging.ERROR, error=error)
    return None


def _shown(report: Told) -> ShownReport:
    return ShownReport(
        headline=report.headline,
        summary=report.summary,
        remarks=report.remarks,
        findings=[
            ShownFinding(
                name=each.tracking_id, probability=_probability(each), sentence=each.sentence
            )
            for each in report.findings
        ],
        revision=report.revision,
    )


def _probability(finding: ToldFinding) -> str:
    if finding.probability is None:
        return ""
    if finding.probability.name == codes.UNTRAINED_OUTPUT:
        return "untrained"
    return percent_text(finding.probability.value / 100)


def pictures_of(results: Sequence[ResultInForce]) -> list[Picture]:
    """The captures among the results, in the order in which they were made."""
    return [
        Picture(
            series=result.series_instance_uid,
            instance=result.sop_instance_uid,
            frames=result.number_of_frames or 1,
        )
        for result in results
        if result.kind is ArtifactKind.CAPTURE
    ]
