"""What a study waits for, and for how long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.completeness import (
    Ask,
    Expired,
    Nothing,
    Ready,
    StudyRules,
    StudySnapshot,
    Wait,
    WhenUnannotated,
    readiness,
)
from node.core.fetching import Fetch, Findings, Scope, SeriesThere, SourceCount, Wanted
from node.core.inputs import InstanceFacts, Intent, Role
from node.core.states import State
from tests.node.core.facts_of import (
    NOT_SUPPORTED,
    STUDY,
    THICK,
    THIN,
    ct_series,
    facts,
    segmentation,
    structure_set,
    uids,
)

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


def test_a_ct_without_annotation_waits_for_one_until_it_is_listed_as_expired() -> None:
    fortnight = 14 * 86400
    verdict = readiness(snapshot(*SLICES), now=after(fortnight - 1), rules=RULES)
    assert verdict == Wait(
        reason="for an annotation: the CT is here, and nothing marks a nodule in it",
        look_again_at=after(fortnight),
    )
    assert readiness(snapshot(*SLICES), now=after(fortnight), rules=RULES) == Expired(
        reason="for an annotation, and none came within 14 days after the last arrival: nothing in "
        "this CT has been assessed; when an annotation comes it will be",
        look_again_at=None,
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(90, "90 s"), (3600, "1 hour"), (5400, "90 minutes"), (0.5, "0.5 s")]
)
def test_how_long_a_ct_waited_is_said_in_words(seconds: float, said: str) -> None:
    rules = replace(RULES, unannotated_expires_s=seconds)
    verdict = readiness(snapshot(*SLICES), now=after(100_000), rules=rules)
    assert isinstance(verdict, Expired)
    assert f"none came within {said} after" in verdict.reason


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
    assert verdict.reason == f"it cannot be analysed: {NOT_SUPPORTED}"


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


@settings(deadline=None)
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


@settings(deadline=None)
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


ASKING = replace(RULES, sources=("PACS",), max_fetches=2)
LACKING = snapshot(*SLICES[:-1], segmentation(refers_to=uids(*SLICES)))


def asked(study: StudySnapshot) -> Ask:
    verdict = readiness(study, now=after(60), rules=ASKING)
    assert isinstance(verdict, Ask)
    return verdict


def answered(study: StudySnapshot, findings: Findings | None = None) -> StudySnapshot:
    """The study after it was asked for at the source."""
    fetch = Fetch(
        number=1,
        source="PACS",
        content=asked(study).wanted.content,
        by_itself=True,
        state=State.DEAD if findings is None else State.DONE,
        findings=findings,
    )
    return replace(study, fetches=(*study.fetches, fetch))


def test_a_source_is_asked_for_what_the_annotation_needs_and_why_says_so() -> None:
    question = asked(LACKING)
    assert (question.source, question.look_again_at) == ("PACS", None)
    assert question.reason == (
        "for PACS, which is asked what it holds of the study and for what is missing here"
    )
    assert question.because == "for 1 instance that the annotation needs"
    assert question.wanted == Wanted(
        scope=Scope.MISSING,
        series=THICK,
        instances=frozenset(uids(SLICES[-1])),
        content=question.wanted.content,
    )


def test_a_source_is_asked_whether_the_series_goes_on_though_nothing_seems_to_be_missing() -> None:
    question = asked(COMPLETE)
    assert question.because == "to learn whether the CT series is whole"
    assert question.wanted.instances == frozenset()


def test_for_a_ct_that_nobody_has_annotated_no_source_is_asked() -> None:
    study = snapshot(*SLICES)
    assert readiness(study, now=after(60), rules=ASKING) == readiness(
        study, now=after(60), rules=RULES
    )


def test_what_a_source_counts_is_held_against_what_is_here_of_that_series() -> None:
    study = snapshot(*ct_series(50, series=THIN, step_mm=1.0), *COMPLETE.instances)
    there = SeriesThere(series_instance_uid=THICK, modality="CT", said=25)
    known = answered(study, Findings(series=(there,), beyond=frozenset(uids(*SLICES))))
    verdict = readiness(known, now=after(60), rules=ASKING)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.at_source == SourceCount(source="PACS", here=20, there=25)
    assert verdict.inputs.remarks == ()
    often = replace(known, fetches=known.fetches * 2)
    verdict = readiness(often, now=after(60), rules=ASKING)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.remarks == ("No source is asked any more after 2 questions.",)


def test_a_source_that_does_not_answer_is_told_and_so_is_that_no_more_is_asked() -> None:
    dead = "What PACS holds of the study is not known: it could not be asked, or broke off."
    once = answered(COMPLETE)
    verdict = readiness(once, now=after(60), rules=ASKING)
    assert isinstance(verdict, Ready)
    assert (verdict.inputs.at_source, verdict.inputs.remarks) == (None, (dead,))
    verdict = readiness(once, now=after(60), rules=replace(ASKING, max_fetches=1))
    assert isinstance(verdict, Ready)
    assert verdict.inputs.remarks == (dead, "No source is asked any more after 1 question.")
    twice = replace(once, fetches=once.fetches * 2)
    verdict = readiness(twice, now=after(60), rules=ASKING)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.remarks == (
        dead,
        "No source is asked any more after 2 questions.",
    )


def test_what_is_proven_whole_needs_no_word_of_what_was_not_asked() -> None:
    there = SeriesThere(
        series_instance_uid=THICK, modality="CT", instances=frozenset(uids(*SLICES))
    )
    known = answered(COMPLETE, Findings(series=(there,)))
    verdict = readiness(replace(known, fetches=known.fetches * 2), now=after(60), rules=ASKING)
    assert isinstance(verdict, Ready)
    assert verdict.inputs.at_source == SourceCount(source="PACS", here=20, there=20)
    assert verdict.inputs.remarks == ()
