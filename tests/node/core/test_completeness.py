"""What a study waits for, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.completeness import (
    Nothing,
    Ready,
    StudyRules,
    StudySnapshot,
    Wait,
    WhenUnannotated,
    readiness,
)
from node.core.inputs import InstanceFacts, Intent, Role
from tests.node.core.facts_of import STUDY, ct_series, facts, segmentation, structure_set, uids

ARRIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = StudyRules(quiet_period_s=60, max_wait_s=1800, when_unannotated=WhenUnannotated.WAIT)
SLICES = ct_series(20)


def snapshot(*instances: InstanceFacts, open_senders: int = 0) -> StudySnapshot:
    return StudySnapshot(
        study_instance_uid=STUDY,
        instances=instances,
        last_arrival_at=ARRIVED,
        open_senders=open_senders,
        change=1,
    )


def after(seconds: float) -> datetime:
    return ARRIVED + timedelta(seconds=seconds)


COMPLETE = snapshot(*SLICES, segmentation(drawn_on=uids(*SLICES[7:9])))


def test_an_annotated_quiet_study_with_everything_referred_to_is_ready() -> None:
    verdict = readiness(COMPLETE, now=after(60), rules=RULES)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.intent is Intent.ANALYSE
    assert verdict.reason == (
        "20 CT slices and 1 annotation object, and every instance that they refer to"
    )


def test_a_study_is_not_quiet_before_its_quiet_period_is_over() -> None:
    verdict = readiness(COMPLETE, now=after(59), rules=RULES)
    assert verdict == Wait(reason="until nothing has come for 60 s", look_again_at=after(60))


def test_an_open_association_keeps_it_from_being_quiet_however_long_it_lasts() -> None:
    still_open = snapshot(*COMPLETE.instances, open_senders=1)
    verdict = readiness(still_open, now=after(100_000), rules=RULES)
    assert verdict == Wait(
        reason="somebody who delivers to this study is still sending", look_again_at=None
    )


def test_a_ct_without_annotation_waits_for_ever() -> None:
    verdict = readiness(snapshot(*SLICES), now=after(100_000), rules=RULES)
    assert verdict == Wait(
        reason="for an annotation: the CT is here, and nothing marks a nodule in it",
        look_again_at=None,
    )


def test_a_ct_without_annotation_is_reported_when_quiet_if_so_set() -> None:
    rules = StudyRules(quiet_period_s=60, max_wait_s=1800, when_unannotated=WhenUnannotated.REPORT)
    verdict = readiness(snapshot(*SLICES), now=after(60), rules=rules)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.intent is Intent.REPORT_NOT_ANNOTATED


def test_an_annotation_waits_for_its_ct_and_then_the_report_says_that_it_never_came() -> None:
    alone = snapshot(segmentation(drawn_on=uids(*SLICES[7:9])))
    assert readiness(alone, now=after(1799), rules=RULES) == Wait(
        reason="for the CT that the annotation refers to (until 1800 s after the last arrival)",
        look_again_at=after(1800),
    )
    verdict = readiness(alone, now=after(1800), rules=RULES)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.intent is Intent.REPORT_NOT_ANALYSED
    assert verdict.inputs.reason == "the CT that the annotation refers to was not received"


def test_a_ct_that_the_annotation_does_not_refer_to_is_not_the_one_it_waits_for() -> None:
    other = snapshot(*SLICES, segmentation(drawn_on=["7.7.7"]))
    assert isinstance(readiness(other, now=after(1799), rules=RULES), Wait)
    verdict = readiness(other, now=after(1800), rules=RULES)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.intent is Intent.REPORT_NOT_ANALYSED
    assert verdict.inputs.reason == "the CT that the annotation refers to was not received"


def test_a_missing_slice_is_waited_for_and_then_handed_over_as_missing() -> None:
    lacking = snapshot(*SLICES[:-1], segmentation(refers_to=uids(*SLICES)))
    verdict = readiness(lacking, now=after(61), rules=RULES)
    assert isinstance(verdict, Wait)
    assert verdict.reason == (
        "for 1 instance that the annotation needs (until 1800 s after the last arrival)"
    )
    verdict = readiness(lacking, now=after(1800), rules=RULES)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.intent is Intent.ANALYSE
    assert verdict.inputs.missing == {SLICES[-1].sop_instance_uid}


def test_a_segmentation_that_a_report_refers_to_may_come_later() -> None:
    report = segmentation(uid="1.2.3.51.1", drawn_on=uids(SLICES[8]), refers_to=["1.2.3.50.1"])
    assert isinstance(readiness(snapshot(*SLICES, report), now=after(61), rules=RULES), Wait)
    both = snapshot(*SLICES, report, segmentation(drawn_on=uids(SLICES[8])))
    assert isinstance(readiness(both, now=after(61), rules=RULES), Ready)


def test_a_structure_set_is_reported_as_soon_as_its_ct_is_quiet() -> None:
    verdict = readiness(snapshot(*SLICES, structure_set()), now=after(60), rules=RULES)
    assert isinstance(verdict, Ready)
    assert verdict.reason == "it cannot be analysed: RT Structure Set not supported yet"


def test_a_strangers_annotation_alone_is_nothing_for_this_node_and_why_says_so() -> None:
    brain = segmentation(nodules=False, image_classes=["1.2.840.10008.5.1.4.1.1.4"])
    assert readiness(snapshot(brain), now=after(60), rules=RULES) == Nothing(
        reason="no CT is among what came, and nothing says that what came (Segmentation) marks a "
        "nodule on one; no report is due"
    )


def test_a_dose_report_alone_is_nothing_for_this_node() -> None:
    dose = facts(uid="1.2.3.71.1", role=Role.OTHER)
    assert readiness(snapshot(dose), now=after(60), rules=RULES) == Nothing(
        reason="neither a chest CT nor an annotation is among what came"
    )


def test_a_quiet_period_longer_than_the_longest_wait_is_kept() -> None:
    rules = StudyRules(quiet_period_s=60, max_wait_s=1, when_unannotated=WhenUnannotated.WAIT)
    alone = snapshot(segmentation())
    assert isinstance(readiness(alone, now=after(59), rules=rules), Wait)
    assert isinstance(readiness(alone, now=after(60), rules=rules), Ready)


_PARTS = (*SLICES, segmentation(drawn_on=uids(*SLICES[7:9])), structure_set())


@given(
    present=st.sets(st.integers(0, len(_PARTS) - 1), min_size=1),
    earlier_s=st.floats(0, 4000),
    later_s=st.floats(0, 4000),
)
def test_time_alone_never_makes_a_ready_study_wait_again(
    present: set[int], earlier_s: float, later_s: float
) -> None:
    study = snapshot(*(_PARTS[index] for index in sorted(present)))
    earlier, later = sorted((earlier_s, later_s))
    if isinstance(readiness(study, now=after(earlier), rules=RULES), Ready):
        assert isinstance(readiness(study, now=after(later), rules=RULES), Ready)


@given(present=st.sets(st.integers(0, len(_PARTS) - 1), min_size=1), now_s=st.floats(0, 4000))
def test_a_wait_with_an_end_ends_then(present: set[int], now_s: float) -> None:
    study = snapshot(*(_PARTS[index] for index in sorted(present)))
    verdict = readiness(study, now=after(now_s), rules=RULES)
    if isinstance(verdict, Wait) and verdict.look_again_at is not None:
        assert verdict.look_again_at > after(now_s)
        later = readiness(study, now=verdict.look_again_at, rules=RULES)
        assert later != verdict


@pytest.mark.parametrize("count", [1, 2])
def test_reasons_count_in_words(count: int) -> None:
    slices = SLICES[:8] + SLICES[8 + count :]
    verdict = readiness(snapshot(*slices, segmentation()), now=after(61), rules=RULES)
    assert isinstance(verdict, Wait)
    noun = "1 slice" if count == 1 else "2 slices"
    assert verdict.reason.startswith(f"for {noun} missing in the CT series")
