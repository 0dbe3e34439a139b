"""Our series: one a kind and revision, and all of them known without a database."""

from uuid import UUID

import pytest

from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.core.results import ArtifactKind
from node.core.uids import is_own_series, job_of_work_item, result_series_uid, work_item_uid
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


def work_item(job_id: int, *, study: str = STUDY) -> str:
    return work_item_uid(
        job_id, study=StudyInstanceUID(study), input_digest="digest", analysis_id="analysis"
    )


def test_a_work_item_is_named_by_what_its_job_is_about_and_tells_the_jobs_number() -> None:
    named = {work_item(7, study=f"1.2.{n}"): 7 for n in range(20)}
    named |= {work_item(number): number for number in (0, 1, 2**31, 2**62 - 1)}
    assert len(named) == 24
    assert {uid: job_of_work_item(uid) for uid in named} == named
    assert max(len(uid.removeprefix("2.25.")) for uid in named) == 39
    assert all(UUID(int=int(uid.removeprefix("2.25."))).version == 8 for uid in named)


@pytest.mark.parametrize(
    "uid",
    [
        "",
        "1.2.3",
        f"2.25.{UUID('123e4567-e89b-42d3-a456-426614174000').int}",  # of version 4
        f"2.26.{2**127}",
        f"2.25.{2**128}",
        f"2.25.0{2**128}",
        "2.25.x",
        "2.25.",
    ],
)
def test_a_uid_of_another_form_is_no_work_item(uid: str) -> None:
    assert job_of_work_item(uid) is None
