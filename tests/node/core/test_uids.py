"""Our series: one a kind and revision, and all of them known without a database."""

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.core.results import ArtifactKind
from node.core.uids import is_own_series, result_series_uid
from sr_templates.findings import Outcome

STUDY = StudyInstanceUID("1.2.3")


def test_a_revised_report_stands_in_a_series_of_its_own() -> None:
    first, second = (
        result_series_uid(STUDY, ArtifactKind.REPORT, revision=n, outcome=Outcome.ANALYSED)
        for n in (1, 2)
    )
    assert first != second


def test_a_report_of_another_outcome_stands_in_another_series() -> None:
    """A technical failure that was done again: the list of a PACS must not keep the failure."""
    failed, analysed = (
        result_series_uid(STUDY, ArtifactKind.REPORT, outcome=outcome)
        for outcome in (Outcome.TECHNICAL_FAILURE, Outcome.ANALYSED)
    )
    assert failed != analysed


def test_every_series_of_ours_is_known_however_often_a_study_was_revised() -> None:
    for revision in (1, 2, 63, 64, 65, 5000):
        for outcome in Outcome:
            report = result_series_uid(
                STUDY, ArtifactKind.REPORT, revision=revision, outcome=outcome
            )
            assert is_own_series(STUDY, report)
        assert is_own_series(
            STUDY, result_series_uid(STUDY, ArtifactKind.CAPTURE, revision=revision)
        )


def test_another_studys_series_is_not_ours() -> None:
    other = result_series_uid(StudyInstanceUID("1.2.4"), ArtifactKind.CAPTURE)
    assert not is_own_series(STUDY, other)
    assert not is_own_series(STUDY, SeriesInstanceUID("1.2.3.4"))
