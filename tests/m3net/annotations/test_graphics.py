"""Which graphic a text of a presentation state stands beside, and where either is."""

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.graphics import Graphic, graphics_of, texts_without_place
from m3net.annotations.types import NO_PLANES
from m3net.errors import AnnotationUnusable, NoduleUnusable
from tests.encodings import item

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def image(uid: str = "1.1", *, of: str = CT) -> Dataset:
    return item(ReferencedSOPClassUID=of, ReferencedSOPInstanceUID=uid)


def drawn(*points: float, **more: object) -> Dataset:
    return item(
        GraphicType="POLYLINE", GraphicData=list(points), GraphicAnnotationUnits="PIXEL", **more
    )


def anchored(value: str, *place: float, units: str = "PIXEL", **more: object) -> Dataset:
    return item(
        UnformattedTextValue=value,
        AnchorPoint=list(place),
        AnchorPointAnnotationUnits=units,
        **more,
    )


def boxed(value: str, *corners: float) -> Dataset:
    return item(
        UnformattedTextValue=value,
        BoundingBoxTopLeftHandCorner=list(corners[:2]),
        BoundingBoxBottomRightHandCorner=list(corners[2:]),
        BoundingBoxAnnotationUnits="PIXEL",
    )


def annotation(
    graphics: list[Dataset], texts: list[Dataset], *images: Dataset, layer: str = "A"
) -> Dataset:
    return item(
        GraphicLayer=layer,
        ReferencedImageSequence=list(images),
        GraphicObjectSequence=graphics,
        TextObjectSequence=texts,
    )


def read(*annotations: Dataset) -> list[Graphic]:
    return graphics_of(item(GraphicAnnotationSequence=list(annotations)), NO_PLANES)


LEFT, RIGHT = drawn(0, 0, 4, 0, 4, 4), drawn(20, 0, 24, 0, 24, 4)


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        (anchored("nodule", 5, 5), 0),
        (anchored("nodule", 19, 5), 1),
        # its nearest point counts: 11 and 9 from the outlines
        (anchored("nodule", 11, 0), 0),
        (anchored("nodule", 13, 0), 1),
        (boxed("nodule", 4, 6, 12, 10), 0),
        # the middle of the box counts, not its corner
        (boxed("nodule", 5, 1, 29, 9), 1),
        (anchored("nodule", 5, 5, GraphicGroupID=2), 1),
        (anchored("nodule", 5, 5, GraphicGroupID=9), 0),
    ],
)
def test_a_text_is_its_groups_graphic_or_the_nearest(text: Dataset, beside: int) -> None:
    right = drawn(20, 0, 24, 0, 24, 4, GraphicGroupID=2)
    found = read(annotation([LEFT, right], [text], image()))
    assert [graphic.texts for graphic in found] == (
        [("nodule",), ()] if beside == 0 else [(), ("nodule",)]
    )


def test_a_text_without_a_place_names_the_only_graphic_and_none_of_several() -> None:
    nowhere = item(UnformattedTextValue="nodule")
    assert read(annotation([LEFT], [nowhere], image()))[0].texts == ("nodule",)
    found = read(annotation([LEFT, RIGHT], [nowhere], image()))
    assert [graphic.texts for graphic in found] == [(), ()]


def test_a_graphic_without_points_is_nearest_to_nothing() -> None:
    empty = item(GraphicType="POLYLINE", GraphicAnnotationUnits="PIXEL")
    unknown = drawn(0, 0, 1, 1)
    unknown.GraphicAnnotationUnits = "FEET"
    found = read(annotation([empty, unknown, RIGHT], [anchored("nodule", 0, 0)], image()))
    assert [graphic.texts for graphic in found] == [(), (), ("nodule",)]


def test_graphics_are_numbered_through_the_whole_object() -> None:
    found = read(
        annotation([LEFT, RIGHT], [], image()),
        annotation([LEFT], [], image(of=MR)),
        annotation([], [anchored("a", 1, 1), item(UnformattedTextValue="b")], image("1.3")),
        annotation([RIGHT], [anchored("c", 1, 1)], image("1.2")),
    )
    assert [(g.place, g.shape, g.is_anchor, g.texts) for g in found] == [
        ("graphic 1", "POLYLINE", False, ()),
        ("graphic 2", "POLYLINE", False, ()),
        ("graphic 4", "POINT", True, ("a",)),
        ("graphic 5", "POLYLINE", False, ("c",)),
    ]
    assert [frame.sop_instance_uid for frame in found[3].images] == ["1.2"]


def test_a_text_of_an_item_of_its_own_is_for_the_same_images_and_layer() -> None:
    here = annotation([LEFT], [], image())
    text = [anchored("nodule", 0, 0)]
    for alone, texts in (
        (annotation([], text, image()), ("nodule",)),
        (annotation([], text, image("1.2")), ()),
        (annotation([], text, image(), layer="B"), ()),
        (annotation([RIGHT], text, image()), ()),
    ):
        assert read(here, alone)[0].texts == texts


def test_where_points_are_is_said_in_pixels_or_refused() -> None:
    (graphic,) = read(annotation([LEFT], [], image()))
    assert graphic.pixels().tolist() == [[0, 0], [4, 0], [4, 4]]
    assert not graphic.is_filled
    assert read(annotation([drawn(0, 0, GraphicFilled="Y")], [], image()))[0].is_filled
    (anchor,) = read(annotation([], [anchored("nodule", 3, 5)], image()))
    assert np.array_equal(anchor.pixels(), [[3, 5]])
    (shown,) = read(annotation([], [anchored("nodule", 0.5, 0.5, units="DISPLAY")], image()))
    with pytest.raises(NoduleUnusable, match="units of a displayed area that is not given"):
        shown.pixels()
    (odd,) = read(annotation([drawn(0, 0, 1)], [], image()))
    with pytest.raises(AnnotationUnusable, match="has 3 numbers, expected 2 for each point"):
        odd.pixels()


def test_texts_beside_no_graphic_and_without_an_anchor_mark_no_place() -> None:
    words = [item(UnformattedTextValue="nodule"), anchored("mass", 1, 1)]
    for annotations, texts in (
        ([annotation([], words, image())], ["nodule"]),
        ([annotation([], words, image(of=MR))], []),
        ([annotation([LEFT], words, image())], []),
        ([annotation([], words, image()), annotation([LEFT], [], image())], []),
        ([annotation([], words, image()), annotation([LEFT], [], image("1.2"))], ["nodule"]),
    ):
        assert texts_without_place(item(GraphicAnnotationSequence=annotations)) == texts
