"""The demo reads a report from the object alone."""

from m3net.uids import FrameKey
from node.demo.annotations import measurement_report
from node.demo.phantom import chest_phantom
from node.demo.reading import read_report


def test_a_mark_is_placed_by_the_slice_that_it_is_drawn_on():
    phantom = chest_phantom(size=128, slices=60)
    slices = {FrameKey(ds.SOPInstanceUID): ds for ds in phantom.ct}
    read = read_report(measurement_report(phantom), slices)
    circle, outline, _ = read.nodules
    assert [round(value, 2) for value in circle.centre_mm or ()] == [-72.0, -14.0, -80.0]
    assert [round(value, 2) for value in outline.centre_mm or ()] == [-78.0, -44.0, -170.0]
    assert circle.tracking_id == "Nodule 1"
    assert circle.diameter_mm == 9.0
    assert circle.probability is None


def test_without_the_slice_there_is_no_place():
    phantom = chest_phantom(size=64, slices=12)
    assert read_report(measurement_report(phantom), {}).nodules[0].centre_mm is None
