"""Every line of a stored report stands on the page: what it says there is what it says."""

from dataclasses import replace
from pathlib import Path

from m3net.uids import SeriesInstanceUID, SOPInstanceUID
from node.core.results import ArtifactKind
from node.persistence.held import ResultInForce
from node.persistence.spool import Spool
from node.web.page.report import ShownReport, read_report
from sr_templates.findings import Outcome, ReportContent
from tests.sr_templates.examples import FULL
from tests.sr_templates.objects.test_measurement_report import report

REMARKS = (
    "Nodule 1: taken for this patient's by the slices that it names.",
    "Nodule 3: taken for this patient's by the slices that it names.",
    "For research use; not a cleared medical device, and so is the scanner.",
    "Nodule 1: 87 %.",
)
"""As lines begin that stand elsewhere on the page too."""


def shown(content: ReportContent, directory: Path) -> ShownReport:
    """The report as it is read from the spool."""
    spool = Spool(directory)
    report(content).save_as(spool.locate("report.dcm"), enforce_file_format=True)
    result = ResultInForce(
        job_id=1,
        outcome=Outcome.PARTLY_ANALYSED,
        kind=ArtifactKind.REPORT,
        series_instance_uid=SeriesInstanceUID("2.25.60"),
        sop_instance_uid=SOPInstanceUID("2.25.50"),
        path="report.dcm",
        number_of_frames=None,
    )
    read = read_report([result], spool)
    assert read is not None
    return read


def test_no_remark_is_hidden_whatever_it_begins_with(tmp_path: Path) -> None:
    read = shown(replace(FULL, remarks=REMARKS), tmp_path)
    assert read.remarks == REMARKS


def test_what_it_replaces_every_nodule_and_why_one_was_not_analysed_are_there(
    tmp_path: Path,
) -> None:
    replaces = "Revision 2: replaces revision 1 of 27 Nov 2026 14:12."
    read = shown(replace(FULL, revision=replaces), tmp_path)
    assert read.headline == FULL.headline
    assert read.summary == (replaces, *FULL.summary)
    assert [(each.name, each.probability) for each in read.findings] == [
        ("Nodule 1", "87 %"),
        ("Nodule 2", "< 5 %"),
        ("Nodule 3", ""),
    ]
    assert read.findings[2].sentence == "Not analysed: its centre is outside the CT"
