"""Which form of a job's results a destination gets."""

from dataclasses import dataclass

import pytest

from node.core.errors import DestinationRefused
from node.core.results import ArtifactKind, CaptureVariant, ReportVariant
from node.core.variants import Form, Wishes, in_form, kind_of

REPORT_3D, REPORT = ReportVariant.COMPREHENSIVE_3D, ReportVariant.COMPREHENSIVE
MULTI, SINGLE = CaptureVariant.MULTI_FRAME, CaptureVariant.SINGLE_FRAME
AUTO = Wishes(report="auto", captures="auto")


@dataclass(frozen=True)
class Some:
    name: str
    kind: ArtifactKind
    report_variant: ReportVariant | None
    capture_variant: CaptureVariant
    sop_class_uid: str


def report(name: str, variant: ReportVariant, captures: CaptureVariant) -> Some:
    return Some(name, ArtifactKind.REPORT, variant, captures, f"class of {variant}")


def capture(name: str, captures: CaptureVariant) -> Some:
    return Some(name, ArtifactKind.CAPTURE, None, captures, f"class of {captures}")


ALL = [
    report("3d + multi", REPORT_3D, MULTI),
    report("3d + single", REPORT_3D, SINGLE),
    report("2d + multi", REPORT, MULTI),
    report("2d + single", REPORT, SINGLE),
    capture("nodule 1", MULTI),
    capture("nodule 1, slice 1", SINGLE),
    capture("nodule 1, slice 2", SINGLE),
]


def names(form: Form, artifacts: list[Some] = ALL) -> list[str]:
    return [artifact.name for artifact in in_form(artifacts, form)]


def test_captures_come_before_the_report_that_refers_to_them() -> None:
    assert names(Form(report=REPORT_3D, captures=MULTI)) == ["nodule 1", "3d + multi"]
    assert names(Form(report=REPORT, captures=SINGLE)) == [
        "nodule 1, slice 1",
        "nodule 1, slice 2",
        "2d + single",
    ]


def test_without_captures_any_report_of_the_class_will_do() -> None:
    only = [report("3d", REPORT_3D, MULTI), report("2d", REPORT, MULTI)]
    assert names(Form(report=REPORT, captures=SINGLE), only) == ["2d"]


def test_a_form_that_the_job_did_not_write_is_refused() -> None:
    with pytest.raises(DestinationRefused, match="wrote no comprehensive report"):
        in_form([ALL[0], ALL[4]], Form(report=REPORT, captures=MULTI))


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


def test_a_rejected_class_is_traced_to_its_kind() -> None:
    assert kind_of("class of multi_frame", ALL) is ArtifactKind.CAPTURE
    assert kind_of("class of comprehensive_3d", ALL) is ArtifactKind.REPORT
    assert kind_of("1.2.3", ALL) is None
