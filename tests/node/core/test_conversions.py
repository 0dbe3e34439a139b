from dataclasses import replace

from m3net.uids import FrameKey, FrameReference, SOPInstanceUID
from node.core.conversions import conversions_of, followed, planes_of
from node.core.inputs import InstanceFacts
from tests.node.core.facts_of import ct_series, segmentation, uids

ENHANCED = SOPInstanceUID("1.2.3.90.1")


def converted(slices: list[InstanceFacts]) -> InstanceFacts:
    """The object that holds them, the last one's frame first."""
    count = len(slices)
    return replace(
        slices[0],
        sop_instance_uid=ENHANCED,
        kind="Legacy Converted Enhanced CT",
        planes={count - n: each.planes[1] for n, each in enumerate(slices)},
        converted_from={each.sop_instance_uid: count - n for n, each in enumerate(slices)},
    )


def test_an_image_that_never_came_is_the_frame_that_it_became() -> None:
    slices = ct_series(4)
    assert conversions_of([converted(slices)]) == {
        uid: FrameReference(ENHANCED, 4 - n) for n, uid in enumerate(uids(*slices))
    }


def test_an_image_that_is_here_is_itself() -> None:
    slices = ct_series(4)
    found = conversions_of([converted(slices), *slices[:3]])
    assert list(found) == [slices[3].sop_instance_uid]


def test_an_annotation_of_the_images_becomes_one_of_the_object() -> None:
    slices = ct_series(4)
    marks = segmentation(drawn_on=uids(*slices[1:2]), refers_to=[*uids(*slices), "9.9.9"])
    (follows,) = followed([marks], conversions_of([converted(slices)]))
    assert follows.references is not None
    assert follows.references.marked == {FrameReference(ENHANCED, 3)}
    assert follows.references.sop_instance_uids == {ENHANCED, "9.9.9"}
    assert follows.content_digest == marks.content_digest
    assert followed([marks], {}) == (marks,)


def test_planes_are_known_by_both_names() -> None:
    slices = ct_series(4)
    planes = planes_of([converted(slices)])
    assert planes[FrameKey(ENHANCED, 4)] == slices[0].planes[1]
    assert planes[FrameKey(slices[0].sop_instance_uid)] == slices[0].planes[1]
    assert len(planes) == 8
