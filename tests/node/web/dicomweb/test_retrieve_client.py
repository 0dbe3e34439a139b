"""dicomweb-client 0.61 does on the node all that it can do with WADO-RS."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import JPEGLSLossless

from tests import synthetic
from tests.node.web.dicomweb.keeping import keep
from tests.node.web.serving import Served, serving

CT = synthetic.ct_series(shape=(3, 16, 20))
SEG = synthetic.segmentation(CT, [np.indices((3, 16, 20)).sum(axis=0) % 3 == 0])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    compressed = synthetic.ct_series(shape=(2, 16, 20), series="compressed")
    for each in compressed:
        each.compress(JPEGLSLossless, generate_instance_uid=False)
    folder = tmp_path_factory.mktemp("web")
    with serving(folder) as served:
        keep(served, [*CT, SEG, *compressed], folder)
        yield served


@pytest.fixture
def client(served: Served) -> DICOMwebClient:
    return DICOMwebClient(served.url)


def uids(dataset: Dataset) -> tuple[str, str, str]:
    return dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID


def test_a_study_and_a_series_come_whole(client: DICOMwebClient) -> None:
    study = client.retrieve_study(CT[0].StudyInstanceUID)
    assert len(study) == 6
    streamed = list(client.iter_study(CT[0].StudyInstanceUID))
    assert [each.SOPInstanceUID for each in streamed] == [each.SOPInstanceUID for each in study]
    series = client.retrieve_series(*uids(CT[0])[:2])
    assert series == CT
    assert list(client.iter_series(*uids(CT[0])[:2])) == CT


def test_an_instance_comes_whole(client: DICOMwebClient) -> None:
    assert client.retrieve_instance(*uids(SEG)).PixelData == SEG.PixelData


def test_metadata_are_of_a_study_a_series_and_an_instance(client: DICOMwebClient) -> None:
    assert len(client.retrieve_study_metadata(CT[0].StudyInstanceUID)) == 6
    assert len(client.retrieve_series_metadata(*uids(CT[0])[:2])) == 3
    said = Dataset.from_json(client.retrieve_instance_metadata(*uids(CT[1])), lambda *_: b"")
    del said.PixelData
    there = dcmread(_file(CT[1]), stop_before_pixels=True)
    assert said == there


def test_frames_are_retrieved_and_iterated(client: DICOMwebClient) -> None:
    (frame,) = client.retrieve_instance_frames(*uids(CT[2]), frame_numbers=[1])
    assert frame == CT[2].PixelData
    masks = client.retrieve_instance_frames(*uids(SEG), frame_numbers=[1, 3])
    assert masks == list(client.iter_instance_frames(*uids(SEG), frame_numbers=[1, 3]))
    assert [np.unpackbits(np.frombuffer(mask, np.uint8)).sum() for mask in masks] == [
        SEG.pixel_array[0].sum(),
        SEG.pixel_array[2].sum(),
    ]


def test_bulk_data_are_where_metadata_say(client: DICOMwebClient) -> None:
    said = client.retrieve_instance_metadata(*uids(CT[1]))
    uri = said["7FE00010"]["BulkDataURI"]
    assert client.retrieve_bulkdata(uri) == [CT[1].PixelData]
    assert list(client.iter_bulkdata(uri)) == [CT[1].PixelData]


def test_pictures_are_rendered(client: DICOMwebClient) -> None:
    of_instance = client.retrieve_instance_rendered(*uids(CT[0]), media_types=("image/png",))
    assert Image.open(BytesIO(of_instance)).size == (20, 16)
    of_frames = client.retrieve_instance_frames_rendered(
        *uids(SEG), frame_numbers=[2], media_types=("image/jpeg",)
    )
    assert Image.open(BytesIO(of_frames)).size == (20, 16)
    of_series = client.retrieve_series_rendered(*uids(CT[0])[:2])
    assert of_series.count(b"Content-Type: image/jpeg") == 3


def _file(dataset: Dataset) -> BytesIO:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return buffer
