"""What the presentation state draws is what the report's regions say, on the same slice."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.readers import READERS
from m3net.annotations.types import Planes
from m3net.ct.series import slice_plane
from m3net.uids import FrameKey, SOPClassUID, SOPInstanceUID
from sr_templates.findings import Circle
from sr_templates.objects.presentation_state import (
    Drawn,
    KeySlice,
    build_presentation_state,
    split_by_state,
)
from tests import validators
from tests.sr_templates.examples import (
    ALGORITHM,
    CT,
    OUTLINED,
    ROUND,
    SLICE,
    UNTRAINED,
    identity,
)
from tests.sr_templates.objects.test_secondary_capture import encoded

KEY = KeySlice(header=SLICE, rescale=(1.0, -1024.0), spacing_mm=(0.7, 0.7))
BOTH = [Drawn(finding=each, name=each.tracking_id, slice=KEY) for each in (ROUND, OUTLINED)]


def state(drawn: list[Drawn] = BOTH, **changes: object) -> Dataset:
    arguments = {"subject": SLICE, "algorithm": ALGORITHM, "identity": identity()}
    return build_presentation_state(drawn, **{**arguments, **changes})


def graphic(dataset: Dataset, number: int) -> tuple[str, list[float]]:
    (item,) = dataset.GraphicAnnotationSequence[number].GraphicObjectSequence
    assert (item.GraphicAnnotationUnits, item.GraphicDimensions) == ("PIXEL", 2)
    assert item.NumberOfGraphicPoints == len(item.GraphicData) // 2
    return str(item.GraphicType), [float(value) for value in item.GraphicData]


def text(dataset: Dataset, number: int) -> tuple[str, list[float]]:
    (item,) = dataset.GraphicAnnotationSequence[number].TextObjectSequence
    return str(item.UnformattedTextValue), [float(value) for value in item.AnchorPoint]


def test_each_nodule_is_drawn_on_its_slice_with_its_number() -> None:
    built = state()
    assert graphic(built, 0) == ("CIRCLE", [10.5, 8.5, 13.5, 8.5])
    assert graphic(built, 1) == ("POLYLINE", [2, 2, 6, 2, 4, 6, 2, 2])
    assert text(built, 0)[0].startswith("Nodule 1: 87")
    assert text(built, 1)[1] == [10.0, 2.0]
    for annotation in built.GraphicAnnotationSequence:
        (image,) = annotation.ReferencedImageSequence
        assert image.ReferencedSOPInstanceUID == SLICE.SOPInstanceUID
        assert "ReferencedFrameNumber" not in image
    (series,) = built.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == SLICE.SeriesInstanceUID
    assert len(series.ReferencedImageSequence) == 1


def test_a_nominal_circle_is_dashed_in_every_viewer_and_said_to_be() -> None:
    """The point that was marked, and arcs: what heeds no Line Dashing Style draws them too."""
    region = ROUND.region
    assert isinstance(region, Circle)
    finding = replace(ROUND, region=replace(region, nominal=True))
    built = state([Drawn(finding=finding, name="Nodule 1", slice=KEY)])
    point, *dashes = built.GraphicAnnotationSequence[0].GraphicObjectSequence
    assert (point.GraphicType, list(point.GraphicData)) == ("POINT", [10.5, 8.5])
    assert [dash.GraphicType for dash in dashes] == ["POLYLINE"] * 12
    ends = [np.reshape(list(dash.GraphicData), (-1, 2)) for dash in dashes]
    away = np.linalg.norm(np.concatenate(ends) - [10.5, 8.5], axis=1)
    np.testing.assert_allclose(away, 3.0, atol=1e-5)
    for one, next_one in pairwise(ends):  # a gap as long as the dash
        dash, gap = (np.linalg.norm(b - a) for a, b in ((one[0], one[-1]), (one[-1], next_one[0])))
        assert gap == pytest.approx(dash, rel=1e-5)
    assert text(built, 0)[0] == "Nodule 1: 87 % (nominal circle)"


def test_of_a_nominal_circle_at_the_corner_what_the_image_holds_is_drawn() -> None:
    region = ROUND.region
    assert isinstance(region, Circle)
    corner = replace(region, centre=(0.5, 0.5), nominal=True)
    drawn = Drawn(finding=replace(ROUND, region=corner), name="Nodule 1", slice=KEY)
    built = state([drawn])
    point, *dashes = built.GraphicAnnotationSequence[0].GraphicObjectSequence
    assert point.GraphicType == "POINT"
    assert 2 <= len(dashes) <= 4
    assert min(value for dash in dashes for value in dash.GraphicData) >= 0


def test_the_ct_is_shown_whole_in_the_lung_window() -> None:
    built = state()
    (area,) = built.DisplayedAreaSelectionSequence
    assert list(area.DisplayedAreaTopLeftHandCorner) == [1, 1]
    assert list(area.DisplayedAreaBottomRightHandCorner) == [SLICE.Columns, SLICE.Rows]
    (window,) = built.SoftcopyVOILUTSequence
    assert (float(window.WindowCenter), float(window.WindowWidth)) == (-600, 1500)
    assert (float(built.RescaleSlope), float(built.RescaleIntercept)) == (1, -1024)
    assert [layer.GraphicLayer for layer in built.GraphicLayerSequence] == ["AI_NODULES"]


def test_the_number_of_untrained_weights_is_not_written() -> None:
    built = state(algorithm=UNTRAINED)
    assert text(built, 0)[0] == "Nodule 1: UNTRAINED, NOT A RESULT"
    assert built.ContentDescription.startswith("UNTRAINED, NOT A RESULT")


def test_a_frame_of_a_multi_frame_ct_is_named() -> None:
    region = replace(ROUND.region, image=replace(ROUND.region.image, frame_number=7))
    drawn = replace(BOTH[0], finding=replace(ROUND, region=region))
    built = state([drawn, BOTH[1]])
    (image,) = built.GraphicAnnotationSequence[0].ReferencedImageSequence
    assert image.ReferencedFrameNumber == 7
    (referenced,) = built.ReferencedSeriesSequence[0].ReferencedImageSequence
    assert referenced.ReferencedFrameNumber == 7


@pytest.mark.parametrize("centre", [(14.5, 8.0), (1.0, 8.0), (8.0, 1.0), (8.0, 15.5)])
def test_nothing_is_drawn_off_the_image(centre: tuple[float, float]) -> None:
    region = Circle(image=ROUND.region.image, centre=centre, radius=4.0)
    built = state([replace(BOTH[0], finding=replace(ROUND, region=region))])
    points = [*graphic(built, 0)[1], *text(built, 0)[1]]
    assert all(0 <= value <= SLICE.Columns for value in points[::2])
    assert all(0 <= value <= SLICE.Rows for value in points[1::2])


def test_series_and_rescales_have_a_state_each() -> None:
    other = deepcopy(CT[0])
    other.SeriesInstanceUID = "1.2.3"
    elsewhere = replace(BOTH[1], slice=replace(KEY, header=other))
    steeper = replace(BOTH[1], slice=replace(KEY, rescale=(2.0, -1024.0)))
    assert [len(group) for group in split_by_state([*BOTH, elsewhere, steeper])] == [2, 1, 1]
    with pytest.raises(ValueError, match="one series with one rescale"):
        state([BOTH[0], elsewhere])
    with pytest.raises(ValueError, match="one series with one rescale"):
        state([])


def test_the_same_arguments_make_the_same_bytes() -> None:
    assert encoded(state()) == encoded(state())


@pytest.mark.peers
def test_other_peoples_checkers_find_no_error(tmp_path: Path) -> None:
    region = ROUND.region
    assert isinstance(region, Circle)
    point = replace(ROUND, region=replace(region, nominal=True))
    dashed = state([Drawn(finding=point, name="Nodule 1", slice=KEY)])
    for number, built in enumerate((state(), state(algorithm=UNTRAINED), dashed)):
        path = tmp_path / f"{number}.dcm"
        built.save_as(path, enforce_file_format=True)
        assert validators.dciodvfy(path) == []
        assert "Test passed" in validators.dcmpschk(path)


def test_a_reader_finds_the_nodules_where_they_were() -> None:
    """The node's own reader, which is tested against other writers' states."""
    plane = slice_plane(SLICE)
    planes = Planes({FrameKey(SOPInstanceUID(str(SLICE.SOPInstanceUID))): plane})
    read = READERS[SOPClassUID(str(state().SOPClassUID))].read(state(), planes)
    (mark,) = (mark for mark in read.markings if mark.centre_mm is not None)
    x, y, z = (float(value) for value in SLICE.ImagePositionPatient)
    between_rows, between_columns = (float(value) for value in SLICE.PixelSpacing)
    assert np.allclose(mark.centre_mm, (x + 10 * between_columns, y + 8 * between_rows, z))
    assert mark.drawn_mm == pytest.approx(6 * between_columns)
