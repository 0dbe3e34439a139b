"""Whatever attribute an object lacks: a stated reason, never a crash and never another place."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset

from m3net.annotations.nodules import find_nodules
from m3net.annotations.readers import reader_for, recognise
from m3net.ct.series import read_series
from m3net.errors import StudyError
from m3net.uids import SOPClassUID
from tests import synthetic
from tests.m3net.annotations.scene import BOX_CENTRE_MM, as_received, box, outlined, planes_of


def without_each_attribute(ds: Dataset) -> Iterator[Dataset]:
    for path in list(_paths(ds)):
        damaged = deepcopy(ds)
        item = damaged
        for tag, number in path[:-1]:
            item = item[tag].value[number]
        del item[path[-1][0]]
        yield damaged


def _paths(ds: Dataset) -> Iterator[list[tuple[int, int]]]:
    for element in ds:
        yield [(element.tag, 0)]
        if element.VR == "SQ" and element.value:
            for path in _paths(element.value[0]):
                yield [(element.tag, 0), *path]


@pytest.mark.filterwarnings("ignore:The pixel data is:UserWarning")  # pydicom, of damaged pixels
@pytest.mark.parametrize("kind", ["segmentation", "report"])
def test_an_annotation_without_any_one_attribute_is_read_right_or_refused(kind: str) -> None:
    ct = synthetic.ct_series(shape=(6, 10, 10))
    volume = read_series(ct)
    made = (
        synthetic.segmentation(ct, [box()[:6, :10, :10]])
        if kind == "segmentation"
        else outlined(ct, tracking_uid="1.2.3")
    )
    read = 0
    for damaged in without_each_attribute(as_received(made)):
        if recognise(damaged) is None:
            continue
        reader = reader_for(SOPClassUID(str(damaged.SOPClassUID)))
        assert reader is not None
        try:
            reader.references(damaged)
            result = find_nodules([reader.read(damaged, planes_of(ct))], volume)
        except StudyError:
            continue
        for nodule in result.nodules:
            read += 1
            assert nodule.centre_mm == pytest.approx(BOX_CENTRE_MM, abs=0.1)
    assert read > 10


def test_a_slice_without_any_one_attribute_gives_the_same_volume_or_a_reason() -> None:
    expected = read_series(synthetic.ct_series())
    slices = synthetic.ct_series()
    for damaged in without_each_attribute(slices[3]):
        try:
            volume = read_series([*slices[:3], damaged, *slices[4:]])
        except StudyError:
            continue
        assert np.array_equal(volume.hu, expected.hu)
        assert np.array_equal(volume.affine, expected.affine)
