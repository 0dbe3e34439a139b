"""A CT with one annotation object, of any kind: when the study is analysed, and as what."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pydicom import Dataset

from m3net.uids import StudyInstanceUID
from node.core.completeness import (
    Nothing,
    Ready,
    StudyRules,
    StudySnapshot,
    Wait,
    WhenUnannotated,
    readiness,
)
from node.core.inputs import Intent, Role
from node.inbound.facts import read_facts
from tests import synthetic
from tests.encodings import (
    ROI,
    Contour,
    Drawn,
    Finding,
    OnImages,
    Words,
    chest_cad,
    presentation_state,
    structure_set,
    to_mm,
)
from tests.m3net.annotations.scene import OUTLINE, as_received

CT = synthetic.ct_series()
AT = datetime(2026, 1, 2, tzinfo=UTC)
CIRCLE = Drawn(shape="CIRCLE", points=[(6.5, 5.5), (8.5, 5.5)])


def graphics(*texts: str) -> Dataset:
    on = OnImages(graphics=[CIRCLE], texts=[Words(value=each) for each in texts], images=[CT[3]])
    return presentation_state(CT, [on])


def region(name: str) -> Dataset:
    contour = Contour(points_mm=to_mm(CT[3], OUTLINE), image=CT[3])
    return structure_set(CT, [ROI(name=name, contours=[contour])])


def verdict(*objects: Dataset, later: timedelta = timedelta(minutes=10)) -> Wait | Ready | Nothing:
    return readiness(
        StudySnapshot(
            study_instance_uid=StudyInstanceUID(str(CT[0].StudyInstanceUID)),
            instances=[facts(each) for each in objects],
            last_arrival_at=AT,
            open_senders=0,
            change=1,
        ),
        now=AT + later,
        rules=StudyRules(quiet_period_s=60, max_wait_s=3600, when_unannotated=WhenUnannotated.WAIT),
    )


def facts(ds: Dataset):
    return read_facts(as_received(ds), transfer_syntax="1.2.840.10008.1.2.1")[0]


@pytest.mark.parametrize(
    "annotation",
    [
        graphics("nodule"),
        graphics("98%"),
        graphics(),
        region("Nodule"),
        region("ROI-1"),
        chest_cad(CT, [Finding(image=CT[3], outline=OUTLINE)]),
        chest_cad(CT, []),
    ],
    ids=["named", "text", "graphic", "region", "unnamed region", "CAD", "CAD without findings"],
)
def test_a_study_with_one_annotation_of_any_kind_is_analysed_when_it_is_quiet(
    annotation: Dataset,
) -> None:
    assert facts(annotation).role is Role.ANNOTATION
    ready = verdict(*CT, annotation)
    assert isinstance(ready, Ready)
    assert ready.inputs.intent is Intent.ANALYSE


def test_a_state_of_window_and_zoom_leaves_a_study_unannotated() -> None:
    assert facts(presentation_state(CT, [])).role is Role.OTHER
    assert isinstance(verdict(*CT, presentation_state(CT, [])), Wait)


@pytest.mark.parametrize("annotation", [graphics("98%"), region("Brainstem"), chest_cad(CT, [])])
def test_what_marks_no_nodule_makes_no_report_without_its_ct(annotation: Dataset) -> None:
    assert not isinstance(verdict(annotation, later=timedelta(days=2)), Ready)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom, of what is tried here
def test_an_object_that_cannot_be_read_is_an_annotation_all_the_same() -> None:
    damaged: Sequence[Dataset] = [graphics("nodule"), region("Nodule")]
    damaged[0].GraphicAnnotationSequence[0].ReferencedImageSequence[
        0
    ].ReferencedSOPInstanceUID = "x"
    damaged[1].StructureSetROISequence[0].ROINumber = None
    for each in damaged:
        assert facts(each).role is Role.ANNOTATION
        assert facts(each).references is None
