"""Which form of a job's results a destination gets."""

from dataclasses import dataclass

import pytest

from node.core.errors import DestinationRefused
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.variants import RICHEST, Form, Wishes, choose, form_of

REPORT_3D, REPORT = ReportVariant.COMPREHENSIVE_3D, ReportVariant.COMPREHENSIVE
MULTI, SINGLE = CaptureVariant.MULTI_FRAME, CaptureVariant.SINGLE_FRAME
AUTO = Wishes(report="auto", captures="auto")


@dataclass(frozen=True)
class Some:
    name: str
    kind: ArtifactKind
    report_variant: ReportVariant | None = None
    capture_variant: CaptureVariant | None = None


def report(name: str, variant: ReportVariant, captures: CaptureVariant) -> Some:
    return Some(name, ArtifactKind.REPORT, variant, captures)


def capture(name: str, captures: CaptureVariant) -> Some:
    return Some(name, ArtifactKind.CAPTURE, None, captures)


NOW = [
    capture("nodule 1", MULTI),
    Some("the report on paper", ArtifactKind.PDF),
    Some("outlines", ArtifactKind.PRESENTATION_STATE),
    report("the report", REPORT_3D, MULTI),
]
BEFORE = [
    report("3d + multi", REPORT_3D, MULTI),
    report("3d + single", REPORT_3D, SINGLE),
    report("2d + multi", REPORT, MULTI),
    report("2d + single", REPORT, SINGLE),
    capture("nodule 1", MULTI),
    capture("nodule 1, slice 1", SINGLE),
    capture("nodule 1, slice 2", SINGLE),
]


def names(form: Form, artifacts: list[Some]) -> tuple[list[str], bool]:
    """What is chosen, captures first, and whether the form is to be derived from it."""
    chosen = choose(artifacts, form)
    return [each.name for each in (*chosen.captures, chosen.report)], chosen.derive


@pytest.mark.parametrize("variant", ReportVariant)
@pytest.mark.parametrize("captures", CaptureVariant)
def test_every_form_is_the_stored_one_or_derived_from_it(
    variant: ReportVariant, captures: CaptureVariant
) -> None:
    form = Form(report=variant, captures=captures)
    assert names(form, NOW) == (["nodule 1", "the report"], form != RICHEST)


def test_what_a_version_before_left_is_sent_as_it_is() -> None:
    assert names(RICHEST, BEFORE) == (["nodule 1", "3d + multi"], False)
    assert names(Form(report=REPORT, captures=SINGLE), BEFORE) == (
        ["nodule 1, slice 1", "nodule 1, slice 2", "2d + single"],
        False,
    )


def test_of_a_version_before_without_captures_any_report_of_the_class_will_do() -> None:
    only = [report("2d", REPORT, MULTI)]
    assert names(Form(report=REPORT, captures=SINGLE), only) == (["2d"], False)


def test_a_form_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(DestinationRefused, match="wrote no comprehensive_3d report"):
        choose([BEFORE[3], BEFORE[5]], RICHEST)
    with pytest.raises(DestinationRefused, match="wrote no comprehensive_3d report"):
        choose([BEFORE[3]], RICHEST)
    with pytest.raises(DestinationRefused, match="wrote no comprehensive report with single_frame"):
        choose([BEFORE[2], BEFORE[4]], Form(report=REPORT, captures=SINGLE))


def test_only_a_report_has_a_form_and_it_is_that_of_its_captures_too() -> None:
    assert form_of(report("x", REPORT, SINGLE)) == Form(report=REPORT, captures=SINGLE)
    assert form_of(capture("x", MULTI)) is None
    assert form_of(Some("x", ArtifactKind.REPORT, REPORT_3D, None)) is None


def test_companions_are_those_that_are_asked_for_in_the_order_of_sending() -> None:
    both = {ArtifactKind.PDF, ArtifactKind.PRESENTATION_STATE, ArtifactKind.KEY_OBJECTS}
    assert [each.name for each in choose(NOW, RICHEST, both).companions] == [
        "outlines",
        "the report on paper",
    ]
    assert choose(NOW, RICHEST).companions == []


def test_auto_begins_with_the_richest_form() -> None:
    assert AUTO.first(None, None) == Form(report=REPORT_3D, captures=MULTI)


def test_what_an_earlier_try_found_out_is_used_again() -> None:
    assert AUTO.first(REPORT, SINGLE) == Form(report=REPORT, captures=SINGLE)


def test_a_setting_goes_before_what_was_found_out() -> None:
    wishes = Wishes(report=REPORT_3D, captures="auto")
    assert wishes.first(REPORT, SINGLE) == Form(report=REPORT_3D, captures=SINGLE)


def test_only_the_rejected_kind_becomes_poorer() -> None:
    richest = Form(report=REPORT_3D, captures=MULTI)
    assert AUTO.poorer(richest, ArtifactKind.REPORT) == Form(report=REPORT, captures=MULTI)
    assert AUTO.poorer(richest, ArtifactKind.CAPTURE) == Form(report=REPORT_3D, captures=SINGLE)


def test_there_is_nothing_below_the_poorest_form_or_beside_a_setting() -> None:
    poorest = Form(report=REPORT, captures=SINGLE)
    assert AUTO.poorer(poorest, ArtifactKind.REPORT) is None
    assert AUTO.poorer(poorest, ArtifactKind.CAPTURE) is None
    fixed = Wishes(report=REPORT_3D, captures=MULTI)
    richest = Form(report=REPORT_3D, captures=MULTI)
    assert fixed.poorer(richest, ArtifactKind.REPORT) is None
    assert fixed.poorer(richest, ArtifactKind.CAPTURE) is None
