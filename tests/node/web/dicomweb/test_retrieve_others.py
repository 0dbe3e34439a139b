"""The objects of other programs: each through metadata, frames and pictures, and whole.

What is decoded here is what pydicom decodes from the same file.
"""

import csv
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian

from tests import others
from tests.node.web.dicomweb.keeping import address, keep_file
from tests.node.web.dicomweb.parts import parts_of
from tests.node.web.serving import Served, serving
from tests.synthetic import uid

TWELVE_BITS = ("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.55")
"""Of which pydicom decodes no more than 8 bits."""
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
OCTETS = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One object as its file has it; `pixels` as pydicom decodes them, if it does."""

    name: str
    path: Path
    dataset: Dataset
    pixels: NDArray[Any] | None

    @property
    def syntax(self) -> str:
        return str(self.dataset.file_meta.TransferSyntaxUID)

    def frames(self) -> list[NDArray[Any]]:
        assert self.pixels is not None
        count = int(self.dataset.get("NumberOfFrames") or 1)
        return list(self.pixels) if count > 1 else [self.pixels.reshape(self.pixels.shape[-2:])]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> list[Kept]:
    with (others.folder() / "manifest.tsv").open(encoding="utf-8") as manifest:
        names = [row["file"] for row in csv.DictReader(manifest, delimiter="\t")]
    folder = tmp_path_factory.mktemp("others")
    found = []
    for number, name in enumerate(names):
        dataset = others.read(name)
        if "TransferSyntaxUID" not in getattr(dataset, "file_meta", {}):
            continue
        path = others.folder() / name
        if dataset.file_meta.TransferSyntaxUID.is_transfer_syntax:
            # Some are the same instance in several transfer syntaxes.
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid(name)
            path = folder / f"{number}.dcm"
            dataset.save_as(path)
            dataset = dcmread(path)
        found.append(Kept(name=name, path=path, dataset=dataset, pixels=_pixels(dataset)))
    return found


def _pixels(dataset: Dataset) -> NDArray[Any] | None:
    if "PixelData" not in dataset:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dataset.pixel_array
    except (NotImplementedError, RuntimeError):
        return None


@pytest.fixture(scope="module")
def served(here: list[Kept], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("others")) as served:
        for each in here:
            keep_file(served, each.path)
        yield served


def test_every_object_comes_back_as_it_is_stored(served: Served, here: list[Kept]) -> None:
    for each in here:
        answer = served.get(address(each.dataset))
        ((headers, content),) = parts_of(answer)
        assert headers["content-type"] == f"application/dicom; transfer-syntax={each.syntax}"
        assert dcmread(BytesIO(content)).SOPInstanceUID == each.dataset.SOPInstanceUID
        assert answer.headers["Content-Length"] == str(len(answer.content))


def test_every_object_has_metadata_that_pydicom_reads_back(
    served: Served, here: list[Kept]
) -> None:
    for each in here:
        (said,) = json.loads(served.get(f"{address(each.dataset)}/metadata").content)
        for tag, element in said.items():
            there = each.dataset.get(int(tag, 16))
            assert there is not None or tag == "00080005", (each.name, tag)
            if "Value" in element and element["vr"] not in ("SQ", "PN") and tag != "00080005":
                values = there.value if there.VM > 1 else [there.value]
                assert _comparable(element["Value"]) == _comparable(values), (each.name, tag)
        sequences = {tag for tag, element in said.items() if element["vr"] == "SQ"}
        for tag in sequences:
            count = len(each.dataset[int(tag, 16)].value)
            assert len(said[tag].get("Value", [])) == count, (each.name, tag)


def _comparable(values: Any) -> list[object]:
    found: list[object] = []
    for value in values:
        text = str(value).strip()
        try:
            found.append(float(text))
        except ValueError:
            found.append("" if value is None else text)
    return found


def test_every_frame_is_what_pydicom_decodes(served: Served, here: list[Kept]) -> None:
    decoded = [each for each in here if each.pixels is not None]
    assert len({each.syntax for each in decoded}) >= 9
    for each in decoded:
        frames = each.frames()
        numbers = range(1, min(len(frames), 4) + 1)
        wanted = ",".join(map(str, numbers))
        answer = served.get(
            f"{address(each.dataset)}/frames/{wanted}",
            headers={"Accept": f"multipart/related; type={OCTETS}"},
        )
        parts = parts_of(answer)
        assert len(parts) == len(numbers)
        for (headers, content), frame in zip(parts, frames, strict=False):
            said = f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}"
            assert headers["content-type"] == said
            if each.dataset.BitsAllocated == 1:
                expected = np.packbits(frame.reshape(-1), bitorder="little").tobytes()
            else:
                expected = frame.astype(frame.dtype.newbyteorder("<")).tobytes()
            assert content == expected, each.name


def test_twelve_bits_with_loss_and_deflated_frames_are_decoded_too(
    served: Served, here: list[Kept]
) -> None:
    odd = [each for each in here if each.pixels is None and "PixelData" in each.dataset]
    assert {each.syntax for each in odd} <= {*TWELVE_BITS, DEFLATED_FRAMES}
    for each in odd:
        answer = served.get(
            f"{address(each.dataset)}/frames/1", headers={"Accept": OCTETS + ";q=0.9"}
        )
        bits = each.dataset.Rows * each.dataset.Columns * each.dataset.BitsAllocated
        assert len(answer.content) == (bits + 7) // 8, each.name
        assert any(answer.content)


def test_every_image_is_a_picture_and_every_other_object_says_what_there_is(
    served: Served, here: list[Kept]
) -> None:
    for each in here:
        answer = served.get(f"{address(each.dataset)}/rendered", headers={"Accept": "image/png"})
        if "PixelData" not in each.dataset:
            assert answer.status_code == 406
            assert "application/dicom+json at /metadata" in answer.json()["error"]
            continue
        assert answer.status_code == 200, (each.name, answer.text)
        picture = Image.open(BytesIO(answer.content))
        assert picture.size == (each.dataset.Columns, each.dataset.Rows)
        levels = np.asarray(picture)
        frames = each.frames() if each.pixels is not None else []
        if frames and len(np.unique(frames[0])) > 1:
            assert levels.min() < levels.max(), each.name


def test_every_object_is_written_anew_with_the_same_content(
    served: Served, here: list[Kept]
) -> None:
    for each in here:
        answer = served.get(
            address(each.dataset),
            headers={"Accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"},
        )
        anew = dcmread(BytesIO(answer.content))
        assert anew.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        if each.pixels is not None:
            assert np.array_equal(anew.pixel_array, each.pixels), each.name
        there = dcmread(each.path)
        for dataset in (anew, there):
            _drop(dataset)
        assert anew == there, each.name


def _drop(dataset: Dataset) -> None:
    """What depends on the encoding."""
    for element in list(dataset):
        if element.tag.element == 0 or element.tag in (0x7FE00010, 0xFFFCFFFC):
            del dataset[element.tag]
