"""A real chest CT is handed out as fast as a viewer opens it, slice by slice the same."""

import json
import time
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from tests import lidc
from tests.node.web.dicomweb.keeping import address, keep_file
from tests.node.web.dicomweb.parts import parts_of
from tests.node.web.serving import Served, serving

pytestmark = pytest.mark.lidc
SLICES = 133


@pytest.fixture(scope="module")
def study() -> lidc.LidcStudy:
    return lidc.study("LIDC-IDRI-0001")


@pytest.fixture(scope="module")
def served(study: lidc.LidcStudy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("lidc")) as served:
        for path in (*study.ct, lidc.lying_segmentation()):
            keep_file(served, path)
        yield served


def test_metadata_of_a_series_take_little_longer_than_pydicom_takes_to_read_them(
    served: Served, study: lidc.LidcStudy
) -> None:
    path = address(study.headers[0], "series") + "/metadata"
    before = time.process_time()
    for image in study.ct:
        json.dumps(dcmread(image, stop_before_pixels=True).to_json_dict())
    read = time.process_time()
    said = served.get(path).json()
    assert time.process_time() - read < 2 * (read - before)
    assert len(said) == SLICES
    positions = {each["00080018"]["Value"][0]: each["00200032"]["Value"] for each in said}
    for header in study.headers:
        assert positions[header.SOPInstanceUID] == [float(mm) for mm in header.ImagePositionPatient]


def test_the_series_comes_whole(served: Served, study: lidc.LidcStudy) -> None:
    answer = served.get(address(study.headers[0], "series"))
    parts = parts_of(answer)
    assert len(parts) == SLICES
    there = {dcmread(path, stop_before_pixels=True).SOPInstanceUID: path for path in study.ct[:5]}
    for _, content in parts:
        image = dcmread(BytesIO(content))
        if path := there.pop(image.SOPInstanceUID, None):
            assert image.PixelData == dcmread(path).PixelData
    assert not there


def test_a_slice_and_a_mark_are_seen(served: Served, study: lidc.LidcStudy) -> None:
    middle = address(study.headers[89])
    picture = served.get(f"{middle}/rendered?window=-600,1500,linear&accept=image/png").content
    levels = np.asarray(Image.open(BytesIO(picture)))
    hu = dcmread(study.ct[89]).pixel_array.astype(float) - 1024
    assert levels[hu <= -1351].max() == 0
    assert levels[hu >= 151].min() == 255
    assert levels.shape == (512, 512)
    seg = dcmread(lidc.lying_segmentation())
    mark = served.get(f"{address(seg)}/frames/4/rendered?accept=image/png").content
    assert np.array_equal(np.asarray(Image.open(BytesIO(mark))), seg.pixel_array[3] * 255)
