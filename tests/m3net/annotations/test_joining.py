"""What a report says of a segment, joined with the segment."""

from dataclasses import replace

import numpy as np
import pytest

from m3net.annotations.joining import Joined, join_objects
from m3net.annotations.types import Annotation, Drawn, Marking, PassedOver, SegmentReference
from m3net.nodule import AnnotationSource, Mask
from m3net.uids import FrameOfReferenceUID, SOPClassUID, SOPInstanceUID

SEG, REPORT = SOPInstanceUID("1.1"), SOPInstanceUID("1.2")
MASK = Mask(voxels=np.ones((1, 1, 1), dtype=np.bool_), affine=np.eye(4))


def mark(of: SOPInstanceUID, place: str, **more: object) -> Marking:
    return Marking(
        source=AnnotationSource(sop_class_uid=SOPClassUID("1"), sop_instance_uid=of, place=place),
        frame_of_reference_uid=FrameOfReferenceUID("1.3"),
        **{"tracking_uid": None, "tracking_id": None, **more},
    )


def told(of: SOPInstanceUID, *markings: Marking, passed: tuple[PassedOver, ...] = ()) -> Annotation:
    return Annotation(sop_instance_uid=of, markings=markings, passed_over=passed)


def about(number: int = 1, **more: object) -> Marking:
    segment = SegmentReference(sop_instance_uid=SEG, segment_number=number)
    return mark(REPORT, f"group {number}", segment=segment, **more)


def join(*annotations: Annotation, judge_unlabelled: bool = False) -> Joined:
    return join_objects(annotations, judge_unlabelled=judge_unlabelled)


SEGMENT = mark(SEG, "segment 1", mask=MASK, tracking_uid="2.1", drawn_mm=5.0)


@pytest.mark.parametrize("reversed_", [False, True])
def test_a_segment_and_what_a_report_says_of_it_are_one_mark(reversed_: bool) -> None:
    said = about(tracking_uid="2.9", tracking_id="Nodule 7", stated_mm=8.0)
    objects = [told(SEG, SEGMENT), told(REPORT, said)]
    joined = join(*objects[:: -1 if reversed_ else 1])
    (one,) = joined.markings
    assert (one.tracking_uid, one.tracking_id) == ("2.1", "Nodule 7")
    assert one.stated_mm == 8.0
    assert [source.place for source in one.also_in] == ["group 1"]
    assert (joined.refused, joined.passed_over) == ((), ())


def test_a_diameter_that_a_report_does_not_state_leaves_the_segments() -> None:
    (one,) = join(told(SEG, SEGMENT), told(REPORT, about(drawn_mm=8.0))).markings
    assert (one.drawn_mm, one.stated_mm) == (5.0, None)
    stated = replace(SEGMENT, stated_mm=6.0)
    (one,) = join(told(SEG, stated), told(REPORT, about())).markings
    assert one.stated_mm == 6.0


UNSAID = PassedOver(
    drawn=Drawn.SEGMENT, place="segment 1", says="Tissue", unsaid=True, marking=SEGMENT
)


def test_a_segment_that_says_nothing_is_what_a_report_makes_of_it() -> None:
    joined = join(told(SEG, passed=(UNSAID,)), told(REPORT, about()))
    assert [marking.source.place for marking in joined.markings] == ["segment 1"]
    assert joined.passed_over == ()
    other = replace(UNSAID, says="Liver", unsaid=False)
    joined = join(told(SEG, passed=(other,)), told(REPORT, about()))
    assert joined.markings == ()
    assert [why for _, why in joined.refused] == [
        "it is segment 1 of a segmentation, which is no nodule there: Liver"
    ]
    assert joined.passed_over == (other,)


def test_a_report_of_measurements_alone_speaks_of_a_segment_that_is_a_nodule() -> None:
    said = about(stated_mm=8.0)
    group = PassedOver(drawn=Drawn.MEASUREMENT, place="group 1", unsaid=True, marking=said)
    joined = join(told(SEG, SEGMENT), told(REPORT, passed=(group,)))
    assert [marking.stated_mm for marking in joined.markings] == [8.0]
    assert joined.passed_over == ()
    alone = join(told(REPORT, passed=(group,)))
    assert (alone.markings, alone.passed_over) == ((), (group,))
    organ = replace(group, unsaid=False)
    kept = join(told(SEG, SEGMENT), told(REPORT, passed=(organ,)))
    assert ([m.stated_mm for m in kept.markings], kept.passed_over) == ([None], (organ,))


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([], "was not received"),
        ([told(SEG)], "is empty there or does not exist"),
        ([told(SOPInstanceUID("1.8"))], "was not received"),
        ([told(SEG, passed=(replace(UNSAID, marking=None, says=""),))], "is no nodule there"),
    ],
)
def test_why_a_segment_that_a_report_speaks_of_is_not_there_is_said(
    objects: list[Annotation], why: str
) -> None:
    said = about()
    joined = join(*objects, told(REPORT, said))
    assert joined.refused == ((said, f"it is segment 1 of a segmentation, which {why}"),)


def test_marks_of_one_name_are_told_apart() -> None:
    marks = [mark(REPORT, "group 1", centre_mm=(float(n), 0.0, 0.0)) for n in range(3)]
    joined = join(told(REPORT, *marks))
    assert [marking.centre_mm for marking in joined.markings] == [
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0),
        (2.0, 0.0, 0.0),
    ]


def test_unlabelled_bidirectional_marks_count_where_a_site_will_have_it() -> None:
    drawn = mark(REPORT, "group 1", centre_mm=(0.0, 0.0, 0.0))
    bidirectional = PassedOver(
        drawn=Drawn.MEASUREMENT, place="group 1", unsaid=True, marking=drawn, may_count=True
    )
    ruler = replace(bidirectional, may_count=False)
    assert join(told(REPORT, passed=(bidirectional,)), judge_unlabelled=True).markings == (drawn,)
    for passed, judged in ((bidirectional, False), (ruler, True)):
        joined = join(told(REPORT, passed=(passed,)), judge_unlabelled=judged)
        assert (joined.markings, joined.passed_over) == ((), (passed,))
