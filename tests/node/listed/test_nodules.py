"""A job's nodules in words, as lists show them."""

from dataclasses import asdict

from node.core.results import NoduleResult
from node.listed.nodules import nodule_words
from sr_templates.findings import Growth


def nodule(**more: object) -> NoduleResult:
    return NoduleResult(
        tracking_uid="2.25.1",
        tracking_id="Nodule 1",
        centre_mm=(0.0, 0.0, 0.0),
        centre_index=(0.0, 0.0, 0.0),
        diameter_mm=None,
        probability=0.5,
        reason=None,
        **more,
    )


def test_growth_is_told_or_why_there_is_none() -> None:
    grew = Growth(
        on="2025-07-15",
        days=184,
        volume_mm3=300.0,
        change_percent=52.0,
        doubling_days=304.6,
        limits=("another reconstruction kernel then",),
    )
    told = {
        "Against the CT of 15 Jul 2025, 184 days before: volume then 300 mm3, now + 52 %, volume "
        "doubling time 305 days; limits: another reconstruction kernel then": nodule(growth=grew),
        "no growth is told: nothing is marked there": nodule(
            no_growth="no growth is told: nothing is marked there"
        ),
        "": nodule(),
    }
    assert [nodule_words(asdict(each)).growth for each in told.values()] == list(told)


def test_a_job_from_before_growth_was_told_has_its_words() -> None:
    before = asdict(nodule())
    del before["growth"], before["no_growth"]
    assert nodule_words(before).growth == ""
